"""The view of tracks in a real browser: places, swaps, queues, keys only, thousands of volumes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
import uvicorn
from tests.web.waiting import PATIENCE_MS, PATIENCE_S, lacks, says, until, valued

from nissl.errors import SourceNotFoundError
from nissl.labels import Edit
from nissl.labels.replay import decided_rows, replay
from nissl.review.room import Room
from nissl.testing.worms import SPACING_UM, tracked_worm
from nissl.web.app import STATIC, create_app
from nissl.web.security import Guard
from nissl.web.serve import listen
from nissl.web.sessions import Keys

BUILT = Path(os.environ.get("NISSL_STATIC", STATIC))
SHAPE = (12, 64, 112)


class Sitting:
    """A reader at the tracks of an animal: the page, and the journal behind it."""

    def __init__(self, page: Any, worm: Any, room: Room, address: str) -> None:
        self.page, self.worm, self.room, self.address = page, worm, room, address
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def enter(self) -> None:
        self.page.goto(self.address)
        self.page.fill("dialog[open] input", "Ann")
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(".points[data-frame]")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, command: str) -> None:
        self.press("/")
        self.page.keyboard.type(command)
        self.press("Enter")

    def at(self) -> tuple[int, int]:
        """Volume and track on the screen."""
        root = self.page.locator(".points")
        return int(root.get_attribute("data-frame")), int(root.get_attribute("data-track"))

    def go(self, frame: int, item: int | None = None) -> None:
        if item is not None:
            self.type(f"goto {item}")
            self.page.wait_for_selector(f".points[data-track='{item}']")
        self.type(f"volume {frame}")
        self.page.wait_for_selector(f".points[data-frame='{frame}']")

    def edits(self, n: int) -> list[Edit]:
        """The journal, once it holds `n` edits; never more."""
        late = time.monotonic() + PATIENCE_S
        while len(self.worm.project.store.edits()) < n and time.monotonic() < late:
            time.sleep(0.03)
        found = self.worm.project.store.edits()
        assert len(found) == n, [edit.kind for edit in found]
        return list(found)

    def rows(self, frame: int) -> dict[int, dict[str, Any]]:
        """Points of a volume as the reader has them on the server, by track."""
        from nissl.review.point_desks import point_desk

        desk = self.room.desks[0]
        with self.room.reading(desk.key, "Ann") as reading:
            table = point_desk(desk).rows(reading, frame, frame + 1)
        return {row["item"]: row for row in table.to_pylist()}

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the xy pane is on the screen, with the whole volume shown."""
        self.press("0")
        least = min(SPACING_UM)
        depth, height, width = (n * s / least for n, s in zip(SHAPE, SPACING_UM, strict=True))
        panes = {"yz": (depth, height), "xz": (width, depth), "xy": (width, height)}
        scale = np.inf
        for axis, (right, down) in panes.items():
            box = self.page.locator(f".pt-{axis} .pt-host").bounding_box()
            scale = min(scale, 0.98 * box["width"] / right, 0.98 * box["height"] / down)
        return (
            box["x"] + box["width"] / 2 + (x + 0.5 - width / 2) * scale,
            box["y"] + box["height"] / 2 + (y + 0.5 - height / 2) * scale,
        )


@pytest.fixture
def sit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Sitting]]:
    closing: list[Callable[[], object]] = []

    def start(
        *, movie: bool = True, viewport: tuple[int, int] = (1440, 900), seed: int = 3,
        alike: bool = False, **worm: Any
    ) -> Sitting:  # fmt: skip
        made = tracked_worm(
            tmp_path, np.random.default_rng(seed),
            **{"n_neurons": 10, "n_frames": 40, "shape": SHAPE} | worm,
        )  # fmt: skip

        def raw(row: Any) -> Any:
            if not movie:
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

        def stop() -> None:
            context.close()
            app.state.closing.set()
            server.should_exit = True
            thread.join(timeout=20)
            made.project.close()

        closing.append(stop)
        sitting.enter()
        if not alike:
            sitting.type("alike")
        return sitting

    yield start
    for stop in closing:
        stop()


def missing(worm: Any) -> tuple[int, int]:
    """A track and a volume in which it has no point."""
    there = np.zeros(worm.truth.xyz.shape[:2], bool)
    there[worm.labels.column("frame"), worm.labels.column("item")] = True
    frame, item = np.argwhere(~there)[0]
    return int(item), int(frame)


def test_a_point_is_put_dragged_hidden_and_undone_and_on_disk_before_it_is_acknowledged(
    sit: Callable[..., Sitting],
) -> None:
    at = sit()
    before = at.rows(5)
    at.go(5, 3)
    at.page.keyboard.down("Alt")
    at.page.mouse.click(*at.place(30, 20))
    at.page.keyboard.up("Alt")
    (move,) = at.edits(1)
    assert (move.kind, move.items, move.payload["row"]) == ("move", (3,), before[3]["id"])
    assert (move.payload["x"], move.payload["y"]) == pytest.approx((30, 20), abs=0.6)
    assert move.payload["z"] == round(before[3]["z"])  # the plane that is shown
    assert at.rows(5)[3]["x"] == pytest.approx(move.payload["x"])

    at.page.mouse.move(*at.place(move.payload["x"], move.payload["y"]))
    at.page.mouse.down()
    at.page.mouse.move(*at.place(50, 40), steps=5)
    at.page.mouse.up()
    drag = at.edits(2)[-1]
    assert (drag.payload["x"], drag.payload["y"]) == pytest.approx((50, 40), abs=0.8)

    at.press("v")
    hide = at.edits(3)[-1]
    assert hide.payload == {"row": before[3]["id"], "visible": False}
    says(at.page, ".pt-here", "hid it")
    for n in (4, 5, 6):
        at.press("Control+z")
        at.edits(n)
    assert at.rows(5) == before
    lacks(at.page, ".pt-here", "hid")
    assert not at.faults


def test_the_next_volume_is_told_and_a_correction_reaches_volumes_like_it(
    sit: Callable[..., Sitting],
) -> None:
    at = sit(alike=True, seed=8, n_neurons=16, n_frames=60)
    at.press("l")
    at.page.wait_for_selector(".pt-loop:not(:empty)")
    told = at.page.text_content(".pt-loop")
    assert "wrong neuron-frames" in told
    wanted = told.split("volume ")[1].split(" ")[0]
    at.page.wait_for_selector(f".points[data-frame='{wanted}']")
    frame, swap = at.worm.swap + 10, at.worm.swap
    truth = at.worm.truth.xyz
    for item in (0, 1):
        at.go(frame, item)
        at.type("cursor " + " ".join(f"{round(v)}" for v in truth[frame, item].tolist()))
        at.press("a")
    at.page.wait_for_selector(".pt-loop[data-alike]")
    says(at.page, ".pt-loop", "similar volumes")
    if shot := os.environ.get("NISSL_SHOTS"):
        at.page.screenshot(path=f"{shot}/alike.png")
    late, carried = time.monotonic() + PATIENCE_S, set()
    while carried != {0, 1} and time.monotonic() < late:
        time.sleep(0.1)
        edits = at.worm.project.store.edits()
        carried = {item for edit in edits if edit.by_method for item in edit.items}
    assert carried == {0, 1}
    rows = at.rows(swap + 20)
    for item in (0, 1):
        place = [rows[item][name] for name in "xyz"]
        assert np.linalg.norm((place - truth[swap + 20, item]) * SPACING_UM[::-1]) < 2
    assert not at.faults


def test_nothing_is_decided_on_a_volume_that_is_not_there_yet(sit: Callable[..., Sitting]) -> None:
    at = sit(n_frames=100)
    asked: list[str] = []
    held: list[Any] = []
    slow = False

    def meet(route: Any) -> None:
        asked.append(route.request.url)
        if slow:
            held.append(route)
        else:
            route.continue_()

    at.page.context.route("**/points/rows?*", meet)
    at.page.reload()
    at.page.wait_for_selector(".points[data-frame]")
    at.go(at.at()[0], 3)
    until(at.page, lambda: asked)
    known = {int(parse_qs(urlparse(url).query)["start"][0]) for url in asked}
    frame = 3 + next(start for start in (0, 32, 64) if not known & {start - 16, start, start + 16})
    slow = True
    at.type(f"volume {frame}")  # its points are on their way
    at.press("Enter", "e", "a", "v", "d")
    says(at.page, ".status", f"Volume {frame} is still being read")
    until(at.page, lambda: held)
    at.edits(0)
    slow = False
    for route in held:
        route.continue_()
    at.page.wait_for_selector(f".points[data-frame='{frame}'][data-track='3']")
    at.press("Enter")
    (right,) = at.edits(1)
    assert (right.kind, right.payload) == ("accept", {"frames": [frame]})
    assert set(right.items) == set(at.rows(frame))
    assert not at.faults


def test_a_missing_point_is_added_moved_and_the_volume_found_right(
    sit: Callable[..., Sitting],
) -> None:
    at = sit()
    item, frame = missing(at.worm)
    at.go(frame, item)
    says(at.page, ".pt-here", "No point")
    at.type("cursor 40 30 7")
    at.press("a", "Shift+ArrowRight")  # the move waits for the point's number
    add, move = at.edits(2)
    assert (add.kind, add.items) == ("add", (item,))
    assert add.payload["rows"] == [{"frame": frame, "x": 40, "y": 30, "z": 7, "visible": True}]
    assert (move.kind, move.payload["x"]) == ("move", 41)
    at.go(frame)
    at.press("Enter")
    right = at.edits(3)[-1]
    assert (right.kind, right.payload) == ("accept", {"frames": [frame]})
    assert set(right.items) == set(at.rows(frame))
    at.page.wait_for_function(
        f"() => document.querySelector('.points').dataset.frame !== '{frame}'"
    )
    reviewed = replay(at.room.desks[0].labels, at.edits(3))
    decided = reviewed.labels.column("frame")[decided_rows(reviewed)]
    assert decided.tolist() == [frame] * len(right.items)
    at.page.reload()
    at.page.wait_for_selector(".points[data-frame]")
    assert not at.faults


def test_identity_is_swapped_from_here_on_and_back(sit: Callable[..., Sitting]) -> None:
    at = sit()
    swap = at.worm.swap
    before = at.rows(swap)
    at.go(swap, 0)
    at.type("swap 1")
    (edit,) = at.edits(1)
    assert (edit.kind, edit.items, edit.payload) == ("swap", (0, 1), {"from": swap})
    now = at.rows(swap)
    assert (now[0]["id"], now[1]["id"]) == (before[1]["id"], before[0]["id"])
    assert at.rows(swap - 1)[0]["id"] != now[0]["id"]
    truth = at.worm.truth.xyz
    frame, item = (at.worm.labels.column(name) for name in ("frame", "item"))
    reviewed = replay(at.worm.labels, at.edits(1)).labels
    for k in (0, 1):  # each track follows its neuron through all volumes now
        rows = reviewed.rows_of(k)
        xyz = np.stack([reviewed.column(name)[rows] for name in "xyz"], 1)
        off = np.linalg.norm(xyz - truth[reviewed.column("frame")[rows], k], axis=1)
        assert np.median(off) < 1
        assert np.all(off < 2)
    assert frame.size == item.size
    at.press("Control+z")
    at.edits(2)
    assert at.rows(swap) == before
    assert not at.faults


def test_tracks_are_marked_merged_split_made_and_removed(sit: Callable[..., Sitting]) -> None:
    at = sit()
    at.go(20, 4)
    at.press("k")
    (split,) = at.edits(1)
    assert (split.kind, split.items) == ("split", (4,))
    at.page.wait_for_selector(".points[data-track='10']")  # the page goes there
    assert 4 not in at.rows(25)
    at.press("m")
    at.go(20, 4)
    at.press("g")
    merge = at.edits(2)[-1]
    assert (merge.kind, set(merge.items)) == ("merge", {4, 10})
    assert 4 in at.rows(25)
    at.type("merge 7")  # both are seen everywhere
    says(at.page, ".status", "two neurons")
    at.type("cursor 12 9 3")
    at.press("d")
    add = at.edits(3)[-1]
    assert (add.kind, add.items) == ("add", ())
    at.page.wait_for_selector(".points[data-track='11']")
    at.press("Delete")
    assert at.edits(4)[-1].kind == "remove"
    assert not at.faults


def test_the_worst_volumes_and_the_most_doubtful_points_come_first(
    sit: Callable[..., Sitting],
) -> None:
    at = sit()
    frame, item, sure = (at.worm.labels.column(name) for name in ("frame", "item", "confidence"))
    wrong = np.bincount(frame, 1 - sure, 40) + 0.3 * (10 - np.bincount(frame, minlength=40))
    assert at.at()[0] == int(wrong.argmax())
    at.press("]")
    at.press("]")
    second = int(np.argsort(-wrong, kind="stable")[1])
    at.page.wait_for_selector(f".points[data-frame='{second}']")
    at.press("[")
    at.page.wait_for_selector(f".points[data-frame='{int(wrong.argmax())}']")
    least = int(sure.argmin())
    at.press(".")
    at.page.wait_for_selector(f".points[data-frame='{frame[least]}'][data-track='{item[least]}']")
    at.press("e")
    (edit,) = at.edits(1)
    assert (edit.items, edit.payload) == ((int(item[least]),), {"frames": [int(frame[least])]})
    order = np.argsort(sure, kind="stable")
    following = f"[data-frame='{frame[order[1]]}'][data-track='{item[order[1]]}']"
    at.page.wait_for_selector(f".points{following}")
    at.press("q")
    unsure = at.edits(2)[-1]
    assert (unsure.kind, unsure.items) == ("unsure", (int(item[order[1]]),))
    states = at.room.desks[0]
    with at.room.reading(states.key, "Ann") as reading:
        assert set(reading.states().values()) == {"untouched"}  # tracks stay open
    assert not at.faults


def test_a_click_on_the_map_of_confidence_goes_there(sit: Callable[..., Sitting]) -> None:
    at = sit()
    canvas = at.page.locator(".pt-heat canvas")
    box = canvas.bounding_box()
    left, top, bottom, right = 66, 21, 16, 8
    if (box["height"] - top - bottom) / 10 < 10:
        left = 10
    width, height = box["width"] - left - right, box["height"] - top - bottom
    at.page.mouse.click(box["x"] + left + width * 31.5 / 40, box["y"] + top + height * 6.5 / 10)
    at.page.wait_for_selector(".points[data-frame='31'][data-track='6']")
    at.page.locator(".pt-heat input").focus()
    at.press("ArrowRight")  # the key of the view, not the slider's
    at.page.wait_for_selector(".points[data-frame='32']")
    assert not at.faults


def test_pictures_channels_colours_and_names_answer_to_keys(sit: Callable[..., Sitting]) -> None:
    at = sit()
    at.press("i")
    says(at.page, ".pt-xy h3", "brightest")
    at.press("i", "b", "c", "o", "t")
    valued(at.page, "select[aria-label='Channels']", "0")
    valued(at.page, "select[aria-label='Colour of neurons']", "confidence")
    at.press("y")
    at.page.wait_for_selector(".pt-xy .pt-host[data-marks='0']")  # nobody marked what was made up
    assert at.page.input_value("select[aria-label='Picture']").startswith("synthetic")
    at.type("picture")
    frame = at.at()[0]
    at.press("ArrowRight")
    at.page.wait_for_selector(f".points[data-frame='{frame + 1}']")
    for name in ("The neuron", "Confidence of every neuron over time"):
        assert at.page.locator(f"section[aria-label='{name}']").count() == 1
    assert at.page.get_attribute(".pt-bar", "role") == "toolbar"
    assert not at.faults


def test_without_the_movie_places_and_confidence_are_shown(sit: Callable[..., Sitting]) -> None:
    at = sit(movie=False, synthetic=False)
    says(at.page, ".pt-message", "not at hand")
    at.go(5, 3)
    at.press("a")
    at.edits(1)
    at.press("]")
    at.page.wait_for_selector(".points:not([data-frame='5'])")  # its points are here
    at.press("Enter")
    at.edits(2)
    assert not at.faults


@pytest.mark.slow
def test_ten_thousand_volumes_of_a_hundred_neurons_stay_fluid(sit: Callable[..., Sitting]) -> None:
    at = sit(n_neurons=100, n_frames=10_000, shape=(10, 60, 100), synthetic=False)
    at.page.wait_for_timeout(1500)
    at.page.evaluate("window.__nissl.latencies.length = 0")
    for key in ["ArrowRight"] * 15 + ["]"] * 6 + ["ArrowLeft"] * 6 + ["."] * 6:
        at.press(key)
        at.page.wait_for_timeout(150)
    for _ in range(8):
        at.press("Enter")
        at.page.wait_for_timeout(300)
    at.edits(8)
    latencies = at.page.evaluate("window.__nissl.latencies.map(l => l.ms).sort((a, b) => a - b)")
    assert len(latencies) > 30
    assert latencies[len(latencies) // 2] < 200
    assert not at.faults
