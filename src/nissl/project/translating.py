"""One source predicted from another that was recorded at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nissl.align.translate import Translation, translate
from nissl.labels.atomic import atomic_write, make_folder
from nissl.labels.replay import Rule
from nissl.project.populations import populations
from nissl.project.source import Source
from nissl.project.writing import write_facts
from nissl.store import Store
from nissl.tasks import Finding


@dataclass(frozen=True, eq=False)
class Translated:
    """A map between two sources, and what it is worth.

    Parameters
    ----------
    translation : Translation
    units : ndarray of int, shape (n_y,)
        What is predicted.
    findings : tuple of Finding
    files : tuple of Path
    """

    translation: Translation
    units: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


def translate_sources(
    store: Store,
    a: Source,
    b: Source,
    windows: Sequence[str | Path],
    *,
    bin_s: float = 0.05,
    lags: Sequence[int] = (-2, -1, 0, 1, 2),
    duration_s: float | None = None,
    permutations: int = 49,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
) -> Translated:
    """Predict one source from another; see `nissl.project.Project.translate`."""
    found = populations(store, (a, b), windows, bin_s=bin_s, duration_s=duration_s, resolve=resolve)
    rng = np.random.default_rng(seed)
    source, target = found.fragments
    result = translate(source, target, rng, lags=lags, n_null=permutations)
    findings = _findings(result, a.name, b.name)
    folder = Path(out) if out is not None else store.path / "reports" / f"{a.name}~{b.name}.map"
    make_folder(folder)
    own = folder / "map.npz"
    with atomic_write(own) as file:
        np.savez(
            file,
            weights=result.weights,
            offset=result.offset,
            lags=np.array(result.lags),
            skill=result.skill,
            shuffled=result.shuffled,
            scrambled=result.scrambled,
            by_window=result.by_window,
            source_units=found.populations[0].units,
            target_units=found.populations[1].units,
        )
    told = {
        "source": a.name,
        "target": b.name,
        "fingerprints": [a.fingerprint, b.fingerprint],
        "label_sets": [list(own) for own in found.labels],
        "windows": [Path(w).name for w in windows],
        "bin_s": bin_s,
        "lags": list(result.lags),
        "rank": result.rank,
        "penalty": result.penalty,
        "skill": result.overall,
        "shuffled": float(result.shuffled.mean()),
        "scrambled": float(result.scrambled.mean()),
        "p": result.p,
        "permutations": permutations,
        "seed": seed,
        "findings": [f.to_json() for f in findings],
    }
    files = (own, write_facts(told, folder))
    return Translated(result, found.populations[1].units, findings, files)


def _findings(found: Translation, a: str, b: str) -> tuple[Finding, ...]:
    out = []
    if found.p > 0.05:
        shared = found.shuffled.mean() > 0.5 * max(found.overall, 1e-9)
        why = (
            " Windows paired at random do nearly as well: what is predicted is what all windows "
            "have in common."
            if shared and found.overall > 0
            else ""
        )
        out.append(
            Finding(
                "translation",
                "warning",
                f"{b} is not predicted from {a} better than chance (skill {found.overall:.2f}, "
                f"p {found.p:.2f}).{why}",
                value=found.p,
                limit=0.05,
            )
        )
    bad = np.flatnonzero(found.by_window < 0)
    if bad.size and found.p <= 0.05:
        out.append(
            Finding(
                "windows",
                "note",
                f"In {bad.size} of {len(found.by_window)} windows it is worse than the mean: "
                f"{', '.join(str(k) for k in bad[:10].tolist())}"
                f"{' ...' if bad.size > 10 else ''}.",
                value=float(bad.size),
            )
        )
    return tuple(out)


__all__ = ["Translated", "translate_sources"]
