"""Evidence: verdicts on simulated claims of known truth, and on two real data sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nissl.align.directed.arrows import FIELDS
from nissl.align.directed.series import directed
from nissl.align.errormap.responses import Responses
from nissl.align.errormap.windowed import of_windows
from nissl.align.evidence.checklist import concluded, of_responses
from nissl.align.evidence.claim import Claim, Recorded
from nissl.align.evidence.item import Item, corrected
from nissl.align.evidence.outside import Driven, Switched, drives, intervention
from nissl.align.evidence.simulate import simulate_recordings, simulate_windows

SHARED = ("shared", "individuals", "conditions", "axes", "geometry")
WORLDS: Mapping[str, tuple[dict[str, Any], dict[str, bool]]] = {
    "all share, 1 axis": ({"n_subjects": 7, "n_days": 1, "axes": 1}, dict.fromkeys(SHARED, True)),
    "all share, 2 axes": ({"n_subjects": 7, "n_days": 1, "axes": 2}, dict.fromkeys(SHARED, True)),
    "all share, 3 axes": ({"n_subjects": 7, "n_days": 1, "axes": 3}, dict.fromkeys(SHARED, True)),
    "all share, 6 axes": (
        {"n_subjects": 7, "n_days": 1, "axes": 6, "private": 1, "n_conditions": 16, "depth": 0.4},
        {"shared": True, "individuals": True, "conditions": True, "geometry": True, "axes": False},
    ),
    "days of an individual share": (
        {"shared": "individual", "n_subjects": 5, "n_days": 2, "axes": 3},
        {"days": True, "individuals": False},
    ),
    "none share": (
        {"shared": "none", "n_subjects": 5, "n_days": 2, "axes": 3},
        {"days": False, **dict.fromkeys(SHARED, False)},
    ),
    "half of the conditions are shared": (
        {"shared": "half of conditions", "n_subjects": 6, "n_days": 1, "axes": 3},
        {"conditions": False},
    ),
    "half of the individuals share": (
        {"shared": "half of individuals", "n_subjects": 8, "n_days": 1, "axes": 3},
        {"individuals": False},
    ),
}
CLAIMED_AXES = 3
REPORTED = 1000
"""First seed that is reported; lower ones were looked at while rules of verdicts were set."""


def claim_of(name: str, parts: list[Responses], **more: Any) -> Claim:
    """A claim that names these recordings."""
    return Claim(name, name, tuple(Recorded(p.name, "windows") for p in parts), **more)


def simulated(world: str, seed: int) -> dict[str, str]:
    """Verdicts of a world's items."""
    how, _ = WORLDS[world]
    fragments = simulate_recordings(np.random.default_rng([seed, 1]), **how)
    parts = of_windows(fragments)
    claim = claim_of(world, parts, axes=CLAIMED_AXES)
    items = concluded(of_responses(claim, parts, np.random.default_rng(seed), permutations=59))
    return {i.name: i.verdict for i in items}


def simulated_part(*, quick: bool) -> dict[str, Any]:
    """Of every world, how often each item was supported."""
    seeds = range(REPORTED, REPORTED + (3 if quick else 20))
    out: dict[str, Any] = {"seeds": len(seeds), "worlds": {}}
    for world, (_, truth) in WORLDS.items():
        print("  ", world, flush=True)
        found = [simulated(world, s) for s in seeds]
        out["worlds"][world] = {
            name: {
                "true": true,
                "supported": sum(f[name] == "supported" for f in found),
                "untestable": sum(f[name] == "not testable" for f in found),
                "n": len(found),
            }
            for name, true in truth.items()
        }
    return out


def _windows(seed: int, subject: int, effect: float, predicts: str) -> Switched:
    rng = np.random.default_rng([seed, subject])
    on, off, on_s, off_s = simulate_windows(rng, effect=effect)
    return Switched(f"s{subject}", f"s{subject}", predicts, on, off, on_s, off_s)


def interventions_part(*, quick: bool) -> dict[str, Any]:
    """Effects that agree, that are absent and that go the other way; one individual and six."""
    seeds = range(REPORTED, REPORTED + (10 if quick else 200))
    out: dict[str, Any] = {"seeds": len(seeds), "worlds": {}}
    for n in (1, 6):
        for words, effect in (("agrees", 1.0), ("weak", 0.5), ("absent", 0.0), ("opposite", -1.0)):
            verdicts = []
            for seed in seeds:
                each = [_windows(seed, k, effect, "higher") for k in range(n)]
                found = corrected([intervention(each, np.random.default_rng(seed))])[0]
                verdicts.append(found.verdict)
            out["worlds"][f"{words}, {n} individuals" if n > 1 else f"{words}, 1 individual"] = {
                "true": effect > 0,
                "supported": verdicts.count("supported"),
                "untestable": verdicts.count("not testable"),
                "n": len(verdicts),
            }
    return out


def _series(kind: str, rng: np.random.Generator, n: int = 3000) -> np.ndarray[Any, Any]:
    noise = rng.standard_normal((2, n))
    x, y = np.zeros(n), np.zeros(n)
    for t in range(2, n):
        x[t] = 0.7 * x[t - 1] - 0.3 * x[t - 2] + noise[0, t]
        y[t] = 0.7 * y[t - 1] - 0.3 * y[t - 2] + noise[1, t]
        if kind == "drives":
            y[t] += 0.4 * x[t - 1]
        elif kind == "driven":
            x[t] += 0.4 * y[t - 1]
    if kind == "one source, two sensors":
        y = x + 1.0 * rng.standard_normal(n)
        x = x + 0.3 * rng.standard_normal(n)
    return np.stack([x, y])


def drives_part(*, quick: bool) -> dict[str, Any]:
    """Claims that x drives y, of series where it does, and where it does not."""
    seeds = range(REPORTED, REPORTED + (5 if quick else 100))
    out: dict[str, Any] = {"seeds": len(seeds), "worlds": {}}
    for kind in ("drives", "driven", "apart", "one source, two sensors"):
        verdicts = []
        for seed in seeds:
            found = directed(_series(kind, np.random.default_rng(seed)), FIELDS, names=("x", "y"))
            a = next(a for a in found.arrows if a.source == 0)
            told = Driven("a", "s", "x", "y", a.verdict, a.estimate, a.q, found.unit)
            verdicts.append(drives([told]).verdict)
        out["worlds"][kind] = {
            "true": kind == "drives",
            "supported": verdicts.count("supported"),
            "untestable": verdicts.count("not testable"),
            "n": len(verdicts),
        }
    return out


def _row(item: Item) -> dict[str, Any]:
    names = ("name", "verdict", "says", "needs", "value", "low", "high", "p", "q", "n", "unit")
    return {k: getattr(item, k) for k in names}


def motor_part(data: Path, *, quick: bool) -> dict[str, Any] | None:
    """One monkey on two days: targets coded alike; of monkeys it can say nothing."""
    from _glue_days import real_days

    days = real_days(data)
    if days is None:
        return None
    parts = of_windows(days)
    out = {}
    for rule in ("linear", "rotation"):
        claim = claim_of("targets", parts, rule=rule)
        items = of_responses(
            claim, parts, np.random.default_rng(0), permutations=49 if quick else 499
        )
        out[rule] = [_row(i) for i in concluded(items)]
    return out


def places_part(data: Path, *, quick: bool) -> dict[str, Any] | None:
    """Places of one room in five animals, CA1 and CA3, two sessions each in the place of days."""
    from _glue_regions import fragments

    wanted = ("room 0, session 0", "room 0, session 1")
    parts = [p for p in fragments(data, quick=quick) if p.about.session in wanted]
    if not parts:
        return None
    claims = {
        "CA1 and CA3": parts,
        "CA1 alone": [p for p in parts if p.about.region == "CA1"],
    }
    out = {}
    for name, chosen in claims.items():
        for rule in ("linear", "rotation"):
            claim = claim_of(name, chosen, rule=rule)
            items = of_responses(
                claim, chosen, np.random.default_rng(0), permutations=19 if quick else 99
            )
            out[f"{name}, {rule}"] = [_row(i) for i in concluded(items)]
    return out
