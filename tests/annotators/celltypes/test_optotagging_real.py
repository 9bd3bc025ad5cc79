"""Optotagging on the trains of real units with pulses that never were, and answers put in."""

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.celltypes.optotagging import Criteria, tag_trains
from nissl.annotators.celltypes.pulses import Pulses, windows_of
from nissl.annotators.celltypes.simulate_tagging import simulate_answer, simulate_pulses

DATA = Path(os.environ.get("NISSL_DATA", "../shared/data"))
SESSIONS = DATA / "ephys/celltypes/cellexplorer_groundtruth/sessions"
SECONDS = 310.0
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not SESSIONS.is_dir(), reason="set NISSL_DATA to the folder of real recordings"
    ),
]


@pytest.fixture(scope="module")
def trains():
    """Five minutes of every real unit that fires in them."""
    rng, found = np.random.default_rng(0), {}
    for path in sorted(SESSIONS.glob("*.npz")):
        with np.load(path) as session:
            for name in session.files:
                if not name.endswith("spike_times_10us"):
                    continue
                times = np.sort(session[name].astype(np.float64) * 1e-5)
                start = rng.uniform(times[0], max(times[0] + 1, times[-1] - SECONDS))
                part = times[(times >= start) & (times < start + SECONDS)] - start
                if part.size >= 50:
                    found[len(found)] = part
    return found


@pytest.mark.parametrize("jitter_s", [0.0, 0.3])
def test_pulses_that_never_were_tag_no_unit(trains, jitter_s):
    rng = np.random.default_rng(1)
    onsets = simulate_pulses(rng, n=300, jitter_s=jitter_s)
    found = tag_trains(trains, _windows(onsets), Criteria())
    assert len(found) > 50
    assert not any(each.tagged for each in found)
    rank = np.asarray([each.salt_rank_p for each in found])
    assert np.mean(rank <= 0.05) < 0.15


def test_answers_put_into_real_trains_are_found(trains):
    rng = np.random.default_rng(2)
    onsets = simulate_pulses(rng, n=300, jitter_s=0.3)
    driven = {
        k: simulate_answer(rng, train, onsets, reliability=0.5) for k, train in trains.items()
    }
    found = tag_trains(driven, _windows(onsets), Criteria())
    assert np.mean([each.tagged for each in found]) > 0.95


def _windows(onsets):
    pulses = Pulses(onsets, np.full(onsets.size, 0.005))
    return windows_of(
        pulses, [[0, SECONDS]], within_s=0.01, look_s=0.03, dead_s=0.0005, recovery_s=0.05
    )
