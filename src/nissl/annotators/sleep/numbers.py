"""The item table of epochs: the numbers of each, from which every feature follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from nissl.annotators.sleep.causal import causal_context
from nissl.annotators.sleep.context import context
from nissl.annotators.sleep.derivations import Derivation, derivations
from nissl.annotators.sleep.powers import NAMES, UNITS, powers
from nissl.data import Signal
from nissl.errors import MissingInputError
from nissl.labels import FeatureTable, ItemTable, LabelSet
from nissl.run.progress import Progress


def item_table(
    labels: LabelSet, signal: Signal, *, chosen: tuple[str, ...] = (), progress: Progress | None
) -> ItemTable:
    """Numbers of the epochs of a label set, one row per epoch.

    Parameters
    ----------
    labels : LabelSet
        SPANS, one per epoch, items increasing with time.
    signal : Signal
    chosen : tuple of str
        Names of the frontal and the occipital channel, where a person says so.
    progress : Progress, optional

    Raises
    ------
    MissingInputError
        No channel of the stream is EEG.
    """
    channels = signal.channels
    found = derivations(channels.ids, types=_types(channels), chosen=chosen)
    if not found:
        raise MissingInputError(
            "a channel of EEG, such as 'EEG Fpz-Cz' or 'C3-M2'",
            f"the channels {list(channels.ids[:12])}",
            "Name the channels: --set channels='[\"my EEG\"]', or choose another --stream.",
        )
    order = np.argsort(labels.column("item"), kind="stable")
    start, stop = labels.column("start")[order], labels.column("stop")[order]
    measured = powers(signal, [d.column for d in found], start, stop, progress=progress)
    columns: dict[str, Any] = {"item": labels.column("item")[order]}
    units: dict[str, str] = {}
    for k, derivation in enumerate(found):
        for i, name in enumerate(NAMES):
            columns[f"{derivation.role}:{name}"] = measured[:, k, i]
            units[f"{derivation.role}:{name}"] = UNITS[i]
    for role in ("front", "back"):
        for i, name in enumerate(NAMES):
            if f"{role}:{name}" not in columns:
                columns[f"{role}:{name}"] = np.full(start.size, np.nan)
                units[f"{role}:{name}"] = UNITS[i]
    told = {
        "epoch_s": float(np.median(stop - start)) / signal.rate_hz,
        "rate_hz": signal.rate_hz,
        "derivations": [_json(d) for d in found],
    }
    return ItemTable(labels.digest, pa.table(columns), units, context=told)


def features_of(
    labels: LabelSet,
    items: ItemTable | None,
    *,
    subject: str = "",
    session: str = "",
    causal: bool = False,
) -> FeatureTable:
    """Features of every epoch from the numbers kept with it; see `context`.

    With `causal` those of `nissl.annotators.sleep.causal`, which look backwards only.

    Raises
    ------
    MissingInputError
        The set has no item table.
    """
    if items is None or "epoch_s" not in items.context:
        raise MissingInputError(
            "the numbers of each epoch beside the hypnogram",
            f"none for {labels.digest[:12]}",
            "Annotate the recording first: nissl annotate STUDY --task sleep",
        )
    numeric = [f.name for f in items.table.schema if f.name != "item" and ":" in f.name]
    values = np.column_stack([items.table.column(n).to_numpy().astype(float) for n in numeric])
    around = causal_context if causal else context
    wide, names = around(values, numeric, float(items.context["epoch_s"]))
    n = len(items.items)
    return FeatureTable(
        items=items.items,
        names=names,
        values=wide,
        units=("",) * len(names),
        subject=(subject,) * n,
        session=(session,) * n,
    )


def _types(channels: Any) -> tuple[str, ...]:
    return tuple(getattr(channels, "types", ()))


def _json(derivation: Derivation) -> dict[str, Any]:
    return {
        "role": derivation.role,
        "channel": derivation.given,
        "trained": derivation.trained,
    }


__all__ = ["features_of", "item_table"]
