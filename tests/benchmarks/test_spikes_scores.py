"""What the spikes benchmark computes from sortings: bands, overlaps, confidence, intervals."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.hybrid_units import HybridUnit
from nissl.labels import Author, Kind, LabelSet, Provenance

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PROVENANCE = Provenance("spikes", "made up", Author("model", "test", "1"))


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def train(sample, item, **more):
    order = np.argsort(sample, kind="stable")
    columns = {"sample": sample, "item": item} | more
    columns = {name: np.asarray(values)[order] for name, values in columns.items()}
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), PROVENANCE)


def facts(snr, position=None):
    n = len(snr)
    position = [[0.0, 0.0]] * n if position is None else position
    return {"snr": snr, "position_um": position, "group": [""] * n, "noise_uv": 5.0}


# --- bands, trains, overlaps ---------------------------------------------------------------


def test_bands_have_their_edges_in_the_middle():
    from _spikes_score import band_of

    assert band_of([0.5, 5.999, 6.0, 10.0, 10.001, 60.0]).tolist() == [0, 0, 1, 1, 2, 2]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, 200), max_size=25), st.lists(st.integers(0, 200), max_size=25),
    st.integers(0, 12),
)  # fmt: skip
def test_trains_are_matched_one_to_one_as_often_as_can_be(a, b, tolerance):
    import sys

    sys.path.insert(0, str(BENCHMARKS))
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    from _spikes_score import train_hits

    true, found = np.sort(np.asarray(a, np.int64)), np.sort(np.asarray(b, np.int64))
    hit_true, hit_found = train_hits(true, found, tolerance)
    assert hit_true.sum() == hit_found.sum()
    near = np.abs(true[:, None] - found[None]) <= tolerance
    most = 0
    if near.size:
        most = int(np.sum(maximum_bipartite_matching(csr_array(near.astype(np.int8))) >= 0))
    assert hit_true.sum() == most


def test_overlaps_are_told_of_near_clear_units_within_the_window_only():
    from _spikes_score import near_pairs, overlapped

    snr = np.asarray([9.0, 12.0, 20.0, 8.0])
    place = np.asarray([[0.0, 0.0], [0.0, 50.0], [0.0, 300.0], [0.0, 10.0]])
    near = near_pairs(snr, place)
    assert near.tolist() == [
        [False, True, False, False], [True, False, False, False], [False] * 4, [False] * 4,
    ]  # fmt: skip
    #           0 and 1 overlap | too late | far unit      | unclear unit
    sample = np.asarray([100, 130, 500, 531, 900, 900, 1200, 1200])
    unit = np.asarray([0, 1, 0, 1, 0, 2, 3, 0])
    shared = overlapped(sample, unit, near, 30)
    assert shared.tolist() == [True, True, False, False, False, False, False, False]
    # a spike of a third unit between them does not hide the pair
    sample, unit = np.asarray([100, 110, 120]), np.asarray([0, 2, 1])
    assert overlapped(sample, unit, near, 30).tolist() == [True, False, True]


# --- scores ----------------------------------------------------------------------------------


def test_a_score_tells_each_unit_its_overlaps_and_which_spikes_are_right():
    from _spikes_score import score

    times = np.arange(40) * 1000
    truth = train(np.concatenate([times + 100, times[:10] * 4 + 110]), np.repeat([0, 1], [40, 10]))
    # unit 0 is found but for its overlaps, unit 1 is not, and one unit is made of noise
    kept = np.setdiff1d(times, times[:10] * 4) + 103
    noise = np.arange(10) * 3777 + 500
    found = train(
        np.concatenate([kept, kept[:5] + 300, noise]),
        np.repeat([7, 7, 9], [kept.size, 5, 10]),
        confidence=np.repeat([0.9, 0.3, 0.6], [kept.size, 5, 10]).astype(np.float32),
        amplitude=np.repeat([-50.0, -50.0, -20.0], [kept.size, 5, 10]).astype(np.float32),
    )
    told = score(truth, found, facts([12.0, 9.0]), 30_000.0)
    first, second = told["units"]
    n_alone = kept.size
    assert first["recall"] == pytest.approx(n_alone / 40)
    assert (first["n_overlaps"], first["n_overlaps_found"]) == (40 - n_alone, 0)
    assert (second["accuracy"], second["n_overlaps"]) == (0.0, 40 - n_alone)
    assert told["n_false_positive"] == 1
    matched, unmatched = told["calibration"]
    assert (matched["matched"], matched["band"]) == (True, 2)
    assert (unmatched["matched"], unmatched["band"]) == (False, 0)  # 20 uV over 5 uV: SNR 4
    assert sum(b[3] for b in matched["bins"]) == n_alone
    assert sum(b[3] for b in unmatched["bins"]) == 0
    squared = n_alone * 0.1**2 + 5 * 0.3**2
    assert matched["squared"] == pytest.approx(squared, rel=1e-4)


def test_sorters_without_confidence_have_no_calibration():
    from _spikes_score import score

    times = np.arange(30) * 1000
    truth = train(times, np.zeros(30, int))
    told = score(truth, train(times, np.zeros(30, int)), facts([9.0]), 30_000.0)
    assert told["calibration"] is None
    assert told["accuracy_mean"] == 1.0


def test_nothing_found_counts_as_nothing_right():
    from _spikes_score import score

    truth = train(np.arange(30) * 1000, np.zeros(30, int))
    told = score(truth, train(np.empty(0, int), np.empty(0, int)), facts([9.0]), 30_000.0)
    assert (told["accuracy_mean"], told["n_found"], told["calibration"]) == (0.0, 0, None)


def test_bins_hold_every_spike_and_count_those_without():
    from _spikes_score import BIN_EDGES, binned

    p = np.asarray([0.0, 0.05, 0.9501, 0.999, 1.0, np.nan])
    told = binned(p, np.asarray([False, False, True, True, True, True]))
    assert told["without"] == 1
    assert sum(b[1] for b in told["bins"]) == 5
    last = told["bins"][-1]
    assert (last[0], last[1], last[3]) == (len(BIN_EDGES) - 2, 2, 2)


def test_packed_spikes_come_back():
    from _spikes_score import packed, unpacked

    labels = train(
        np.asarray([5, 90_000_000, 7]), np.asarray([1, 0, 1]),
        amplitude=np.asarray([-51.5, 20.0, 3.0], np.float32),
    )  # fmt: skip
    back = unpacked(packed(labels))
    for name in ("sample", "item", "amplitude"):
        assert back[name].tolist() == labels.column(name).tolist()
    assert np.all(np.isnan(back["confidence"]))


# --- means, differences, intervals -------------------------------------------------------------


def rows(accuracy, sorter="a", snr=(5.0, 8.0, 12.0)):
    return [
        {
            "sorter": sorter, "seed": seed, "n_good": 1, "n_true": 3, "n_false_positive": seed,
            "n_redundant": 0, "cpu_s": 10.0 + seed, "wall_s": 20.0, "peak_memory_bytes": seed,
            "units": [
                {"accuracy": a, "snr": s, "n_overlaps": 10, "n_overlaps_found": round(10 * a)}
                for a, s in zip(values, snr, strict=True)
            ],
        }
        for seed, values in enumerate(accuracy)
    ]  # fmt: skip


def test_draws_take_as_many_units_as_there_are_from_the_seeds_drawn():
    from _spikes_pool import draw_weights

    weights = draw_weights([0, 0, 0, 1, 1, 1], 500, np.random.default_rng(0))
    assert np.all(weights.sum(axis=1) == 6)
    by_seed = weights[:, :3].sum(axis=1)
    assert set(np.unique(by_seed)) == {0, 3, 6}
    assert weights.mean() == pytest.approx(1.0)


def test_intervals_cover_the_true_mean_about_as_often_as_they_say():
    from _spikes_pool import draw_weights, ratio

    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        values = rng.normal(0.5, 0.2, 40)
        weights = draw_weights(np.zeros(40), 400, rng)
        found = ratio(values, np.ones(40), weights)
        inside += found.low <= 0.5 <= found.high
    assert 0.88 <= inside / 200 <= 0.99


def test_a_summary_has_means_over_seeds_and_bands():
    from _spikes_pool import summary

    told = summary(rows([[0.2, 0.8, 1.0], [0.4, 0.6, 1.0]]), n_draws=200)
    assert told["accuracy"]["value"] == pytest.approx(4.0 / 6)
    assert told["bands"]["SNR < 6"]["value"] == pytest.approx(0.3)
    assert told["bands"]["SNR > 10"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 2}
    assert told["overlaps"]["n_spikes"] == 60
    assert told["false_positive"] == 0.5
    assert told["cpu_s"] == 10.5
    assert told["seeds"] == [0, 1]


def test_a_band_without_units_is_not_known():
    from _spikes_pool import summary

    told = summary(rows([[0.2, 0.8, 1.0]], snr=(11.0, 12.0, 13.0)), n_draws=50)
    assert told["bands"]["SNR < 6"]["n"] == 0
    assert np.isnan(told["bands"]["SNR < 6"]["value"])


def test_differences_are_paired_by_unit_on_common_seeds():
    from _spikes_pool import against_best, difference

    easy, hard = [0.9, 0.95, 1.0], [0.1, 0.2, 0.3]
    mine = rows([easy, hard], "nissl")
    theirs = rows([[v - 0.05 for v in easy], [v - 0.05 for v in hard]], "b")
    gap = difference(mine, theirs, n_draws=200)
    # the spread between seeds falls out
    assert gap["all"]["value"] == pytest.approx(0.05)
    assert gap["all"]["high"] - gap["all"]["low"] < 1e-9
    one_seed = rows([[v + 0.02 for v in easy]], "c")
    best = against_best({"nissl": mine, "b": theirs, "c": one_seed})
    assert (best["all"]["peer"], best["all"]["seeds"]) == ("c", [0])
    assert best["all"]["value"] == pytest.approx(-0.02)
    assert against_best({"b": theirs}) is None


def test_each_band_has_the_best_other_sorter_of_its_own():
    from _spikes_pool import against_best

    mine = rows([[0.5, 0.6, 0.7]], "nissl")
    told = against_best({"nissl": mine, "b": rows([[0.9, 0.1, 0.1]]), "c": rows([[0.1, 0.8, 0.8]])})
    assert told["SNR < 6"]["peer"] == "b"
    assert told["SNR > 10"]["peer"] == "c"


# --- confidence --------------------------------------------------------------------------------


def confident(p, right, seed=0, band=0, matched=True):
    from _spikes_score import binned

    told = binned(np.asarray(p, float), np.asarray(right, bool))
    return {"seed": seed, "band": band, "matched": matched} | told


def test_calibrated_confidence_has_skill_and_hardly_any_error():
    from _spikes_pool import calibration

    rng = np.random.default_rng(0)
    units = []
    for seed in range(3):
        p = rng.beta(4, 1, 8000)
        units.append(confident(p, rng.random(8000) < p, seed))
    told = calibration(units, n_draws=300)
    assert told["n"] == 24000
    assert told["ece"]["value"] < 0.015
    assert told["skill"]["low"] > 0
    assert told["ece"]["low"] <= told["ece"]["value"]


def test_units_that_match_none_are_a_calibration_error():
    from _spikes_pool import calibration

    sure = [confident(np.full(900, 0.95), np.arange(900) % 20 != 0)]
    noise = [confident(np.full(100, 0.95), np.zeros(100), matched=False)]
    assert calibration(sure, n_draws=50)["ece"]["value"] == pytest.approx(0.0, abs=1e-6)
    told = calibration(sure + noise, n_draws=50)
    assert told["ece"]["value"] == pytest.approx(0.095)
    assert told["skill"]["value"] < 0


def test_brier_skill_is_that_of_its_definition():
    from _spikes_pool import calibration

    p, y = np.asarray([0.9, 0.8, 0.7, 0.2]), np.asarray([1, 1, 0, 0])
    told = calibration([confident(p, y)], n_draws=20)
    brier = np.mean((p - y) ** 2)
    assert told["brier"] == pytest.approx(brier)
    assert told["skill"]["value"] == pytest.approx(1 - brier / 0.25)
    assert calibration([confident([np.nan], [True])]) is None


def test_recordings_with_other_cells_do_not_count_overall():
    from _spikes_pool import reliabilities

    good = {"recording": "x", "calibration": [confident([0.9] * 10, [1] * 9 + [0])]}
    bad = {"recording": "tetrode", "calibration": [confident([0.9] * 10, [0] * 10, band=1)]}
    told = reliabilities([good, bad], {"x": True, "tetrode": False})
    assert told["overall"]["n"] == 10
    assert told["bands"]["SNR 6-10"] is None
    assert told["recordings"]["tetrode"]["right"] == 0.0
    assert reliabilities([{"recording": "x", "calibration": None}], {}) is None


# --- trains of hybrids ---------------------------------------------------------------------------


def unit(name, times, animal="m"):
    return HybridUnit(name, animal, np.eye(20, dtype=np.float32), 2e4, np.asarray(times, float))


def test_more_units_than_there_are_stand_twice_under_another_name():
    from _spikes_trains import drawn

    library = [unit(f"s/u{k}", np.arange(50.0)) for k in range(3)]
    chosen = drawn(library, 5, np.random.default_rng(0))
    assert len({u.name for u in chosen}) == 5
    assert {u.name.rsplit("/1")[0] for u in chosen} == {u.name for u in library}


def test_the_most_bursting_units_are_taken():
    from _spikes_trains import most_bursting

    bursting = unit("b", np.sort(np.concatenate([np.arange(50.0), np.arange(50.0) + 0.005])))
    assert most_bursting([unit("a", np.arange(50.0)), bursting], 1) == [bursting]


def test_shared_spikes_make_overlaps_and_trains_that_are_taken_whole():
    from _spikes_trains import with_shared_spikes
    from nissl.annotators.spikes.trains import fit_train

    rng = np.random.default_rng(0)
    library = [unit(f"u{k}", np.sort(rng.uniform(0, 300, 1500))) for k in range(4)]
    made = with_shared_spikes(library, 60.0, 0.2, 1e-3, rng)
    cut = [fit_train(u.times_s, 60.0, np.random.default_rng(k))[0] for k, u in enumerate(made)]
    for train, one in zip(cut, made, strict=True):
        assert one.times_s.size - train.size < 30  # violations only: no stretch is cut out
        assert train[-1] > 50.0
    gap = np.abs(cut[0][:, None] - cut[1][None]).min(axis=1)
    assert np.mean(gap < 1e-3) > 0.15
