"""Populations made comparable: two sources in one space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nissl.align.binning import bins_of, width_of
from nissl.align.fragments import Fragment, Ints
from nissl.align.latent.aligners import NEEDS, Settings, align
from nissl.align.latent.geometry import LIKENESSES, Likeness, compared
from nissl.align.latent.maps import Aligned, Map
from nissl.align.latent.trajectories import n_steps, trajectories
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.labels.atomic import atomic_write, make_folder
from nissl.labels.replay import Rule
from nissl.project.deriving import keep_derived
from nissl.project.populations import Population, Populations, populations
from nissl.project.source import Source
from nissl.project.writing import write_facts
from nissl.store import Store
from nissl.tasks import Finding

LATENTS = "latents"
FEW_WINDOWS = 20


@dataclass(frozen=True, eq=False)
class Overlap:
    """Two sources in one space.

    Parameters
    ----------
    aligned : Aligned
    likeness : mapping of str to Likeness
        How alike the conditions lie in both, beside chance; empty without known conditions.
    sources : tuple of str
        Names of the derived sources with the latents of each.
    findings : tuple of Finding
    files : tuple of Path
    """

    aligned: Aligned
    likeness: dict[str, Likeness]
    sources: tuple[str, ...]
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


def overlap(
    store: Store,
    a: Source,
    b: Source,
    windows: Sequence[str | Path],
    *,
    method: str = "transport",
    bin_s: float = 0.05,
    n_axes: int = 10,
    smooth_s: float = 0.06,
    duration_s: float | None = None,
    labels: bool = True,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
) -> Overlap:
    """Bring two populations into one space; see `nissl.project.Project.overlap`."""
    found = populations(store, (a, b), windows, bin_s=bin_s, duration_s=duration_s, resolve=resolve)
    used = found.fragments
    if not labels:
        used = tuple(f.without_conditions() for f in used)
    rng = np.random.default_rng(seed)
    settings = Settings(n_axes=n_axes, smooth_s=smooth_s)
    aligned = align(used, method, rng=rng, settings=settings)
    likeness = _likeness(found.fragments, aligned, rng)
    findings = _doubts(found, aligned, likeness, method)
    made = {
        "windows": [Path(w).name for w in windows],
        "method": method,
        "bin_s": bin_s,
        "n_axes": n_axes,
        "smooth_s": smooth_s,
        "labels_used": labels and NEEDS[method] != "units",
        "seed": seed,
        "reference": a.fingerprint,
        "conditions": list(found.conditions),
    }
    names = tuple(
        _kept(store, p, m, bin_s, {**made, "label_sets": list(own)})
        for p, m, own in zip(found.populations, aligned.maps, found.labels, strict=True)
    )
    folder = Path(out) if out is not None else store.path / "reports" / f"{a.name}~{b.name}.overlap"
    files = _written(folder, found, aligned, likeness, findings, made)
    return Overlap(aligned, likeness, names, findings, files)


def _likeness(
    fragments: tuple[Fragment, ...], aligned: Aligned, rng: np.random.Generator
) -> dict[str, Likeness]:
    """Likenesses of the means of conditions that both have; none where four are not shared."""
    steps = n_steps(*fragments)
    courses = [
        trajectories(f, m.transform(f), steps) for f, m in zip(fragments, aligned.maps, strict=True)
    ]
    shared = np.intersect1d(courses[0].condition, courses[1].condition)
    shared = shared[shared >= 0]
    if len(shared) < 4:
        return {}
    means = [np.array([c.values[c.condition == k].mean(axis=0) for k in shared]) for c in courses]
    return {how: compared(means[0], means[1], how, rng) for how in LIKENESSES}


def _doubts(
    found: Populations, aligned: Aligned, likeness: dict[str, Likeness], method: str
) -> tuple[Finding, ...]:
    out = [Finding("alignment", "warning", sentence) for sentence in aligned.doubts]
    if "shape" in likeness and likeness["shape"].p > 0.05:
        same = likeness["shape"]
        out.append(
            Finding(
                "geometry",
                "warning",
                "Conditions do not lie alike in the two populations: their likeness of "
                f"{same.value:.2f} is what chance gives ({same.null_mean:.2f}). These two do not "
                "match; what is read through the common space means nothing.",
                value=same.p,
                limit=0.05,
            )
        )
    for fragment in found.fragments:
        n = len(np.unique(fragment.windows[fragment.windows >= 0]))
        if n < FEW_WINDOWS:
            sentence = f"{fragment.name} has {n} windows; {FEW_WINDOWS} or more make a space."
            out.append(Finding("windows", "warning", sentence, value=n, limit=FEW_WINDOWS))
        missing = fragment.about.missing
        if missing:
            sentence = f"Of {fragment.name} nothing says: {', '.join(missing)}."
            out.append(Finding("metadata", "note", sentence, value=fragment.about.completeness))
    return tuple(out)


def _kept(
    store: Store, population: Population, own: Map, bin_s: float, made: dict[str, Any]
) -> str:
    """Latents of the whole source, kept as a source of its own."""
    clock, width = population.clock, width_of(population.clock, bin_s)
    start = np.array([s.start for s in clock.segments], np.int64)
    stop = np.array([s.stop for s in clock.segments], np.int64)
    left, segment = bins_of(start, stop, width)
    activity = population.binned(left, width)
    fragment = Fragment(population.source.name, activity, bin_s, segment, units=population.units)
    latents = own.transform(fragment).astype(np.float32)
    signal = Signal.from_array(
        latents,
        clock.segments[0].rate_hz / width,
        name=LATENTS,
        channels=ChannelTable.plain([f"axis {k + 1}" for k in range(own.n_axes)], kind="latent"),
        clock=_slower(clock, segment, width),
    )
    facts = {**made, "source": population.source.fingerprint, "stream": population.stream}
    return keep_derived(store, population.source, signal, facts)


def _slower(clock: Clock, segment: Ints, width: int) -> Clock:
    lengths = np.bincount(segment, minlength=len(clock.segments))
    kept = [k for k, n in enumerate(lengths.tolist()) if n]
    rate_hz = clock.segments[0].rate_hz
    # A bin's value stands at its middle.
    starts = [clock.segments[k].t0_s + (width - 1) / 2 / rate_hz for k in kept]
    return Clock.from_segments(rate_hz / width, [int(lengths[k]) for k in kept], starts)


def _written(
    folder: Path,
    found: Populations,
    aligned: Aligned,
    likeness: dict[str, Likeness],
    findings: tuple[Finding, ...],
    made: dict[str, Any],
) -> tuple[Path, ...]:
    """Maps, facts and a picture."""
    from nissl.report.population_plots import overlap_plot

    make_folder(folder)
    maps, picture = folder / "maps.npz", folder / "overlap.png"
    arrays: dict[str, Any] = {}
    for k, (name, own) in enumerate(zip("ab", aligned.maps, strict=True)):
        arrays |= {f"{name}_mean": own.mean, f"{name}_weights": own.weights}
        arrays[f"{name}_units"] = found.populations[k].units
    with atomic_write(maps) as file:
        np.savez(file, **arrays)
    told = {
        **made,
        "sources": [f.name for f in found.fragments],
        "units": [f.n_units for f in found.fragments],
        "aligner": {k: v for k, v in aligned.facts.items()},
        "likeness": {how: vars(value) for how, value in likeness.items()},
        "findings": [f.to_json() for f in findings],
    }
    facts = write_facts(told, folder)
    overlap_plot(found.fragments, aligned, found.conditions, picture)
    return maps, facts, picture


__all__ = ["Overlap", "overlap"]
