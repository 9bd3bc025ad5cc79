"""What a desk of sorted units needs beside its label set: live facts, kept waveforms.

The first time that units are looked at, a thread opens the recording and reads a sample of
every unit's waveforms, which the project keeps as arrays under a job of its own; review then
works without the recording. Until they are there, facts that need them are missing, and the
desk says so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa

from nissl.annotators.spikes.grouped import Sorting
from nissl.annotators.spikes.grouping import Grouping, grouping_of
from nissl.annotators.spikes.live import LiveUnits
from nissl.annotators.spikes.similarity import Likeness
from nissl.annotators.spikes.snippets import (
    SnippetReader,
    SpikeSample,
    n_sampled,
    plan_of,
    take_sample,
)
from nissl.clock import Clock
from nissl.errors import BadArgumentError, NisslError
from nissl.labels import ItemTable
from nissl.labels.digest import digest_json
from nissl.review.desk import Desk
from nissl.review.reading import Reading
from nissl.review.room import Room
from nissl.review.unit_questions import ask, merge_questions, merges_of, split_questions
from nissl.store import Store

SEED = 0  # of the sample of waveforms: the same for everybody who opens the project

_ARRAYS = ("row", "unit", "near", "waveform")
_log = logging.getLogger(__name__)
_lock = threading.Lock()
_reading_alone = threading.Lock()


class UnitDesk:
    """The live side of a desk of units; one per desk, shared by its readers.

    Parameters
    ----------
    desk : Desk
        With the view "units".
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.units = LiveUnits(_sorting(desk))
        self.waveforms = "reading"
        """Of the kept sample: "reading", "ready", or "none" where it cannot be had."""
        self.recording = "reading"
        """The same of the recording itself."""
        self._groupings: WeakKeyDictionary[Reading, tuple[tuple[Any, ...], Grouping]] = (
            WeakKeyDictionary()
        )
        self._merges: list[Likeness] | None = None
        self._thread = threading.Thread(target=self._equip, name="waveforms", daemon=True)
        self._thread.start()

    def grouping(self, reading: Reading) -> Grouping:
        """How a reading groups the spikes now; call it while the reading is locked."""
        key = tuple(edit.uuid for edit in reading.base.standing)
        known = self._groupings.get(reading)
        if known is None or known[0] != key:
            known = (key, grouping_of(reading.base))
            self._groupings[reading] = known
        return known[1]

    def likely_merges(self) -> list[Likeness]:
        """Pairs of units of the base that are likely one neuron, the likeliest first."""
        if self._merges is None:
            sorting = self.units.sorting
            self._merges = merges_of(sorting.labels, sorting.items, sorting.rate_hz)
        return self._merges

    def ask(self) -> int:
        """Put likely merges and splits into the queue; how many were not there yet."""
        key, store = self.desk.key, self.desk.store
        rows = merge_questions(key, self.likely_merges())
        return ask(store, key, [*rows, *split_questions(key, self.desk.items)])

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the waveforms are there, or cannot be had."""
        self._thread.join(timeout_s)

    def _equip(self) -> None:
        try:
            with _reading_alone:  # one desk at a time: discs read one place at a time
                _warm_up()
                kept = self._kept()
                reader = self._reader()
                if kept is None and reader is not None:
                    self._sample(reader)
        except (NisslError, OSError) as error:
            _log.warning("The waveforms of %s are not kept: %s", self.desk.source.name, error)
        finally:
            self.waveforms = _settled(self.waveforms)
            self.recording = _settled(self.recording)

    def _kept(self) -> SpikeSample | None:
        kept = _stored(self.desk.store, self.desk)
        if kept is not None:
            self.units.equip(kept=kept)
            self.waveforms = "ready"
        return kept

    def _reader(self) -> SnippetReader | None:
        desk, items = self.desk, self.units.sorting.items
        if not desk.has_raw or "channel" not in items.table.column_names:
            return None
        reader = SnippetReader(desk.signal, plan_of(desk.signal, desk.labels), _window(items))
        self.units.equip(reader=reader)
        self.recording = "ready"
        return reader

    def _sample(self, reader: SnippetReader) -> None:
        sample = take_sample(self.desk.labels, self.units.sorting.items, reader, seed=SEED)
        self.units.equip(kept=sample)
        self.waveforms = "ready"
        _keep(self.desk.store, self.desk, sample)


def _settled(state: str) -> str:
    return "none" if state == "reading" else state


_DESKS: WeakKeyDictionary[Desk, UnitDesk] = WeakKeyDictionary()


def unit_desk(desk: Desk) -> UnitDesk:
    """Return the live side of a desk, made on first call.

    Raises
    ------
    BadArgumentError
        The desk holds no units.
    """
    if desk.view != "units":
        raise BadArgumentError("a desk of units", f"one of {desk.kind.value}", "Open another view.")
    with _lock:
        known = _DESKS.get(desk)
        if known is None:
            known = _DESKS[desk] = UnitDesk(desk)
        return known


def _sorting(desk: Desk) -> Sorting:
    streams = desk.source.streams
    facts: Mapping[str, Any] = streams.get(desk.row.stream) or next(iter(streams.values()), {})
    items = desk.items
    if facts.get("clock"):
        clock = Clock.from_json(facts["clock"])
    else:
        told = {} if items is None else items.context
        last = int(desk.labels.column("sample").max(initial=0)) + 1
        clock = Clock.regular(float(told.get("rate_hz", 30000.0)), last)
    return Sorting(desk.labels, items if items is not None else _bare(desk, clock), clock)


def _bare(desk: Desk, clock: Clock) -> ItemTable:
    """Item table of units of which nothing but the spikes is known."""
    items, counts = np.unique(desk.labels.column("item"), return_counts=True)
    table = pa.table(
        {
            "item": pa.array(items, pa.int64()),
            "n_spikes": pa.array(counts, pa.int64()),
            "firing_rate_hz": counts / max(clock.duration_s, 1 / clock.rate_hz),
        }
    )
    context = {"rate_hz": clock.rate_hz, "duration_s": clock.duration_s}
    return ItemTable(desk.key, table, {"firing_rate_hz": "Hz"}, {}, context)


def _window(items: ItemTable) -> tuple[int, int] | None:
    """Samples before and after a spike, as the templates of the item table have them."""
    template, before = items.arrays.get("template"), items.context.get("n_before")
    if template is None or before is None or not 0 < int(before) < template.shape[1]:
        return None
    return int(before), int(template.shape[1]) - int(before)


def _job(desk: Desk) -> dict[str, Any]:
    return {
        "what": "sample of waveforms",
        "labels": desk.key,
        "items": desk.row.items,
        "n": n_sampled(desk.row.n_items),
        "seed": SEED,
    }


def _stored(store: Store, desk: Desk) -> SpikeSample | None:
    run = store.run(digest_json(_job(desk)))
    if run is None or run.state != "finished":
        return None
    return SpikeSample.of(
        {name: store.get_array(d) for name, d in zip(_ARRAYS, run.outputs, strict=True)}
    )


def _keep(store: Store, desk: Desk, sample: SpikeSample) -> None:
    """Store the sample; where that fails (a full disk) it is read again another time."""
    job = _job(desk)
    name = digest_json(job)
    store.start_run(name, job)
    arrays = sample.arrays()
    outputs = [store.put_array(arrays[array]) for array in _ARRAYS]
    store.finish_run(name, outputs=outputs, log={"n_spikes": int(sample.row.size)})


def _warm_up() -> None:
    """Import what the first description would wait for."""
    with suppress(ImportError):
        import spikeinterface.metrics.quality.misc_metrics  # noqa: F401


def current_facts(room: Room, key: str, reader: str) -> ItemTable | None:
    """Facts of a desk's items as a reader's decisions leave them; None where there are none.

    Of units, those that were merged or split are described anew, while decisions go on.
    """
    desk = room.desk(key)
    if desk.view != "units":
        return desk.items
    with room.reading(key, reader) as reading:
        changed = bool(reading.base.standing)
        if not changed:
            return desk.items
        live = unit_desk(desk)
        grouping = live.grouping(reading)
    return live.units.facts(grouping)
