"""A rule learnt in one source's population that predicts another's, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nissl.align.latent.aligners import NEEDS, Settings
from nissl.align.translation.unpaired import ADAPTED, COURSE, FEW, OWN, WAYS, ZERO, Carried, carry
from nissl.errors import BadArgumentError
from nissl.labels.atomic import atomic_write, make_folder
from nissl.labels.replay import Rule
from nissl.project.relating.populations import populations
from nissl.project.source import Source
from nissl.project.writing import write_facts, write_table
from nissl.store import Store
from nissl.tasks import Finding

LITTLE = 0.01
"""Variance explained below which there is nothing to carry."""


@dataclass(frozen=True, eq=False)
class CarriedOver:
    """Rules of two sources, each tried on the other.

    Parameters
    ----------
    ways : tuple of Carried
        From the first to the second, and back.
    table : pyarrow.Table
        A row for each direction, way and step.
    findings : tuple of Finding
    files : tuple of Path
    """

    ways: tuple[Carried, Carried]
    table: pa.Table
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


def carry_sources(
    store: Store,
    a: Source,
    b: Source,
    windows: Sequence[str | Path],
    *,
    method: str = "transport",
    bin_s: float = 0.05,
    n_axes: int = 10,
    smooth_s: float = 0.06,
    n_steps: int = 5,
    adapt_on: int = 5,
    duration_s: float | None = None,
    permutations: int = 49,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
) -> CarriedOver:
    """Carry rules between two populations; see `nissl.project.Project.carry`."""
    from nissl.report.translation_plots import carried_plot

    if method not in NEEDS:
        raise BadArgumentError(f"an aligner among {list(NEEDS)}", repr(method), "Choose one.")
    found = populations(store, (a, b), windows, bin_s=bin_s, duration_s=duration_s, resolve=resolve)
    rng = np.random.default_rng(seed)
    there, back = (
        carry(
            first,
            second,
            rng,
            method=method,
            settings=Settings(n_axes=n_axes, smooth_s=smooth_s),
            n_steps=n_steps,
            adapt_on=adapt_on,
            n_null=permutations,
        )
        for first, second in (found.fragments, found.fragments[::-1])
    )
    findings = (*findings_of(there), *findings_of(back))
    table = table_of((there, back), bin_s)
    folder = Path(out) if out is not None else store.path / "reports" / f"{a.name}~{b.name}.rule"
    make_folder(folder)
    files = [*write_table(table, folder, "carried"), folder / "rules.npz"]
    with atomic_write(files[-1]) as file:
        np.savez(file, **_arrays((there, back)))
    told = {
        "sources": [a.name, b.name],
        "fingerprints": [a.fingerprint, b.fingerprint],
        "label_sets": [list(own) for own in found.labels],
        "windows": [Path(w).name for w in windows],
        "method": method,
        "bin_s": bin_s,
        "n_axes": n_axes,
        "smooth_s": smooth_s,
        "permutations": permutations,
        "seed": seed,
        "directions": [facts_of(c) for c in (there, back)],
        "findings": [f.to_json() for f in findings],
    }
    files.append(write_facts(told, folder))
    for one in (there, back):
        files.append(folder / f"{one.names[0]}~{one.names[1]}.png")
        carried_plot(one, files[-1])
    return CarriedOver((there, back), table, findings, tuple(files))


def table_of(ways: Sequence[Carried], bin_s: float) -> pa.Table:
    """Skill of every way, step and direction."""
    return pa.Table.from_pylist(
        [
            {
                "from": one.names[0],
                "to": one.names[1],
                "way": way,
                "ahead_s": round((k + 1) * bin_s, 9),
                "skill": float(one.skill[way][k]),
                "low": float(one.low[way][k]),
                "high": float(one.high[way][k]),
            }
            for one in ways
            for way in WAYS
            for k in range(len(one.home))
        ]
    )


def facts_of(one: Carried) -> dict[str, Any]:
    """Plain values of one direction."""
    return {
        "from": one.names[0],
        "to": one.names[1],
        "skill": {way: one.mean(way) for way in WAYS},
        "at_home": float(one.home.mean()),
        "short_of_own": list(one.short),
        "turned": float(one.turned.mean()),
        "scrambled": float(one.scrambled.mean()),
        "p_turned": one.p("turned"),
        "p_scrambled": one.p("scrambled"),
        "order": one.rule.order,
        "adapted_on": one.adapted_on,
        "evidence_bins": one.evidence,
        "aligner": dict(one.aligned.facts),
    }


def _arrays(ways: Sequence[Carried]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, one in zip(("there", "back"), ways, strict=True):
        maps = one.aligned.maps
        out |= {f"{name}_rule": one.rule.weights, f"{name}_order": np.array(one.rule.order)}
        for end, own in zip(("reference", "other"), maps, strict=True):
            out |= {f"{name}_{end}_mean": own.mean, f"{name}_{end}_weights": own.weights}
    return out


def findings_of(one: Carried) -> tuple[Finding, ...]:
    """What a direction says, in sentences."""
    a, b = one.names
    zero, own, course = one.mean(ZERO), one.mean(OWN), one.mean(COURSE)
    out = [Finding("alignment", "warning", sentence) for sentence in one.aligned.doubts]
    if own < LITTLE:
        sentence = (
            f"{b} goes on by no linear rule that could be learnt from its own windows (skill "
            f"{own:.3f}): there is nothing to carry over."
        )
        return (*out, Finding("rule", "warning", sentence, value=own, limit=LITTLE))
    worse = max(one.p("turned"), one.p("scrambled"))
    if zero <= 0 or worse > 0.05:
        sentence = (
            f"The rule of {a} does not carry over to {b}: {_why(one)} (skill {zero:.3f}; {b}'s "
            f"own rule {own:.3f})."
        )
        out.append(Finding("rule", "warning", sentence, value=worse, limit=0.05))
    else:
        behind = ", and falls short of it beyond chance" if one.short[1] > 0 else ""
        sentence = (
            f"The rule of {a} carries over to {b}: unchanged it tells {zero / own:.0%} of what "
            f"{b}'s own rule does ({zero:.3f} of {own:.3f}){behind}."
        )
        out.append(Finding("rule", "note", sentence, value=zero / own))
    gain = one.mean(ADAPTED) - one.mean(FEW)
    worth = "is worth it" if gain > LITTLE else "is not worth it"
    sentence = (
        f"Corrected by {one.adapted_on} windows of {b} it tells {one.mean(ADAPTED):.3f}, a rule of "
        f"these windows alone {one.mean(FEW):.3f}: carrying it over {worth} there."
    )
    out.append(Finding("adaptation", "note", sentence, value=gain, limit=LITTLE))
    if course > own:
        sentence = (
            f"The mean course of {b}'s windows tells more ({course:.3f}) than any rule: what comes "
            "next follows from the time since a window began, and says little of a shared rule."
        )
        out.append(Finding("course", "warning", sentence, value=course, limit=own))
    return tuple(out)


def _why(one: Carried) -> str:
    if one.mean(ZERO) <= 0:
        return "it is worse than the mean"
    if one.p("turned") > 0.05:
        return "laid over it at random it does as well, so that it tells of slowness alone"
    return "a rule of each axis by itself does as well"
