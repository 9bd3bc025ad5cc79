"""Links of units in a real browser: both templates are shown, and a decision is kept."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from tests.web.waiting import PATIENCE_MS, PATIENCE_S

from nissl.align.waveforms.linking import unit_links
from nissl.align.waveforms.matching import match
from nissl.align.waveforms.simulate import simulate_days
from nissl.errors import SourceNotFoundError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.review.room import Room
from nissl.store import SourceRow, Store
from nissl.web.app import STATIC, create_app
from nissl.web.security import Guard
from nissl.web.serve import listen
from nissl.web.sessions import Keys

BUILT = Path(os.environ.get("NISSL_STATIC", STATIC))
PAINTED = """() => {
  const canvas = document.querySelector('[data-waveforms] canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, k) => k % 4 === 3 && value > 0).length > 500;
}"""


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Store]:
    """A project with two sorted days and their links; the raw data are gone."""
    days = simulate_days(np.random.default_rng(3), n_units=20, n_channels=32).days
    found = match(*days)
    with Store.open(tmp_path / "study") as store:
        sets = []
        for k, day in enumerate(days):
            fingerprint = f"{k + 1}" * 64
            streams = {"ap": {"kind": "ephys"}}
            store.add_source(SourceRow(fingerprint, day.name, "gone.bin", "raw", streams=streams))
            about = Provenance("spikes", fingerprint, Author("model", "true", "1"), "ap")
            columns = {
                "sample": 100 * np.arange(len(day)),
                "item": day.items,
                "channel": np.zeros(len(day), np.int32),
            }
            sets.append(LabelSet.build(Kind.EVENTS, columns, ("unit",), about))
            store.record_labels(store.put_labels(sets[-1]))
        labels, items = unit_links(found, days[0], days[1], (sets[0], sets[1]))
        store.record_labels(store.put_labels(labels), items=store.put_items(items))
        yield store


def _gone(row: SourceRow) -> Any:
    raise SourceNotFoundError("the recording", row.path, "Relocate it.")


def test_both_templates_are_shown_and_a_decision_is_kept(browser: Any, linked: Store) -> None:
    room = Room(linked, _gone)
    app, keys, bound = create_app(room, static=BUILT), Keys(), listen(None)
    server = uvicorn.Server(uvicorn.Config(Guard(app, keys), log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        page, faults = context.new_page(), []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        (key,) = [desk.key for desk in room.desks if desk.kind is Kind.LINKS]
        page.goto(f"http://127.0.0.1:{bound.getsockname()[1]}/?token={keys.token}")
        page.fill("dialog[open] input", "Ann")
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-waveforms]")
        page.wait_for_function(PAINTED)
        shot = os.environ.get("NISSL_SHOT")
        if shot:
            page.screenshot(path=shot)
        page.keyboard.press("Space")
        late = time.monotonic() + PATIENCE_S
        while not linked.edits(base=key) and time.monotonic() < late:
            time.sleep(0.05)
        (edit,) = linked.edits(base=key)
        assert edit.kind.value == "accept"
        assert not faults
    finally:
        context.close()
        app.state.closing.set()
        server.should_exit = True
        thread.join(timeout=20)
