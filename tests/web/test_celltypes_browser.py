"""The view of cell types in a real browser: panels, keys, the map, blind reading, gaps."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import uvicorn
from tests.web.waiting import PATIENCE_MS, PATIENCE_S, counted, lacks, saved, says

from nissl.data import Recording
from nissl.errors import SourceNotFoundError
from nissl.labels import Edit
from nissl.review.room import Room
from nissl.store import SourceRow, Store
from nissl.testing.celltypes import celltypes_study
from nissl.web.app import STATIC, create_app
from nissl.web.security import Guard
from nissl.web.serve import listen
from nissl.web.sessions import Keys

BUILT = Path(os.environ.get("NISSL_STATIC", STATIC))
N_UNITS = 60
ODD, STACKED, NO_WAVEFORM, NO_SPIKES = range(N_UNITS - 4, N_UNITS)
MARGIN = 30

WHY = {
    "item": 5,
    "proposed": "PV",
    "confidence": 0.8,
    "model": "m",
    "unlike": "",
    "findings": [],
    "reasons": [
        {"feature": "waveform", "towards": "PV", "weight": 1.2, "sentence": "shape: towards PV"},
        {"feature": "cv2", "towards": "SST", "weight": -0.4, "sentence": "CV2 0.9: towards SST"},
    ],
    "accepted": [{"source": "mouse-1", "item": 9, "label": "PV", "distance": 0.4}],
    "rejected": [],
    "library": [{"name": "unit 4 of m7", "label": "PV", "evidence": "optotagging", "distance": 1}],
    "saliency": {
        "waveform": list(np.sin(np.arange(61) / 9)),
        "acg": list(np.cos(np.arange(100) / 9)),
        "isi": None,
        "acg3": list(np.sin(np.arange(500) / 90)),
    },
}

PAINTED = """e => { const c = e.getContext('2d').getImageData(0, 0, e.width, e.height).data;
  const seen = new Set(); for (let i = 0; i < c.length; i += 4)
    if (c[i + 3] > 200) seen.add(`${c[i] >> 4},${c[i + 1] >> 4},${c[i + 2] >> 4}`);
  return seen.size; }"""
"""How many colours are on a canvas, alike ones taken together."""


class Served:
    """A server over units with cell types; every test has a reader of its own."""

    def __init__(self, store: Store) -> None:
        def gone(row: SourceRow) -> Recording:
            raise SourceNotFoundError("a recording", "none", "It is simulated.")

        self.store, self.room, keys = store, Room(store, gone), Keys()
        self.desk = next(desk for desk in self.room.desks if desk.view == "celltypes")
        bound = listen(None)
        guard = Guard(create_app(self.room, static=BUILT), keys)
        self.server = uvicorn.Server(uvicorn.Config(guard, log_level="warning", ws="none"))
        self.thread = threading.Thread(target=self.server.run, args=([bound],), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}/?token={keys.token}"
        self.faults: list[str] = []

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)

    def edits(self, reader: str, n: int) -> list[Edit]:
        """All that a reader decided, once it is `n` edits; never more."""
        late = time.monotonic() + PATIENCE_S
        while True:
            found = [edit for edit in self.store.edits() if edit.reviewer == reader]
            if len(found) >= n or time.monotonic() > late:
                break
            time.sleep(0.03)
        assert len(found) == n, [(edit.kind, edit.items) for edit in found]
        return found

    def item_shown(self, page: Any, item: int) -> None:
        page.wait_for_selector(f".celltypes[data-unit='{item}']")
        says(page, ".verdict h1", f"Unit {item}")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("types") / "study"
    celltypes_study(path, n_units=N_UNITS, seed=1)
    with Store.open(path) as store:
        served = Served(store)
        yield served
        served.stop()


@pytest.fixture
def visit(shared: Served, browser: Any) -> Iterator[Callable[..., Any]]:
    """``visit(reader, item, width=, height=, dark=) -> page``; no fault in any console."""
    shared.faults.clear()

    def open_(
        reader: str, item: int, *, width: int = 1440, height: int = 900, dark: bool = False
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: shared.faults.append(str(error)))
        page.on("console", lambda m: shared.faults.append(m.text) if m.type == "error" else None)
        page.add_init_script(f"localStorage.setItem('nissl-reader', {reader!r})")
        page.route("**/why?**", lambda route: route.fulfill(json=WHY))
        page.goto(f"{shared.url}#/desk/{shared.desk.key}/item/{item}")
        shared.item_shown(page, item)
        return page

    yield open_
    for context in browser.contexts:
        context.close()
    assert not shared.faults


def command(page: Any, text: str) -> None:
    page.keyboard.press("/")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def colours(page: Any, panel: str) -> int:
    canvas = page.locator(f".ct-{panel} .ct-body canvas").first
    return int(canvas.evaluate(PAINTED))


def painted(page: Any, panel: str, least: int = 3) -> None:
    canvas = page.locator(f".ct-{panel} .ct-body canvas").first.element_handle()
    page.wait_for_function(f"e => ({PAINTED})(e) >= {least}", arg=canvas)


def settled(page: Any) -> None:
    """Wait until nothing is on its way that could move or repaint the map."""
    says(page, ".ct-why", "shape: towards PV")
    painted(page, "map")


def on_map(page: Any, shared: Served) -> Callable[[int], tuple[float, float]]:
    """Where units stand on the screen: all in sight, one scale for both axes."""
    table = shared.desk.items
    assert table is not None
    place = table.arrays["map"].astype(float)
    centres = np.asarray([one["map"] for one in table.context["classes"]], float)
    every = np.vstack([place, centres])
    low, high = every.min(axis=0), every.max(axis=0)
    box = page.locator(".ct-lasso").bounding_box()
    size = np.asarray([box["width"], box["height"]])
    scale = ((size - 2 * MARGIN) / (high - low)).min()

    def at(item: int) -> tuple[float, float]:
        x, y = (place[item] - (low + high) / 2) * scale * (1, -1) + size / 2
        return float(box["x"] + x), float(box["y"] + y)

    return at


def lasso(page: Any, corners: list[tuple[float, float]]) -> None:
    page.mouse.move(*corners[0])
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(x, y, steps=3)
    page.mouse.up()


def test_every_panel_is_painted_and_labelled(shared: Served, visit: Callable[..., Any]) -> None:
    page = visit("Ada", 5)
    for panel in ("probe", "waveform", "map", "heat", "lines"):
        painted(page, panel)
        label = page.locator(f".ct-{panel} canvas").first.get_attribute("aria-label")
        assert len(label) > 20
    painted(page, "heat", 16)
    says(page, ".ct-waveform .ct-legend", "unit 5")
    says(page, ".ct-waveform .ct-legend", "mean of")
    says(page, ".ct-why", "shape: towards PV")
    says(page, ".ct-why", "unit 4 of m7: PV by optotagging")
    says(page, ".ct-waveform .ct-legend", "up for PV, down against it")
    says(page, ".ct-heat .ct-legend", "Outlined: solid speaks for PV")
    page.keyboard.press("s")
    lacks(page, ".ct-waveform .ct-legend", "up for")
    page.click(".ct-why button:has-text('unit 9')")
    shared.item_shown(page, 9)


def test_probabilities_sum_to_one_with_unknown_hatched(visit: Callable[..., Any]) -> None:
    page = visit("Bea", ODD)
    shares = page.eval_on_selector_all(
        ".ct-bar > span", "all => all.map(e => [e.dataset.class, Number(e.dataset.share)])"
    )
    assert [name for name, _ in shares][-1] == "unknown"
    assert sum(share for _, share in shares) == pytest.approx(1, abs=1e-5)
    assert dict(shares)["unknown"] > 0.5
    widths = page.eval_on_selector_all(
        ".ct-bar > span", "all => all.map(e => e.getBoundingClientRect().width)"
    )
    assert widths[-1] / sum(widths) == pytest.approx(dict(shares)["unknown"], abs=0.02)
    hatch = page.eval_on_selector(".ct-bar .ct-unknown", "e => getComputedStyle(e).backgroundImage")
    assert "repeating-linear-gradient" in hatch
    says(page, ".ct-classes", f"unknown{round(100 * dict(shares)['unknown'])} %")
    says(page, ".ct-why", "Unlike the units that the model knows")
    says(page, ".ct-why", "No class is claimed.")


def test_keys_choose_a_class_and_unknown_which_outlive_a_reload(
    shared: Served, visit: Callable[..., Any]
) -> None:
    page = visit("Cem", 7)
    page.keyboard.press("2")
    page.wait_for_selector(".celltypes:not([data-unit='7'])")
    (edit,) = shared.edits("Cem", 1)
    assert (edit.items, edit.base) == ((7,), shared.desk.key)
    assert edit.kind.value == "accept" or edit.payload["label"] == "SST"
    command(page, "goto 8")
    shared.item_shown(page, 8)
    page.keyboard.press("6")
    second = shared.edits("Cem", 2)[1]
    assert (second.items, second.payload["label"]) == ((8,), "unknown")
    saved(page)
    page.goto(f"{shared.url}#/desk/{shared.desk.key}/item/8")
    page.reload()
    shared.item_shown(page, 8)
    says(page, ".claim", "changed: unknown")


def test_a_lasso_selects_for_a_batch_which_is_one_step(
    shared: Served, visit: Callable[..., Any]
) -> None:
    page = visit("Dan", 3)
    settled(page)
    at = on_map(page, shared)
    places = np.asarray([at(item) for item in range(N_UNITS)])
    x, y = at(ODD)
    lasso(page, [(x - 12, y - 12), (x + 12, y - 12), (x + 12, y + 12), (x - 12, y + 12)])
    says(page, ".status", "1 unit selected")
    left, right = np.quantile(places[:, 0], [0.0, 0.4])
    low, high = places[:, 1].min(), places[:, 1].max()
    lasso(
        page,
        [(left - 9, low - 9), (right, low - 9), (right, high + 9), (left - 9, high + 9)],
    )
    inside = np.flatnonzero(places[:, 0] < right).tolist()
    says(page, ".status", f"{len(inside)} units selected")
    command(page, "label VIP selection")
    says(page, "dialog[open]", f"{len(inside)} items")
    page.keyboard.press("Enter")
    saved(page)
    mine = [edit for edit in shared.store.edits() if edit.reviewer == "Dan"]
    assert sorted(item for edit in mine for item in edit.items) == inside
    assert len({edit.group or edit.uuid for edit in mine}) == 1
    page.keyboard.press("Control+z")
    says(page, ".status", "Undone")
    page.keyboard.press("Escape")
    says(page, ".status", "Nothing is selected.")


def test_a_click_on_the_map_goes_to_the_unit(shared: Served, visit: Callable[..., Any]) -> None:
    page = visit("Eve", 3)
    settled(page)
    x, y = on_map(page, shared)(ODD)
    page.mouse.move(x, y)
    says(page, ".ct-hover", f"unit {ODD}: unknown")
    page.mouse.click(x, y)
    shared.item_shown(page, ODD)


def test_classes_to_compare_with_are_chosen_by_keys_and_buttons(
    visit: Callable[..., Any],
) -> None:
    page = visit("Fay", 5)
    page.click(".ct-classes button:has-text('VIP')")
    says(page, ".ct-heat [aria-label*='mean of VIP'], .ct-classes [aria-pressed=true]", "VIP")
    says(page, ".ct-waveform .ct-legend li:nth-child(2)", "VIP (mean of")
    page.keyboard.press("ArrowRight")
    says(page, ".status", "Compared with pyramidal.")
    page.keyboard.press("ArrowLeft")
    says(page, ".status", "Compared with VIP.")
    assert page.is_disabled(".ct-classes button:has-text('unknown')")
    page.keyboard.press("i")
    page.wait_for_selector(".ct-lines canvas[aria-label^='Intervals']")


def test_a_blind_reader_sees_no_class_and_no_probability(
    shared: Served, visit: Callable[..., Any]
) -> None:
    page = visit("Gil", 11)
    settled(page)
    open_colours = colours(page, "map")
    page.keyboard.press("h")
    says(page, ".claim", "hidden")
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(f"{shared.url}#/desk/{shared.desk.key}/item/12")
    page.reload()
    shared.item_shown(page, 12)
    says(page, ".ct-chances", "Probabilities are hidden until you have decided.")
    says(page, ".ct-why", "Hidden until you have decided.")
    counted(page, ".ct-bar span", 0)
    lacks(page, ".ct-chances", "%")
    painted(page, "map", 2)
    assert colours(page, "map") < open_colours
    page.wait_for_timeout(300)  # the model is asked after 120 ms
    assert not [one.url for one in answers if "/why?" in one.url]
    for one in answers:
        if "/probabilities?" in one.url:
            assert np.isnan(np.frombuffer(one.body(), "<f4")).all()
    page.keyboard.press("3")
    (edit,) = shared.edits("Gil", 1)
    assert edit.payload == {"label": "VIP", "blind": True}
    command(page, "goto 12")
    shared.item_shown(page, 12)
    page.wait_for_selector(".ct-bar span")
    says(page, ".ct-why", "shape: towards PV")


@pytest.mark.parametrize(
    ("item", "panel", "words"),
    [
        (NO_SPIKES, "heat", "No spike times"),
        (NO_SPIKES, "lines", "No spike times"),
        (NO_WAVEFORM, "waveform", "No waveform"),
        (NO_WAVEFORM, "probe", "No template"),
        (STACKED, "probe", "No positions of channels"),
    ],
)
def test_what_is_missing_is_said(
    visit: Callable[..., Any], item: int, panel: str, words: str
) -> None:
    page = visit("Hal", item)
    says(page, f".ct-{panel}", words)
    shown = page.locator(f".ct-{panel} .ct-body canvas").first.is_visible()
    assert shown == (item == STACKED)


def test_dark_and_narrow_nothing_is_clipped(visit: Callable[..., Any]) -> None:
    light = visit("Ida", 5)
    painted(light, "waveform")
    page = visit("Ida", 5, width=390, height=844, dark=True)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    for panel in ("probe", "waveform", "map", "heat", "lines"):
        painted(page, panel)
    wide = page.evaluate("() => [document.body.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    clipped = page.evaluate(
        """() => [...document.querySelectorAll('.celltypes h3, .ct-legend li, .ct-classes button')]
        .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth)
        .map(e => e.textContent)"""
    )
    assert clipped == []


TOGETHER = """() => performance.getEntriesByType('resource').some(({ name }) =>
  /\\/arrays\\/(?!map)/.test(name) && /items=\\d+(,|%2C)/.test(name))"""
"""Whether the units that come next were asked for."""


def test_the_next_unit_is_there_at_once(shared: Served, visit: Callable[..., Any]) -> None:
    page = visit("Jo", 20)
    page.wait_for_function(TOGETHER)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = page.get_attribute(".celltypes", "data-unit")
    page.keyboard.press("j")
    page.wait_for_function(
        "was => document.querySelector('.celltypes').dataset.unit !== was", arg=before
    )
    now = page.get_attribute(".celltypes", "data-unit")
    page.wait_for_function("() => window.__nissl.latencies.length > 0")
    queries = [parse_qs(urlsplit(url).query) for url in asked if "/arrays/" in url]
    assert [query for query in queries if now in query["items"][0].split(",")] == []
    ms = [one["ms"] for one in page.evaluate("window.__nissl.latencies")]
    assert max(ms) < 2000
