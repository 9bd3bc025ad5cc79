"""One source predicted from another that was recorded at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from nissl.align.fragments import Fragment, Ints
from nissl.align.translation import files
from nissl.align.translation.linear import Linear
from nissl.align.translation.paired import Translation, translate
from nissl.labels.atomic import atomic_write, make_folder, write_bytes
from nissl.labels.replay import Rule
from nissl.project.relating.together import simultaneous
from nissl.project.source import Source
from nissl.project.writing import write_facts
from nissl.store import Store
from nissl.tasks import Finding

ENDS = ("source", "target")


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
    units: Ints
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


def translate_sources(
    store: Store,
    a: Source,
    b: Source,
    windows: Sequence[str | Path],
    *,
    method: str = "ridge",
    bin_s: float = 0.05,
    lags: Sequence[int] = (-2, -1, 0, 1, 2),
    streams: tuple[str | None, str | None] = (None, None),
    bands: tuple[str | None, str | None] = (None, None),
    same_clock: bool = False,
    duration_s: float | None = None,
    permutations: int = 49,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
) -> Translated:
    """Predict one source from another; see `nissl.project.Project.translate`."""
    found, lost = simultaneous(
        store, (a, b), windows, bin_s=bin_s, streams=streams, bands=bands, same_clock=same_clock,
        duration_s=duration_s, resolve=resolve,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    source, target = found.fragments
    result = translate(source, target, rng, method=method, lags=lags, n_null=permutations)
    findings = (*_lost(lost, b.name), *_findings(result, a.name, b.name))
    folder = Path(out) if out is not None else store.path / "reports" / f"{a.name}~{b.name}.map"
    units: dict[str, Any] = {
        f"{end}_units": p.units for end, p in zip(ENDS, found.populations, strict=True)
    }
    for end, p in zip(ENDS, found.populations, strict=True):
        if p.scale is not None:
            units[f"{end}_scale"] = p.scale
    told = {
        "source": a.name,
        "target": b.name,
        "fingerprints": [a.fingerprint, b.fingerprint],
        "label_sets": [list(own) for own in found.labels],
        "windows": [Path(w).name for w in windows],
        "bin_s": bin_s,
        "signals": [p.modality for p in found.populations],
        "bands": list(bands),
        "method": result.method,
        "lags": list(result.lags),
        **_of_rule(result),
        "skill": result.overall,
        "shuffled": float(np.nanmean(result.shuffled)),
        "scrambled": float(np.nanmean(result.scrambled)),
        "null": result.null,
        "p": result.p,
        "permutations": permutations,
        "seed": seed,
        "findings": [f.to_json() for f in findings],
    }
    written = _written(folder, result, target, units, told)
    return Translated(result, found.populations[1].units, findings, written)


def _of_rule(found: Translation) -> dict[str, Any]:
    rule: Any = found.rule
    if isinstance(rule, Linear):
        return {"rank": rule.rank, "penalty": rule.penalty}
    return {"gained_over_ridge": rule.gained}


def _written(
    folder: Path,
    found: Translation,
    target: Fragment,
    units: Mapping[str, Any],
    told: Mapping[str, Any],
) -> tuple[Path, ...]:
    """The map as npz, as ONNX where that can be written, facts and a picture."""
    from nissl.report.translation_plots import translation_plot

    make_folder(folder)
    out = [folder / "map.npz"]
    with atomic_write(out[0]) as file:
        np.savez(file, **{**files.arrays(found), **units})
    if find_spec("onnx") is not None:
        header = {k: told[k] for k in ("source", "target", "bin_s", "fingerprints")}
        header |= {name: own.tolist() for name, own in units.items()}
        out.append(folder / "map.onnx")
        write_bytes(out[-1], files.onnx_of(found, header))
    out += [write_facts(told, folder), folder / "translation.png"]
    translation_plot(found, target, units["target_units"], out[-1])
    return tuple(out)


def _lost(lost: int, b: str) -> tuple[Finding, ...]:
    if not lost:
        return ()
    sentence = f"{lost} windows were left out, for {b} did not record them whole."
    return (Finding("overlap", "warning", sentence, value=float(lost)),)


def _findings(found: Translation, a: str, b: str) -> tuple[Finding, ...]:
    out = []
    still = int(np.isnan(found.skill).sum())
    if still:
        sentence = f"{still} of {len(found.skill)} units of {b} never change here; not scored."
        out.append(Finding("constant", "note", sentence, value=float(still)))
    if found.p > 0.05:
        shared = np.nanmean(found.shuffled) > 0.5 * max(found.overall, 1e-9)
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
