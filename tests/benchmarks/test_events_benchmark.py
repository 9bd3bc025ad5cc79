"""The events benchmark holds out what it says and assembles what it says."""

from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_assembled_records_hold_the_seizure_whole_and_runs_in_order():
    from _events_seizures import RUN, assembled

    order, at = assembled(40, 7, 1.0, 4, np.random.default_rng(0))
    assert len(order) == 3600
    assert len(at) == 4
    for a in at.tolist():
        assert order[a : a + 7].tolist() == list(range(40, 47))
    assert np.sum(order >= 40) == 28
    quiet = order[: at[0] // RUN * RUN].reshape(-1, RUN)
    assert np.all(np.diff(quiet, axis=1) % 40 == 1)


def test_an_assembled_reader_reads_what_stands_there():
    from _events_seizures import AssembledReader

    clips = np.arange(3 * 5 * 2, dtype=np.float32).reshape(3, 5, 2)
    order = np.array([2, 0, 0, 1])
    whole = clips[order].reshape(-1, 2)
    for shift in (0, 2):
        reader = AssembledReader(clips, order, shift)
        for a, b in ((0, 18), (3, 4), (4, 11)):
            assert np.array_equal(
                reader.read(a, b, np.array([1])), whole[a + shift : b + shift, 1:]
            )


def test_held_out_seizures_are_not_learnt_from():
    from _events_seizures import Clips, Fold, clip_scores

    rng = np.random.default_rng(0)
    quiet = rng.standard_normal((90, 100, 3)).astype(np.float32)
    ictal = 4 * rng.standard_normal((30, 100, 3)).astype(np.float32)
    from nissl.annotators.events.seizure_features import window_features

    clips = Clips(
        100.0, ictal, quiet, np.repeat([1, 2, 3], 10), np.arange(90) * 3 // 90,
        window_features(ictal, 100.0), window_features(quiet, 100.0),
    )  # fmt: skip
    own, third = clips.seizure == 1, clips.third == 0
    fold = Fold(clips, clips, ~own, ~third, own, third, "seizure 1")
    found = clip_scores(fold, "nissl", 0)
    assert found["ictal"].shape == (10,)
    assert found["quiet"].shape == (30,)
    assert found["ictal"].min() > found["quiet"].max()


def test_marks_are_tested_on_the_rest_of_the_record():
    from _events_spindles import f1, outside, within

    spans = np.array([0, 100, 200]), np.array([10, 110, 210])
    assert outside(spans, 90, 120)[0].tolist() == [0, 200]
    assert within(spans, 90, 120)[0].tolist() == [100]
    assert f1(spans, spans, 0.2) == (1.0, 1.0, 1.0)
