"""A new subject, laboratory or device, without labels.

What is adapted are statistics: each subject's features are brought to a common centre, or centre
and spread; or the statistics that a network normalises by are counted anew on the new recordings.
Whether it helps has to be measured beside doing nothing and beside a few labels.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.nets.backend import pytorch

Values = npt.NDArray[np.float64]

HOWS = ("none", "recentred", "standardised")


def adapted(features: npt.ArrayLike, subject: npt.ArrayLike, how: str) -> Values:
    """Features of each subject on its own centre or scale; labels are not needed.

    Parameters
    ----------
    features : array-like, shape (n, d)
        NaN where not known.
    subject : array-like, shape (n,)
    how : {"none", "recentred", "standardised"}
        As they are; minus the subject's mean; divided by its standard deviation as well. Both
        assume that subjects hold about the same mixture of classes: a nap is not a night.

    Returns
    -------
    ndarray, shape (n, d), float64
    """
    if how not in HOWS:
        raise BadArgumentError(f"an adaptation among {HOWS}", repr(how), "Choose one.")
    out = np.array(features, np.float64)
    whose = np.asarray(subject)
    if how == "none":
        return out
    for one in np.unique(whose):
        rows = whose == one
        own = out[rows]
        known = np.isfinite(own).any(axis=0)
        centre, spread = np.zeros(out.shape[1]), np.ones(out.shape[1])
        centre[known] = np.nanmean(own[:, known], axis=0)
        if how == "standardised":
            spread[known] = np.nanstd(own[:, known], axis=0)
        out[rows] = (own - centre) / np.where(spread > 1e-9, spread, 1.0)
    return out


def renormalised(net: Any, x: npt.NDArray[np.float32], *, batch: int = 32) -> Any:
    """Return a copy of a network whose batch normalisation has the statistics of new windows.

    Li et al. 2016, Revisiting batch normalization for practical domain adaptation
    (arXiv:1603.04779). No weight changes and no label is used.

    Parameters
    ----------
    net : torch.nn.Module
    x : ndarray, shape (n, ...), float32
        Windows of the new subject or device.
    batch : int
    """
    torch = pytorch()
    new = deepcopy(net).eval()
    for layer in new.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches
            layer.train()
    with torch.no_grad():
        for rows in np.array_split(np.arange(len(x)), -(-len(x) // batch)):
            new(torch.as_tensor(np.ascontiguousarray(x[rows], np.float32)))
    return new.eval()


__all__ = ["HOWS", "adapted", "renormalised"]
