"""A night of sleep is scored in a browser, by keys alone, and the journal holds the answers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from tests.web.waiting import PATIENCE_MS, PATIENCE_S, item, left, says, shown, until

from nissl.labels import Edit
from nissl.project.reviewing import open_room
from nissl.testing.nights import night_project
from nissl.web.app import STATIC, create_app
from nissl.web.security import Guard
from nissl.web.serve import listen
from nissl.web.sessions import Keys

BUILT = Path(os.environ.get("NISSL_STATIC", STATIC))


class Technician:
    """A reader of a night: the page, and the journal behind it."""

    def __init__(self, page: Any, project: Any, room: Any) -> None:
        self.page, self.project, self.room = page, project, room
        self.desk = room.desks[0]
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def edits(self, n: int) -> list[Edit]:
        late = time.monotonic() + PATIENCE_S
        while len(self.project.store.edits()) < n and time.monotonic() < late:
            time.sleep(0.03)
        found: list[Edit] = self.project.store.edits()
        assert len(found) == n, [edit.kind for edit in found]
        return found

    def at(self, epoch: int) -> None:
        """Wait until the heading names an epoch."""
        shown(self.page, epoch)

    def reads(self, where: str, text: str) -> None:
        says(self.page, where, text)


@pytest.fixture
def sit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Technician]]:
    closing: list[Callable[[], object]] = []

    def start(**night: Any) -> Technician:
        project, _ = night_project(tmp_path, np.random.default_rng(4), **night)
        room = open_room(project.store)
        app, keys, bound = create_app(room, static=BUILT), Keys(), listen(None)
        config = uvicorn.Config(Guard(app, keys), log_level="warning", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        found = Technician(page, project, room)
        page.goto(f"http://127.0.0.1:{bound.getsockname()[1]}/?token={keys.token}")
        page.fill("dialog[open] input", "Ann")
        page.keyboard.press("Enter")
        page.wait_for_selector(".spans-traces")
        found.reads(".status", ", 30 s.")

        def stop() -> None:
            context.close()
            app.state.closing.set()
            server.should_exit = True
            thread.join(timeout=20)
            if hasattr(app.state, "pyramids"):
                app.state.pyramids.close()
            project.close()

        closing.append(stop)
        return found

    yield start
    for stop in closing:
        stop()


def _goto(reader: Technician, epoch: int) -> None:
    reader.press("/")
    reader.page.keyboard.type(f"goto {epoch}")
    reader.press("Enter")
    reader.at(epoch)


def test_a_technician_scores_epochs_in_time_by_keys(sit: Callable[..., Technician]) -> None:
    reader = sit(hours=0.5)
    _goto(reader, 10)
    reader.reads(".spans-when", "5:00.0 – 5:30.0")
    reader.press("ArrowRight")
    reader.at(11)
    reader.reads(".spans-when", "5:30.0 – 6:00.0")
    reader.press("ArrowLeft")
    reader.at(10)
    reader.press("t")
    proposed = [reader.desk.vocabulary.names[c] for c in reader.desk.labels.column("label")]
    scored = []
    for epoch, key in enumerate(["w", "1", "2", "3", "r", "q", "Space"], start=10):
        reader.at(epoch)
        reader.press(key)
        stage = {"w": "W", "r": "R", "q": "unknown", "Space": proposed[epoch]}.get(key, f"N{key}")
        scored.append((epoch, stage))
    reader.at(17)
    found = []
    for edit in reader.edits(7):
        (item,) = edit.items
        found.append((item, edit.payload.get("label", proposed[item])))
    assert found == scored
    assert {edit.kind for edit in reader.edits(7)} <= {"relabel", "accept"}
    reader.press("Control+z")
    reader.at(16)
    assert reader.edits(8)[-1].kind == "undo"
    reader.press("u")
    assert reader.edits(9)[-1].kind == "unsure"
    assert not reader.faults


def test_keys_are_the_scorers_and_stand_in_the_help(sit: Callable[..., Technician]) -> None:
    reader = sit(hours=0.5)
    reader.reads(".buttons", "WhyShift+w")
    buttons = reader.page.locator(".buttons button").all_text_contents()
    assert {"Ww", "N11", "N22", "N33", "Rr", "WhyShift+w"} <= set(buttons)
    reader.press("?")
    reader.page.wait_for_selector(".keyrow")
    rows = reader.page.locator(".keyrow").all_text_contents()
    assert any(row.startswith("w/class-W") for row in rows)
    assert any(row.startswith("3/class-N3") for row in rows)
    assert any(row.startswith("ArrowRight/next-span") for row in rows)
    assert not any(row.startswith("4") for row in rows), "no key by the order of the classes"
    reader.press("Escape")
    reader.page.wait_for_selector("dialog", state="detached")
    reader.press("Shift+W")
    reader.page.wait_for_selector(".why .attributions li")
    reader.reads(".why .attributions", "towards")
    assert not reader.faults


INK = """() => {
  const canvas = document.querySelector(".spans-night");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0;
  for (let k = 0; k < data.length; k += 4) sum = (sum * 31 + data[k] + 7 * data[k + 1]) % 1000003;
  return sum;
}"""


def settled(page: Any) -> int:
    """What is drawn of the night, once it stays so: all that it shows has come."""
    drawn = [0]

    def stays() -> bool:
        drawn.append(page.evaluate(INK))
        page.wait_for_timeout(300)
        return bool(page.evaluate(INK) == drawn[-1])

    until(page, stays)
    return drawn[-1]


def test_the_night_is_drawn_followed_and_clicked(sit: Callable[..., Technician]) -> None:
    reader = sit(hours=0.5)
    page = reader.page
    assert not page.is_visible(".spans-overview")
    page.wait_for_function("() => document.querySelector('.spans-night').clientHeight > 170")
    box = page.locator(".spans-night-panel").bounding_box()
    page.mouse.click(box["x"] + 92 + (box["width"] - 104) * 30.5 / 60, box["y"] + 40)
    reader.at(30)
    reader.reads(".spans-when", "15:00.0 – 15:30.0")
    before = settled(page)
    reader.press("r" if reader.desk.labels.column("label")[30] != 4 else "w")
    reader.edits(1)
    until(page, lambda: page.evaluate(INK) != before)  # the hypnogram is as decided
    page.select_option("label:has-text('Page') select", "300")
    _goto(reader, 47)
    reader.reads(".spans-when", "20:00 – 25:00")  # pages begin at every tenth epoch
    assert not reader.faults


def test_a_blind_reader_gets_no_chances_and_whole_epochs(sit: Callable[..., Technician]) -> None:
    reader = sit(hours=0.5)
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(request.url))
    with reader.page.expect_response(lambda answer: "/traces/channels" in answer.url):
        reader.press("h")
    reader.reads(".claim", "hidden")
    reader.page.wait_for_selector(".buttons button:has-text('N22')")
    reader.press("Space")
    reader.press("2")
    (edit,) = reader.edits(1)
    assert (edit.kind, edit.payload["blind"]) == ("relabel", True)
    _goto(reader, 20)
    reader.press("t", "w")
    reader.at(21)
    reader.reads(".spans-when", "10:30.0 – 11:00.0")
    reader.press("ArrowRight")
    reader.at(22)
    reader.press("3")
    reader.at(23)
    told = [(edit.items[0], edit.payload.get("label")) for edit in reader.edits(3)[1:]]
    assert told == [(20, "W"), (22, "N3")], "a night is scored in time, unseen"
    reader.reads(".spans-when", "11:30.0 – 12:00.0")
    assert not any("/density" in url for url in asked)
    assert not reader.faults


def test_the_next_epoch_is_painted_at_once(sit: Callable[..., Technician]) -> None:
    reader = sit(hours=8.0, numbers=False)
    reader.press("t")
    timed = reader.page.evaluate("window.__nissl.latencies.length")
    for n in range(1, 41):
        before = item(reader.page)
        reader.press("2" if n % 3 else "w")
        left(reader.page, before)
        reader.page.wait_for_function("n => window.__nissl.latencies.length >= n", arg=timed + n)
        reader.page.wait_for_timeout(60)
    reader.edits(40)
    told = reader.page.evaluate("window.__nissl.latencies")
    took = [one["ms"] for one in told if one["name"].startswith("class-")]
    assert len(took) == 40
    assert np.percentile(took, 95) < 300, took  # 100 ms where nothing else runs
    assert not reader.faults
