"""A fitted map as arrays, and as an ONNX file that runs without nissl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nissl.align.translation.linear import Linear
from nissl.align.translation.paired import Translation


def arrays(found: Translation) -> dict[str, Any]:
    """Numbers of a translation, by name, for an npz file."""
    rule: Any = found.rule
    own = (
        {"weights": rule.weights, "offset": rule.offset}
        if isinstance(rule, Linear)
        else rule.arrays()
    )
    return {
        **own,
        "lags": np.array(found.lags),
        "skill": found.skill,
        "shuffled": found.shuffled,
        "scrambled": found.scrambled,
        "precision": found.precision,
        "base": found.base,
        "by_window": found.by_window,
    }


def onnx_of(found: Translation, facts: Mapping[str, Any]) -> bytes:
    """The map as ONNX: ``x`` (n, n_lags * n_x) to ``y`` (n, n_y), float32.

    Columns of x are the source's units, lag by lag in the order of the header's "lags".

    Parameters
    ----------
    found : Translation
    facts : mapping
        JSON values for the header, beside method and lags.

    Raises
    ------
    MissingDependencyError
        The package onnx, or PyTorch for a network, is not installed.
    """
    from nissl.nets.onnx_files import affine, exported

    header = {**facts, "method": found.method, "lags": list(found.lags)}
    rule: Any = found.rule
    if isinstance(rule, Linear):
        return affine(rule.weights, rule.offset, header)
    example = np.zeros((2, len(rule.net.mean)), np.float32)
    return exported(rule.net, example, header, varying={0: "n"})
