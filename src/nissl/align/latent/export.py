"""Maps into a common space as ONNX graphs: prepared activity in, latents out, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from nissl.align.latent.encoder import REACH, Encoder
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
    helper, numpy_helper, checker, float_type = _onnx()
    units, axes = own.weights.shape
    kept = {
        "weights": own.weights,
        "read": -own.mean @ own.weights,
        "back": np.linalg.pinv(own.weights),
        "mean": own.mean,
    }
    fixed = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in kept.items()]

    def values(label: str, width: int) -> Any:
        return helper.make_tensor_value_info(label, float_type, ["bins", width])

    nodes = [
        helper.make_node("Gemm", ["prepared", "weights", "read"], [READ]),
        helper.make_node("Gemm", [READ, "back", "mean"], [BACK]),
    ]
    graph = helper.make_graph(
        nodes, name, [values("prepared", units)], [values(READ, axes), values(BACK, units)], fixed
    )
    return _model(graph, helper, checker, own, facts)


def onnx_encoder(own: Encoder, name: str, facts: dict[str, str] | None = None) -> bytes:
    """An encoder with its read-in as the bytes of an ONNX model.

    Parameters
    ----------
    own : Encoder
    name : str
    facts : mapping of str to str, optional

    Returns
    -------
    bytes
        `latents` (n_bins, n_axes) for `prepared` (n_bins, n_units), float32, of one window.
    """
    helper, numpy_helper, checker, float_type = _onnx()
    reads = own.reads
    kept = {"weights": reads.weights, "read": -reads.mean @ reads.weights}
    nodes = [
        helper.make_node("Gemm", ["prepared", "weights", "read"], ["aligned"]),
        helper.make_node("Transpose", ["aligned"], ["rows"], perm=[1, 0]),
        helper.make_node("Unsqueeze", ["rows", "first"], ["value0"]),
    ]
    value = "value0"
    for k, (weights, offset) in enumerate(own.layers):
        kept |= {f"kernel{k}": weights.transpose(2, 1, 0), f"offset{k}": offset}
        nodes.append(helper.make_node("Pad", [value, "edges"], [f"wide{k}"], mode="edge"))
        given = [f"wide{k}", f"kernel{k}", f"offset{k}"]
        nodes.append(helper.make_node("Conv", given, [f"conv{k}"]))
        value = f"conv{k}"
        if k + 1 < len(own.layers):
            nodes.append(helper.make_node("Tanh", [value], [f"value{k + 1}"]))
            value = f"value{k + 1}"
    nodes += [
        helper.make_node("Add", [value, "value0"], ["sum"]),
        helper.make_node("Squeeze", ["sum", "first"], ["columns"]),
        helper.make_node("Transpose", ["columns"], [READ], perm=[1, 0]),
    ]
    fixed = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in kept.items()]
    fixed.append(numpy_helper.from_array(np.array([0], np.int64), "first"))
    fixed.append(numpy_helper.from_array(np.array([0, 0, REACH, 0, 0, REACH], np.int64), "edges"))
    ends = [
        helper.make_tensor_value_info(label, float_type, ["bins", width])
        for label, width in (("prepared", len(reads.mean)), (READ, own.n_axes))
    ]
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], fixed)
    return _model(graph, helper, checker, reads, facts)


def _model(graph: Any, helper: Any, checker: Any, own: Map, facts: dict[str, str] | None) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 9
    how = "gaussian process" if own.process is not None else f"gaussian, {own.smooth_s:g} s"
    helper.set_model_props(model, {**(facts or {}), "prepared": f"square root, {how}"})
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _onnx() -> tuple[Any, Any, Any, Any]:
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError as error:
        raise MissingDependencyError(
            "the package onnx", "none installed", "Install: pip install 'nissl[train]'"
        ) from error
    return helper, numpy_helper, checker, TensorProto.FLOAT
