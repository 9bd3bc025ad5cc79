"""Aligners: each maps several populations into the space of the first.

An aligner is a function `(fragments, rng, settings) -> Aligned`. It is fitted on calibration parts
and looks at nothing else. What it needs beyond activity stands in `NEEDS`: "conditions" that
windows share, "windows" that come again, or "units" that are the same in all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nissl.align.fragments import Floats, Fragment, Ints, same_bins
from nissl.align.latent.canonical import canonical, hyperaligned, shared
from nissl.align.latent.confidence import doubt, gap, probability
from nissl.align.latent.gromov import coupled, fused
from nissl.align.latent.maps import Aligned, Map
from nissl.align.latent.procrustes import likeness, rotation
from nissl.align.latent.spaces import own_space
from nissl.align.latent.trajectories import (
    Trajectories,
    n_steps,
    paired_means,
    trajectories,
)
from nissl.align.latent.transport import refined, transported
from nissl.errors import BadArgumentError


@dataclass(frozen=True)
class Settings:
    """What all aligners share.

    Parameters
    ----------
    n_axes : int
        Axes of the common space.
    smooth_s : float
        Standard deviation of the Gaussian over activity, s.
    space : {"pca", "fa", "gpfa"}
        How a population's own latents are found.
    """

    n_axes: int = 10
    smooth_s: float = 0.06
    space: str = "pca"


Aligner = Callable[[Sequence[Fragment], np.random.Generator, Settings], Aligned]


def align(
    fragments: Sequence[Fragment],
    method: str = "transport",
    *,
    rng: np.random.Generator,
    settings: Settings | None = None,
) -> Aligned:
    """Map populations into the space of the first.

    Parameters
    ----------
    fragments : sequence of Fragment
        Two or more, calibration parts only; the first is the reference.
    method : str
        One of `ALIGNERS`.
    rng : numpy.random.Generator
    settings : Settings, optional

    Raises
    ------
    BadArgumentError
        Of an unknown method, bins of several lengths, or where what the method needs is missing.
    """
    if method not in ALIGNERS:
        raise BadArgumentError(f"an aligner among {list(ALIGNERS)}", repr(method), "Choose one.")
    if len(fragments) < 2:
        raise BadArgumentError("two or more fragments", f"{len(fragments)}", "Name another one.")
    same_bins(tuple(fragments))
    return ALIGNERS[method](fragments, rng, settings or Settings())


def _own(fragments: Sequence[Fragment], settings: Settings) -> list[Map]:
    return [
        own_space(f, n_axes=settings.n_axes, smooth_s=settings.smooth_s, space=settings.space)
        for f in fragments
    ]


def _courses(fragments: Sequence[Fragment], maps: Sequence[Map]) -> list[Trajectories]:
    steps = n_steps(*fragments)
    return [trajectories(f, m.transform(f), steps) for f, m in zip(fragments, maps, strict=True)]


def _none(fragments: Sequence[Fragment], rng: np.random.Generator, settings: Settings) -> Aligned:
    """No alignment: the reference's map, units taken for the same ones in order or by identity."""
    reference = _own(fragments[:1], settings)[0]
    names = _names(fragments[0])
    maps = [reference]
    for other in fragments[1:]:
        own = _names(other)
        weights = np.zeros((other.n_units, reference.n_axes))
        mean = np.zeros(other.n_units)
        _, here, there = np.intersect1d(own, names, return_indices=True)
        if not len(here):
            raise BadArgumentError(
                f"units that both {fragments[0].name!r} and {other.name!r} heard",
                "none of one number",
                "Without common units, align by windows: method 'transport'.",
            )
        weights[here], mean[here] = reference.weights[there], reference.mean[there]
        process = reference.process
        if process is not None:
            process = process.of_units(there, here, other.n_units)
        maps.append(replace(reference, mean=mean, weights=weights, process=process))
    return Aligned("none", tuple(maps))


def _names(fragment: Fragment) -> Ints:
    return np.arange(fragment.n_units) if fragment.units is None else fragment.units


def _procrustes(
    fragments: Sequence[Fragment], rng: np.random.Generator, settings: Settings
) -> Aligned:
    """Turn each onto the reference by means of shared conditions (Schoenemann 1966)."""
    maps = _own(fragments, settings)
    courses = _courses(fragments, maps)
    out, alike = [maps[0]], []
    for own, course in zip(maps[1:], courses[1:], strict=True):
        a, b, weight = paired_means(courses[0], course)
        out.append(own.turned(rotation(b, a, weight)))
        alike.append(likeness(b, a))
    return Aligned("procrustes", tuple(out), {"likeness": alike})


def _cca(fragments: Sequence[Fragment], rng: np.random.Generator, settings: Settings) -> Aligned:
    """Canonical axes of conditions' means (Gallego et al. 2020, Nat. Neurosci. 23:260-270).

    Canonical scores of the others are sent back into the reference's latents, so that what was
    fitted there can read them.
    """
    maps = _own(fragments, settings)
    courses = _courses(fragments, maps)
    out, correlations = [maps[0]], []
    for own, course in zip(maps[1:], courses[1:], strict=True):
        a, b, weight = paired_means(courses[0], course)
        root = np.sqrt(weight / weight.mean())[:, None]
        wa, wb, r = canonical(a * root, b * root)
        out.append(own.turned(wb @ np.linalg.pinv(wa)))
        correlations.append(r.tolist())
    return Aligned("cca", tuple(out), {"correlations": correlations})


def _means(fragments: Sequence[Fragment], courses: Sequence[Trajectories]) -> list[Floats]:
    """Conditions that all have, step by step: one set of rows per fragment."""
    known = [set(c.condition[c.condition >= 0].tolist()) for c in courses]
    common = sorted(set.intersection(*known))
    if len(common) < 2:
        raise BadArgumentError(
            "two or more conditions that all fragments have",
            f"{len(common)}",
            "State the condition of windows, or leave out the fragment that shares none.",
        )
    return [
        np.concatenate([c.values[c.condition == k].mean(axis=0) for k in common]) for c in courses
    ]


def _gcca(fragments: Sequence[Fragment], rng: np.random.Generator, settings: Settings) -> Aligned:
    """Scores that all populations predict together; the first's map is part of the answer."""
    maps = _own(fragments, settings)
    means = _means(fragments, _courses(fragments, maps))
    weights = shared(means, settings.n_axes)
    out = tuple(m.turned(w) for m, w in zip(maps, weights, strict=True))
    return Aligned("gcca", out)


def _hyper(fragments: Sequence[Fragment], rng: np.random.Generator, settings: Settings) -> Aligned:
    """Rotations of all onto their common mean, then into the first's space."""
    maps = _own(fragments, settings)
    turns = hyperaligned(_means(fragments, _courses(fragments, maps)))
    return Aligned("hyperalignment", tuple(m.turned(q) for m, q in zip(maps, turns, strict=True)))


def _transport(
    fragments: Sequence[Fragment], rng: np.random.Generator, settings: Settings
) -> Aligned:
    """Pair windows by optimal transport; conditions are used where they are known."""
    maps = _own(fragments, settings)
    courses = _courses(fragments, maps)
    out, couplings, gaps, sure, doubts = [maps[0]], [], [], [], []
    for fragment, own, course in zip(fragments[1:], maps[1:], courses[1:], strict=True):
        found = transported(courses[0], course, rng)
        out.append(own.turned(found[0].turn))
        couplings.append(found[0].coupling)
        gaps.append(gap(found))
        labelled = bool(((course.condition >= 0) & (courses[0].condition.max() >= 0)).any())
        sure.append(float("nan") if labelled else probability(gaps[-1]))
        if not labelled:
            doubts += doubt(fragment.name, sure[-1])
    facts = {"gap": gaps, "probability": sure, "doubts": doubts}
    return Aligned("transport", tuple(out), facts, tuple(couplings))


def _gromov(fragments: Sequence[Fragment], rng: np.random.Generator, settings: Settings) -> Aligned:
    """Pair windows by their distances within each day alone (Gromov-Wasserstein), then turn."""
    return _paired("gromov-wasserstein", coupled, fragments, settings)


def _fused(fragments: Sequence[Fragment], rng: np.random.Generator, settings: Settings) -> Aligned:
    """The same, by what windows are like by themselves too."""
    return _paired("fused-gromov-wasserstein", fused, fragments, settings)


def _paired(
    method: str,
    pairing: Callable[[Trajectories, Trajectories], Floats],
    fragments: Sequence[Fragment],
    settings: Settings,
) -> Aligned:
    maps = _own(fragments, settings)
    courses = _courses(fragments, maps)
    out, couplings = [maps[0]], []
    for own, course in zip(maps[1:], courses[1:], strict=True):
        pairs = pairing(courses[0], course)
        a, b = courses[0], course
        goal = (pairs @ a.flat / pairs.sum(axis=1, keepdims=True)).reshape(b.values.shape)
        n_axes = settings.n_axes
        turn = rotation(b.values.reshape(-1, n_axes), goal.reshape(-1, n_axes))
        best = refined(a, b, turn)
        out.append(own.turned(best.turn))
        couplings.append(best.coupling)
    return Aligned(method, tuple(out), couplings=tuple(couplings))


def _stable(fragments: Sequence[Fragment], rng: np.random.Generator, settings: Settings) -> Aligned:
    """Turn loadings of the same units, those that changed left out.

    Degenhart et al. (2020, Nat. Biomed. Eng. 4:672-685): Procrustes between the loadings of both
    days on the electrodes whose loadings agree best, found by leaving out the worst one by one.
    """
    maps = _own(fragments, settings)
    names = _names(fragments[0])
    out, kept = [maps[0]], []
    for other, own in zip(fragments[1:], maps[1:], strict=True):
        _, here, there = np.intersect1d(_names(other), names, return_indices=True)
        a, b = maps[0].weights[there], own.weights[here]
        both = np.flatnonzero((np.abs(a).sum(axis=1) > 0) & (np.abs(b).sum(axis=1) > 0))
        if len(both) < settings.n_axes:
            raise BadArgumentError(
                f"{settings.n_axes} or more units that both {fragments[0].name!r} and "
                f"{other.name!r} heard",
                f"{len(both)}",
                "Find the same units first (`nissl align --by cells` or `--by waveform`), "
                "or align without them.",
            )
        goal = max(settings.n_axes, len(both) // 2)
        turn = rotation(b[both], a[both])
        while len(both) > goal:
            apart = ((b[both] @ turn - a[both]) ** 2).sum(axis=1)
            both = np.delete(both, int(np.argmax(apart)))
            turn = rotation(b[both], a[both])
        out.append(own.turned(turn))
        kept.append(len(both))
    return Aligned("stable", tuple(out), {"units": kept})


ALIGNERS: Mapping[str, Aligner] = {
    "transport": _transport,
    "procrustes": _procrustes,
    "cca": _cca,
    "gcca": _gcca,
    "hyperalignment": _hyper,
    "gromov-wasserstein": _gromov,
    "fused-gromov-wasserstein": _fused,
    "stable": _stable,
    "none": _none,
}
NEEDS: Mapping[str, str] = {
    "transport": "windows",
    "procrustes": "conditions",
    "cca": "conditions",
    "gcca": "conditions",
    "hyperalignment": "conditions",
    "gromov-wasserstein": "windows",
    "fused-gromov-wasserstein": "windows",
    "stable": "units",
    "none": "units",
}
