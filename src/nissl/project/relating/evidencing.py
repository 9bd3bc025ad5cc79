"""Claims of a study, and the checklist of what speaks for them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from nissl import __version__
from nissl.align.binning import bins_of, width_of
from nissl.align.evidence.checklist import Checklist, checklist
from nissl.align.evidence.claim import Claim, Drive, Intervention, of_json
from nissl.align.evidence.outside import Basis, Driven, Switched
from nissl.align.fragments import Floats
from nissl.errors import BadArgumentError, MissingDependencyError, SourceNotFoundError
from nissl.labels.atomic import make_folder, write_bytes
from nissl.labels.replay import Rule
from nissl.project.annotating import current
from nissl.project.dossier import gather
from nissl.project.relating.directing import arrows_of
from nissl.project.relating.populations import SPIKES, about, population, populations
from nissl.project.relating.series import TABLES, series_of
from nissl.project.source import Source
from nissl.project.stimulating import find_stimuli
from nissl.project.writing import write_table
from nissl.run.progress import Progress
from nissl.store import Store

FOLDER = "claims"
MOST_SERIES = 20
"""Channels of a source that arrows are conditioned on; of more, only those that the claim names."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was found for a claim of a study.

    Parameters
    ----------
    checklist : Checklist
    files : tuple of Path
    """

    checklist: Checklist
    files: tuple[Path, ...]


def keep_claim(store: Store, claim: Claim) -> Path:
    """Keep a claim in the study; one of the same name must say the same.

    Raises
    ------
    BadArgumentError
        Another claim has this name: what was tested is not to be changed behind its back.
    """
    path = store.path / FOLDER / f"{claim.name}.json"
    if path.is_file() and read_claim(path).digest != claim.digest:
        raise BadArgumentError(
            f"a new name for a new claim, not {claim.name!r}",
            f"another claim in {path}",
            "Choose another name, or remove the file.",
        )
    make_folder(path.parent)
    write_bytes(path, (json.dumps(claim.to_json(), indent=2) + "\n").encode())
    return path


def read_claim(path: Path) -> Claim:
    """A claim from a JSON file, or from YAML where PyYAML is installed.

    Tables of windows are looked for from the file's folder on.
    """
    if not path.is_file():
        raise SourceNotFoundError("a claim", f"no file {path}", "Make one: nissl evidence --new")
    text = path.read_text(encoding="utf-8")
    try:
        value = _yaml(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except ValueError as error:
        raise BadArgumentError("a claim as JSON", str(error), f"Correct {path.name}.") from None
    if not isinstance(value, Mapping):
        raise BadArgumentError("the fields of a claim", type(value).__name__, f"See {path.name}.")
    return of_json(value)


def _yaml(text: str) -> Any:
    try:
        yaml = import_module("yaml")
    except ImportError as error:
        raise MissingDependencyError(
            "the package PyYAML, for a claim in YAML",
            "an installation without it",
            "Install it (pip install pyyaml), or write the claim as JSON.",
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def find_claim(store: Store, given: str | Path | Claim) -> tuple[Claim, Path]:
    """A claim by its name in the study or by its file, and the folder its tables stand from."""
    if isinstance(given, Claim):
        return given, Path()
    path = Path(given)
    if path.suffix not in (".json", ".yaml", ".yml"):
        path = store.path / FOLDER / f"{given}.json"
        if not path.is_file():
            known = sorted(p.stem for p in (store.path / FOLDER).glob("*.json"))
            raise BadArgumentError(
                f"a claim of this study, one of {known}, or a file",
                repr(str(given)),
                f"Make one: nissl evidence {store.path} {given} --new --source A --source B "
                "--windows trials --says '...'",
            )
    return read_claim(path), path.parent


def relative(windows: str, folder: Path) -> str:
    """A table of windows as a claim in a folder names it; names of spans stay."""
    if Path(windows).suffix.lower() not in TABLES:
        return windows
    return Path(os.path.relpath(windows, folder)).as_posix()


def evidence(
    store: Store,
    given: str | Path | Claim,
    *,
    duration_s: float | None = None,
    permutations: int = 199,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """Test a claim and write its checklist; see `nissl.project.Project.evidence`."""
    from nissl.report.evidence import write_evidence

    claim, folder = find_claim(store, given)
    sources = [_source(store, s.source) for s in claim.sources]
    found = populations(
        store,
        sources,
        [_from(folder, s.windows) for s in claim.sources],
        bin_s=claim.bin_s,
        duration_s=duration_s,
        resolve=resolve,
    )
    fragments = [
        replace(f, about=s.about(f.about))
        for f, s in zip(found.fragments, claim.sources, strict=True)
    ]
    rng = np.random.default_rng(seed)
    switched = [
        _switched(store, i, folder, claim.bin_s, duration_s, resolve) for i in claim.interventions
    ]
    driven, series = _driven(store, claim.drives, seed, resolve, progress)
    basis = [
        _basis(store, s, f.about, digests, resolve)
        for s, f, digests in zip(sources, fragments, found.labels, strict=True)
    ]
    result = checklist(
        claim,
        fragments,
        rng,
        switched=switched,
        driven=driven,
        basis=basis,
        conditions_of=found.conditions,
        permutations=permutations,
        progress=progress,
    )
    made = {
        "claim_digest": claim.digest,
        "nissl": __version__,
        "seed": seed,
        "permutations": permutations,
        "sources": {
            s.name: {"fingerprint": s.fingerprint, "label_sets": list(own), "units": f.n_units}
            for s, own, f in zip(sources, found.labels, fragments, strict=True)
        },
        "conditions": list(found.conditions),
        "series": series,
    }
    target = Path(out) if out is not None else store.path / "reports" / f"{claim.name}.evidence"
    make_folder(target)
    files = (*write_evidence(result, made, target), *write_table(result.table(), target, "items"))
    return Evidence(result, files)


def _source(store: Store, name: str) -> Source:
    return Source(store.source(name), store)


def _from(folder: Path, windows: str) -> str | Path:
    return folder / windows if Path(windows).suffix.lower() in TABLES else windows


def _switched(
    store: Store,
    asked: Intervention,
    folder: Path,
    bin_s: float,
    duration_s: float | None,
    resolve: Rule | None,
) -> Switched:
    """Mean activity of windows with and without an intervention, and when they began."""
    source = _source(store, asked.source)
    units = population(store, source, resolve=resolve)
    width = width_of(units.clock, bin_s)
    values: list[Floats] = []
    times: list[Floats] = []
    for windows in (asked.on, asked.off):
        told = find_stimuli(
            store, source, units.stream, _from(folder, windows), duration_s=duration_s,
            resolve=resolve,
        )  # fmt: skip
        left, window = bins_of(told.stimuli.start, told.stimuli.stop, width)
        mean = units.binned(left, width).mean(axis=1)
        there = np.unique(window)
        values.append(np.array([mean[window == k].mean() for k in there], np.float64))
        start = np.asarray(told.stimuli.start)[there]
        times.append(np.asarray(units.clock.to_seconds(start), np.float64))
    subject = asked.subject or about(source).subject
    return Switched(source.name, subject, asked.predicts, *values, *times)


def _driven(
    store: Store,
    asked: Sequence[Drive],
    seed: int,
    resolve: Rule | None,
    progress: Progress | None,
) -> tuple[list[Driven], list[dict[str, Any]]]:
    """Verdicts on claimed arrows, each source tested once, and what its series were made from."""
    out: list[Driven] = []
    made_from: list[dict[str, Any]] = []
    for name, modality in sorted({(d.source, d.modality) for d in asked}):
        own = [d for d in asked if (d.source, d.modality) == (name, modality)]
        source = _source(store, name)
        named = sorted({end for d in own for end in (d.cause, d.effect)})
        series = series_of(store, [source], resolve=resolve)
        if len(series.names) > MOST_SERIES or not set(named) <= set(series.names):
            series = series_of(store, [source], channels=named, resolve=resolve)
        method = "trains" if series.times_s else "gaussian"
        kind = modality or ("spikes" if series.times_s else "fields")
        found = arrows_of(series, method, kind, np.random.default_rng(seed), progress=progress)
        made_from += [{**o, "method": found.method, "modality": kind} for o in series.origin]
        by_ends = {(found.names[a.source], found.names[a.target]): a for a in found.arrows}
        for each in own:
            arrow = by_ends[each.cause, each.effect]
            subject = each.subject or about(source).subject
            out.append(
                Driven(name, subject, each.cause, each.effect, arrow.verdict, arrow.estimate,
                       arrow.q, found.unit)
            )  # fmt: skip
    return out, made_from


def _basis(
    store: Store, source: Source, known: Any, labels: tuple[str, ...], resolve: Rule | None
) -> Basis:
    if current(store, source, SPIKES) is None:
        return Basis(source.name, known, float("nan"), float("nan"), labels)
    day = gather(store, source, SPIKES, draft=True, resolve=resolve)
    sure = day.labels.column("confidence").astype(np.float64)
    mean = float(np.nanmean(sure)) if np.isfinite(sure).any() else float("nan")
    return Basis(source.name, known, float(day.reviewed), mean, labels)


__all__ = ["Evidence", "evidence", "find_claim", "keep_claim", "read_claim", "relative"]
