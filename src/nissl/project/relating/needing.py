"""How much must be recorded to compare two sources, and how long one holds over hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from nissl.align.binning import bins_of, width_of
from nissl.align.fragments import Fragment
from nissl.align.windows.holding import Holding, cut, holding
from nissl.align.windows.need import N_SUBSETS, Need, need
from nissl.annotators.windows.methods import Spans
from nissl.errors import BadArgumentError
from nissl.labels import Author, LabelSet
from nissl.labels.atomic import make_folder
from nissl.labels.replay import Rule
from nissl.project.relating.populations import population, populations
from nissl.project.relating.windowing import FRAGMENT, Place, keep_windows, place
from nissl.project.source import Source
from nissl.project.writing import write_facts, write_table
from nissl.store import Store
from nissl.tasks import Finding

PIECES = Author("model", "windows/pieces", "1")
FALLS_P = 0.05


@dataclass(frozen=True, eq=False)
class Needed:
    """What has to be recorded to compare two sources.

    Parameters
    ----------
    need : Need
    findings : tuple of Finding
    files : tuple of Path
    """

    need: Need
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


def windows_needed(
    store: Store,
    a: Source,
    b: Source,
    trials: Sequence[str | Path],
    *,
    measure: str = "skill",
    goal: float | None = None,
    power: float = 0.8,
    subsets: int = N_SUBSETS,
    bin_s: float = 0.05,
    duration_s: float | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
) -> Needed:
    """How many windows two sources need; see `nissl.project.Project.needed`."""
    from nissl.report.window_plots import need_plot

    found = populations(store, (a, b), trials, bin_s=bin_s, duration_s=duration_s, resolve=resolve)
    first, second = found.fragments
    told = need(
        first,
        second,
        np.random.default_rng(seed),
        measure=measure,
        goal=goal,
        power=power,
        subsets=subsets,
    )
    findings = (_said(told),)
    folder = Path(out) if out is not None else store.path / "reports" / f"{a.name}~{b.name}.need"
    make_folder(folder)
    columns = {"windows": np.repeat(told.sizes, told.scores.shape[1]), "score": told.scores.ravel()}
    tables = write_table(pa.table(columns), folder, "draws")
    facts = write_facts(
        {
            "sources": [a.name, b.name],
            "fingerprints": [a.fingerprint, b.fingerprint],
            "label_sets": [list(own) for own in found.labels],
            "trials": [Path(t).name for t in trials],
            "measure": told.measure,
            "goal": told.goal,
            "power": told.power,
            "windows": _finite(told.windows),
            "interval": [_finite(told.low), _finite(told.high)],
            "seconds": _finite(told.seconds),
            "pilot": told.have,
            "curve": vars(told.curve),
            "bin_s": bin_s,
            "seed": seed,
            "findings": [f.to_json() for f in findings],
        },
        folder,
    )
    picture = folder / "need.png"
    need_plot(told, (a.name, b.name), picture)
    return Needed(told, findings, (*tables, facts, picture))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _said(told: Need) -> Finding:
    what = {
        "skill": f"a held-out skill of {told.goal:g}",
        "turn": "the right turn without labels",
        "likeness": "a likeness beyond chance",
    }[told.measure]
    if not np.isfinite(told.windows):
        at_best = "" if told.curve.binary else f" (it grows to {told.curve.top:.2f})"
        sentence = (
            f"No amount of such windows is expected to give {what} with probability "
            f"{told.power:g}{at_best}: record more units, conditions that differ more, or "
            "another kind of window."
        )
        return Finding("need", "warning", sentence, None, None, float(told.have))
    high = f"{told.high:.0f}" if np.isfinite(told.high) else "no bound"
    sentence = (
        f"{told.windows:.0f} windows of each recording [{told.low:.0f}, {high}], "
        f"{told.seconds / 60:.1f} min without pauses, give {what} with probability "
        f"{told.power:g}; the smaller has {told.have}."
    )
    if told.windows > 4 * told.have:
        sentence += " That lies far beyond the pilot: take it for an order of magnitude."
    severity = "note" if told.windows <= told.have else "warning"
    return Finding("need", severity, sentence, None, told.windows, float(told.have))


@dataclass(frozen=True, eq=False)
class Held:
    """How long a source's geometry and dynamics hold.

    Parameters
    ----------
    holding : Holding
    labels : LabelSet
        Its windows, the pieces among them as the class "fragment".
    table : pyarrow.Table
        A row for each piece.
    findings : tuple of Finding
    files : tuple of Path
    """

    holding: Holding
    labels: LabelSet
    table: pa.Table
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


def windows_hold(
    store: Store,
    source: Source,
    *,
    minutes: float = 10.0,
    bin_s: float = 0.1,
    n_axes: int = 6,
    smooth_s: float = 0.1,
    permutations: int = 99,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
) -> Held:
    """Cut a long source into pieces and compare each with the first; see `Project.held`."""
    from nissl.report.window_plots import holding_plot

    one = population(store, source, resolve=resolve)
    if not len(one.units):
        raise BadArgumentError(
            f"units of {source.name!r} that fire", "none", "Are they silent? Sort it anew."
        )
    clock, width = one.clock, width_of(one.clock, bin_s)
    start = np.array([s.start for s in clock.segments], np.int64)
    stop = np.array([s.stop for s in clock.segments], np.int64)
    left, segment = bins_of(start, stop, width)
    whole = Fragment(source.name, one.binned(left, width), bin_s, segment, units=one.units)
    pieces, begin = cut(whole, clock.to_seconds(left), minutes)
    found = holding(
        pieces, begin, np.random.default_rng(seed), n_axes=n_axes, smooth_s=smooth_s,
        n_null=permutations,
    )  # fmt: skip
    where = place(store, source, resolve)
    made = {"minutes": minutes, "bin_s": bin_s, "source": source.fingerprint, "spikes": one.labels}
    kept, said = keep_windows(
        store, where, _pieces(where, pieces, begin), [FRAGMENT], made,
        author=PIECES, resolve=resolve,
    )  # fmt: skip
    silent = [int(one.units[k]) for k in found.silent]
    findings = (
        *(Finding("carried", "note", sentence) for sentence in said),
        *_holds(replace(found, silent=tuple(silent))),
    )
    folder = Path(out) if out is not None else store.path / "reports" / f"{source.name}.held"
    make_folder(folder)
    columns = {"start_s": found.start_s, "angle_deg": found.angle, "unchanged": found.persistence}
    for held in found.measures:
        columns |= {
            held.measure: held.value,
            f"{held.measure}_chance": held.null,
            f"{held.measure}_own": held.own,
        }
    table = pa.table(columns)
    tables = write_table(table, folder, "held")
    told = {
        **made,
        "name": source.name,
        "n_axes": n_axes,
        "smooth_s": smooth_s,
        "permutations": permutations,
        "seed": seed,
        "silent": silent,
        "lasts_pieces": {h.measure: h.lasts for h in found.measures},
        "trend": {h.measure: [_finite(h.trend), _finite(h.p)] for h in found.measures},
        "label_set": kept.digest,
        "findings": [f.to_json() for f in findings],
    }
    facts, picture = write_facts(told, folder), folder / "held.png"
    holding_plot(found, source.name, picture)
    return Held(found, kept, table, findings, (*tables, facts, picture))


def _pieces(
    where: Place, pieces: Sequence[Fragment], begin: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> Spans:
    """Pieces as spans of samples, cut where the recording pauses."""
    parts = []
    for first_s, piece in zip(begin.tolist(), pieces, strict=True):
        a = int(where.clock.to_samples(first_s))
        b = a + round(piece.n_bins * piece.bin_s * where.clock.segments[0].rate_hz)
        parts += list(where.clock.split(a, min(b, where.clock.n_samples)))
    start, stop = (np.array([p[k] for p in parts], np.int64) for k in (0, 1))
    return Spans.of(FRAGMENT, start, stop, np.full(len(start), np.nan), "minutes")


def _holds(found: Holding) -> list[Finding]:
    says = {
        "correlations": "Correlations of units",
        "space": "The space of most variance",
        "rule": "The first piece's rule",
    }
    hours = (found.start_s - found.start_s[0]) / 3600 + found.minutes / 60
    out = []
    for held in found.measures:
        n = len(held.value)
        if held.lasts == 0:
            sentence = (
                f"{says[held.measure]}: the first piece's own halves are not alike beyond chance, "
                "so nothing can be said; take longer pieces."
            )
        elif held.lasts < n:
            sentence = (
                f"{says[held.measure]} holds beyond chance for {hours[held.lasts - 1]:.1f} h and "
                f"is lost in the piece after."
            )
        else:
            sentence = f"{says[held.measure]} holds beyond chance over all {hours[-1]:.1f} h."
        falls = held.p < FALLS_P
        if falls and held.lasts:
            part = held.value[-1] / max(held.own[-1], 1e-3)
            sentence += (
                f" It falls with time (rank correlation {held.trend:.2f}, p {held.p:.3f}), in the "
                f"end to {100 * part:.0f} % of what that piece's own halves reach."
            )
        severity = "warning" if falls or held.lasts < n else "note"
        out.append(Finding(held.measure, severity, sentence, None, float(held.value[-1])))
    if found.silent:
        sentence = (
            f"Units that fire at one end only, lost or found by drift of the probe rather than by "
            f"the brain: {', '.join(map(str, found.silent[:10]))}."
        )
        out.append(Finding("silent", "warning", sentence, None, float(len(found.silent))))
    return out


__all__ = ["Held", "Needed", "windows_hold", "windows_needed"]
