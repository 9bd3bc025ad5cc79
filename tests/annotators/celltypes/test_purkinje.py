"""Purkinje cells: pauses are found, common rates and refractoriness are not taken for them."""

import numpy as np
import pytest

from nissl.annotators.celltypes.purkinje import Pause, judged, measured
from nissl.annotators.celltypes.purkinje_links import link_purkinje
from nissl.annotators.celltypes.simulate_tagging import simulate_purkinje, simulate_train
from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import Author, Kind, LabelSet, Provenance

RATE_HZ = 20_000.0


def pair_of(rng, seconds=200.0, **what):
    cell = simulate_purkinje(rng, seconds, **what)
    return measured((0, 1), cell.complex_s, cell.simple_s, [[0, seconds]], Pause())


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"simple_hz": 25.0},
        {"complex_hz": 0.5},
        {"pause_s": (0.011, 0.015)},
        {"wave": 0.6},
        {"wave": 0.6, "opposed": True},
    ],
)
def test_pauses_are_found(what):
    rng = np.random.default_rng(0)
    found = judged([pair_of(rng, **what) for _ in range(10)], Pause())
    assert all(each.linked for each in found), [each.sentence for each in found]
    low, high = what.get("pause_s", (0.012, 0.035))
    pauses = np.asarray([each.pause_ms for each in found])
    assert np.all((pauses > 800 * low) & (pauses < 1200 * high))


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"simple_hz": 120.0},
        {"wave": 0.8},
        {"wave": 0.8, "opposed": True},
        {"wave": 0.8, "wave_hz": 8.0, "opposed": True},
    ],
)
def test_strangers_are_not_linked(what):
    rng = np.random.default_rng(1)
    pairs = [pair_of(rng, seconds=120.0, linked=False, **what) for _ in range(60)]
    assert not any(each.linked for each in judged(pairs, Pause()))
    p = np.asarray([each.p for each in pairs])
    assert np.mean(p < 0.01) <= 0.07  # 60 draws of a chance of 0.01


def test_halves_of_one_unit_are_not_linked():
    rng = np.random.default_rng(2)
    train = simulate_train(rng, 300.0, 60.0, kind="regular")
    rare = rng.random(train.size) < 0.02
    pair = measured((0, 1), train[rare], train[~rare], [[0, 300]], Pause())
    (found,) = judged([pair], Pause())
    assert not found.linked


def test_few_spikes_are_doubtful_never_linked():
    cell = simulate_purkinje(np.random.default_rng(3), 200.0)
    for n in (0, 1, 3, 20):
        pair = measured((0, 1), cell.complex_s[:n], cell.simple_s, [[0, 200]], Pause())
        (found,) = judged([pair], Pause())
        assert found.verdict == "doubtful"
        assert "too few" in found.sentence
    pair = measured((0, 1), cell.complex_s, cell.simple_s[:3], [[0, 200]], Pause())
    assert judged([pair], Pause())[0].verdict == "doubtful"


def test_unusual_rates_are_said_and_not_refused():
    rng = np.random.default_rng(4)
    (found,) = judged([pair_of(rng, complex_hz=4.5, simple_hz=50)], Pause())
    assert found.linked
    assert "unusual" in found.sentence


def test_gaps_are_not_pauses():
    rng = np.random.default_rng(5)
    cell = simulate_purkinje(rng, 200.0, linked=False)
    starts = np.arange(0, 200, 0.5)
    segments = np.stack([starts, starts + 0.45], axis=1)

    def kept(times):
        return times[(times % 0.5) < 0.45]

    pair = measured((0, 1), kept(cell.complex_s), kept(cell.simple_s), segments, Pause())
    assert not judged([pair], Pause())[0].linked


def sorting(trains):
    sample = np.concatenate([np.rint(t * RATE_HZ).astype(np.int64) for t in trains])
    item = np.repeat(np.arange(len(trains)), [t.size for t in trains])
    order = np.lexsort((item, sample))
    about = Provenance("spikes", "f" * 64, Author("model", "spikes/true", "1"), "ap")
    columns = {"sample": sample[order], "item": item[order]}
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), about)


def test_links_point_at_the_units_and_strangers_stay_apart():
    rng = np.random.default_rng(6)
    cells = [simulate_purkinje(rng, 150.0) for _ in range(3)]
    spikes = sorting([t for cell in cells for t in (cell.complex_s, cell.simple_s)])
    clock = Clock.regular(RATE_HZ, int(150 * RATE_HZ))
    found = link_purkinje(spikes, clock)
    pairs = zip(found.labels.column("a").tolist(), found.labels.column("b").tolist(), strict=True)
    assert sorted(pairs) == [(0, 1), (2, 3), (4, 5)]
    assert found.labels.provenance.targets == (spikes.digest, spikes.digest)
    assert np.isnan(found.labels.column("confidence")).all()
    assert found.items.table.num_rows == 3
    far = {k: np.asarray([0.0, 1000.0 * k]) for k in range(6)}
    apart = link_purkinje(spikes, clock, place_um=far)
    assert apart.labels.n_rows == 0
    assert apart.tested == ()
    warned = link_purkinje(spikes, clock, merges={frozenset((1, 0)): "ana merged them"})
    (warning,) = (f for f in warned.findings if f.severity == "warning")
    assert "link, do not merge" in warning.sentence


def test_impossible_criteria_and_no_spikes():
    for changes in ({"skip_ms": 20}, {"around_ms": 5}, {"alpha": 2}, {"max_ratio": 0}):
        with pytest.raises(BadArgumentError):
            Pause(**changes)
    with pytest.raises(BadLabelsError, match="spikes"):
        link_purkinje(sorting([np.empty(0)]), Clock.regular(RATE_HZ, 1000))
