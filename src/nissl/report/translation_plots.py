"""Pictures of translations: what was predicted beside what came, and where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.align.fragments import Floats, Fragment, Ints
from nissl.labels.atomic import atomic_write

if TYPE_CHECKING:
    from nissl.align.translation.paired import Translation
    from nissl.align.translation.unpaired import Carried

CAME, SAID, OTHER, CHANCE = "0.25", "#d55e00", "#0072b2", "0.75"
_SHOWN = 3
_MOST_BINS = 200


def translation_plot(found: Translation, target: Fragment, units: Ints, path: Path) -> None:
    """The best, the median and the worst unit in windows left out; skill by unit and by window.

    Parameters
    ----------
    found : Translation
    target : Fragment
    units : ndarray of int, shape (n_y,)
        Names of what is predicted.
    path : Path
        Of the PNG.
    """
    made, courses, below = _figure()
    came, window = target.activity[found.bins], target.windows[found.bins]
    order = np.argsort(-np.nan_to_num(found.skill, nan=-np.inf), kind="stable")
    order = order[np.isfinite(found.skill[order])]
    chosen = order[np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).astype(int)]
    for panel, k in zip(courses, chosen.tolist(), strict=False):
        _course(panel, came[:, k], {"predicted": (found.said[:, k], SAID)}, window, target.bin_s)
        panel.set_title(f"unit {units[k]}: skill {found.skill[k]:.2f}", fontsize=9, loc="left")
    _named(courses, len(chosen), target)
    nulls = np.concatenate([found.shuffled, found.scrambled])[:, order]
    _by_unit(below[0], {"in windows left out": (found.skill[order], SAID)}, nulls)
    _by_window(below[1], {"in windows left out": (found.by_window, SAID)})
    _save(made, path)


def carried_plot(one: Carried, path: Path) -> None:
    """What a rule of another population said one bin ahead, and skill by step, unit and window.

    Parameters
    ----------
    one : Carried
    path : Path
        Of the PNG.
    """
    from nissl.align.translation.unpaired import OWN, WAYS, ZERO

    made, courses, below = _figure(3)
    a, b = one.names
    words = {ZERO: (f"rule of {a}, unchanged", SAID), OWN: (f"rule of {b} itself", OTHER)}
    own = np.nan_to_num(one.by_unit[OWN], nan=-np.inf)
    order = np.argsort(-own, kind="stable")
    order = order[np.isfinite(one.by_unit[OWN][order])]
    names = np.arange(one.came.n_units) if one.came.units is None else one.came.units
    came, window = one.came.activity, one.came.windows
    for panel, k in zip(courses, order[:_SHOWN].tolist(), strict=False):
        said = {word: (one.said[way][:, k], colour) for way, (word, colour) in words.items()}
        _course(panel, came[:, k], said, window, one.came.bin_s)
        panel.set_title(f"unit {names[k]} (root of counts)", fontsize=9, loc="left")
    _named(courses, min(len(order), _SHOWN), one.came)
    ahead = (1 + np.arange(len(one.home))) * one.came.bin_s
    nulls = np.concatenate([one.turned, one.scrambled])
    below[0].fill_between(ahead, *np.quantile(nulls, [0.025, 0.975], axis=0), color=CHANCE,
                          label="both nulls, 95 %")  # fmt: skip
    styles = dict(zip(WAYS, ("o-", "s-", "s:", "o-", ":", "--"), strict=True))
    inks = dict(zip(WAYS, (SAID, "#009e73", "#009e73", OTHER, "0.4", "0.4"), strict=True))
    for way in WAYS:
        below[0].plot(ahead, one.skill[way], styles[way], color=inks[way], label=way, markersize=4)
    top = max(float(one.skill[way].max()) for way in WAYS)
    below[0].set_ylim(-0.5 * max(top, 0.02), 1.2 * max(top, 0.02))
    below[0].axhline(0, color="0.5", linewidth=0.6)
    below[0].set(xlabel="ahead (s)", ylabel="skill (variance explained)")
    below[0].legend(frameon=False, fontsize=7, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    _by_unit(below[1], {words[w][0]: (one.by_unit[w][order], words[w][1]) for w in words})
    _by_window(below[2], {words[w][0]: (one.by_window[w], words[w][1]) for w in words})
    _save(made, path)


def _figure(n_below: int = 2) -> tuple[Any, list[Any], list[Any]]:
    from matplotlib.figure import Figure

    made = Figure(figsize=(4.2 + 3.2 * n_below, 7.2), layout="constrained")
    grid = made.add_gridspec(_SHOWN + 1, n_below, height_ratios=[1] * _SHOWN + [1.7])
    courses = [made.add_subplot(grid[k, :]) for k in range(_SHOWN)]
    below = [made.add_subplot(grid[_SHOWN, k]) for k in range(n_below)]
    for panel in (*courses, *below):
        panel.spines[["top", "right"]].set_visible(False)
    return made, courses, below


def _course(
    panel: Any, came: Floats, said: dict[str, tuple[Floats, str]], window: Ints, bin_s: float
) -> None:
    """The first windows one after another, a line between them."""
    n = min(len(came), _MOST_BINS)
    at = np.arange(n) * bin_s
    edges = np.flatnonzero(np.diff(window[:n])) + 1
    panel.step(at, came[:n], color=CAME, linewidth=0.9, where="mid", label="what came")
    for word, (values, colour) in said.items():
        for part in np.split(np.arange(n), edges):
            panel.plot(at[part], values[part], color=colour, linewidth=1.4,
                       label=word if part[0] == 0 else None)  # fmt: skip
    for edge in edges:
        panel.axvline((edge - 0.5) * bin_s, color="0.9", linewidth=0.6, zorder=0)
    panel.margins(x=0.005)


def _named(courses: list[Any], used: int, target: Fragment) -> None:
    for panel in courses[used:]:
        panel.set_visible(False)
    if used:
        courses[0].legend(
            frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=4
        )
        courses[used - 1].set_xlabel(f"windows of {target.name} one after another (s)")


def _by_unit(panel: Any, skill: dict[str, tuple[Floats, str]], nulls: Floats | None = None) -> None:
    """Skill of each unit, sorted, over what chance gives."""
    rank = np.arange(1, 1 + len(next(iter(skill.values()))[0]))
    if nulls is not None and len(nulls) > 1:
        low, high = np.nanquantile(nulls, [0.025, 0.975], axis=0)
        panel.fill_between(rank, low, high, color=CHANCE, label="both nulls, 95 %")
    for word, (values, colour) in skill.items():
        panel.plot(rank, values, ".-", color=colour, linewidth=0.8, markersize=4, label=word)
    panel.axhline(0, color="0.5", linewidth=0.6)
    panel.set(xlabel="unit, best first", ylabel="skill (variance explained)")
    panel.legend(frameon=False, fontsize=8)


def _by_window(panel: Any, skill: dict[str, tuple[Floats, str]]) -> None:
    for word, (values, colour) in skill.items():
        at = np.arange(len(values))
        panel.plot(at, values, ".", color=colour, markersize=5, label=word)
        bad = values < 0
        if bad.any():
            panel.plot(at[bad], np.maximum(values[bad], -1), "x", color=colour, markersize=6)
    panel.axhline(0, color="0.5", linewidth=0.6)
    panel.set_ylim(bottom=max(panel.get_ylim()[0], -1.05))
    panel.set(xlabel="window (crosses: worse than the mean)", ylabel="skill within it")


def _save(made: Any, path: Path) -> None:
    with atomic_write(path) as file:
        made.savefig(file, format="png", dpi=130)
