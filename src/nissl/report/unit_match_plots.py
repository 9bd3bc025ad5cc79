"""Picture of units that are the same on two days: probabilities, movement, waveforms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.labels.atomic import atomic_write

if TYPE_CHECKING:
    from nissl.align.waveforms.matching import UnitMatches
    from nissl.align.waveforms.templates import UnitTemplates

SHOWN = 8
_NEAR = 10
_FIRST, _SECOND, _GREY = "#0072b2", "#d55e00", "0.6"


def unit_match_plot(
    found: UnitMatches, days: tuple[UnitTemplates, UnitTemplates], path: Path
) -> None:
    """Draw scores beside those of split halves, the probe's movement, and pairs over space.

    Parameters
    ----------
    found : UnitMatches
    days : tuple of UnitTemplates
    path : Path
        Of the PNG.
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=(12, 7.5), layout="constrained")
    parts: Any = made.subfigures(2, 1, height_ratios=[1, 1.15])
    top, bottom = parts
    scores, likely, depth = top.subplots(1, 3)
    _scores(scores, found)
    _probabilities(likely, found)
    _movement(depth, found, days)
    panels = bottom.subplots(1, SHOWN, squeeze=False)[0]
    order = np.argsort(found.same[found.chosen], kind="stable")
    spread = np.unique(np.linspace(0, max(order.size - 1, 0), SHOWN).astype(int))
    shown = found.chosen[order[spread]] if order.size else []
    for panel in panels:
        panel.set_axis_off()
    for panel, k in zip(panels, shown, strict=False):
        _pair(panel, found, days, int(k))
    bottom.suptitle(
        f"{days[0].name or 'first'} (blue) and {days[1].name or 'second'} (orange, movement "
        "undone), from the least certain link to the most",
        fontsize=10,
    )
    with atomic_write(path) as file:
        made.savefig(file, format="png", dpi=130)


def _scores(panel: Any, found: UnitMatches) -> None:
    one, two = found.null
    score = found.pairs.score
    everything = np.concatenate([one, two, score]) if score.size else np.concatenate([one, two])
    low, high = np.quantile(everything, [0.005, 0.995]).tolist()
    bins = np.linspace(low, high, 40)
    how = {"density": True, "histtype": "step", "linewidth": 1.6}
    panel.hist(np.clip(one, low, high), bins, color="#009e73", label="one unit, its halves", **how)
    panel.hist(np.clip(two, low, high), bins, color=_GREY, label="two units of a day", **how)
    chosen = score[found.chosen]
    if chosen.size:
        panel.hist(np.clip(chosen, low, high), bins, color=_SECOND, label="linked", **how)
    panel.set_xlabel("log odds of the waveforms")
    panel.set_ylabel("density")
    panel.set_title("Split halves are the null", fontsize=10)
    panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def _probabilities(panel: Any, found: UnitMatches) -> None:
    bins = np.linspace(0, 1, 21)
    linked = np.zeros(len(found.pairs), bool)
    linked[found.chosen] = True
    panel.hist(
        [found.same[linked], found.same[~linked]],
        bins,
        stacked=True,
        color=[_SECOND, _GREY],
        label=["linked", "not linked"],
    )
    panel.set_yscale("symlog", linthresh=1)
    panel.set_xlabel("probability to be one unit")
    panel.set_ylabel("near pairs")
    panel.set_title(
        f"{found.chosen.size} links, {found.expected_wrong:.1f} wrong expected", fontsize=10
    )
    panel.legend(frameon=False, fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def _movement(panel: Any, found: UnitMatches, days: tuple[UnitTemplates, UnitTemplates]) -> None:
    from nissl.align.waveforms.features import looks

    panel.set_title("Movement along the probe", fontsize=10)
    if not days[0].has_geometry:
        panel.text(0.5, 0.5, "contacts have no places", ha="center", transform=panel.transAxes)
        panel.set_axis_off()
        return
    places = [looks(day.on(found.channels)).place_um[:, 1] for day in days]
    i, j = found.pairs.a[found.chosen], found.pairs.b[found.chosen]
    sure = found.same[found.chosen]
    panel.scatter(places[1][j] - places[0][i], places[0][i], s=14, c=_SECOND, alpha=sure)
    panel.plot(found.drift.shift_um, found.drift.depth_um, color="black")
    panel.set_xlabel("second less first, um")
    panel.set_ylabel("depth, um")
    panel.spines[["top", "right"]].set_visible(False)


def _pair(
    panel: Any, found: UnitMatches, days: tuple[UnitTemplates, UnitTemplates], k: int
) -> None:
    i, j = int(found.pairs.a[k]), int(found.pairs.b[k])
    first = days[0].on(found.channels)
    here, there = first.mean[i], found.moved[j]
    best = int(np.argmax(np.ptp(here, axis=0)))
    own = np.flatnonzero(first.shank == first.shank[best])
    places = np.stack([np.zeros(own.size), 20.0 * np.arange(own.size)], axis=1)
    if first.has_geometry:
        places = first.position_um[own]
    centre = places[int(np.flatnonzero(own == best)[0])]
    near = np.argsort(np.linalg.norm(places - centre, axis=1), kind="stable")[:_NEAR]
    size = max(float(np.ptp(here[:, best])), float(np.ptp(there[:, best])), 1e-9)
    time = np.linspace(0, 14.0, len(here))
    for n in near.tolist():
        x, y = places[n]
        for wave, colour in ((here, _FIRST), (there, _SECOND)):
            panel.plot(x + time, y + wave[:, own[n]] / size * 30, color=colour, linewidth=1)
    panel.set_title(f"{days[0].items[i]} - {days[1].items[j]}\np {found.same[k]:.2f}", fontsize=9)


__all__ = ["unit_match_plot"]
