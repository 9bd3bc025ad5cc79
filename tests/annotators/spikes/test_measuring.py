"""Templates, amplitudes and positions, on recordings whose spikes were put in by hand."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.spikes.adapter import Sorted
from nissl.annotators.spikes.measuring import choose_spikes, locate, measure, near_channels
from nissl.annotators.spikes.preprocess import Plan, make_plan
from nissl.annotators.spikes.proposal import events, join, on_peak
from nissl.annotators.spikes.sorting import Spikes, UnitFacts
from nissl.annotators.spikes.units import SCHEMA, describe
from nissl.clock import Clock
from nissl.data import ChannelTable, Recording, Signal
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import Inputs

RATE = 30_000.0
SIZES = (-120.0, -200.0, 90.0)
CHANNELS = (1, 5, 8)


def spike(n=40):
    t = (np.arange(n) - 12) / 6.0
    wave = np.exp(-(t**2)) - 0.4 * np.exp(-(((t - 2.5) / 1.6) ** 2))
    return wave / np.abs(wave).max()


def planted(*, n_channels=10, seconds=6.0, per_unit=60, noise=3.0, seed=0, geometry=True):
    """Three units on channels 1, 5 and 8, spikes at least 4 ms apart."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    x = rng.standard_normal((n, n_channels)) * noise
    slots = rng.permutation(np.arange(400, n - 400, 120))[: 3 * per_unit]
    unit = np.repeat(np.arange(3), per_unit)
    wave = spike()
    for sample, k in zip(slots, unit, strict=True):
        for channel in range(n_channels):
            far = abs(channel - min(CHANNELS[k], n_channels - 1))
            x[sample - 12 : sample + 28, channel] += SIZES[k] * wave * 0.5**far
    order = np.argsort(slots)
    position = np.stack([np.zeros(n_channels), 25.0 * np.arange(n_channels)], axis=1)
    table = ChannelTable.plain(n_channels, position_um=position if geometry else None)
    signal = Signal.from_array(x.astype(np.float32), RATE, name="ap", channels=table)
    return signal, slots[order].astype(np.int64), unit[order].astype(np.int64)


def labelled(signal, sample, unit):
    provenance = Provenance("spikes", "f", Author("model", "spikes/planted", "1"), stream="ap")
    channel = np.zeros(len(sample), np.int64)
    none = np.full(len(sample), np.nan, np.float32)
    zero, place = np.zeros(len(sample), np.float32), np.stack([none, none], axis=1)
    labels = events(sample, unit, none, zero, channel, place, provenance)
    return labels, Inputs(Recording(None, "array", {"ap": signal}, fingerprint="f"), "ap")


def test_units_are_found_where_they_were_put(tmp_path):
    signal, sample, unit = planted()
    plan = make_plan(signal, {}, 0)
    located = locate(signal, plan, sample, unit, seed=0)
    measured = measure(signal, plan, sample, unit, located, Context(tmp_path))
    assert measured.best.tolist() == list(CHANNELS)
    assert np.all(np.abs(located.shift) <= 1)
    for k, size in enumerate(SIZES):
        own = measured.amplitude[unit == k]
        assert np.sign(np.median(own)) == np.sign(size)
        assert 0.6 < np.median(own) / size < 1.1
        peak = np.abs(measured.template[k, :, CHANNELS[k]]).argmax()
        assert abs(int(peak) - measured.n_before) <= 1
        neighbour = np.abs(measured.template[k, measured.n_before, CHANNELS[k] - 1])
        assert neighbour == pytest.approx(0.5 * np.abs(np.median(own)), rel=0.1)
        assert np.median(measured.y[unit == k]) == pytest.approx(25.0 * CHANNELS[k], abs=12)


def test_the_same_bytes_for_any_number_of_workers(tmp_path):
    signal, sample, unit = planted(seconds=3.0, per_unit=30)
    plan = make_plan(signal, {}, 0)
    located = locate(signal, plan, sample, unit, seed=0)
    one, two = (
        measure(signal, plan, sample, unit, located, Context(tmp_path / str(w), workers=w))
        for w in (1, 2)
    )
    for name in ("template", "amplitude", "y", "waveforms", "best", "noise"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_blocks_of_a_chunk_and_chunks_give_the_same(tmp_path, monkeypatch):
    from nissl.annotators.spikes import measuring

    signal, sample, unit = planted()
    plan = make_plan(signal, {}, 0)
    located = locate(signal, plan, sample, unit, seed=0)
    found = []
    for share in (1e9, 1e-6):  # a block a chunk, all blocks in one
        monkeypatch.setattr(measuring, "SUMS_PER_CHUNK", share)
        monkeypatch.setattr(measuring, "CHUNK_VALUES", 1)
        found.append(measure(signal, plan, sample, unit, located, Context(tmp_path / f"{share}")))
    for name in ("amplitude", "y", "place", "waveforms", "compared", "best"):
        np.testing.assert_array_equal(*(getattr(each, name) for each in found))
    np.testing.assert_allclose(found[0].template, found[1].template, atol=1e-3)


def test_a_shifted_train_is_put_back_on_the_peak():
    signal, sample, unit = planted(seconds=3.0, per_unit=30)
    late = sample + np.asarray([5, -4, 0])[unit]
    order = np.lexsort((unit, late))
    located = locate(signal, make_plan(signal, {}, 0), late[order], unit[order], seed=0)
    sure = np.linspace(0, 1, late.size, dtype=np.float32)
    moved, owner, kept = on_peak(late[order], unit[order], sure[order], located.shift, signal)
    assert sorted(zip(owner.tolist(), kept.tolist(), strict=True)) == sorted(
        zip(unit.tolist(), sure.tolist(), strict=True)
    )
    for k in range(3):
        assert np.abs(moved[owner == k] - sample[unit == k]).max() <= 1


@pytest.mark.parametrize("n_channels", [1, 4])
def test_without_geometry_positions_are_unknown(tmp_path, n_channels):
    signal, sample, unit = planted(n_channels=n_channels, seconds=3, per_unit=30, geometry=False)
    labels, inputs = labelled(signal, sample, unit)
    table = describe(labels, inputs, Context(tmp_path))
    assert np.all(np.isnan(table.table.column("y_um").to_numpy()))
    assert np.all(table.table.column("snr").to_numpy() > 5)
    assert table.arrays["template"].shape == (3, 90, n_channels)


def test_bad_channels_are_nan_and_indices_stay_those_of_the_signal(tmp_path):
    signal, sample, unit = planted(seconds=3.0, per_unit=30)
    plan = Plan(
        (*make_plan(signal, {"bad_channels": "keep"}, 0).steps, _without("0")), {"0": "dead"}
    )
    located = locate(signal, plan, sample, unit, seed=0)
    measured = measure(signal, plan, sample, unit, located, Context(tmp_path))
    assert measured.best.tolist() == list(CHANNELS)
    assert np.all(np.isnan(measured.template[:, :, 0]))
    assert np.isfinite(measured.template[:, :, 1:]).all()
    assert 0 not in measured.near


def _without(name):
    from nissl.annotators.spikes.preprocess import Step

    return Step("bad_channels", "nissl", {"removed": [name]}, "Left out.")


def test_spikes_beside_gaps_and_ends_are_measured(tmp_path):
    signal, sample, unit = planted(seconds=2.0, per_unit=20)
    cut = int(sample[20]) + 5  # a spike whose window would cross the gap
    clock = Clock.from_segments(RATE, [cut, signal.n_samples - cut], [0.0, 9.0])
    signal = Signal.from_array(
        signal.read(), RATE, name="ap", channels=signal.channels, clock=clock
    )
    sample = np.concatenate([[3], sample, [signal.n_samples - 2]]).astype(np.int64)
    unit = np.concatenate([[0], unit, [1]]).astype(np.int64)
    labels, inputs = labelled(signal, sample, unit)
    table = describe(labels, inputs, Context(tmp_path))
    assert table.table.column("n_spikes").to_pylist() == [21, 21, 20]
    assert table.table.column("channel").to_pylist() == list(CHANNELS)


def test_the_item_table_is_as_declared(tmp_path):
    signal, sample, unit = planted()
    labels, inputs = labelled(signal, sample, unit * 10)
    table = describe(labels, inputs, Context(tmp_path))
    assert table.of == labels.digest
    assert table.items.tolist() == [0, 10, 20]
    assert [(f.name, str(f.type)) for f in table.table.schema] == [
        (c.name, c.dtype.replace("float64", "double")) for c in SCHEMA
    ]
    row = {name: table.table.column(name).to_numpy() for name in table.table.column_names}
    assert row["firing_rate_hz"] == pytest.approx(np.full(3, 10.0))
    assert row["nn_isolation"].min() > 0.95
    assert row["presence_ratio"] == pytest.approx(np.ones(3))
    assert np.isnan(row["expected_false_positives"]).all()  # spikes without a confidence
    assert np.isnan(row["expected_false_negatives"]).all()
    assert row["y_um"] == pytest.approx([25, 125, 200], abs=12)
    assert table.arrays["acg"].shape == (3, 101)
    assert table.arrays["template"].dtype == np.float32


def test_an_empty_set_has_an_empty_table(tmp_path):
    signal, sample, unit = planted(seconds=2.0, per_unit=5)
    labels, inputs = labelled(signal, sample[:0], unit[:0])
    assert describe(labels, inputs, Context(tmp_path)).items.size == 0


def test_chosen_spikes_are_at_most_n_of_each_unit_and_follow_the_seed():
    unit = np.random.default_rng(0).integers(0, 5, 400)
    chosen = choose_spikes(unit, 5, 30, seed=1)
    assert np.bincount(unit[chosen]).tolist() == [30] * 5
    assert np.array_equal(chosen, choose_spikes(unit, 5, 30, seed=1))
    assert not np.array_equal(chosen, choose_spikes(unit, 5, 30, seed=2))
    assert choose_spikes(unit, 5, 1000, seed=1).all()


def test_neighbours_stay_on_the_shank():
    position = np.stack([np.zeros(6), 10.0 * np.arange(6)], axis=1)
    near = near_channels(np.asarray([2]), position, np.asarray([0, 0, 0, 1, 1, 1]))
    assert near[0].tolist() == [2, 1, 0, -1, -1, -1]


def test_shanks_are_joined_in_order_without_empty_units():
    found = [
        Sorted(
            1, Spikes(np.asarray([5, 1, -3, 99]), np.asarray([7, 2, 2, 4]), 0.0, 0), None, False
        ),
        Sorted(
            2,
            Spikes(
                np.asarray([3, 4]),
                np.asarray([0, 0]),
                0.0,
                0,
                np.asarray([0.5, 0.75], np.float32),
                UnitFacts(np.asarray([0.125]), np.asarray([0.25])),
            ),
            None,
            False,
        ),
    ]
    sample, unit, sure, shank, facts = join(found, 50)
    assert np.isnan(sure[[0, 3]]).all()
    assert sure[1:3].tolist() == [0.5, 0.75]
    assert sample.tolist() == [1, 3, 4, 5]
    assert unit.tolist() == [0, 2, 2, 1]
    assert shank.tolist() == [1, 1, 2]
    assert np.isnan(facts.missed[:2]).all()
    assert np.isnan(facts.split[:2]).all()
    assert (facts.missed[2], facts.split[2]) == (0.125, 0.25)


def test_facts_of_units_follow_their_numbers():
    told = UnitFacts(np.arange(4.0), 10 + np.arange(4.0), ((0, 1, 2.5), (1, 3, -1.0)))
    part = told.of(np.asarray([1, 3]), first=5)
    assert part.missed.tolist() == [1, 3]
    assert part.split.tolist() == [11, 13]
    assert part.apart == ((5, 6, -1.0),)
    both = UnitFacts.unknown(2) + part
    assert np.isnan(both.missed[:2]).all()
    assert both.split[2:].tolist() == [11, 13]
    assert both.apart == part.apart


def test_amplitude_and_channel_stand_in_the_rows():
    signal, sample, unit = planted(seconds=2.0, per_unit=5)
    labels, _ = labelled(signal, sample, unit)
    assert isinstance(labels, LabelSet)
    assert labels.kind is Kind.EVENTS
    assert np.isnan(labels.column("confidence")).all()


def test_every_spike_has_a_place_near_its_unit(tmp_path):
    signal, sample, unit = planted()
    plan = make_plan(signal, {}, 0)
    located = locate(signal, plan, sample, unit, seed=0)
    place = measure(signal, plan, sample, unit, located, Context(tmp_path)).place
    assert place.shape == (sample.size, 2)
    true = np.asarray([25.0, 125.0, 200.0])
    assert np.abs(place[:, 1] - true[unit]).max() < 20
    middle = np.asarray([np.median(place[unit == k, 1]) for k in range(3)])
    assert middle == pytest.approx(true, abs=6)
    assert np.abs(place[:, 1] - middle[unit]).mean() < 4


def test_a_spike_on_another_shank_is_not_placed_between_them(tmp_path):
    signal, sample, unit = planted()
    x = np.where(np.arange(signal.n_channels) < signal.n_channels // 2, 0.0, 500.0)
    where = np.stack([x, signal.channels.position_um[:, 1]], axis=1)
    signal = replace(signal, channels=ChannelTable.plain(signal.n_channels, position_um=where))
    plan = make_plan(signal, {}, 0)
    located = locate(signal, plan, sample, unit, seed=0)
    place = measure(signal, plan, sample, unit, located, Context(tmp_path)).place
    assert np.all(np.abs(place[:, 0] - x[located.candidates[unit, 0]]) <= 25)


def test_without_geometry_spikes_have_no_place(tmp_path):
    signal, sample, unit = planted(seconds=2.0, per_unit=5)
    signal = replace(signal, channels=ChannelTable.plain(signal.n_channels))
    plan = make_plan(signal, {}, 0)
    located = locate(signal, plan, sample, unit, seed=0)
    assert np.isnan(measure(signal, plan, sample, unit, located, Context(tmp_path)).place).all()
