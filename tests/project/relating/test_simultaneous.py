"""Time at which several devices ran, through maps of their clocks; without a map it is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadMetadataError
from nissl.project.relating import simultaneous
from nissl.project.relating.resting import timed
from nissl.project.relating.simultaneous import clock_between, shared_time
from nissl.sync import ClockMap

STORE = SimpleNamespace(path="study")
PROBE, CAMERA, TRACES = (
    SimpleNamespace(name=n, fingerprint=n) for n in ("probe", "camera", "camera.traces")
)


@pytest.fixture(autouse=True)
def related(monkeypatch):
    """Traces were made from the camera's movie; nothing is mapped unless a test says so."""
    of = {"camera.traces": [TRACES, CAMERA]}
    monkeypatch.setattr(simultaneous, "lineage", lambda _, s: of.get(s.name, [s]))
    maps = {}
    monkeypatch.setattr(simultaneous, "synced", lambda _, s: maps.get(s.name, []))
    return maps


def mapped(related, jitter_s=0.0):
    """The camera begins 5 s after the probe and runs 200 ppm fast."""
    rng = np.random.default_rng(0)
    probe_s = np.arange(0.0, 300.0, 2.0)
    camera_s = (probe_s - 5.0) * 1.0002 + jitter_s * rng.standard_normal(len(probe_s))
    bridge = ClockMap.through(camera_s, probe_s, a="camera", b="probe")
    related["probe"] = [(CAMERA, bridge, "a", "b")]
    related["camera"] = [(PROBE, bridge.inverse(), "b", "a")]


CLOCKS = [Clock.regular(1000.0, 100_000), Clock.regular(30.0, 9000)]


def test_clocks_are_crossed_by_their_map_and_derived_sources_share_one(related):
    mapped(related)
    assert clock_between(STORE, CAMERA, TRACES) is None
    assert clock_between(STORE, TRACES, PROBE)(0.0) == pytest.approx(5.0)
    found = shared_time(STORE, [PROBE, TRACES], CLOCKS)
    assert found.told == "mapped clocks"
    assert found.intervals[0][0] == pytest.approx([5.0, 100.0])
    assert found.intervals[1][0] == pytest.approx([0.0, 95.0 * 1.0002])
    start, stop, kept = timed(CLOCKS[0], np.array([0.0, 200.0]), np.array([10.0, 210.0]),
                              clock_between(STORE, TRACES, PROBE))  # fmt: skip
    assert kept.tolist() == [0]
    assert start[0] == 5000
    assert stop[0] == pytest.approx(14_998, abs=2)


def test_without_a_map_it_is_refused_and_a_poor_map_too(related):
    with pytest.raises(BadArgumentError, match=r"drift apart[\s\S]*nissl sync study camera probe"):
        shared_time(STORE, [PROBE, CAMERA], CLOCKS)
    mapped(related, jitter_s=0.05)
    with pytest.raises(BadMetadataError, match=r"mapped within 25 ms[\s\S]*longer bins"):
        shared_time(STORE, [PROBE, CAMERA], CLOCKS, bin_s=0.05)


def test_a_common_clock_may_be_said_but_is_held_against_the_trials():
    same = np.arange(5.0, 90.0, 5.0)
    found = shared_time(STORE, [PROBE, CAMERA], CLOCKS, same_clock=True, marks=[same, same + 0.001])
    assert found.told == "clocks said to be one"
    with pytest.raises(BadArgumentError, match="drift by 1000 ppm"):
        shared_time(STORE, [PROBE, CAMERA], CLOCKS, same_clock=True, marks=[same, same * 1.001])


def test_devices_that_never_ran_at_once_are_refused():
    late = Clock.regular(30.0, 9000, 1000.0)
    with pytest.raises(BadArgumentError, match=r"no overlap[\s\S]*of one session"):
        shared_time(STORE, [PROBE, CAMERA], [CLOCKS[0], late], same_clock=True)
