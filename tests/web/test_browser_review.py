"""The whole app as people start it: `nissl review` in a process, and a real browser before it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.web.waiting import (
    PATIENCE_MS,
    PATIENCE_S,
    counted,
    desk_opened,
    item,
    kept,
    left,
    saved,
    says,
    shown,
    until,
)

from nissl.labels.digest import digest_table
from nissl.labels.replay import by_reviewer, replay
from nissl.project import open_project
from nissl.project.reviewing import open_room
from nissl.testing.kinds import kinds_project
from nissl.testing.studies import unit_study
from nissl.web.app import STATIC

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
VIEWS = ("units", "spans", "classes", "points", "regions", "links")


@pytest.fixture(scope="module")
def chromium(require: Callable[[str, str], None]) -> Iterator[Any]:
    """Playwright's Chromium, and Debian's program that it starts."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        require("browser", "no Chromium; run: apt-get install -y chromium")
    if not (STATIC / "index.html").exists():
        require("browser", "the front end is not built; run: python hatch_build.py")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        yield started.chromium, found


@pytest.fixture(scope="module")
def browser(chromium: tuple[Any, str]) -> Iterator[Any]:
    engine, program = chromium
    opened = engine.launch(executable_path=program, args=[*FLAGS, *WEBGL])
    yield opened
    opened.close()


class Study:
    """A project with a desk of every kind, the server over it, and readers' pages."""

    database = "sqlite"

    def __init__(self, path: Path, bench: Any) -> None:
        self.path, self.bench, self.port = path, bench, 0
        self.faults: list[str] = []
        self.start()

    def start(self) -> None:
        self.server = self.bench.Server(self, port=self.port)
        self.port = self.server.port
        desks = self.get("/api/project")["desks"]
        self.desks = {desk["view"]: desk for desk in reversed(desks)}

    def stop(self) -> None:
        if self.server.process.poll() is None:
            self.server.kill()

    def get(self, path: str, reader: str = "Nobody", **query: Any) -> Any:
        client = self.server.client(reader)
        try:
            return client.get(path, **query)
        finally:
            client.close()

    def items(self, reader: str, view: str = "units") -> dict[int, dict[str, Any]]:
        client = self.server.client(reader)
        path = f"/api/desks/{self.desks[view]['key']}/items"
        _, _, body = client.request("GET", path, reader=reader)
        client.close()
        rows = pa.ipc.open_stream(body).read_all().to_pylist()
        return {row["item"]: {name: _same(value) for name, value in row.items()} for row in rows}

    def edits(self, reader: str, n: int) -> list[dict[str, Any]]:
        """All that a reader decided, once it is `n` edits; never more."""
        late = time.monotonic() + PATIENCE_S
        while True:
            found = [one["edit"] for one in self.get("/api/edits", after=0)["edits"]]
            mine = [edit for edit in found if edit["reviewer"] == reader]
            if len(mine) >= n or time.monotonic() > late:
                break
            time.sleep(0.05)
        assert len(mine) == n, [(edit["kind"], edit["items"]) for edit in mine]
        return mine

    def address(self, view: str = "units", item: int | None = None) -> str:
        place = "" if item is None else f"/item/{item}"
        return f"{self.server.url}#/desk/{self.desks[view]['key']}{place}"

    def page(self, browser: Any, reader: str, view: str = "units", item: int | None = None) -> Any:
        """A page in a context of its own, on the first item (or this one) of a view."""
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = self.watched(context.new_page())
        page.add_init_script(f"localStorage.setItem('nissl-reader', {reader!r})")
        page.goto(self.address(view, item))
        return ready(page)

    def watched(self, page: Any) -> Any:
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        return page


def _same(value: Any) -> Any:
    """NaN as None, so that it equals itself."""
    return None if isinstance(value, float) and np.isnan(value) else value


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all")
    kinds_project(folder, np.random.default_rng(3), n_items=6).close()
    unit_study(folder / "study", n_units=16, seed=2)
    return folder


@pytest.fixture(scope="module")
def shared(made: Path, bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A server that isn't ended by its tests; each of them has readers of its own."""
    folder = tmp_path_factory.mktemp("shared")
    shutil.copytree(made, folder, dirs_exist_ok=True)
    study = Study(folder / "study", bench)
    yield study
    study.stop()


@pytest.fixture
def study(shared: Study, browser: Any) -> Iterator[Study]:
    shared.faults.clear()
    yield shared
    for context in browser.contexts:
        context.close()
    assert not shared.faults


@pytest.fixture
def own(made: Path, bench: Any, browser: Any, tmp_path: Path) -> Iterator[Study]:
    """A server for one test, which may end it."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    opened = Study(tmp_path / "study", bench)
    yield opened
    for context in browser.contexts:
        context.close()
    opened.stop()


def ready(page: Any) -> Any:
    """The page, once it takes keys: what isn't shown yet can't be decided."""
    page.wait_for_selector(".verdict h1")
    page.wait_for_selector(
        ".detail, .spans-traces, .unit-facts tr, .regions[data-region], [data-track]"
    )
    if page.locator(".spans-traces").count():
        says(page, ".status", " s.")
    return page


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def command(page: Any, text: str) -> None:
    press(page, "/")
    page.keyboard.type(text)
    press(page, "Enter")


def moved_from(page: Any, before: int) -> int:
    """The item on the screen, once it is another one than this."""
    left(page, before)
    return item(page)


def unchanged(path: Path, readers: Sequence[str]) -> None:
    """Every label set is byte for byte what it was, for each reader; the project is whole."""
    with open_project(path, create=False) as project:
        desks = open_room(project.store).desks
        sets = [desk.labels for desk in desks] + [desk.classes for desk in desks if desk.classes]
        for labels in sets:
            edits = project.store.edits(base=labels.digest)
            for reader in readers:
                mine = [edit for edit in edits if edit.reviewer == reader]
                after = replay(labels, mine, resolve=by_reviewer(reader))
                assert digest_table(after.labels.table) == digest_table(labels.table)
                assert not after.decided
        assert project.store.verify() == []


def test_each_key_is_a_decision_and_the_next_unit_appears(study: Study, browser: Any) -> None:
    page = study.page(browser, "Ann")
    asked = [item(page)]
    for key in ("Space", "2", "x", "u"):
        press(page, key)
        asked.append(moved_from(page, asked[-1]))
    assert len(set(asked)) == 5
    press(page, "n")
    page.keyboard.type("two cells?")
    press(page, "Control+Enter", "f")
    saved(page)
    edits = study.edits("Ann", 6)
    rows = study.items("Ann")
    units, classes = study.desks["units"]["key"], study.desks["units"]["classes"]
    assert [e["base"] for e in edits] == [classes] * 4 + [units] * 2
    assert [e["items"] for e in edits[:4]] == [[rows[i]["class_item"]] for i in asked[:4]]
    kinds = [e["kind"] for e in edits]
    assert (kinds[0], kinds[3:]) == ("accept", ["unsure", "note", "flag"])
    assert [rows[i]["label"] for i in asked[1:3]] == ["mua", "noise"]
    assert edits[4]["items"] == [asked[4]]
    assert edits[4]["payload"]["text"] == "two cells?"
    assert all(e["took_s"] >= 0 for e in edits)
    assert page.locator(".status[aria-live]").count() == 1


def test_a_merge_is_one_step_and_comes_undone(study: Study, browser: Any) -> None:
    page = study.page(browser, "Ben", item=0)
    page.wait_for_selector(".unit-row[aria-selected=true]")
    before = study.items("Ben")
    other = int(page.text_content(".unit-row[aria-selected=true] span"))
    kept, gone = sorted((0, other))
    press(page, "g")
    merge, reject = study.edits("Ben", 2)
    assert (merge["kind"], merge["items"]) == ("merge", [kept, gone])
    assert (reject["kind"], reject["items"]) == ("reject", [before[gone]["class_item"]])
    assert merge["group"] == reject["group"] is not None
    after = study.items("Ben")
    assert set(after) == set(before) - {gone}
    assert after[kept]["n_spikes"] == before[kept]["n_spikes"] + before[gone]["n_spikes"]
    press(page, "Control+z")
    assert {e["kind"] for e in study.edits("Ben", 4)[2:]} == {"undo"}
    assert study.items("Ben") == before
    press(page, "Control+y")
    study.edits("Ben", 6)
    assert study.items("Ben") == after


def test_a_split_by_lasso_and_one_by_threshold(study: Study, browser: Any) -> None:
    page = study.page(browser, "Cem", item=3)
    before = study.items("Cem")
    page.wait_for_selector(".unit-facts tr")
    box = page.locator(".unit-cloud-time canvas").last.bounding_box()
    middle = box["x"] + box["width"] / 2
    corners = [(box["x"] + 2, box["y"] + 2), (middle, box["y"] + 2)]
    corners += [(x, box["y"] + box["height"] - 2) for x, _ in reversed(corners)]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(x, y, steps=3)
    page.mouse.up()
    says(page, ".status", "makes a new unit of")
    with page.expect_response(lambda answer: "/items?" in answer.url):  # the units are new
        press(page, "k")
    (split,) = study.edits("Cem", 1)
    (rows,) = split["payload"]["rows"]
    assert (split["kind"], split["items"]) == ("split", [3])
    after = study.items("Cem")
    (new,) = set(after) - set(before)
    assert after[new]["n_spikes"] == len(rows)
    assert after[3]["n_spikes"] + len(rows) == before[3]["n_spikes"]
    assert 0.2 < len(rows) / before[3]["n_spikes"] < 0.8  # the first half of the recording

    command(page, "goto 5")
    shown(page, 5)
    page.wait_for_selector("[data-unit='5']")
    command(page, "split time < 1.0")
    says(page, ".status", "makes a new unit of")
    press(page, "k")
    second = study.edits("Cem", 2)[1]
    assert (second["kind"], second["items"]) == ("split", [5])
    assert len(study.items("Cem")) == len(before) + 2
    press(page, "Control+z", "Control+z")
    study.edits("Cem", 4)
    assert study.items("Cem") == before


def test_a_killed_server_is_undone_back_to_the_first_byte(own: Study, browser: Any) -> None:
    page = own.page(browser, "Dan", item=0)
    page.wait_for_selector(".unit-row[aria-selected=true]")
    press(page, "g")
    own.edits("Dan", 2)
    command(page, "accept confidence>0.5 label=good")
    says(page, "dialog[open]", "decided and undone in one step")
    press(page, "Enter")
    own.edits("Dan", 3)
    desk_opened(page, own.desks["spans"]["key"])
    ready(page)
    asked = item(page)
    press(page, "2")
    moved_from(page, asked)
    own.edits("Dan", 4)
    own.server.kill()
    own.start()
    page.goto(own.address())
    ready(page)
    while "Nothing to undo" not in page.text_content(".status"):
        press(page, "Control+z")
        saved(page)
    own.edits("Dan", 8)  # the merge of two sets, the batch, the span, and the undo of each
    own.server.kill()
    unchanged(own.path, ["Dan"])


def test_two_readers_share_one_queue(study: Study, browser: Any) -> None:
    marked = '<b onclick="1">Fay</b>'
    eve, fay = study.page(browser, "Eve"), study.page(browser, marked)
    begun = study.get("/api/queue", reader=marked, desk=study.desks["units"]["key"])
    asked = [item(eve)]
    for _ in range(3):
        press(eve, "1")
        asked.append(moved_from(eve, asked[-1]))
    study.edits("Eve", 3)
    # what one has answered the other isn't asked any more, on a page that was open all the time
    says(fay, ".progress", f"{begun['left'] - 3} left")
    mine = item(fay)
    press(fay, "3")
    assert moved_from(fay, mine) not in asked[:3]
    study.edits(marked, 1)
    assert study.items("Eve")[mine]["label"] != "noise" or mine in asked
    assert fay.locator("header b[onclick]").count() == 0
    assert "<b onclick" in fay.text_content("header")


CUT_OFF = "() => fetch('api/stack?reader=Nobody').then(() => false, () => true)"


def test_offline_decisions_arrive_once(study: Study, browser: Any) -> None:
    page = study.page(browser, "Gus")
    page.wait_for_function("() => performance.getEntriesByType('resource').length > 10")
    asked = [item(page)]
    page.context.set_offline(True)
    until(page, lambda: page.evaluate(CUT_OFF))  # it takes a moment to be so
    for key in ("1", "2", "3"):
        press(page, key)
        asked.append(moved_from(page, asked[-1]))
    says(page, ".light", "Offline: 3 waiting")
    study.edits("Gus", 0)
    page.context.set_offline(False)
    saved(page)
    rows = study.items("Gus")
    assert [e["items"] for e in study.edits("Gus", 3)] == [
        [rows[i]["class_item"]] for i in asked[:3]
    ]


def chromium_of(engine: Any, program: str, profile: Path) -> tuple[Any, subprocess.Popen[bytes]]:
    """A browser whose processes are a group of their own, and its first page."""
    for name in ("DevToolsActivePort", "SingletonLock", "SingletonCookie", "SingletonSocket"):
        with suppress(OSError):
            (profile / name).unlink()
    options = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [program, *FLAGS, *options, "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    late = time.monotonic() + PATIENCE_S
    port = ""
    while not port and time.monotonic() < late:
        with suppress(OSError, IndexError):
            port = (profile / "DevToolsActivePort").read_text().split()[0]
        time.sleep(0.05)
    opened = engine.connect_over_cdp(f"http://127.0.0.1:{port}", timeout=PATIENCE_MS)
    return opened.contexts[0].pages[0], process


def test_decisions_outlive_a_killed_server_and_browser(
    own: Study, chromium: tuple[Any, str], tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    page, process = chromium_of(*chromium, profile)
    try:
        own.watched(page).goto(own.address())
        page.fill("dialog[open] input", "Hal")
        press(page, "Enter")
        ready(page)
        own.server.kill()
        asked = [item(page)]
        for key in ("2", "3"):
            press(page, key)
            asked.append(moved_from(page, asked[-1]))
        says(page, ".light", "Offline: 2 waiting")
        kept(page, 2)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    own.start()
    page, process = chromium_of(*chromium, profile)
    try:
        own.watched(page).goto(own.address())
        ready(page)
        saved(page)
        rows = own.items("Hal")
        edits = own.edits("Hal", 2)
        assert [e["items"] for e in edits] == [[rows[i]["class_item"]] for i in asked[:2]]
        assert len({e["uuid"] for e in edits}) == 2
        assert item(page) not in asked[:2]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


UNTOUCHED_BY_MOUSE = """
window.mouse = 0;
for (const name of ['mousedown', 'pointerdown', 'wheel', 'touchstart'])
  addEventListener(name, () => { window.mouse += 1; }, true);
"""


def test_a_whole_session_by_keys_alone(study: Study, browser: Any) -> None:
    page = study.watched(browser.new_context(viewport={"width": 1440, "height": 900}).new_page())
    page.add_init_script(UNTOUCHED_BY_MOUSE)
    page.goto(study.address(item=2))
    page.wait_for_selector("dialog[open] input")
    page.keyboard.type("Ida")
    press(page, "Enter")
    ready(page)
    press(page, "?")
    page.wait_for_selector("dialog.wide[open] .keyrow")
    press(page, "Escape")
    page.wait_for_selector("dialog", state="detached")
    command(page, "key merge Shift+m")
    says(page, ".status", "merge is now Shift+m")
    command(page, "split time < 0.8")
    says(page, ".status", "makes a new unit of")
    press(page, "k")
    study.edits("Ida", 1)
    command(page, "goto 4")
    shown(page, 4)
    page.wait_for_selector("[data-unit='4']")
    page.wait_for_selector(".unit-row[aria-selected=true]")
    press(page, "ArrowDown", "ArrowUp", "Shift+M")
    study.edits("Ida", 3)
    press(page, "Alt+3")
    page.wait_for_selector("table.history tbody tr:nth-child(3)")
    for _ in range(40):  # to the first edit's box, as Tab goes
        if page.evaluate("document.activeElement.type === 'checkbox'"):
            break
        press(page, "Tab")
    press(page, "Space")
    page.wait_for_selector("table.history input:checked")
    press(page, "Alt+1")
    ready(page)
    press(page, "Control+z", "Control+z")
    study.edits("Ida", 6)
    assert page.evaluate("window.mouse") == 0


def test_a_blind_reader_of_units_is_sent_no_answer(study: Study, browser: Any) -> None:
    page = study.page(browser, "Jo")
    press(page, "h")
    says(page, ".claim", "hidden")
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))
    page.reload()
    ready(page)
    says(page, ".claim", "hidden")
    press(page, "Space")
    says(page, ".status", "choose a class")
    queues = [answer.json() for answer in answers if "/queue?" in answer.url]
    assert queues
    assert all(entry["proposed"] is None for queue in queues for entry in queue["entries"])
    tables = [answer.body() for answer in answers if "/items?" in answer.url]
    rows = [row for body in tables for row in pa.ipc.open_stream(body).read_all().to_pylist()]
    assert rows
    assert not any(row["proposed"] or row["confidence"] or row["label"] for row in rows)
    asked = item(page)
    press(page, "2")
    (edit,) = study.edits("Jo", 1)
    moved_from(page, asked)
    assert (edit["kind"], edit["payload"]) == ("relabel", {"label": "mua", "blind": True})


def test_a_batch_of_units_has_a_preview_and_one_undo(study: Study, browser: Any) -> None:
    page = study.page(browser, "Kim")
    rows = study.items("Kim").values()
    fit = [r for r in rows if r["proposed"] == "good" and r["confidence"] > 0.6]
    command(page, "accept confidence>0.6 label=good")
    says(page, "dialog[open]", f"{len(fit)} items")
    wrong = sum(1 - row["confidence"] for row in fit)
    says(page, "dialog[open]", f"({wrong:.1f} of {len(fit)})")
    counted(page, "dialog .preview li", len(fit))
    press(page, "Enter")
    (edit,) = study.edits("Kim", 1)
    assert sorted(edit["items"]) == sorted(row["class_item"] for row in fit)
    press(page, "Control+z")
    study.edits("Kim", 2)
    assert all(row["state"] == "untouched" for row in study.items("Kim").values())


def test_without_webgl_it_says_so_and_works(study: Study, chromium: tuple[Any, str]) -> None:
    engine, program = chromium
    with_none = engine.launch(executable_path=program, args=[*FLAGS, "--disable-3d-apis"])
    try:
        page = study.page(with_none, "Lee", item=3)
        says(page, ".unit-no-webgl", "no WebGL")
        page.wait_for_selector(".unit-facts tr")
        painted = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)"
        canvas = page.locator(".unit-cloud-time canvas").first.element_handle()
        page.wait_for_function(painted, arg=canvas)
        press(page, "1")
        moved_from(page, 3)
        study.edits("Lee", 1)
    finally:
        with_none.close()


def test_spans_and_items_of_the_same_project(study: Study, browser: Any) -> None:
    page = study.page(browser, "Mia", "spans", item=4)
    shown(page, 4)  # a deep link
    press(page, "2")
    moved_from(page, 4)
    study.edits("Mia", 1)
    page.goto(study.address("spans", 5))
    ready(page)
    says(page, ".verdict h1", "Span")
    shown(page, 5)
    press(page, "Space")
    moved_from(page, 5)
    study.edits("Mia", 2)
    command(page, "desk cell-kind")
    page.wait_for_function("key => location.hash.includes(key)", arg=study.desks["classes"]["key"])
    ready(page)
    asked = item(page)
    press(page, "3")
    moved_from(page, asked)
    edits = study.edits("Mia", 3)
    bases = [study.desks[view]["key"] for view in ("spans", "classes")]
    assert [edits[0]["base"], edits[2]["base"]] == bases
    assert (edits[0]["items"], edits[2]["items"]) == ([4], [asked])


NAMELESS = """() => [...document.querySelectorAll('button, a[href], input, select, textarea')]
  .filter(e => e.checkVisibility() && !(e.ariaLabel || e.textContent.trim() || e.title ||
    [...(e.labels ?? [])].some(l => l.textContent.trim())))
  .map(e => e.outerHTML)"""


def test_every_control_has_a_name_on_every_page(study: Study, browser: Any) -> None:
    page = study.page(browser, "Nia")
    for view in VIEWS:
        desk_opened(page, study.desks[view]["key"])
        ready(page)
        assert page.evaluate(NAMELESS) == [], view
        counted(page, "h1", 1)
    for name in ("overview", "history", "readers"):
        page.evaluate(f"location.hash = '#/{name}'")
        page.wait_for_selector(".page h1")
        assert page.evaluate(NAMELESS) == [], name
    assert page.evaluate("document.documentElement.lang") == "en"


def test_advice_on_stopping_by_command_and_in_the_overview(study: Study, browser: Any) -> None:
    page = study.page(browser, "Uma")
    command(page, "stop")
    says(page, ".status", "It pays to go on.")
    press(page, "Alt+2")
    says(page, ".advice", "Of the labels nobody looked at, about")


def test_the_error_budget_is_named_by_command_and_in_the_overview(own: Study, browser: Any) -> None:
    def budget() -> float:
        tasks = own.get("/api/trust")["tasks"]
        return float(next(one["budget"] for one in tasks if one["task"] == "spikes"))

    page = own.page(browser, "Vic", item=3)
    command(page, "budget 30 %")
    says(page, ".status", "At most 30 % of the spikes accepted without a look may be wrong.")
    assert budget() == 0.3
    press(page, "Alt+2")
    card = page.locator("section.card", has_text="spikes: what may be trusted")
    card.locator("input[name=budget]").fill("20")
    press(page, "Enter")
    says(page, ".status", "At most 20 %")
    assert budget() == 0.2
    card.get_by_text("would be accepted without a look").wait_for()
    press(page, "Alt+1")
    ready(page)
    command(page, "budget much")
    says(page, ".status", "Expected a share in percent")


def test_likely_merges_are_asked_by_the_queue(own: Study, browser: Any) -> None:
    page = own.page(browser, "Zoe", item=3)
    command(page, "ask-merges")
    says(page, ".status", "in the queue")
    pairs = own.get(f"/api/desks/{own.desks['units']['key']}/units/merges", "Zoe")["merges"]
    assert pairs
    page.goto("about:blank")
    page.goto(own.address())
    ready(page)
    first = pairs[0]
    says(page, ".verdict", f"Units {first['a']} and {first['b']} may be one neuron.")
    says(page, ".unit-row[aria-selected=true]", str(first["b"]))
    press(page, "g")
    merge = own.edits("Zoe", 2)[0]
    assert (merge["kind"], merge["items"]) == ("merge", sorted((first["a"], first["b"])))
