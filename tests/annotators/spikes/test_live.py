"""Units under review: facts after merges, splits and undos, against measuring anew."""

import time
from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.grouped import Sorting, group_template
from nissl.annotators.spikes.grouping import grouping_of
from nissl.annotators.spikes.live import LiveUnits, facts_after, preview_merge, preview_split
from nissl.annotators.spikes.projecting import AXES, Cut, cut, fit_projection, points, scatter
from nissl.annotators.spikes.snippets import SnippetReader, SpikeSample, plan_of, take_sample
from nissl.annotators.spikes.units import SCHEMA, declared_units, describe, to_arrow
from nissl.clock import Clock
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import BadArgumentError, BadEditError, MissingInputError
from nissl.labels import Author, Edit, EditKind, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.replay import Live, replay
from nissl.run.context import Context
from nissl.tasks import Inputs

RATE = 30_000.0
EXACT = ("n_spikes", "firing_rate_hz", "isi_violations_ratio", "rp_contamination",
         "presence_ratio", "firing_range_hz", "sync_8", "expected_false_positives")  # fmt: skip


def spike(n=40):
    t = (np.arange(n) - 12) / 6.0
    return -np.exp(-(t**2)) + 0.4 * np.exp(-(((t - 2.5) / 1.6) ** 2))


def recording(seed=0, n_channels=8, seconds=6.0, per_unit=60):
    """Three units on channels 1, 3 and 6; the first fires in two sizes."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((round(seconds * RATE), n_channels)) * 3.0
    slots = np.sort(rng.permutation(np.arange(400, len(x) - 400, 150))[: 3 * per_unit])
    unit = rng.permutation(np.repeat([0, 1, 2], per_unit))
    large = rng.random(unit.size) < 0.5
    size = np.where(unit == 0, np.where(large, 200.0, 120.0), 90.0)
    for sample, k, s in zip(slots, unit, size, strict=True):
        fall = 0.5 ** np.abs(np.arange(n_channels) - (1, 3, 6)[k])
        x[sample - 12 : sample + 28] += s * spike()[:, None] * fall
    place = np.stack([np.zeros(n_channels), 25.0 * np.arange(n_channels)], axis=1)
    table = ChannelTable.plain(n_channels, position_um=place)
    signal = Signal.from_array(x.astype(np.float32), RATE, name="ap", channels=table)
    columns = {"sample": slots, "item": unit, "amplitude": (-0.9 * size).astype(np.float32)}
    columns["confidence"] = (size / 250).astype(np.float32)
    made = Provenance("spikes", "f", Author("model", "spikes/planted", "1"), stream="ap")
    return signal, LabelSet.build(Kind.EVENTS, columns, ("unit",), made), large


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    signal, labels, large = recording()
    inputs = Inputs(Recording(None, "array", {"ap": signal}, fingerprint="f"), "ap")
    items = describe(labels, inputs, Context(tmp_path_factory.mktemp("work")))
    reader = SnippetReader(signal, plan_of(signal, labels))
    kept = take_sample(labels, items, reader, seed=0, n=30)
    return Sorting(labels, items, signal.clock, reader, kept), inputs, large


class Reader:
    """Somebody who decides on a sorting."""

    def __init__(self, sorting):
        self.live = Live(sorting.labels, "me")

    def decide(self, kind, items=(), **payload):
        base = self.live.labels.digest
        edit = Edit(uuid4(), kind, base, tuple(items), "me", 0.0, payload)
        self.live.attempt([edit])
        self.live.extend([edit])
        return edit

    @property
    def grouping(self):
        return grouping_of(self.live)


def column(table, name):
    return table.table.column(name).to_numpy()


def test_without_decisions_the_facts_are_those_measured(planted):
    sorting, _, _ = planted
    assert facts_after(LiveUnits(sorting), Reader(sorting).grouping) is sorting.items


def test_a_merge_gives_what_measuring_the_merged_unit_gives(planted, tmp_path):
    sorting, inputs, _ = planted
    me, units = Reader(sorting), LiveUnits(sorting)
    seen = preview_merge(units, me.grouping, [1, 0])
    me.decide(EditKind.MERGE, (0, 1))
    facts = facts_after(units, me.grouping)
    anew = describe(replay(sorting.labels, me.live.edits).labels, inputs, Context(tmp_path))
    assert facts.items.tolist() == anew.items.tolist() == [0, 2]
    assert facts.of == sorting.labels.digest
    for name in EXACT:
        assert column(facts, name) == pytest.approx(column(anew, name), nan_ok=True), name
    assert facts.arrays["acg"] == pytest.approx(anew.arrays["acg"])
    assert facts.arrays["template"] == pytest.approx(anew.arrays["template"], abs=2.0)
    for name in ("channel", "shank"):
        assert column(facts, name).tolist() == column(anew, name).tolist()
    for name in ("x_um", "y_um", "snr"):
        assert column(facts, name) == pytest.approx(column(anew, name), rel=0.1), name
    assert column(facts, "nn_isolation")[0] > 0.8
    assert seen.before.items.tolist() == [0, 1]
    assert str(seen.after.table.to_pylist()[0]) == str(facts.table.to_pylist()[0])  # NaN too


def test_what_a_sorter_said_of_pairs_is_forgotten_with_the_units(planted):
    sorting, _, _ = planted
    old = sorting.items
    context = {**old.context, "apart": [[0, 1, 2.0], [0, 2, 1.0], [1, 2, -1.0]]}
    items = ItemTable(old.of, old.table, old.units, old.arrays, context)
    sorting = replace(sorting, items=items)
    me, units = Reader(sorting), LiveUnits(sorting)
    part = sorting.labels.rows_of(0)[:20].tolist()
    assert units.some(me.grouping, [1, 2]).context["apart"] == [[1, 2, -1.0]]
    me.decide(EditKind.SPLIT, (0,), rows=[part])
    assert facts_after(units, me.grouping).context["apart"] == [[1, 2, -1.0]]


def test_parts_are_measured_on_kept_waveforms_or_on_the_recording(planted):
    sorting, _, large = planted
    rows = sorting.labels.rows_of(0)
    part = rows[large[rows]]
    whole = sorting.items.arrays["template"][0]
    read = Sorting(sorting.labels, sorting.items, sorting.clock, sorting.reader)
    kept = Sorting(sorting.labels, sorting.items, sorting.clock, None, sorting.kept)
    for known in (read, kept, sorting):
        template = group_template(known, part)
        gain = np.ptp(template[:, 1]) / np.ptp(whole[:, 1])
        assert gain == pytest.approx(200 / np.where(large[rows], 200, 120).mean(), rel=0.1)
    far = np.setdiff1d(np.arange(8), sorting.kept.near[0])
    assert far.size
    assert template[:, far] == pytest.approx(whole[:, far])
    nothing = Sorting(sorting.labels, sorting.items, sorting.clock)
    assert group_template(nothing, part) == pytest.approx(whole)


def test_a_split_shares_spikes_and_an_undo_gives_the_very_facts_back(planted):
    sorting, _, large = planted
    me, units = Reader(sorting), LiveUnits(sorting)
    rows = sorting.labels.rows_of(0)
    part = rows[large[rows]]
    seen = preview_split(units, me.grouping, 0, part)
    assert seen.before.items.tolist() == [0]
    assert dict(zip(seen.after.items.tolist(), column(seen.after, "n_spikes"), strict=True)) == {
        -1: part.size, 0: rows.size - part.size
    }  # fmt: skip
    edit = me.decide(EditKind.SPLIT, (0,), rows=[sorting.labels.column("id")[part].tolist()])
    facts = facts_after(units, me.grouping)
    assert facts.items.tolist() == [0, 1, 2, 3]
    assert column(facts, "n_spikes").tolist() == [rows.size - part.size, 60, 60, part.size]
    assert column(facts, "amplitude_median_uv")[[0, 3]] == pytest.approx([-108, -180])
    assert column(facts, "firing_rate_hz").sum() == pytest.approx(
        column(sorting.items, "firing_rate_hz").sum()
    )
    me.decide(EditKind.MERGE, (0, 3))
    whole = facts_after(units, me.grouping)
    assert whole.items.tolist() == [0, 1, 2]
    assert whole.digest == sorting.items.digest  # its rows are the very rows that were measured
    me.decide(EditKind.UNDO, target=str(me.live.edits[-1].uuid))
    me.decide(EditKind.UNDO, target=str(edit.uuid))
    assert facts_after(units, me.grouping) is sorting.items


def test_what_cannot_be_is_refused(planted):
    sorting, _, _ = planted
    me, units = Reader(sorting), LiveUnits(sorting)
    rows = sorting.labels.rows_of(0)
    with pytest.raises(BadEditError, match="two units"):
        preview_merge(units, me.grouping, [1, 1])
    for part in (rows[:0], rows, sorting.labels.rows_of(1)[:3]):
        with pytest.raises(BadEditError, match="some but not all"):
            preview_split(units, me.grouping, 0, part)
    me.decide(EditKind.MERGE, (0, 1))
    with pytest.raises(BadEditError, match="unit 1"):
        preview_merge(units, me.grouping, [1, 2])
    with pytest.raises(BadEditError, match="unit 1"):
        units.some(me.grouping, [1])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 5)), max_size=6))
@settings(max_examples=15, deadline=None)
def test_every_spike_is_in_one_unit_whatever_is_decided(steps):
    rng = np.random.default_rng(0)
    n = 60
    labels = LabelSet.build(
        Kind.EVENTS,
        {"sample": np.sort(rng.integers(0, 10**6, n)), "item": np.arange(n) % 3},
        ("unit",),
        Provenance("spikes", "f", Author("model", "m")),
    )
    items = ItemTable(labels.digest, bare(labels), {}, {}, {"rate_hz": RATE, "duration_s": 40.0})
    me = Reader(Sorting(labels, items, Clock.regular(RATE, 10**6)))
    units = LiveUnits(Sorting(labels, items, Clock.regular(RATE, 10**6)))
    for join, a, b in steps:
        there = me.grouping.items.tolist()
        one, other = there[a % len(there)], there[b % len(there)]
        rows = me.grouping.rows(one)
        if join and one != other:
            me.decide(EditKind.MERGE, (one, other))
        elif not join and rows.size > 1:
            me.decide(
                EditKind.SPLIT, (one,), rows=[me.grouping.ids[rows[: rows.size // 2]].tolist()]
            )
    grouping = me.grouping
    whole = np.concatenate([grouping.rows(i) for i in grouping.items.tolist()])
    assert np.sort(whole).tolist() == list(range(n))
    for item in grouping.items.tolist():
        assert (grouping.item[grouping.rows(item)] == item).all()
    facts = facts_after(units, grouping)
    assert facts.items.tolist() == grouping.items.tolist() == replayed(labels, me)
    assert column(facts, "n_spikes").sum() == n


def bare(labels):
    import pyarrow as pa

    items, counts = np.unique(labels.column("item"), return_counts=True)
    return pa.table({"item": pa.array(items), "n_spikes": pa.array(counts)})


def replayed(labels, me):
    return replay(labels, me.live.edits).labels.items.tolist()


# --- waveforms -------------------------------------------------------------------------------


def test_waveforms_are_read_where_the_spikes_are(planted):
    sorting, _, _ = planted
    reader, sample = sorting.reader, sorting.sample[:9]
    before, after = reader.window
    read = reader.read(sample)
    for k, at in enumerate(sample.tolist()):
        alone = reader.traces(at - before, at + after)
        assert read[k] == pytest.approx(alone, abs=0.05)  # the filter knows another margin
    chosen = reader.read(sample, np.asarray([[2, -1]] * sample.size))
    assert chosen[:, :, 0] == pytest.approx(read[:, :, 2])
    assert np.isnan(chosen[:, :, 1]).all()
    n = reader.signal.n_samples
    assert np.isnan(reader.read(np.asarray([3, n - 3]))).all()


def test_many_spikes_are_read_in_pieces_that_fit_into_memory(planted, monkeypatch):
    sorting, _, _ = planted
    whole = sorting.reader.read(sorting.sample, np.asarray([1]))
    monkeypatch.setattr("nissl.annotators.spikes.snippets._VALUES_AT_ONCE", 8 * 3000)
    monkeypatch.setattr("nissl.annotators.spikes.snippets._READ_TOGETHER", 2500)
    pieces = sorting.reader._pieces(sorting.sample)
    assert [p[0] for p in pieces[1:]] == [p[1] for p in pieces[:-1]]
    assert max(stop - start for _, _, start, stop in pieces) <= 3000 + sum(sorting.reader.window)
    assert sorting.reader.read(sorting.sample, np.asarray([1])) == pytest.approx(whole, abs=0.05)


def test_a_sample_comes_back_from_its_arrays(planted):
    sorting, _, _ = planted
    kept = SpikeSample.of(sorting.kept.arrays())
    assert np.bincount(kept.unit).tolist() == [30, 30, 30]
    rows = sorting.labels.rows_of(2)
    places = kept.among(rows)
    assert np.isin(kept.row[places], rows).all()
    assert places.size == 30
    again = sorting.reader.read(sorting.sample[kept.row[places]], np.asarray([6, 7]))
    assert kept.on(places, np.asarray([6, 7])) == pytest.approx(again, rel=1e-3, abs=0.1)
    assert np.isnan(kept.on(places, np.asarray([99]))).all()


def test_a_lasso_on_shapes_takes_the_spikes_of_one_size_kept_or_not(planted):
    sorting, _, large = planted
    rows = sorting.labels.rows_of(0)
    projection = fit_projection(sorting, [rows])
    quick = points(sorting, rows, projection)
    assert np.isfinite(quick["pc1"]).sum() == 30
    placed = points(sorting, rows, projection, complete=True)
    known = np.isfinite(quick["pc1"])
    assert placed["pc1"][known] == pytest.approx(quick["pc1"][known], abs=0.5)
    low, high = (np.median(placed["pc1"][large[rows] == k]) for k in (False, True))
    part = cut(
        sorting, rows, projection, Cut("pc1", threshold=(low + high) / 2, above=bool(high > low))
    )
    assert np.isin(rows, part).tolist() == large[rows].tolist()
    box = ((0.0, -500.0), (3.0, -500.0), (3.0, 500.0), (0.0, 500.0))
    early = cut(sorting, rows, None, Cut("time_s", "amplitude", box))
    assert early.tolist() == rows[sorting.sample[rows] < 3 * RATE].tolist()


def test_without_the_recording_only_what_needs_none_can_be_cut(planted):
    sorting, _, _ = planted
    bare_sorting = Sorting(sorting.labels, sorting.items, sorting.clock, None, sorting.kept)
    rows = sorting.labels.rows_of(0)
    projection = fit_projection(bare_sorting, [rows])
    with pytest.raises(MissingInputError, match="30 of 60 spikes"):
        cut(bare_sorting, rows, projection, Cut("pc1", threshold=0.0))
    kept_only = sorting.kept.row[sorting.kept.among(rows)]
    assert cut(bare_sorting, kept_only, projection, Cut("depth_um", threshold=0.0)).size == 30
    nothing = Sorting(sorting.labels, sorting.items, sorting.clock)
    assert fit_projection(nothing, [rows]) is None
    with pytest.raises(MissingInputError, match="waveforms"):
        cut(nothing, rows, None, Cut("pc2", threshold=0.0))
    with pytest.raises(BadArgumentError, match="axes"):
        Cut("weight", threshold=0.0)


def test_thinned_points_keep_those_with_waveforms(planted):
    sorting, _, _ = planted
    groups = {0: sorting.labels.rows_of(0), 2: sorting.labels.rows_of(2)}
    out = scatter(sorting, groups, fit_projection(sorting, list(groups.values())), most=40)
    assert set(out) == {"item", "row", *AXES}
    for item, rows in groups.items():
        mine = out["row"][out["item"] == item]
        assert 40 <= mine.size < 60
        assert np.isin(sorting.kept.row[sorting.kept.among(rows)], mine).all()


# --- a million spikes ------------------------------------------------------------------------


def large_sorting(n=1_000_000, n_units=200, n_samples=60, n_channels=64):
    rng = np.random.default_rng(0)
    last = round(3600 * RATE)
    weight = rng.gamma(1.0, 1.0, n_units)
    weight[:4] = 8.0
    item = rng.choice(n_units, n, p=weight / weight.sum())
    labels = LabelSet.build(
        Kind.EVENTS,
        {"sample": np.sort(rng.integers(0, last, n)), "item": item,
         "amplitude": rng.normal(-100, 10, n).astype(np.float32)},
        ("unit",),
        Provenance("spikes", "f", Author("model", "m")),
    )  # fmt: skip
    place = np.stack([np.zeros(n_channels), 20.0 * np.arange(n_channels)], axis=1)
    columns = {c.name: np.ones(n_units) for c in SCHEMA} | {"item": np.arange(n_units)}
    context = {"rate_hz": RATE, "duration_s": 3600.0, "n_before": 20,
               "position_um": place.tolist(), "shank": [0] * n_channels}  # fmt: skip
    template = rng.standard_normal((n_units, n_samples, n_channels)).astype(np.float32)
    arrays = {"template": template, "acg": np.zeros((n_units, 101), np.float32)}
    items = ItemTable(labels.digest, to_arrow(columns), declared_units(), arrays, context)
    row = np.flatnonzero(np.arange(n) % 25 == 0)
    near = np.tile(np.arange(10), (n_units, 1))
    kept = SpikeSample(row, item[row], near, np.ones((row.size, n_samples, 10), np.float16))
    return Sorting(labels, items, Clock.regular(RATE, last), None, kept)


def test_a_merge_and_a_split_of_a_million_spikes_take_less_than_a_second():
    sorting = large_sorting()
    me, units = Reader(sorting), LiveUnits(sorting)
    preview_merge(units, me.grouping, [9, 10])  # imports what has to be imported
    took = {}
    for kind, items, payload in (
        (EditKind.MERGE, (0, 1), {}),
        (EditKind.SPLIT, (2,), {"rows": [me.grouping.ids[me.grouping.rows(2)[::3]].tolist()]}),
    ):
        n = me.grouping.rows(items[0]).size
        start = time.process_time()
        me.decide(kind, items, **payload)
        facts = facts_after(units, me.grouping)
        took[kind] = time.process_time() - start
        assert n > 25_000
    assert facts.items.size == 200
    assert column(facts, "n_spikes").sum() > 0
    assert max(took.values()) < 1.0, took
    assert UUID(str(me.live.edits[0].uuid)) in {e.uuid for e in me.live.standing}
