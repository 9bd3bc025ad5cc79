"""Which series of a study drives which: channels, traces, units, or columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa

from nissl.align.directed.arrows import BOLD, FIELDS, SPIKES, Arrows, Modality
from nissl.align.directed.series import directed
from nissl.align.directed.transfer import Method
from nissl.align.fragments import Floats
from nissl.errors import BadArgumentError
from nissl.labels.atomic import make_folder
from nissl.labels.replay import Rule
from nissl.project.relating.series import Series, series_of, table_of
from nissl.project.source import Source
from nissl.project.writing import write_facts, write_table
from nissl.run.progress import Progress, Silent
from nissl.store import Store

OF_SERIES = ("gaussian", "ksg", "rdcm", "dcm")
OF_TRAINS = ("trains", "pointprocess")
MODALITIES: Mapping[str, Modality] = {"spikes": SPIKES, "fields": FIELDS, "bold": BOLD}
MOST_DCM = 4
"""Regions of a bilinear model with all connections; more take hours."""
EPOCH_S = 2.0


@dataclass(frozen=True, eq=False)
class Directed:
    """Arrows between series of a study.

    Parameters
    ----------
    arrows : Arrows
    table : pyarrow.Table
        A row for each ordered pair.
    files : tuple of Path
    """

    arrows: Arrows
    table: pa.Table
    files: tuple[Path, ...]


def arrows_of(
    made: Series,
    method: str,
    modality: str,
    rng: np.random.Generator,
    *,
    inputs: Floats | None = None,
    order: int | None = None,
    conditional: bool = True,
    surrogates: int | None = None,
    alpha: float = 0.05,
    progress: Progress | None = None,
) -> Arrows:
    """Arrows by a method of series or of spike trains; see `nissl.project.Project.arrows`."""
    if len(made.names) < 2:
        raise BadArgumentError("two or more series", f"{list(made.names)}", "Name another.")
    if method == "trains":
        from nissl.align.directed.trains import binned, directed_trains

        trains, n_bins = binned(made.times_s, made.interval_s)
        return directed_trains(
            trains, n_bins, rng=rng, names=made.names, alpha=alpha, multivariate=conditional,
            surrogates=surrogates or 40, progress=progress,
        )  # fmt: skip
    if method == "pointprocess":
        from nissl.align.directed.pointprocess import directed_rates

        return directed_rates(
            made.times_s, rng=rng, names=made.names, alpha=alpha, surrogates=surrogates or 99,
            progress=progress,
        )  # fmt: skip
    values = np.asarray(made.values, np.float64)
    if method in ("rdcm", "dcm"):
        return _causal(method, made, values, inputs, alpha, progress or Silent())
    return directed(
        values, MODALITIES[modality], names=made.names, interval_s=made.interval_s,
        method=cast(Method, method), order=order, conditional=conditional, alpha=alpha,
        surrogates=surrogates or 200, rng=rng, progress=progress,
    )  # fmt: skip


def _causal(
    method: str, made: Series, values: Floats, inputs: Floats | None, alpha: float, bar: Progress
) -> Arrows:
    from nissl.align.directed import dcm, rdcm

    if inputs is not None and len(inputs) != values.shape[1]:
        raise BadArgumentError(
            f"inputs of {values.shape[1]} scans", f"{len(inputs)}", "Give a row for each scan."
        )
    if method == "rdcm":
        found = rdcm.fit(values.T, inputs, interval_s=made.interval_s)
        return found.arrows(made.names, alpha=alpha)
    n = len(made.names)
    if inputs is None or n > MOST_DCM:
        raise BadArgumentError(
            f"known inputs and at most {MOST_DCM} regions",
            f"{n} regions, inputs: {inputs is not None}",
            "State --inputs TABLE and --channels, or take --method rdcm.",
        )
    whole = dcm.Model(
        ~np.eye(n, dtype=np.bool_), np.ones((n, inputs.shape[1]), dtype=np.bool_), name="all"
    )
    bar.start("dynamic causal models", None, "models")
    out = dcm.arrows(
        whole, values.T, inputs, interval_s=made.interval_s, names=made.names, alpha=alpha
    )
    bar.finish("dynamic causal models")
    return out


def arrows(
    store: Store,
    sources: Sequence[Source | Path],
    *,
    method: str | None = None,
    modality: str | None = None,
    stream: str | None = None,
    channels: Sequence[str] | None = None,
    bin_s: float | None = None,
    interval_s: float | None = None,
    inputs: str | Path | None = None,
    frequencies: bool = False,
    spectral: Sequence[str] = (),
    band_hz: tuple[float, float] | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Directed:
    """Which series drives which; see `nissl.project.Project.arrows`."""
    from nissl.report.arrow_plots import arrows_plot, spectra_plot

    known = (*OF_SERIES, *OF_TRAINS)
    if method is not None and method not in known:
        raise BadArgumentError(f"a method among {list(known)}", repr(method), "Choose one.")
    trains = None if method is None else method in OF_TRAINS
    made = series_of(
        store, sources, trains=trains, stream=stream, channels=channels, bin_s=bin_s,
        interval_s=interval_s, resolve=resolve,
    )  # fmt: skip
    method = method or ("trains" if made.times_s else "gaussian")
    modality = _modality(modality, made, method, isinstance(sources[0], Path))
    if made.values is None and (frequencies or spectral):
        raise BadArgumentError(
            "series, for measures by frequency", "spike trains", "Take rates or fields."
        )
    told = None if inputs is None else np.asarray(table_of([inputs], 1.0).values).T
    found = arrows_of(
        made, method, modality, np.random.default_rng(seed), inputs=told, progress=progress,
        **options,
    )  # fmt: skip
    stem = sources[0].stem if isinstance(sources[0], Path) else sources[0].name
    folder = Path(out) if out is not None else store.path / "reports" / f"{stem}.arrows"
    make_folder(folder)
    table = pa.Table.from_pandas(found.table(), preserve_index=False)
    files = [*write_table(table, folder, "arrows"), folder / "arrows.png"]
    arrows_plot(found, files[-1])
    if frequencies:
        from nissl.align.directed.granger import spectral_granger

        hz, granger = spectral_granger(np.asarray(made.values), rate_hz=1 / made.interval_s)
        files += write_table(_long(made.names, hz, granger), folder, "granger")
        files.append(folder / "granger.png")
        spectra_plot(hz, granger, found, files[-1])
    if spectral:
        files += write_table(_undirected(made, spectral, band_hz), folder, "spectral")
    facts = {
        "method": found.method,
        "unit": found.unit,
        "modality": modality,
        "alpha": found.alpha,
        "series": list(made.names),
        "interval_s": made.interval_s,
        "made_from": list(made.origin),
        "inputs": None if inputs is None else Path(inputs).name,
        "spectral": list(spectral),
        "options": {k: v for k, v in options.items() if v is not None},
        "seed": seed,
        "arrows": int(found.claimed().sum()),
    }
    files.append(write_facts(facts, folder))
    return Directed(found, table, tuple(files))


def _modality(given: str | None, made: Series, method: str, table: bool) -> str:
    if made.times_s:
        return "spikes"
    if given is None and method in ("rdcm", "dcm"):
        return "bold"
    if given is None and table:
        raise BadArgumentError(
            f"what the table holds, one of {list(MODALITIES)}",
            "nothing said",
            "State it, for it decides what may feign a direction: --modality bold",
        )
    name = given or "fields"
    if name not in MODALITIES:
        raise BadArgumentError(f"a modality among {list(MODALITIES)}", repr(name), "Choose one.")
    return name


def _long(names: Sequence[str], hz: Floats, granger: Floats) -> pa.Table:
    n = len(names)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    return pa.table(
        {
            "source": [names[i] for i, _ in pairs for _ in hz],
            "target": [names[j] for _, j in pairs for _ in hz],
            "hz": np.tile(hz, len(pairs)),
            "granger": np.concatenate([granger[:, i, j] for i, j in pairs]),
        }
    )


def _undirected(
    made: Series, measures: Sequence[str], band_hz: tuple[float, float] | None
) -> pa.Table:
    """Spectral measures of pairs, which have no direction, from mne-connectivity."""
    from nissl.align.directed.granger import connectivity

    rate_hz, values = 1 / made.interval_s, np.asarray(made.values)
    length = round(EPOCH_S * rate_hz)
    n_epochs = values.shape[1] // max(length, 1)
    low, high = band_hz or (4.0 / EPOCH_S, 0.45 * rate_hz)
    if n_epochs < 5 or not 0 < low < high <= rate_hz / 2:
        raise BadArgumentError(
            f"five epochs of {EPOCH_S:g} s, and a band below {rate_hz / 2:g} Hz",
            f"{n_epochs} epochs, {low:g} to {high:g} Hz",
            "Give longer series or another --band.",
        )
    cut = values[:, : n_epochs * length].reshape(len(values), n_epochs, length).swapaxes(0, 1)
    rows = []
    for measure in measures:
        matrix = connectivity(cut, rate_hz, method=measure, low_hz=low, high_hz=high)
        for i in range(len(values)):
            for j in range(i):
                rows.append(
                    {"a": made.names[j], "b": made.names[i], "measure": measure,
                     "low_hz": low, "high_hz": high, "value": float(matrix[i, j])}
                )  # fmt: skip
    return pa.Table.from_pylist(rows)


__all__ = ["MODALITIES", "Directed", "arrows", "arrows_of"]
