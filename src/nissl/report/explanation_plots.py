"""Pictures of why spikes belong to their unit: samples, template, runner-up and what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nissl.report.theme import BLUE, INK, ORANGE, figure, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nissl.annotators.spikes.own.explaining.spikes import Explained

Samples = npt.NDArray[np.float32]

LEAST_PANELS, MOST_PANELS = 3, 6
MOST_LINES = 60
SHOWN_MS = (-1.0, 2.2)
_GREY = "#8c8c8c"
"""Shows on white and on dark ground alike; the theme's muted ink is for pages alone."""


def shown(spikes: Sequence[Explained]) -> list[int]:
    """Channels to draw: those that decided, the weightiest first, then the unit's largest ones."""
    from nissl.annotators.spikes.own.explaining.spikes import deciding

    llr = np.mean([spike.llr for spike in spikes], axis=0)
    size = np.mean([np.sum(spike.own**2, axis=0) for spike in spikes], axis=0)
    chosen = deciding(llr)[:MOST_PANELS]
    for channel in np.argsort(-size, kind="stable").tolist():
        if len(chosen) < LEAST_PANELS and channel not in chosen and size[channel] > 0:
            chosen.append(channel)
    return chosen


@contextmanager
def drawn(
    spikes: Sequence[Explained], names: Mapping[int, str], unit: str, rivals: Mapping[int, str]
) -> Iterator[Figure]:
    """Figure of one spike, or of several of a unit.

    Parameters
    ----------
    spikes : sequence of Explained
        One or more, of one unit. Of several, channels and their shares are of those that have
        the commonest runner-up.
    names : mapping of int to str
        Name of each channel.
    unit : str
    rivals : mapping of int to str
        Names of the runners-up.
    """
    most = commonest(spikes)
    contested = [spike for spike in spikes if spike.rival == most]
    channels, share = shown(contested), _share(contested)
    with figure(
        1.75 * len(channels) + 0.7,
        4.3,
        nrows=2,
        ncols=len(channels),
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=[1.6, 1],
    ) as (made, axes):
        for column, channel in enumerate(channels):
            _waves(axes[0, column], spikes, channel, unit, most, rivals)
            _left(axes[1, column], spikes, channel)
            name = names[spikes[0].columns[channel]]
            axes[0, column].set_title(f"channel {name} · {100 * share[channel]:.0f} %", fontsize=9)
            axes[1, column].set_xlabel("ms")
        axes[0, 0].set_ylabel("noise SDs")
        axes[1, 0].set_ylabel("what is left")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        made.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=8)
        yield made


def inline(made: Figure, unit: str) -> str:
    """SVG that follows the page's theme."""
    return to_svg(made, f"Samples, template, runner-up and what is left of {unit}")


def _share(spikes: Sequence[Explained]) -> npt.NDArray[np.float64]:
    llr = np.mean([spike.llr for spike in spikes], axis=0)
    total = float(np.sum(np.maximum(llr, 0)))
    return np.asarray(llr / total if total > 0 else np.zeros_like(llr))


def commonest(spikes: Sequence[Explained]) -> int:
    """The most frequent runner-up; -1 where none has one."""
    rivals = [spike.rival for spike in spikes if spike.rival >= 0]
    return max(sorted(set(rivals)), key=rivals.count) if rivals else -1


def _time(spike: Explained) -> npt.NDArray[np.float64]:
    return np.asarray((np.arange(len(spike.own)) - spike.peak) / spike.rate_hz * 1000)


def _waves(
    axes: Axes,
    spikes: Sequence[Explained],
    channel: int,
    unit: str,
    most: int,
    rivals: Mapping[int, str],
) -> None:
    ms, few = _time(spikes[0]), _few(spikes)
    said = "samples" if len(spikes) == 1 else f"samples of {len(few)} spikes"
    for k, spike in enumerate(few):
        clean = spike.samples[:, channel] - spike.others[:, channel]
        axes.plot(ms, clean, color=_GREY, label=said if k == 0 else None, **_thin(len(few)))
    own = np.mean([spike.own[:, channel] for spike in spikes], axis=0)
    axes.plot(ms, own, color=BLUE, lw=1.8, label=f"unit {unit}")
    theirs = [spike.runner_up[:, channel] for spike in spikes if spike.rival == most >= 0]
    if theirs:
        name = f"runner-up, {rivals[most]}"
        axes.plot(ms, np.mean(theirs, axis=0), color=ORANGE, lw=1.6, ls="--", label=name)
    _quiet(axes)


def _left(axes: Axes, spikes: Sequence[Explained], channel: int) -> None:
    ms, few = _time(spikes[0]), _few(spikes)
    axes.axhspan(-1, 1, color=_GREY, alpha=0.18, lw=0)
    for spike in few:
        axes.plot(ms, spike.left[:, channel], color=_GREY, **_thin(len(few)))
    if len(spikes) > 1:
        axes.plot(ms, np.mean([s.left[:, channel] for s in spikes], axis=0), color=INK, lw=1.4)
    _quiet(axes)


def _few(spikes: Sequence[Explained]) -> list[Explained]:
    step = max(1, -(-len(spikes) // MOST_LINES))
    return list(spikes[::step])


def _thin(n: int) -> dict[str, Any]:
    return {"lw": 1.2, "alpha": 1.0} if n == 1 else {"lw": 0.6, "alpha": 0.35}


def _quiet(axes: Axes) -> None:
    axes.axhline(0, color=_GREY, lw=0.6, alpha=0.6, zorder=0)
    axes.set_xlim(*SHOWN_MS)
    axes.tick_params(labelsize=8)
