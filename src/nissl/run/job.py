"""JobSpec: everything that determines a result, and its hash.

Whatever is not here (workers, memory, folder, machine) must not change the result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nissl.errors import BadArgumentError
from nissl.labels.digest import canonical_json, digest_json


@dataclass(frozen=True)
class JobSpec:
    """What a run computes.

    Parameters
    ----------
    annotator : str
        Name of the method ("spikes/lupin") or stage.
    version : str
        Its version.
    parameters : mapping
        Complete parameters, JSON values only.
    seed : int
        Seed of all randomness.
    inputs : tuple of str
        Digests of what it reads, in order: fingerprints of sources, digests of label sets.
    weights : str, optional
        Digest of the model's weights.
    packages : mapping of str to str
        Versions of the packages that compute.

    Raises
    ------
    BadArgumentError
        A value that JSON cannot hold exactly (arrays, NaN, objects).
    """

    annotator: str
    version: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    inputs: tuple[str, ...] = ()
    weights: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        for name in ("parameters", "packages"):
            object.__setattr__(self, name, _plain(name, getattr(self, name)))

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def hash(self) -> str:
        """Hex SHA-256 of the canonical JSON; equal for equal jobs on any machine."""
        return digest_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "annotator": self.annotator,
            "version": self.version,
            "parameters": _plain("parameters", self.parameters),
            "seed": self.seed,
            "inputs": list(self.inputs),
            "weights": self.weights,
            "packages": dict(self.packages),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> JobSpec:
        """Inverse of `to_json`."""
        return cls(**{**value, "inputs": tuple(value["inputs"])})


def _plain(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Copy through JSON, so that nobody's later change reaches into a frozen job."""
    try:
        plain: dict[str, Any] = json.loads(canonical_json(dict(value)))
    except (TypeError, ValueError) as error:
        raise BadArgumentError(
            f"{name} of JSON values (numbers, strings, lists, mappings; no NaN)",
            f"{value!r} ({error})",
            "Convert arrays to lists and NaN to None before making the job.",
        ) from error
    return plain
