"""Maps into a common space as ONNX graphs: prepared activity in, latents out, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from nissl.align.latent.maps import Map
from nissl.errors import MissingDependencyError

OPSET = 17
READ, BACK = "latents", "activity"


def onnx_model(own: Map, name: str, facts: dict[str, str] | None = None) -> bytes:
    """A map as the bytes of an ONNX model.

    Parameters
    ----------
    own : Map
    name : str
        Of the graph.
    facts : mapping of str to str, optional
        Provenance, kept as metadata of the model.

    Returns
    -------
    bytes
        Two outputs for the input `prepared` (n_bins, n_units), float32: `latents` (n_bins, n_axes)
        and `activity` (n_bins, n_units), what these latents speak of. The input is activity as
        `Map.prepared` gives it: square roots, smoothed; how is among the metadata.

    Raises
    ------
    MissingDependencyError
        Without the package onnx.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError as error:
        raise MissingDependencyError(
            "the package onnx", "none installed", "Install: pip install 'nissl[train]'"
        ) from error
    units, axes = own.weights.shape
    kept = {
        "weights": own.weights,
        "read": -own.mean @ own.weights,
        "back": np.linalg.pinv(own.weights),
        "mean": own.mean,
    }
    fixed = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in kept.items()]

    def values(label: str, width: int) -> Any:
        return helper.make_tensor_value_info(label, TensorProto.FLOAT, ["bins", width])

    nodes = [
        helper.make_node("Gemm", ["prepared", "weights", "read"], [READ]),
        helper.make_node("Gemm", [READ, "back", "mean"], [BACK]),
    ]
    graph = helper.make_graph(
        nodes, name, [values("prepared", units)], [values(READ, axes), values(BACK, units)], fixed
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 9
    how = "gaussian process" if own.process is not None else f"gaussian, {own.smooth_s:g} s"
    helper.set_model_props(model, {**(facts or {}), "prepared": f"square root, {how}"})
    checker.check_model(model)
    return bytes(model.SerializeToString())
