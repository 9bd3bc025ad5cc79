"""Label sets as data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nissl.clock import Clock
from nissl.errors import BadLabelsError
from nissl.labels.convert.common import Classes, Floats, as_vocabulary, span_seconds
from nissl.labels.kinds import Kind, schema
from nissl.labels.labelset import LabelSet, Provenance
from nissl.labels.rows import ORDER

if TYPE_CHECKING:
    import pandas as pd


def to_pandas(labels: LabelSet, *, clock: Clock | None = None) -> pd.DataFrame:
    """Return a data frame with one row per row of the set, in its order.

    Parameters
    ----------
    labels : LabelSet
    clock : Clock, optional
        Adds the columns `time_s` (EVENTS, POINTS, REGIONS with frames) or `start_s` and
        `stop_s` (SPANS), in seconds.

    Returns
    -------
    pandas.DataFrame
        The columns of the kind; `label` as an ordered-by-code categorical of class names,
        nullable integers as Int32 and Int64, `probabilities`, `pixels` and `weights` as
        lists. Colours and terms of the vocabulary are lost.
    """
    import pandas as pd

    frame: pd.DataFrame
    nullable = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
    whole = {f.name for f in labels.table.schema if not f.nullable}
    optional = [n for n in labels.table.column_names if n not in whole]
    frame = labels.table.select(sorted(whole)).to_pandas()
    for name in optional:
        column = labels.table.column(name)
        lists = pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type)
        if lists:
            frame[name] = pd.Series(column.to_pylist(), dtype=object)
        else:
            frame[name] = column.to_pandas(types_mapper=nullable.get)
    categories = pd.Index(list(labels.vocabulary.names))
    frame["label"] = pd.Categorical.from_codes(labels.column("label").tolist(), categories)
    frame = frame[labels.table.column_names]
    if clock is not None:
        for name, seconds in _seconds(labels, clock).items():
            frame[name] = seconds
    return frame


def _seconds(labels: LabelSet, clock: Clock) -> dict[str, Floats]:
    if labels.kind is Kind.SPANS:
        start, stop = span_seconds(labels.column("start"), labels.column("stop"), clock)
        return {"start_s": start, "stop_s": stop}
    place = ORDER[labels.kind]
    if place not in ("sample", "frame"):
        return {}
    values = labels.column(place)
    return {"time_s": np.where(values < 0, np.nan, clock.to_seconds(values))}


def from_pandas(
    frame: pd.DataFrame,
    kind: Kind,
    provenance: Provenance,
    *,
    vocabulary: Classes | None = None,
) -> LabelSet:
    """Inverse of `to_pandas`.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns as `to_pandas` gives them; those that the schema does not require may be
        missing, columns in seconds are not read. `label` holds class names.
    kind : Kind
    provenance : Provenance
    vocabulary : Vocabulary or sequence of str, optional
        By default the categories of `label`, else its values in order of appearance.

    Raises
    ------
    BadLabelsError
        A class outside the vocabulary, or rows that break the kind's invariants.
    """
    import pandas as pd

    if vocabulary is None and "label" in frame:
        values = frame["label"]
        categorical = isinstance(values.dtype, pd.CategoricalDtype)
        vocabulary = values.cat.categories.tolist() if categorical else values.unique().tolist()
    names = as_vocabulary(vocabulary or ["label"])
    known = schema(kind, len(names), frame.columns).names
    own = [n for n in frame.columns if n in known and n != "label"]
    others = sorted(set(frame.columns) - set(known) - {"time_s", "start_s", "stop_s"})
    if others:
        raise BadLabelsError(f"columns among {known}", f"{others}", "Drop or rename them.")
    columns: dict[str, Any] = {name: _plain(frame[name]) for name in own}
    if "label" in frame:
        columns["label"] = [names.code(str(v)) for v in frame["label"]]
    return LabelSet.build(kind, columns, names, provenance)


def _plain(values: pd.Series[Any]) -> Any:
    """Return an array, or a list with None for what pandas calls missing."""
    import pandas as pd

    if values.dtype == object:
        return [None if v is None or v is pd.NA else v for v in values]
    if pd.api.types.is_extension_array_dtype(values.dtype):
        return [None if v is pd.NA else v for v in values]
    return values.to_numpy()
