"""What is kept of an interrupted run: it goes on from there, and comes to the same spikes."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from nissl.annotators.spikes.adapters import NISSL
from nissl.annotators.spikes.own import zones
from nissl.annotators.spikes.own.finding.seeking import seek
from nissl.annotators.spikes.own.keeping import Kept, kept_front, kept_units
from nissl.annotators.spikes.own.motion.estimate import Motion
from nissl.annotators.spikes.own.preprocessing.front import at_rest, fit_front
from nissl.annotators.spikes.simulate import simulate
from nissl.errors import InterruptedRunError
from nissl.run.context import Context
from nissl.run.progress import Recorder
from nissl.tasks import Inputs

N = 16


class Stopping(Recorder):
    """Ctrl-C once a stage has come so far."""

    def __init__(self, stage, after):
        super().__init__()
        self.stage, self.after = stage, after

    def advance(self, stage, amount):
        super().advance(stage, amount)
        if stage == self.stage and self.done[stage] >= self.after:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def recording():
    found, _ = simulate(104, n_channels=N, duration_s=10, n_units=4)
    return replace(found, fingerprint="a" * 64)


@pytest.fixture(scope="module")
def front(recording):
    return fit_front(recording.signal, range(N), 300.0, 6000.0)


def sorted_by(recording, folder, progress, **others):
    parameters = {**NISSL.defaults(), **others}
    context = Context(folder, progress=progress)
    return NISSL.annotate(Inputs(recording, recording.signal.name), parameters, context)


def never():
    raise AssertionError("it was kept")


def test_a_run_interrupted_while_matching_does_not_look_for_units_again(recording, tmp_path):
    whole = sorted_by(recording, tmp_path / "whole", Recorder()).labels[0]
    with pytest.raises(InterruptedRunError, match="first unfinished chunk"):
        sorted_by(recording, tmp_path / "job", Stopping("matching", 2))
    assert len(list((tmp_path / "job").glob("units-*.npz"))) == 1
    done = len(list((tmp_path / "job").glob("matched-*/*.npz")))
    assert 2 <= done < 5
    again = Recorder()
    found = sorted_by(recording, tmp_path / "job", again).labels[0]
    assert "finding units" not in again.done
    assert again.done["matching"] == 5
    assert found.digest == whole.digest
    other = Recorder()  # other parameters are another key
    sorted_by(recording, tmp_path / "job", other, freq_max_hz=5000.0)
    assert "finding units" in other.done


def test_a_run_interrupted_while_it_looks_for_units_says_so(recording, tmp_path):
    with pytest.raises(InterruptedRunError, match="looks for units again"):
        sorted_by(recording, tmp_path, Stopping("finding units", 1))
    assert [path.name[:6] for path in tmp_path.glob("*.npz")] == ["front-"]


def test_nothing_is_kept_of_samples_that_nothing_tells_from_others(recording, tmp_path):
    unknown = replace(recording, fingerprint="")
    with pytest.raises(InterruptedRunError, match="starts this stage again"):
        sorted_by(unknown, tmp_path, Stopping("matching", 1))
    assert not list(tmp_path.glob("*.npz"))


def test_zones_that_are_finished_are_kept(recording, front, tmp_path, monkeypatch):
    monkeypatch.setattr(zones, "ALONE", 8)
    monkeypatch.setattr(zones, "CORE", 4)
    monkeypatch.setattr(zones, "MARGIN_UM", 60.0)
    position = np.asarray(recording.signal.channels.position_um, float)[:, :2]
    kept = Kept(tmp_path, {"source": recording.fingerprint})

    def sought(context, kept):
        return seek(recording.signal, front, position, context, "zones", kept=kept)

    whole, unit = sought(Context(tmp_path), None)
    with pytest.raises(KeyboardInterrupt):
        sought(Context(tmp_path, progress=Stopping("zones", 2)), kept)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("zone-*.npz")}
    assert 2 <= len(files) < 4
    found, same = sought(Context(tmp_path), kept)
    assert len(list(tmp_path.glob("zone-*.npz"))) == 4
    assert all(path.stat().st_mtime_ns == when for path, when in files.items())
    np.testing.assert_array_equal(found.waveforms, whole.waveforms)
    np.testing.assert_array_equal(same, unit)


def test_moving_tissue_and_no_units_come_back_as_they_were(recording, front, tmp_path):
    time, depth = np.arange(4.0), np.asarray([20.0, 90.0])
    motion = Motion(time, depth, np.random.default_rng(0).normal(0, 9, (4, 2)))
    moving = at_rest(recording.signal, front, motion)
    kept = Kept(tmp_path, {})
    kept_front(kept, lambda: moving)
    found = kept_front(kept, never)
    for one, other in zip(leaves(found), leaves(moving), strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
    kept_units(kept, lambda: (None, np.empty(0, np.int64)))
    templates, unit = kept_units(kept, never)
    assert templates is None
    assert unit.size == 0


def leaves(value):
    """Numbers and arrays of a dataclass of dataclasses, in order."""
    return [
        x for each in astuple(value) for x in (flat(each) if isinstance(each, tuple) else [each])
    ]


def flat(value):
    return [x for each in value for x in (flat(each) if isinstance(each, tuple) else [each])]


def test_a_damaged_file_is_made_again(tmp_path, front):
    kept = Kept(tmp_path, {})
    kept_front(kept, lambda: front)
    (path,) = tmp_path.glob("front-*.npz")
    path.write_bytes(path.read_bytes()[:-40])
    again = kept_front(kept, lambda: front)
    assert again.columns == front.columns
