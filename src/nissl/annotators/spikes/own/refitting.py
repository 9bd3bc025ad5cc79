"""The sorter as it was when it sorted a recording: fitted again from what the labels say.

Fitting depends on the samples, the parameters and the seed alone, so that nothing has to be kept;
where it is, it need not be done a second time. Where the device that sorted is not there the
processor does it, whose sums are rounded otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nissl.annotators.spikes.adapter import Shank, shanks_of
from nissl.annotators.spikes.own.keeping import Kept
from nissl.annotators.spikes.own.matching.devices import CPU, chosen
from nissl.annotators.spikes.own.sorter import Fitted, fit
from nissl.annotators.spikes.preprocess import make_plan
from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingDependencyError
from nissl.run.context import Context


def shanks(signal: Signal, parameters: Mapping[str, Any], context: Context) -> list[Shank]:
    """Channels that were sorted together.

    Parameters
    ----------
    signal : Signal
    parameters : mapping
        Of the sorting: `bad_channels`, `freq_min_hz`, `freq_max_hz`.
    context : Context
        With the seed of the sorting.
    """
    plan = make_plan(signal, {**parameters, "reference": "none"}, context.seed)
    return shanks_of(signal, plan)


def shank_of(found: list[Shank], column: int) -> Shank:
    """The shank that a channel is on."""
    for shank in found:
        if column in shank.columns:
            return shank
    raise BadArgumentError(
        "a channel that the sorting used",
        f"column {column}",
        "The labels are of other channels; sort the recording again.",
    )


def refit(
    signal: Signal,
    shank: Shank,
    parameters: Mapping[str, Any],
    context: Context,
    kept: Kept | None = None,
) -> Fitted:
    """Fit the sorter to a shank again.

    Parameters
    ----------
    signal : Signal
    shank : Shank
    parameters : mapping
        Of the sorting.
    context : Context
        With the seed of the sorting; it is the only source of randomness.
    kept : Kept, optional
        Where it is kept.
    """
    band = (float(parameters["freq_min_hz"]), float(parameters["freq_max_hz"]))
    of = "" if shank.alone else f", shank {shank.number}"
    stage = f"finding units again{of}"
    return fit(signal, shank.columns, band, context, stage, device_of(parameters), kept)


def device_of(parameters: Mapping[str, Any]) -> str:
    """Where a sorting was computed; the processor where that is not there."""
    try:
        return chosen(str(parameters.get("device", CPU)))
    except (BadArgumentError, MissingDependencyError):
        return CPU
