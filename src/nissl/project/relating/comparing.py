"""Populations made comparable: two sources in one space."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np

from nissl.align.axis_links import axis_links
from nissl.align.binning import bins_of, width_of
from nissl.align.fragments import Fragment, Ints
from nissl.align.latent.aligners import NEEDS, Settings, align
from nissl.align.latent.axes import same_axes
from nissl.align.latent.carrying import WORTH, Carried, carried
from nissl.align.latent.export import onnx_model
from nissl.align.latent.geometry import LIKENESSES, Likeness, compared
from nissl.align.latent.maps import Aligned, Map
from nissl.align.latent.trajectories import n_steps, trajectories
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.errors import BadArgumentError
from nissl.labels import LabelSet
from nissl.labels.atomic import atomic_write, make_folder, write_bytes
from nissl.labels.digest import plain_json
from nissl.labels.replay import Rule
from nissl.project.adding import keep
from nissl.project.deriving import keep_derived
from nissl.project.relating.behaving import remapped_windows, with_behaviour
from nissl.project.relating.populations import Population, Populations, populations
from nissl.project.source import Source
from nissl.project.writing import write_facts
from nissl.store import Store
from nissl.tasks import Finding

LATENTS = "latents"
FEW_WINDOWS = 20


@dataclass(frozen=True, eq=False)
class Overlap:
    """Sources in one space; the first is the reference.

    Parameters
    ----------
    aligned : Aligned
    likenesses : tuple of mapping of str to Likeness
        How alike the conditions of the reference and of each other source lie, beside chance; empty
        without known conditions.
    sources : tuple of str
        Names of the derived sources with the latents of each.
    findings : tuple of Finding
    files : tuple of Path
    links : tuple of LabelSet
        Axes of each other source that are axes of the reference, kept in the project.
    carried : tuple of Carried
        Of each other source, where a behaviour was named: its decoders.
    """

    aligned: Aligned
    likenesses: tuple[dict[str, Likeness], ...]
    sources: tuple[str, ...]
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]
    links: tuple[LabelSet, ...] = ()
    carried: tuple[Carried, ...] = ()

    @property
    def likeness(self) -> dict[str, Likeness]:
        """Of the reference and the second source."""
        return self.likenesses[0]


def overlap(
    store: Store,
    sources: Sequence[Source],
    windows: Sequence[str | Path],
    *,
    method: str = "transport",
    space: str = "pca",
    bin_s: float = 0.05,
    n_axes: int = 10,
    smooth_s: float = 0.06,
    duration_s: float | None = None,
    labels: bool = True,
    behaviour: Sequence[str | Path] = (),
    onnx: bool = False,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
) -> Overlap:
    """Bring populations into one space; see `nissl.project.Project.overlap`."""
    if len({s.fingerprint for s in sources}) < max(len(sources), 2):
        given = ", ".join(s.name for s in sources)
        raise BadArgumentError("two or more sources", given, "Name others of the project's.")
    found = populations(
        store, sources, windows, bin_s=bin_s, duration_s=duration_s, resolve=resolve
    )
    told, named = found.fragments, ""
    if behaviour:
        told, named = with_behaviour(told, found.populations, found.bins, behaviour)
    used = found.fragments
    if not labels:
        used = tuple(f.without_conditions() for f in used)
    rng = np.random.default_rng(seed)
    settings = Settings(n_axes=n_axes, smooth_s=smooth_s, space=space)
    aligned = align(used, method, rng=rng, settings=settings)
    likenesses = tuple(
        _likeness((told[0], told[k]), (aligned.maps[0], aligned.maps[k]), rng)
        for k in range(1, len(told))
    )
    findings = _doubts(found, aligned, likenesses)
    made = {
        "windows": [Path(w).name for w in windows],
        "method": method,
        "space": space,
        "bin_s": bin_s,
        "n_axes": n_axes,
        "smooth_s": smooth_s,
        "labels_used": labels and NEEDS[method] != "units",
        "seed": seed,
        "reference": sources[0].fingerprint,
        "conditions": list(found.conditions),
    }
    names = tuple(
        _kept(store, p, m, bin_s, {**made, "label_sets": list(own)})
        for p, m, own in zip(found.populations, aligned.maps, found.labels, strict=True)
    )
    sets = _linked(store, names, used, told, made, rng, settings)
    scores: tuple[Carried, ...] = ()
    if named:
        scores = tuple(
            carried(told[0], told[k], (used[0], used[k]), method, named, rng, settings)
            for k in range(1, len(told))
        )
        said = zip(told[1:], scores, strict=True)
        findings += tuple(
            Finding("decoder", "note", f"{f.name}, {c.sentence}", value=c.gain, limit=WORTH)
            for f, c in said
        )
        findings += tuple(each for f in told for each in remapped_windows(f, named, rng))
    stem = "~".join(s.name for s in sources)
    folder = Path(out) if out is not None else store.path / "reports" / f"{stem}.overlap"
    more = {"decoders": [vars(c) for c in scores]}
    files = _written(folder, found, aligned, likenesses, findings, {**made, **more}, onnx=onnx)
    return Overlap(aligned, likenesses, names, findings, files, sets, scores)


def _likeness(
    fragments: tuple[Fragment, Fragment], maps: tuple[Map, Map], rng: np.random.Generator
) -> dict[str, Likeness]:
    """Likenesses of the means of conditions that both have; none where four are not shared."""
    steps = n_steps(*fragments)
    courses = [trajectories(f, m.transform(f), steps) for f, m in zip(fragments, maps, strict=True)]
    shared = np.intersect1d(courses[0].condition, courses[1].condition)
    shared = shared[shared >= 0]
    if len(shared) < 4:
        return {}
    means = [np.array([c.values[c.condition == k].mean(axis=0) for k in shared]) for c in courses]
    return {how: compared(means[0], means[1], how, rng) for how in LIKENESSES}


def _linked(
    store: Store,
    names: Sequence[str],
    used: Sequence[Fragment],
    told: Sequence[Fragment],
    made: dict[str, Any],
    rng: np.random.Generator,
    settings: Settings,
) -> tuple[LabelSet, ...]:
    """Axes of each other source as links to those of the reference, kept."""
    prints = {row.name: row.fingerprint for row in store.sources()}
    out = []
    for k in range(1, len(names)):
        pair, known = (used[0], used[k]), (told[0], told[k])
        same = same_axes(pair, known, str(made["method"]), rng, settings)
        ends = prints[names[k]], prints[names[0]]
        labels, items = axis_links(same, *ends, LATENTS, {"with": ends[1], **made})
        keep(store, labels, items=store.put_items(items))
        out.append(labels)
    return tuple(out)


def _doubts(
    found: Populations, aligned: Aligned, likenesses: Sequence[dict[str, Likeness]]
) -> tuple[Finding, ...]:
    out = [Finding("alignment", "warning", sentence) for sentence in aligned.doubts]
    for fragment, likeness in zip(found.fragments[1:], likenesses, strict=True):
        if "shape" in likeness and likeness["shape"].p > 0.05:
            same = likeness["shape"]
            out.append(
                Finding(
                    "geometry",
                    "warning",
                    f"Conditions do not lie alike in {found.fragments[0].name} and "
                    f"{fragment.name}: their likeness of {same.value:.2f} is what chance gives "
                    f"({same.null_mean:.2f}). These two do not match; what is read through the "
                    "common space means nothing.",
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
    read = {
        "units": population.units.tolist(),
        "mean": own.mean.tolist(),
        "weights": own.weights.tolist(),
    }
    facts = {"source": population.source.fingerprint, "stream": population.stream, "map": read}
    return keep_derived(store, population.source, signal, {**made, **facts})


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
    likenesses: Sequence[dict[str, Likeness]],
    findings: tuple[Finding, ...],
    made: dict[str, Any],
    *,
    onnx: bool,
) -> tuple[Path, ...]:
    """Maps, facts and a picture."""
    from nissl.report.population_plots import overlap_plot

    make_folder(folder)
    maps, picture = folder / "maps.npz", folder / "overlap.png"
    arrays: dict[str, Any] = {}
    models = []
    for k, own in enumerate(aligned.maps):
        name = ascii_lowercase[k] if k < len(ascii_lowercase) else f"source{k + 1}"
        arrays |= {f"{name}_mean": own.mean, f"{name}_weights": own.weights}
        arrays[f"{name}_units"] = found.populations[k].units
        if own.process is not None:
            arrays |= {f"{name}_process_{key}": v for key, v in vars(own.process).items()}
        if onnx:
            models.append(folder / f"map_{name}.onnx")
            facts = {"source": found.fragments[k].name, "made": plain_json(made, "made")}
            text = {key: v if isinstance(v, str) else json.dumps(v) for key, v in facts.items()}
            write_bytes(models[-1], onnx_model(own, "map", text))
    with atomic_write(maps) as file:
        np.savez(file, **arrays)
    told = {
        **made,
        "sources": [f.name for f in found.fragments],
        "units": [f.n_units for f in found.fragments],
        "aligner": {k: v for k, v in aligned.facts.items()},
        "likeness": [{how: vars(v) for how, v in each.items()} for each in likenesses],
        "findings": [f.to_json() for f in findings],
    }
    written = write_facts(told, folder)
    overlap_plot(found.fragments, aligned, found.conditions, picture)
    return maps, written, picture, *models


__all__ = ["Overlap", "overlap"]
