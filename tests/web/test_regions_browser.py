"""The regions view in a real browser: drawing, flipping, undo, reload, two thousand regions."""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from tests.web.waiting import PATIENCE_MS, PATIENCE_S, says, valued

from nissl.errors import SourceNotFoundError
from nissl.labels import Edit
from nissl.labels.replay import replay
from nissl.review.region_desks import region_desk
from nissl.review.room import Room
from nissl.testing.fields import imaged_field
from nissl.web.app import STATIC, create_app
from nissl.web.security import Guard
from nissl.web.serve import listen
from nissl.web.sessions import Keys

BUILT = Path(os.environ.get("NISSL_STATIC", STATIC))
SIZE = 128
OUTLINES = """n => { const all = ['left', 'right'].map(pane =>
  Number(document.querySelector(`.rg-${pane} .rg-host`)?.dataset.outlines));
  return all[0] + all[1] === n && all; }"""


class Sitting:
    """A reader at the regions of a field: the page, and the journal behind it."""

    def __init__(self, page: Any, field: Any, room: Room, address: str) -> None:
        self.page, self.field, self.room, self.address = page, field, room, address
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.size = field.movie.shape[1]

    def enter(self) -> None:
        self.page.goto(self.address)
        self.page.fill("dialog[open] input", "Ann")
        self.page.keyboard.press("Enter")
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector(".regions[data-region]")
        self.page.wait_for_selector(".rg-trace:not([data-origin=none])[data-origin]")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def go(self, item: int) -> None:
        """Show an item, and wait until it is there."""
        self.press("Escape", "/")
        self.page.keyboard.type(f"goto {item}")
        self.press("Enter")
        self.page.wait_for_selector(f".regions[data-region='{item}']")

    def edits(self, n: int) -> list[Edit]:
        """The journal, once it holds `n` edits; never more."""
        late = time.monotonic() + PATIENCE_S
        while len(self.field.project.store.edits()) < n and time.monotonic() < late:
            time.sleep(0.03)
        found = self.field.project.store.edits()
        assert len(found) == n, [edit.kind for edit in found]
        return list(found)

    def extracted(self) -> float:
        """Wait for a trace that was extracted anew; milliseconds that it took."""
        self.page.wait_for_selector(".regions[data-extract-ms]")
        taken = self.page.evaluate("""() => {
            const root = document.querySelector('.regions');
            const ms = root.dataset.extractMs;
            delete root.dataset.extractMs;
            return Number(ms);
        }""")
        self.page.wait_for_selector(".rg-trace[data-origin=movie]")
        return float(taken)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the field is on the screen, with the whole field shown."""
        self.press("0")
        box = self.page.locator(".rg-left .rg-host").bounding_box()
        scale = 0.98 * min(box["width"], box["height"]) / self.size
        return (
            box["x"] + box["width"] / 2 + (x - self.size / 2) * scale,
            box["y"] + box["height"] / 2 + (y - self.size / 2) * scale,
        )

    def drag(self, *places: tuple[float, float]) -> None:
        on_screen = [self.place(x, y) for x, y in places]
        self.page.mouse.move(*on_screen[0])
        self.page.mouse.down()
        for place in on_screen[1:]:
            self.page.mouse.move(*place, steps=4)
        self.page.mouse.up()

    def pixels(self, item: int) -> set[int]:
        """Pixels of an item as its reader has them on the server."""
        desk = self.room.desks[0]
        with self.room.reading(desk.key, "Ann") as reading:
            found = region_desk(desk).outlines(reading).of(item)
        assert found is not None
        return set(found[0].tolist())

    def centre(self, item: int) -> tuple[float, float]:
        y, x = np.divmod(np.asarray(sorted(self.pixels(item))), self.size)
        return float(x.mean() + 0.5), float(y.mean() + 0.5)

    def counts(self, n: int) -> list[int]:
        """Outlines in the left and in the right pane, once `n` are drawn in both together."""
        found = self.page.wait_for_function(OUTLINES, arg=n).json_value()
        return [int(one) for one in found]

    def counted(self, *counts: int) -> None:
        """Wait until so many outlines are drawn in the left and in the right pane."""
        for pane, n in zip(("left", "right"), counts, strict=True):
            self.page.wait_for_selector(f".rg-{pane} .rg-host[data-outlines='{n}']")


@pytest.fixture
def sit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Sitting]]:
    closing: list[Callable[[], object]] = []

    def start(*, movie: bool = True, viewport: tuple[int, int] = (1440, 900), **field: Any) -> Any:
        made = imaged_field(tmp_path, np.random.default_rng(4), **{"size": SIZE} | field)

        def raw(row: Any) -> Any:
            if row.fingerprint == made.row.fingerprint and not movie:
                raise SourceNotFoundError("the movie", "no such file", "Relocate it.")
            return made.raw(row)

        room = Room(made.project.store, raw)
        app, keys, bound = create_app(room, static=BUILT), Keys(), listen(None)
        server = uvicorn.Server(uvicorn.Config(Guard(app, keys), log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        context = browser.new_context(viewport={"width": viewport[0], "height": viewport[1]})
        address = f"http://127.0.0.1:{bound.getsockname()[1]}/?token={keys.token}"
        sitting = Sitting(context.new_page(), made, room, address)
        sitting.enter()

        def stop() -> None:
            context.close()
            app.state.closing.set()
            server.should_exit = True
            thread.join(timeout=20)
            made.project.close()

        closing.append(stop)
        return sitting

    yield start
    for stop in closing:
        stop()


def test_regions_are_drawn_rubbed_merged_split_flipped_undone_and_kept(
    sit: Callable[..., Sitting],
) -> None:
    at = sit(n_cells=16, n_frames=450)
    before = {item: at.pixels(item) for item in range(16)}
    x, y = at.centre(5)
    at.go(5)

    at.press("b")  # paint to the right
    at.drag((x, y), (x + 8, y))
    (paint,) = at.edits(1)
    assert (paint.kind, paint.items) == ("reshape", (5,))
    assert before[5] < set(paint.payload["pixels"])
    weights = dict(zip(paint.payload["pixels"], paint.payload["weights"], strict=True))
    assert len({round(weights[p], 4) for p in before[5]}) > 3  # soft edges stay soft
    assert at.extracted() < 1000

    at.press("e")  # rub off what was painted, and a bit of the cell
    at.drag((x + 9, y), (x + 3, y))
    rub = at.edits(2)[-1]
    assert rub.kind == "reshape"
    assert set(rub.payload["pixels"]) < set(paint.payload["pixels"])
    assert at.extracted() < 1000

    at.press("d")  # a new cell in the corner
    at.drag(*[(8 + 5 * math.cos(k / 2), 8 + 5 * math.sin(k / 2)) for k in range(13)])
    add = at.edits(3)[-1]
    (row,) = add.payload["rows"]
    assert (add.kind, row["label"]) == ("add", "cell")
    assert 60 < len(row["pixels"]) < 100
    at.page.wait_for_selector(".regions[data-region='16']")  # the page goes there

    at.go(9)  # merge two by their marks
    at.press("m")
    at.page.keyboard.down("Shift")
    at.page.mouse.click(*at.place(*at.centre(10)))
    at.page.keyboard.up("Shift")
    at.press("g")
    merge = at.edits(4)[-1]
    assert (merge.kind, merge.items) == ("merge", (9, 10))
    assert at.pixels(9) == before[9] | before[10]
    assert at.extracted() < 1000

    at.go(2)  # split one by a line from top to bottom
    x, y = at.centre(2)
    at.press("k")
    at.drag((x, y - 9), (x, y + 9))
    parts = at.edits(6)[4:]
    assert [edit.kind for edit in parts] == ["reshape", "add"]
    assert parts[0].group == parts[1].group
    halves = [set(parts[0].payload["pixels"]), set(parts[1].payload["rows"][0]["pixels"])]
    assert halves[0] | halves[1] == before[2]
    assert not halves[0] & halves[1]

    at.go(0)
    label = at.page.text_content(".claim")
    at.press("c")  # to the other side and back to what it was
    flip = at.edits(7)[-1]
    assert (flip.kind, flip.items) == ("relabel", (0,))
    assert flip.payload["label"] == ("not cell" if "proposed: cell" in label else "cell")
    at.press("Control+z")
    at.edits(8)
    at.press("Control+z")  # the split
    at.edits(9)
    late = time.monotonic() + PATIENCE_S
    while at.pixels(2) != before[2] and time.monotonic() < late:
        time.sleep(0.05)
    assert at.pixels(2) == before[2]

    at.page.reload()
    at.ready()
    labels = at.room.desks[0].labels
    reviewed = replay(labels, at.edits(9))
    now = {i: at.pixels(i) for i in reviewed.labels.items.tolist()}
    rows = reviewed.labels.table.select(["item", "pixels"]).to_pylist()
    assert {row["item"]: set(row["pixels"]) for row in rows} == now
    assert sorted(now) == [*range(10), *range(11, 17)]
    at.counts(len(now))
    assert not reviewed.questions
    assert not at.faults


def test_no_stroke_is_lost_when_one_follows_the_other_at_once(sit: Callable[..., Sitting]) -> None:
    at = sit(n_cells=12, n_frames=300)
    at.go(5)
    before, (x, y) = at.pixels(5), at.centre(5)
    at.press("b")
    for turn in range(8):  # one petal after the other, while the server still answers
        angle = math.pi * turn / 4
        at.drag((x, y), (x + 9 * math.cos(angle), y + 9 * math.sin(angle)))
    strokes = at.edits(8)
    shapes = [before, *(set(edit.payload["pixels"]) for edit in strokes)]
    assert all(a < b for a, b in itertools.pairwise(shapes))
    assert at.pixels(5) == shapes[-1]
    assert not at.faults


def test_left_is_accepted_and_right_rejected_by_arrows(sit: Callable[..., Sitting]) -> None:
    at = sit(n_cells=12, n_frames=300)
    left, right = at.counts(12)
    first = int(at.page.get_attribute(".regions", "data-region"))
    proposed = at.room.desks[0].labels
    code = int(proposed.column("label")[proposed.rows_of(first)][0])
    at.press("ArrowRight")
    (edit,) = at.edits(1)
    assert edit.items == (first,)
    assert edit.kind == ("accept" if code == 1 else "relabel")
    at.counted(*([left, right] if code == 1 else [left - 1, right + 1]))
    at.page.wait_for_function(
        f"() => document.querySelector('.regions').dataset.region !== '{first}'"
    )  # and on
    at.press("Escape")
    now = int(at.page.get_attribute(".regions", "data-region"))
    at.page.mouse.click(*at.place(*at.centre(now)), button="right")
    assert at.edits(2)[-1].items == (now,)
    assert not at.faults


def test_blind_nothing_is_told_and_nothing_agreed_with(sit: Callable[..., Sitting]) -> None:
    at = sit(n_cells=12, n_frames=300)
    assert at.counts(12)[1] > 0
    at.press("h")
    says(at.page, ".claim", "hidden")
    at.counted(12, 0)
    at.page.wait_for_selector(".regions[data-region]")
    says(at.page, ".rg-left h3", "not to be seen yet")
    item = int(at.page.get_attribute(".regions", "data-region"))
    at.press("Space")  # there is nothing to agree with
    at.press("ArrowRight")
    (edit,) = at.edits(1)
    assert (edit.kind, edit.items, edit.payload["blind"]) == ("relabel", (item,), True)
    assert not at.faults


def test_everything_can_be_done_without_a_pointer(sit: Callable[..., Sitting]) -> None:
    at = sit(n_cells=12, n_frames=300)
    at.go(4)
    n = len(at.pixels(4))
    at.press("Shift+ArrowUp")
    (grown,) = at.edits(1)
    assert len(grown.payload["pixels"]) > n
    at.press("Shift+ArrowDown", "Shift+ArrowDown")
    shrunk = at.edits(3)[-1]
    assert len(shrunk.payload["pixels"]) < n
    at.press("k", "k")
    assert [edit.kind for edit in at.edits(5)[3:]] == ["reshape", "add"]
    at.press("/")
    at.page.keyboard.type("tool-draw 100 20 3")
    at.press("Enter")
    add = at.edits(6)[-1]
    assert 20 * SIZE + 100 in add.payload["rows"][0]["pixels"]
    at.page.wait_for_selector(".regions[data-region='13']")  # the page goes there
    at.press("/")
    at.page.keyboard.type("merge 1 2")
    at.press("Enter")
    assert at.edits(7)[-1].items == (1, 2, 13)
    at.go(5)  # what isn't shown yet can't be removed
    at.press("Delete")
    at.edits(8)
    assert not at.faults


def test_pictures_colours_and_the_movie_answer_to_keys(sit: Callable[..., Sitting]) -> None:
    at = sit(n_cells=12, n_frames=450)
    valued(at.page, "select[aria-label='Picture']", "mean")  # they may be read still
    at.press("i")
    valued(at.page, "select[aria-label='Picture']", "max")
    at.press("s")
    valued(at.page, "select[aria-label='Colour of outlines']", "decided")
    at.press("s")
    valued(at.page, "select[aria-label='Colour of outlines']", "confidence")
    says(at.page, ".rg-scale", "0.")
    at.press("o")
    at.page.wait_for_selector("#rg-outlines:not(:checked)")
    at.press("o")
    at.page.wait_for_selector(".rg-clip[data-frame]")
    frame = at.page.get_attribute(".rg-clip", "data-frame")
    at.press("p")
    at.page.wait_for_function(
        f"() => document.querySelector('.rg-clip').dataset.frame !== '{frame}'"
    )
    at.press("p")
    for name in ("Traces", "Movie around the region", "Facts of the region"):
        assert at.page.locator(f"section[aria-label='{name}']").count() == 1
    assert "dF/F" in at.page.get_attribute(".rg-trace canvas", "aria-label")
    assert at.page.get_attribute(".rg-bar", "role") == "toolbar"
    assert not at.faults


def test_without_the_movie_outlines_are_drawn_and_it_is_said(sit: Callable[..., Sitting]) -> None:
    at = sit(n_cells=12, n_frames=300, movie=False, traces=False, images=False)
    valued(at.page, "select[aria-label='Picture']", "patches")
    at.go(3)
    at.press("Shift+ArrowUp")
    at.edits(1)
    says(at.page, ".rg-trace .rg-words", "as proposed")
    says(at.page, ".rg-clip .rg-words", "not at hand")
    assert not at.faults


@pytest.mark.slow
def test_two_thousand_regions_stay_fluid(sit: Callable[..., Sitting]) -> None:
    at = sit(n_cells=2000, n_frames=200, size=512, viewport=(1600, 1000))
    at.counts(2000)
    frames = at.page.evaluate("""async () => {
        const top = document.querySelector('.rg-left .rg-top');
        const box = top.getBoundingClientRect();
        const taken = [];
        for (let k = 0; k < 30; k++) {
            const started = performance.now();
            const place = { clientX: box.left + 200, clientY: box.top + 150 };
            const turn = { deltaY: k < 15 ? -30 : 30, bubbles: true, cancelable: true };
            top.dispatchEvent(new WheelEvent('wheel', { ...place, ...turn }));
            await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
            taken.push(performance.now() - started);
        }
        return taken.sort((a, b) => a - b);
    }""")
    assert frames[15] < 100
    for _ in range(20):
        at.press("ArrowLeft")
        at.page.wait_for_timeout(100)
    at.edits(20)
    latencies = at.page.evaluate("window.__nissl.latencies.map(l => l.ms).sort((a, b) => a - b)")
    assert latencies[len(latencies) // 2] < 200
    assert not at.faults
