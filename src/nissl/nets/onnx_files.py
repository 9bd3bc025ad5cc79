"""Networks and linear maps as ONNX files; networks with weights of eight bits too."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.nets.backend import pytorch, required

HEADER = "nissl"
OPSET = 17


def exported(
    net: Any,
    example: npt.NDArray[np.float32],
    header: Mapping[str, Any],
    *,
    varying: Mapping[int, str],
) -> bytes:
    """Write a network as ONNX.

    Parameters
    ----------
    net : torch.nn.Module
        In evaluation mode, with one input and one output.
    example : ndarray, float32
        An input; one window only.
    header : mapping
        JSON values that whoever runs it needs (rate, length, classes, what it was trained on).
    varying : mapping of int to str
        Axes of the input whose length may differ, with a name.

    Raises
    ------
    MissingDependencyError
        PyTorch or onnx is not installed.
    """
    torch, onnx = pytorch(), required("onnx")
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age, and of batches in recurrent units
        torch.onnx.export(
            net.eval(),
            (torch.as_tensor(example),),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": dict(varying), "y": {0: "n"}},
        )
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, {HEADER: json.dumps(dict(header), sort_keys=True)})
    return bytes(model.SerializeToString())


def affine(
    weights: npt.NDArray[np.float64], offset: npt.NDArray[np.float64], header: Mapping[str, Any]
) -> bytes:
    """Write ``y = x @ weights + offset`` as ONNX; PyTorch is not needed.

    Parameters
    ----------
    weights : ndarray, shape (n_x, n_y)
    offset : ndarray, shape (n_y,)
    header : mapping
        As in `exported`.

    Raises
    ------
    MissingDependencyError
        The package onnx is not installed.
    """
    onnx = required("onnx")
    make, single = onnx.helper, onnx.TensorProto.FLOAT
    given = [
        onnx.numpy_helper.from_array(np.asarray(value, np.float32), name)
        for name, value in (("weights", weights), ("offset", offset))
    ]
    graph = make.make_graph(
        [make.make_node("MatMul", ["x", "weights"], ["mixed"]),
         make.make_node("Add", ["mixed", "offset"], ["y"])],
        "affine",
        [make.make_tensor_value_info("x", single, ["n", weights.shape[0]])],
        [make.make_tensor_value_info("y", single, ["n", weights.shape[1]])],
        given,
    )  # fmt: skip
    # The oldest format that this opset allows, so that older runtimes read it.
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", OPSET)], ir_version=8)
    make.set_model_props(model, {HEADER: json.dumps(dict(header), sort_keys=True)})
    return bytes(model.SerializeToString())


def quantised(model: bytes) -> bytes:
    """The same model with weights of eight bits, and activations quantised as they come.

    A quarter of the size; worth it on small processors only, and for what its scores show.
    """
    required("onnx")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.onnx", Path(folder) / "made.onnx"
        given.write_bytes(model)
        quantize_dynamic(given, made, weight_type=QuantType.QUInt8)
        return made.read_bytes()


__all__ = ["affine", "exported", "quantised"]
