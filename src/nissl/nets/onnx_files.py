"""Networks as ONNX files, in full precision and with weights of eight bits."""

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


__all__ = ["exported", "quantised"]
