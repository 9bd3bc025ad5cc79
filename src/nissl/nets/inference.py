"""Running networks from ONNX files; PyTorch is not needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError, MissingDependencyError, SourceNotFoundError

INSTALL = "pip install 'nissl[eeg]'"


def missing() -> Mapping[str, str]:
    """The package onnxruntime with the command that installs it, where it is not there."""
    return {} if find_spec("onnxruntime") else {"onnxruntime": INSTALL}


@dataclass(frozen=True, eq=False)
class Network:
    """A network as the bytes of its ONNX file; cheap to send to other processes.

    Parameters
    ----------
    model : bytes
    threads : int
        Of one call; one by default, so that results do not depend on the machine.
    """

    model: bytes = field(repr=False)
    threads: int = 1

    @classmethod
    def read(cls, path: str | Path) -> Network:
        """Read a file; `SourceNotFoundError` where there is none."""
        try:
            return cls(Path(path).read_bytes())
        except OSError:
            raise SourceNotFoundError(
                "an ONNX file", f"nothing at {Path(path).name!r}", "Check the path."
            ) from None

    @property
    def digest(self) -> str:
        """SHA-256 of the model, hexadecimal."""
        return hashlib.sha256(self.model).hexdigest()

    @cached_property
    def header(self) -> Mapping[str, Any]:
        """What the model says of itself; `CorruptSourceError` where it is not one of nissl's."""
        props = self._session.get_modelmeta().custom_metadata_map
        if "nissl" not in props:
            raise _not_a_model("a model without nissl's header")
        return dict(json.loads(props["nissl"]))

    def __call__(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Output for an input."""
        given = np.ascontiguousarray(x, np.float32)
        return np.asarray(self._session.run(None, {"x": given})[0])

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "threads": self.threads}

    @cached_property
    def _session(self) -> Any:
        if missing():
            raise MissingDependencyError("onnxruntime", "no such package", f"Install: {INSTALL}")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = self.threads
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(
                self.model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no common base of their own
            raise _not_a_model(type(error).__name__) from None


def _not_a_model(got: str) -> CorruptSourceError:
    return CorruptSourceError(
        "an ONNX model that nissl wrote", got, "Name another file, or train the model again."
    )


__all__ = ["Network", "missing"]
