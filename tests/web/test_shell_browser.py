"""The app's shell in a real browser: keys, undo, lost connections, batches, several readers."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
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

from nissl.labels import Edit
from nissl.labels.replay import replay
from nissl.project import open_project
from nissl.project.reviewing import open_room
from nissl.testing.kinds import CELLS, kinds_project
from nissl.web.app import STATIC, create_app
from nissl.web.security import Guard
from nissl.web.serve import listen
from nissl.web.sessions import Keys

BUILT = Path(os.environ.get("NISSL_STATIC", STATIC))
N = 12
DECISIONS = "**/api/decisions?*"
REFUSED = '{"error": {"expected": "an item", "got": "none", "remedy": "Reload."}}'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    kinds_project(folder, np.random.default_rng(3), n_items=N).close()
    return folder


class Wire:
    """What becomes of decisions on their way to the server.

    It is laid before the page is opened and stays: Chromium lets requests past one that is laid or
    taken away right before them.
    """

    def __init__(self) -> None:
        self.mode = "through"
        self.sent: list[str] = []

    def meet(self, route: Any) -> None:
        self.sent.append(route.request.post_data)
        if self.mode == "lost":
            return route.abort()
        once, self.mode = self.mode, "through"
        if once == "deaf":
            route.fetch()  # the server takes it, but nobody hears the answer
            return route.abort()
        if once == "refused":
            return route.fulfill(status=409, body=REFUSED)
        return route.continue_()


class House:
    """A server over a project, and the readers' pages."""

    def __init__(self, folder: Path, browser: Any) -> None:
        self.folder, self.browser = folder, browser
        self.faults: list[str] = []
        self.open()

    def open(self) -> None:
        self.project = open_project(self.folder / "study", create=False)
        self.room = open_room(self.project.store)
        self.app, self.keys, bound = create_app(self.room, static=BUILT), Keys(), listen(None)
        self.port = bound.getsockname()[1]
        config = uvicorn.Config(Guard(self.app, self.keys), log_level="warning", ws="none")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([bound],), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.app.state.closing.set()
        self.server.should_exit = True
        self.thread.join(timeout=20)
        self.project.close()

    def page(self, reader: str = "Ann", view: str = "classes", wire: Wire | None = None) -> Any:
        context = self.browser.new_context(viewport={"width": 1280, "height": 800})
        if wire:
            context.route(DECISIONS, wire.meet)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.faults.append(said.text))
        page.goto(f"http://127.0.0.1:{self.port}/?token={self.keys.token}")
        page.fill("dialog[open] input", reader)
        page.keyboard.press("Enter")
        page.wait_for_selector(".verdict h1")
        desk_opened(page, self.desk(view).key)
        ready(page)
        return page

    def desk(self, view: str) -> Any:
        return next(desk for desk in self.room.desks if desk.view == view)

    def edits(self, n: int) -> list[Edit]:
        """The journal, once it holds `n` edits; never more."""
        late = time.monotonic() + PATIENCE_S
        while len(self.project.store.edits()) < n and time.monotonic() < late:
            time.sleep(0.02)
        found = self.project.store.edits()
        assert len(found) == n, [edit.to_json() for edit in found]
        return found


@pytest.fixture
def house(browser: Any, made: Path, tmp_path: Path) -> Iterator[House]:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    opened = House(tmp_path, browser)
    yield opened
    for context in browser.contexts:
        context.close()
    opened.close()


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def ready(page: Any) -> None:
    """Wait until the view shows its item: its keys are bound then, and the items are there."""
    page.wait_for_selector(".detail, [data-track]")


def test_everything_by_keys_and_undone_after_a_restart(house: House) -> None:
    page = house.page()
    said = house.desk("classes").proposals
    proposed = dict(zip(said.items.tolist(), said.label.tolist(), strict=True))
    asked = []
    for key in ("Space", "another", "u", "x"):
        asked.append(item(page))
        another = 1 if proposed[asked[-1]] else 2  # the key of a class that is not proposed
        press(page, str(another) if key == "another" else key)
        left(page, asked[-1])
    first = house.edits(4)
    assert [e.items[0] for e in first] == asked
    assert [e.kind for e in first] == ["accept", "relabel", "unsure", "reject"]
    assert len(set(asked)) == 4
    assert all(e.took_s is not None and e.took_s >= 0 for e in first)
    press(page, "Shift+Space")
    shown(page, asked[-1])
    page.context.close()
    house.close()
    house.open()

    page = house.page()
    for n in range(5, 9):
        press(page, "Control+z")
        house.edits(n)
    labels = house.desk("classes").labels
    assert replay(labels, house.edits(8)).labels.table.equals(labels.table)
    press(page, "Control+z")
    says(page, ".status", "Nothing to undo")
    press(page, "Control+y")
    again = replay(labels, house.edits(9))
    assert again.state[asked[0]] == "accepted"
    assert not house.faults


def test_lost_connection_loses_nothing_through_a_reload(house: House) -> None:
    wire = Wire()
    page = house.page(wire=wire)
    wire.mode = "lost"
    asked = []
    for key in ("Space", "1", "3"):
        asked.append(item(page))
        press(page, key)
        left(page, asked[-1])
    says(page, ".light", "Offline: 3 waiting")
    assert item(page) not in asked
    house.edits(0)
    kept(page, 3)
    page.reload()
    says(page, ".light", "Offline: 3 waiting")
    page.evaluate(f"location.hash = '#/desk/{house.desk('classes').key}/item/{asked[1]}'")
    shown(page, asked[1])
    says(page, ".claim", CELLS[0])
    wire.mode = "through"
    page.click(".light")
    saved(page)
    found = house.edits(3)
    assert [e.items[0] for e in found] == asked

    wire.sent.clear()
    wire.mode = "deaf"
    press(page, "Space")
    saved(page)
    house.edits(4)
    assert len(wire.sent) > 1
    assert len(set(wire.sent)) == 1, "the same uuid again"
    assert all("ERR_FAILED" in fault for fault in house.faults)


def test_a_refused_decision_is_told_and_taken_back(house: House) -> None:
    wire = Wire()
    page = house.page(wire=wire)
    wire.mode = "refused"
    asked = item(page)
    press(page, "Space")
    says(page, "dialog[open]", "Expected an item")
    press(page, "Enter")
    counted(page, "dialog", 0)
    page.evaluate(f"location.hash = '#/desk/{house.desk('classes').key}/item/{asked}'")
    shown(page, asked)
    assert page.locator(".chip.decided").count() == 0
    press(page, "Control+z")
    says(page, ".status", "Nothing to undo")
    house.edits(0)


def test_batch_by_filter_with_a_preview_is_one_step(house: House) -> None:
    page = house.page()
    said = house.desk("classes").proposals
    wanted = said.items[said.confidence > 0.6].tolist()
    press(page, "/")
    page.keyboard.type("accept confidence>0.6")
    press(page, "Enter")
    says(page, "dialog[open]", f"{len(wanted)} items")
    doubt = float((1 - said.confidence[said.confidence > 0.6]).sum())
    says(page, "dialog[open]", f"({doubt:.1f} of {len(wanted)})")
    press(page, "Enter")
    (edit,) = house.edits(1)
    assert sorted(edit.items) == wanted
    press(page, "Control+z")
    labels = house.desk("classes").labels
    assert replay(labels, house.edits(2)).labels.table.equals(labels.table)
    press(page, "/")
    page.keyboard.type("accept confidenc>0.6")
    press(page, "Enter")
    says(page, ".status", "Expected a column")
    assert not house.faults


HIDES = """() => { const text = document.querySelector('.plainlist')?.textContent;
  return text?.includes('–') && !/\\d\\.\\d\\d/.test(text); }"""


def test_blind_readers_see_nothing_of_the_machine(house: House) -> None:
    page = house.page()
    answers: list[Any] = []
    page.on("response", lambda answer: "/queue?" in answer.url and answers.append(answer))
    press(page, "h")
    says(page, ".claim", "hidden")
    page.wait_for_function(HIDES)
    press(page, "Space")
    says(page, ".status", "choose a class")
    press(page, "1")
    (edit,) = house.edits(1)
    assert (edit.kind, edit.payload) == ("relabel", {"label": CELLS[0], "blind": True})
    until(page, lambda: answers)
    assert all('"proposed":{' not in answer.text() for answer in answers)


def test_two_readers_decide_apart_and_history_tells_who(house: House) -> None:
    ann, eve = house.page("Ann"), house.page('<img src=x onerror="window.bad=1">')
    press(ann, "Space")
    house.edits(1)
    press(eve, "2")
    second = house.edits(2)[-1]
    assert second.reviewer.startswith("<img")
    ann.evaluate("location.hash = '#/history'")
    says(ann, "table.history", "<img src=x")
    assert ann.locator("table.history img").count() == 0
    assert ann.evaluate("window.bad") is None
    boxes = ann.locator("table.history input")
    counted(ann, "table.history input", 2)
    boxes.nth(1).check()
    ann.click("text=Take back 1")
    says(ann, "dialog[open]", "untouched")
    ann.click("dialog[open] .primary")
    undo = house.edits(3)[-1]
    assert (undo.kind, undo.reviewer) == ("undo", "Ann")
    ann.evaluate("location.hash = '#/overview'")
    says(ann, ".page", "<img src=x")
    ann.evaluate("location.hash = '#/readers'")
    says(ann, ".page", "Deal out")
    assert not house.faults


def test_plain_views_accept_reject_relabel(house: House) -> None:
    page = house.page(view="points")
    n = 0
    for view in ("points", "regions", "links"):
        desk = house.desk(view).key
        desk_opened(page, desk)
        asked = []
        for key in ("Space", "2", "x"):
            asked.append(item(page))
            own = {"regions": "[data-region='{}']", "points": "[data-track='{}']"}
            shown = own.get(view, ".detail[aria-label='Item {}']")
            page.wait_for_selector(shown.format(asked[-1]))
            press(page, key)
            left(page, asked[-1])
        n += 3
        kinds = [(e.kind, e.base, e.items[0]) for e in house.edits(n)[-3:]]
        assert kinds == [
            (k, desk, i) for k, i in zip(("accept", "relabel", "reject"), asked, strict=True)
        ]
    assert not house.faults


def test_keys_are_remapped_for_the_reader_everywhere(house: House) -> None:
    page = house.page()
    press(page, "/")
    page.keyboard.type("key accept q")
    with page.expect_response(lambda answer: "/api/settings" in answer.url):
        press(page, "Enter")
    says(page, ".status", "accept is now q")
    page.reload()
    ready(page)
    press(page, "Space")
    press(page, "q")
    saved(page)
    assert house.edits(1)[0].kind == "accept"
