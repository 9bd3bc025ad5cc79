"""The plug-ins' protocol, with stand-ins behind the same module names; Suite2p itself if named."""

import os
import sys

import numpy as np
import pytest

from nissl.annotators.cells.peers import CAIMAN, CELLPOSE, SUITE2P, write_frames
from nissl.data import Movie, Recording
from nissl.errors import BadArgumentError, MethodFailedError, MissingDependencyError
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, Inputs

FAKES = {
    "suite2p": '''
import numpy as np

def default_settings():
    return {"fs": 0.0, "tau": 0.0, "diameter": [0, 0]}

def pipeline(save_path, f_reg, run_registration, settings, device):
    """Two squares of the mean image, one of them no cell."""
    assert settings["fs"] == 10.0 and settings["tau"] == 1.0
    n, height, width = f_reg.shape
    stat = []
    for top in (3, 15):
        y, x = np.mgrid[top : top + 4, 5:9]
        lam = np.ones(16, np.float32)
        stat.append({"ypix": y.ravel(), "xpix": x.ravel(), "lam": lam, "npix": 16, "skew": 1.5})
    F = np.stack([f_reg[:, s["ypix"], s["xpix"]].mean(axis=1) for s in stat])
    flags = np.array([[1.0, 0.9], [0.0, 0.2]])
    return {}, {}, np.array(stat), F, F * 0, None, None, F * 0 + 1, flags, None, None, {}
''',
    "torch": """
class cuda:
    is_available = staticmethod(lambda: False)

def device(name):
    return name
""",
    "cellpose": """
import numpy as np

class models:
    class CellposeModel:
        def __init__(self, gpu):
            pass

        def eval(self, picture, channel_axis, diameter, flow_threshold, cellprob_threshold):
            masks = np.zeros(picture.shape[:2], int)
            masks[3:7, 5:9], masks[15:19, 5:9] = 2, 5
            return masks, None, None
""",
}


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """A Python in which the stand-ins are found."""
    for name, text in FAKES.items():
        package = tmp_path / "site" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(text)
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path / "site"}" exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    for peer in (SUITE2P, CELLPOSE):
        monkeypatch.setenv(peer.variable, str(script))
    return script


def filmed(n=60, *, planes=1):
    rng = np.random.default_rng(0)
    frames = rng.poisson(20, (n, planes, 24, 32)).astype(np.uint16)
    frames[:, 0, 3:7, 5:9] += (rng.random((n, 1, 1)) < 0.2).astype(np.uint16) * 200
    movie = Movie.from_array(frames, 10.0)
    return Inputs(
        Recording(None, "memory", {}, fingerprint="f" * 64, movies={"movie": movie}), "movie"
    )


def test_suite2p_gives_regions_flags_facts_and_traces(interpreter, tmp_path):
    inputs, context = filmed(), Context(tmp_path / "job", seed=3)
    result = SUITE2P.annotate(inputs, SUITE2P.defaults(), context)
    labels = result.labels[0]
    assert labels.column("label").tolist() == [0, 1]
    assert np.isnan(labels.column("confidence")).all()
    assert labels.provenance.author.name == "cells/suite2p"
    assert labels.provenance.seed == 3
    facts = result.items[0].table
    assert facts.column("classifier_probability").to_pylist() == [0.9, 0.2]
    assert facts.column("skew").to_pylist() == [1.5, 1.5]
    assert [s.name for s in result.sources] == ["raw", "neuropil", "deconvolved"]
    wanted = inputs.movie.frames()[:, 3:7, 5:9].mean(axis=(1, 2))
    assert np.allclose(result.sources[0].read(0, 60)[:, 0], wanted, atol=0.01)
    again = SUITE2P.annotate(inputs, SUITE2P.defaults(), context)
    assert again.labels[0].digest == labels.digest
    assert not (tmp_path / "job" / "suite2p" / "frames.raw").exists()


def test_cellpose_gives_regions_and_nissl_reads_the_traces(interpreter, tmp_path):
    result = CELLPOSE.annotate(filmed(), CELLPOSE.defaults(), Context(tmp_path / "job"))
    labels = result.labels[0]
    pixels = labels.table.column("pixels")[0].as_py()
    assert pixels == [y * 32 + x for y in range(3, 7) for x in range(5, 9)]
    assert "fluorescence" in [s.name for s in result.sources]
    assert result.items == ()


def test_failures_and_absence_are_told(interpreter, tmp_path, monkeypatch):
    with pytest.raises(BadArgumentError, match="plane"):
        SUITE2P.annotate(filmed(planes=2), SUITE2P.defaults(), Context(tmp_path))
    (tmp_path / "site" / "suite2p" / "__init__.py").write_text("raise RuntimeError('no licence')")
    with pytest.raises(MethodFailedError):
        SUITE2P.annotate(filmed(), SUITE2P.defaults(), Context(tmp_path / "b"))
    monkeypatch.delenv(SUITE2P.variable)
    assert "pip install suite2p" in SUITE2P.missing()["suite2p"]
    with pytest.raises(MissingDependencyError, match="NISSL_SUITE2P_PYTHON"):
        SUITE2P.annotate(filmed(), SUITE2P.defaults(), Context(tmp_path / "c"))


def test_frames_that_do_not_fit_are_scaled_together(tmp_path):
    frames = np.full((3, 4, 5), 60000, np.uint16)
    frames[1] = 30000
    write_frames(Movie.from_array(frames, 5.0), tmp_path / "f.raw")
    back = np.fromfile(tmp_path / "f.raw", "<i2").reshape(3, 4, 5)
    assert back[0, 0, 0] == 32767
    assert abs(back[1, 0, 0] - 16384) <= 1
    write_frames(Movie.from_array(np.full((3, 4, 5), 7, np.int16), 5.0), tmp_path / "f.raw")
    assert set(np.fromfile(tmp_path / "f.raw", "<i2")) == {7}


def test_registered():
    for peer in (SUITE2P, CELLPOSE, CAIMAN):
        assert ANNOTATORS.get(peer.name) is peer
        assert peer.worker.is_file()


@pytest.mark.skipif(
    not os.environ.get("NISSL_SUITE2P_PYTHON"), reason="NISSL_SUITE2P_PYTHON names no interpreter"
)
def test_suite2p_itself(tmp_path):
    from nissl.annotators.cells.simulate import simulate

    recording, truth = simulate(1)
    inputs = Inputs(recording, next(iter(recording.movies)))
    result = SUITE2P.annotate(inputs, SUITE2P.defaults(), Context(tmp_path))
    assert truth.n_rows
    assert result.labels[0].n_rows > 0
    assert result.sources[0].n_samples == inputs.movie.n_frames
