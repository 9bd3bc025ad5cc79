"""An encoder that sessions share: what it adds to alignment, its way back, and its ONNX model."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nissl.align.fragments import Fragment
from nissl.align.latent.aligners import Settings, align
from nissl.align.latent.decoding import r2, ridge
from nissl.align.latent.encoder import Encoder, encoders
from nissl.align.latent.export import onnx_encoder
from nissl.align.latent.maps import Aligned
from nissl.align.latent.simulate import simulate_day, simulate_subject

pytest.importorskip("torch")
VELOCITY = "velocity"


@cache
def parts() -> tuple[Fragment, Fragment, Fragment]:
    rng = np.random.default_rng(2)
    subject = simulate_subject(rng)
    first = simulate_day(rng, subject, n_units=40, n_trials=56).fragment
    second = simulate_day(rng, subject, n_units=40, n_trials=72).fragment
    return first, second.in_windows(np.arange(40)), second.in_windows(np.arange(40, 72))


@cache
def trained(seed: int = 0) -> tuple[Aligned, tuple[Encoder, ...]]:
    rng = np.random.default_rng(seed)
    first, calibration, _ = parts()
    found = align((first, calibration), "procrustes", rng=rng, settings=Settings(n_axes=6))
    return found, encoders((first, calibration), found, rng)


def test_a_decoder_is_carried_over_through_it() -> None:
    first, _, test = parts()
    found, made = trained()
    said = []
    for one, other in (found.maps, made):
        weights, offset = ridge(one.transform(first), first.behaviour[VELOCITY])
        said.append(r2(test.behaviour[VELOCITY], other.transform(test) @ weights + offset))
    assert said[1] > said[0] - 0.1
    assert said[1] > 0.2


def test_the_same_seed_gives_the_same_network_and_a_way_back() -> None:
    first, calibration, test = parts()
    found, made = trained()
    again = encoders((first, calibration), found, np.random.default_rng(5), steps=10)
    once_more = encoders((first, calibration), found, np.random.default_rng(5), steps=10)
    assert_array_equal(again[0].layers[0][0], once_more[0].layers[0][0])
    latents = made[1].transform(test)
    assert latents.shape == (test.n_bins, 6)
    back, plain = made[1].inverse(latents), made[1].reads.prepared(test)
    spread = plain - plain.mean(axis=0)
    assert ((back - plain) ** 2).sum() < (spread**2).sum()
    few = test.in_windows(np.unique(test.windows)[:3])
    assert_allclose(made[1].transform(few), latents[np.isin(test.windows, few.windows)], atol=1e-9)


def test_onnxruntime_reads_a_window_alike() -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    _, _, test = parts()
    own = trained()[1][1]
    one = test.in_windows(np.unique(test.windows)[:1])
    session = onnxruntime.InferenceSession(
        onnx_encoder(own, "friday"), providers=["CPUExecutionProvider"]
    )
    said = session.run(None, {"prepared": own.reads.prepared(one).astype(np.float32)})[0]
    assert_allclose(said, own.transform(one), atol=1e-4)
