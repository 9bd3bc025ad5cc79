"""Maps as ONNX, run by onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nissl.align.latent.export import onnx_model
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.align.latent.spaces import own_space


def test_a_map_reads_alike_in_onnxruntime() -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    day = simulate_day(rng, simulate_subject(rng), n_units=30, n_trials=40).fragment
    own = own_space(day, n_axes=5)
    made = onnx_model(own, "friday", {"method": "transport"})
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    x = own.prepared(day).astype(np.float32)
    latents, activity = session.run(None, {"prepared": x})
    assert_allclose(latents, own.transform(day), atol=1e-4)
    assert_allclose(activity, own.inverse(own.transform(day)), atol=1e-4)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["method"] == "transport"
    assert "0.06 s" in facts["prepared"]
