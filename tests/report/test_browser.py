"""The report in a real browser: it fits a phone, follows the theme, and loads nothing."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from nissl.report import render
from nissl.testing.dossiers import spike_dossier
from nissl.testing.nights import night_project

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--virtual-time-budget=3000",
]
PROBE = """<script>
addEventListener("load", () => parent.postMessage(JSON.stringify({
  width: document.documentElement.scrollWidth, window: innerWidth,
  pictures: document.querySelectorAll("svg").length,
  drawn: [...document.querySelectorAll("svg")]
    .filter(s => s.getBoundingClientRect().width > 100).length,
  ground: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.body).color,
  requests: performance.getEntriesByType("resource").length,
}), "*"));
</script>"""
FRAME = """<title></title><body style="margin:0"><script>
addEventListener("message", said => { document.title = said.data; });
</script><iframe src="report.html" width="%d" height="900" style="border:0"></iframe>"""


@pytest.fixture(scope="module")
def browser(require):
    """Path of Chromium."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        require("browser", "no Chromium; run: apt-get install -y chromium")
    return found


@pytest.fixture(scope="module", params=["units", "night"])
def page(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    if request.param == "units":
        html = render(spike_dossier(n_units=3, n_channels=6))
    else:
        made, _ = night_project(path.parent, np.random.default_rng(1), hours=1.0)
        with made as project:
            html = render(project.dossier("night", "sleep", draft=True))
    path.write_text(html.replace("</body>", PROBE + "</body>"))
    return path


def look(browser, page, tmp_path, width, *flags):
    frame = page.with_name(f"frame-{width}.html")  # a window is never as narrow as a phone
    frame.write_text(FRAME % width)
    command = [browser, *FLAGS, *flags, "--window-size=1400,900", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", frame.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    title = re.search(r"<title>(\{.*?\})</title>", done.stdout)
    assert title, done.stderr[-2000:]
    return json.loads(title[1])


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_window_and_every_picture_is_drawn(browser, page, tmp_path, width):
    seen = look(browser, page, tmp_path, width)
    assert seen["window"] == width
    assert seen["width"] <= seen["window"], "nothing sticks out to the side"
    assert seen["pictures"] >= (2 if "Hypnogram" in page.read_text() else 9 + 4)
    assert seen["drawn"] == seen["pictures"]
    assert seen["requests"] == 0


def test_it_is_dark_where_the_reader_wants_it_dark(browser, page, tmp_path):
    def light(colour):
        return sum(int(n) for n in re.findall(r"\d+", colour)[:3]) / 3

    day = look(browser, page, tmp_path, 800)
    night = look(browser, page, tmp_path, 800, "--blink-settings=preferredColorScheme=0")
    assert light(day["ground"]) > 200 > 100 > light(day["ink"])
    assert light(night["ground"]) < 60 < 150 < light(night["ink"])
