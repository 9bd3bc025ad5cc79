"""The spans view in a real browser: keys, pointer, blind reading, ten thousand spans."""

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
from tests.web.waiting import PATIENCE_MS, PATIENCE_S, item, left, says

from nissl.labels import Edit
from nissl.labels.replay import replay
from nissl.project import Project
from nissl.project.source import Source
from nissl.review.room import Room
from nissl.testing.spans import CLASSES, span_project
from nissl.web.app import STATIC, create_app
from nissl.web.security import Guard
from nissl.web.serve import listen
from nissl.web.sessions import Keys

BUILT = Path(os.environ.get("NISSL_STATIC", STATIC))
GUTTER, RIGHT = 92, 12


class Sitting:
    """A reader at the spans of a project: the page, and the journal behind it."""

    def __init__(self, page: Any, project: Project, room: Room) -> None:
        self.page, self.project, self.room = page, project, room
        self.desk = room.desks[0]
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def edits(self, n: int) -> list[Edit]:
        """The journal, once it holds `n` edits; never more."""
        late = time.monotonic() + PATIENCE_S
        while len(self.project.store.edits()) < n and time.monotonic() < late:
            time.sleep(0.03)
        found = self.project.store.edits()
        assert len(found) == n, [edit.kind for edit in found]
        return found

    def shown(self) -> None:
        """Wait until the span of the heading is on the page, where the status line tells it."""
        says(self.page, ".status", " s.")

    def x_of(self, sample: float) -> float:
        """Where a sample stands on the page: the axis tells the page's times."""
        box = self.page.locator(".spans-overlay").bounding_box()
        first, last = self.page.text_content(".spans-when").split(" – ")
        start, stop = (_seconds(text) * self.desk.signal.rate_hz for text in (first, last))
        part = (sample - start) / (stop - start)
        return float(box["x"] + GUTTER + part * (box["width"] - GUTTER - RIGHT))


def _seconds(text: str) -> float:
    return sum(60**k * float(part) for k, part in enumerate(reversed(text.split(":"))))


@pytest.fixture
def sit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Sitting]]:
    closing: list[Callable[[], object]] = []

    def start(**night: float) -> Sitting:
        project = span_project(tmp_path, np.random.default_rng(5), **night)
        room = Room(project.store, lambda row: Source(row, project.store).recording)
        app, keys, bound = create_app(room, static=BUILT), Keys(), listen(None)
        config = uvicorn.Config(Guard(app, keys), log_level="warning", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        sitting = Sitting(page, project, room)
        page.goto(f"http://127.0.0.1:{bound.getsockname()[1]}/?token={keys.token}")
        page.fill("dialog[open] input", "Ann")
        page.keyboard.press("Enter")
        page.wait_for_selector(".spans-traces")
        sitting.shown()

        def stop() -> None:
            context.close()
            app.state.closing.set()
            server.should_exit = True
            thread.join(timeout=20)
            if hasattr(app.state, "pyramids"):
                app.state.pyramids.close()
            project.close()

        closing.append(stop)
        return sitting

    yield start
    for stop in closing:
        stop()


def test_everything_is_done_by_keys_and_undone(sit: Callable[..., Sitting]) -> None:
    at = sit(duration_s=60, n_spans=12, n_channels=4)
    labels = at.desk.labels
    first = item(at.page)
    at.press("Shift+ArrowRight", "Shift+ArrowRight", "[")
    (move,) = at.edits(1)
    begin = int(labels.column("start")[labels.rows_of(first)][0])
    assert (move.kind, move.items) == ("move", (first,))
    assert begin < move.payload["start"] < move.payload["stop"]
    at.press("a", "Shift+ArrowRight", "Shift+ArrowRight", "]", "2")
    add = at.edits(2)[-1]
    (row,) = add.payload["rows"]
    assert (add.kind, row["label"]) == ("add", "seizure")
    assert 0 < row["stop"] - row["start"] < 200
    at.press("Delete")
    assert at.edits(3)[-1].kind == "remove"
    left(at.page, first)
    at.shown()
    before = item(at.page)
    at.press("ArrowDown")
    left(at.page, before)
    at.press("Space")
    assert at.edits(4)[-1].kind == "accept"
    for n in range(5, 9):
        at.press("Control+z")
        at.edits(n)
    final = replay(labels, at.edits(8))
    assert final.labels.table.equals(labels.table)
    assert not at.faults


def test_edges_are_dragged_and_spans_drawn(sit: Callable[..., Sitting]) -> None:
    at = sit(duration_s=60, n_spans=12, n_channels=4)
    mouse = at.page.mouse
    rows = at.desk.labels.rows_of(item(at.page))
    start, stop = (int(at.desk.labels.column(name)[rows][0]) for name in ("start", "stop"))
    mouse.move(at.x_of(stop), 600)
    mouse.down()
    mouse.move(at.x_of(stop) + 60, 600, steps=4)
    mouse.up()
    (move,) = at.edits(1)
    assert move.payload["start"] == start
    assert stop + 20 < move.payload["stop"]
    at.page.keyboard.down("Shift")
    mouse.move(at.x_of(start) - 200, 500)
    mouse.down()
    mouse.move(at.x_of(start) - 120, 500, steps=4)
    mouse.up()
    at.page.keyboard.up("Shift")
    at.press("3")
    add = at.edits(2)[-1]
    (row,) = add.payload["rows"]
    assert row["label"] == "artifact"
    assert row["start"] < row["stop"] < start
    assert not at.faults


def test_a_blind_reader_is_sent_the_asked_place_alone(sit: Callable[..., Sitting]) -> None:
    at = sit(duration_s=60, n_spans=12, n_channels=4)
    sent: list[str] = []
    at.page.on("request", lambda request: sent.append(request.url))
    opened: list[str] = []

    def shown_again(answer: Any) -> bool:
        opened.extend([answer.url] if "/traces/channels" in answer.url else [])
        return bool(opened) and "/traces?" in answer.url

    with at.page.expect_response(shown_again):
        at.press("/", *"blind", "Enter")
    at.press("1")
    assert at.edits(1)[0].kind == "relabel"
    spans = [url for url in sent if "/spans?" in url or "/spans/lanes" in url]
    assert any("asked=" in url for url in spans)
    assert all("blind=true" in url for url in spans)
    assert not at.faults


PAN = """async () => {
  const canvas = document.querySelector(".spans-overlay");
  const place = { clientX: canvas.getBoundingClientRect().left + 400, clientY: 500 };
  const draw = CanvasRenderingContext2D.prototype.fillRect;
  let drawn = 0;
  CanvasRenderingContext2D.prototype.fillRect = function (...all) {
    drawn += 1;
    return draw.apply(this, all);
  };
  const frames = [];
  for (let k = 0; k < 20; k++) {
    const before = performance.now();
    drawn = 0;
    canvas.dispatchEvent(new WheelEvent("wheel", { deltaX: 25, bubbles: true, ...place }));
    await new Promise((done) => requestAnimationFrame(done));
    frames.push([performance.now() - before, drawn]);
  }
  CanvasRenderingContext2D.prototype.fillRect = draw;
  return frames;
}"""


def test_ten_thousand_spans_stay_fluid(sit: Callable[..., Sitting]) -> None:
    at = sit(duration_s=17_000, n_spans=11_200, n_channels=2)
    assert at.desk.row.n_items > 10_000
    most = {}
    for seconds in ("10", "3600"):
        at.page.select_option("label:has-text('Page') select", seconds)
        at.page.wait_for_timeout(300)
        frames = np.asarray(at.page.evaluate(PAN))
        assert np.median(frames[:, 0]) < 250, frames  # 17 ms where nothing else runs
        most[seconds] = np.median(frames[:, 1])
    overview = 1000 * len(CLASSES)  # the strip of the whole recording, whatever the page
    assert most["10"] < overview + 200
    assert most["3600"] < overview + 4 * 1336  # bars of three lanes and over the traces
    began = time.perf_counter()
    for n in range(1, 4):
        before = item(at.page)
        at.press("Space")
        left(at.page, before)
        at.edits(n)
    assert time.perf_counter() - began < 10
    assert not at.faults
