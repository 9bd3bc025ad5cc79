"""Pictures of answers to stimuli: neurons in time, trial averages, adaptation, comparisons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.labels import ItemTable
from nissl.labels.atomic import atomic_write, make_folder
from nissl.report.theme import BLUE, CYCLE, GRID, INK, MUTED, ORANGE, RED, figure, to_svg

Values = npt.NDArray[np.float64]

MOST_AVERAGES = 24
_MOST_NAMES = 60
_PANELS = 4
"""Panels side by side."""
_WIDE = 11.0


@dataclass(frozen=True, eq=False)
class Shown:
    """Answers as arrays of neurons and stimuli.

    Parameters
    ----------
    facts : mapping of str to ndarray, shape (n_neurons, n_stimuli)
        Numeric columns of the item table.
    arrays : mapping of str to ndarray, shape (n_neurons, n_stimuli, n)
    neurons : tuple of str
        By name, else by number.
    stimuli : tuple of str
    duration_s : tuple of float
    times_s : ndarray, shape (n_times,)
        Of the mean courses, from the beginning of the stimulus.
    unit : str
    q : float
    """

    facts: Mapping[str, Values]
    arrays: Mapping[str, Values]
    neurons: tuple[str, ...]
    stimuli: tuple[str, ...]
    duration_s: tuple[float, ...]
    times_s: Values
    unit: str
    q: float

    @classmethod
    def of(cls, items: ItemTable) -> Shown:
        """Answers of an item table of the task "responses"."""
        context = items.context
        m = len(context["stimuli"])
        table = items.table
        number = [n for n in table.column_names if n not in ("name", "stimulus")]
        facts = {n: table.column(n).to_numpy().astype(np.float64).reshape(-1, m) for n in number}
        names = table.column("name").to_pylist()[::m]
        ids = table.column("neuron").to_pylist()[::m]
        return cls(
            facts,
            {n: np.asarray(a, np.float64).reshape(-1, m, a.shape[1])
             for n, a in items.arrays.items()},
            tuple(n or str(i) for n, i in zip(names, ids, strict=True)),
            tuple(context["stimuli"]),
            tuple(context["duration_s"]),
            np.asarray(context["times_s"], np.float64),
            str(context["unit"]),
            float(context["q"]),
        )  # fmt: skip

    @property
    def answering(self) -> npt.NDArray[np.bool_]:
        """Neurons that answer to the beginning, (n_neurons, n_stimuli)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.facts["q_on"] <= self.q)


@dataclass(frozen=True)
class Inks:
    """Colours of lines that go with the ground they are drawn on."""

    ink: str
    muted: str
    grid: str


PAGE = Inks(INK, MUTED, GRID)
"""Follow the theme of the page."""
WHITE = Inks("#111111", "#7f7f7f", "#d4d4d4")
"""Of files, on white."""

Draw = Callable[[Any, Any, Inks], None]


@dataclass(frozen=True)
class Plot:
    """A picture that is drawn into the report and into files alike.

    Parameters
    ----------
    name : str
        Of its files.
    label : str
        For screen readers.
    size : tuple of float
        Inches.
    draw : callable
        ``(figure, axes, inks)``.
    grid : mapping
        Of `Figure.subplots`.
    """

    name: str
    label: str
    size: tuple[float, float]
    draw: Draw
    grid: Mapping[str, Any] = field(default_factory=dict)

    def svg(self) -> str:
        """Inline SVG in the colours of the page."""
        with figure(*self.size, **self.grid) as (made, axes):
            self.draw(made, axes, PAGE)
            return to_svg(made, self.label)

    def write(self, folder: Path) -> list[Path]:
        """Write the picture as .png and .svg."""
        files = []
        with figure(*self.size, **self.grid) as (made, axes):
            self.draw(made, axes, WHITE)
            for suffix in ("png", "svg"):
                files.append(folder / f"{self.name}.{suffix}")
                facts = {"Date": None, "Creator": None} if suffix == "svg" else {"Software": None}
                with atomic_write(files[-1]) as file:
                    made.savefig(
                        file,
                        format=suffix,
                        dpi=200,
                        facecolor="white",
                        transparent=False,
                        metadata=facts,
                    )
        return files


def plots(items: ItemTable) -> list[Plot]:
    """Pictures of the answers of an item table of the task "responses"; none without a neuron."""
    shown = Shown.of(items)
    if not shown.neurons or not np.isfinite(shown.arrays["average"]).any():
        return []
    made = [_heat(shown), _averages(shown), _adaptation(shown)]
    return made + ([_compared(shown)] if len(shown.stimuli) > 1 else [])


def write_plots(items: ItemTable, folder: Path) -> list[Path]:
    """Write every picture as .png and .svg."""
    make_folder(folder)
    return [path for plot in plots(items) for path in plot.write(folder)]


def _heat(shown: Shown) -> Plot:
    """Mean courses of all neurons, the largest rise on top, a panel for each stimulus."""
    m = len(shown.stimuli)
    effect = np.nan_to_num(_mean(shown.facts["on"], 1), nan=-np.inf)
    order = np.argsort(-effect, kind="stable")
    course = shown.arrays["average"][order]
    most = float(np.nanquantile(np.abs(course), 0.99)) or 1.0
    columns, lines = _panels(m)
    height = float(np.clip(0.13 * len(order) + 0.9, 2.2, 8.0)) * lines
    step = float(np.median(np.diff(shown.times_s))) if shown.times_s.size > 1 else 1.0

    def draw(made: Any, axes: Any, inks: Inks) -> None:
        drawn = None
        for k, panel in enumerate(axes.ravel()):
            if k >= m:
                panel.set_visible(False)
                continue
            drawn = panel.imshow(
                course[:, k],
                cmap="RdBu_r",
                vmin=-most,
                vmax=most,
                aspect="auto",
                interpolation="nearest",
                extent=(shown.times_s[0] - step / 2, shown.times_s[-1] + step / 2,
                        len(order) - 0.5, -0.5),
            )  # fmt: skip
            panel.set_facecolor(inks.grid)
            for at in (0.0, shown.duration_s[k]):
                panel.axvline(at - step / 2, color=inks.ink, lw=0.8, ls=":")
            told = np.flatnonzero(shown.answering[order, k])
            panel.plot(
                np.full(told.size, 1.02),
                told,
                ">",
                color=ORANGE,
                markersize=3.5,
                transform=panel.get_yaxis_transform(),
                clip_on=False,
            )
            last = shown.times_s[np.isfinite(course[:, k]).any(axis=0)]
            panel.set_xlim(shown.times_s[0] - step / 2, last[-1] + step / 2)
            panel.set_title(f"{shown.stimuli[k]}: {told.size} of {len(order)} answer", fontsize=9)
            panel.set_xlabel("seconds from the beginning")
            if k % columns:
                panel.set_yticks([])
            else:
                _named_rows(panel, [shown.neurons[i] for i in order])
        made.colorbar(
            drawn, ax=axes, fraction=0.03, pad=0.03, aspect=40, label=f"change ({shown.unit})"
        )

    label = f"Mean answers of {len(order)} neurons to {m} stimuli, sorted by effect"
    grid = {"nrows": lines, "ncols": columns, "squeeze": False}
    return Plot("neurons_in_time", label, (_width(columns), height), draw, grid)


def _named_rows(panel: Any, names: list[str]) -> None:
    panel.set_ylabel("neuron")
    if len(names) <= _MOST_NAMES:
        panel.set_yticks(range(len(names)), names, fontsize=6)
    else:
        panel.set_yticks([])


def _averages(shown: Shown) -> Plot:
    """Mean courses with standard errors of the neurons that answer most surely."""
    p, on, off, q = (
        np.stack([shown.facts[n] for n in names])
        for names in (("p_on", "p_off"), ("on",), ("off",), ("q_on", "q_off"))
    )
    sure = np.where(np.isfinite(p), p, 2).min(axis=(0, 2))
    size = np.abs(np.nan_to_num(np.concatenate([on, off]))).max(axis=(0, 2))
    with np.errstate(invalid="ignore"):
        answers = np.flatnonzero((q <= shown.q).any(axis=(0, 2)))
    order = np.lexsort((-size, sure))
    ranked = [k for k in order if k in set(answers.tolist())] or order[:4].tolist()
    chosen = ranked[:MOST_AVERAGES]
    columns = min(_PANELS, len(chosen))
    lines = -(-len(chosen) // columns)

    def draw(made: Any, axes: Any, inks: Inks) -> None:
        for place, panel in enumerate(axes.ravel()):
            if place >= len(chosen):
                panel.set_visible(False)
                continue
            k = chosen[place]
            panel.axhline(0, color=inks.grid, lw=0.8, zorder=0)
            for s, name in enumerate(shown.stimuli):
                colour = CYCLE[s % len(CYCLE)]
                mean, error = (shown.arrays[n][k, s] for n in ("average", "average_se"))
                panel.fill_between(
                    shown.times_s, mean - error, mean + error, color=colour, alpha=0.25, lw=0
                )
                panel.plot(shown.times_s, mean, color=colour, lw=1.3, label=name)
                panel.plot(
                    [0, shown.duration_s[s]],
                    [1.0 - 0.03 * s] * 2,
                    color=colour,
                    lw=2.5,
                    solid_capstyle="butt",
                    transform=panel.get_xaxis_transform(),
                    clip_on=False,
                )
            panel.margins(x=0)
            star = "" if k in answers else " (no answer told)"
            panel.set_title(f"neuron {shown.neurons[k]}{star}", fontsize=9)
            if place % columns == 0:
                panel.set_ylabel(f"change ({shown.unit})")
            if place + columns >= len(chosen):
                panel.set_xlabel("s from the beginning")
        if len(shown.stimuli) > 1:
            handles, names = axes.ravel()[0].get_legend_handles_labels()
            made.legend(handles, names, loc="outside upper center", ncols=min(len(names), 6))

    label = f"Mean courses of {len(chosen)} neurons with standard errors over trials"
    grid = {"nrows": lines, "ncols": columns, "squeeze": False, "sharex": True}
    return Plot("averages", label, (_width(columns), 0.5 + 1.75 * lines), draw, grid)


def _adaptation(shown: Shown) -> Plot:
    """On answers trial by trial, and means of the neurons that rise and of those that fall."""
    m = len(shown.stimuli)
    columns, lines = _panels(m)

    def draw(made: Any, axes: Any, inks: Inks) -> None:
        del made
        for k, panel in enumerate(axes.ravel()):
            if k >= m:
                panel.set_visible(False)
                continue
            told = np.flatnonzero(shown.answering[:, k])
            answers = shown.arrays["answers"][told, k]
            with np.errstate(invalid="ignore"):
                adapts = shown.facts["q_adaptation"][told, k] <= shown.q
            trial = np.arange(1, answers.shape[1] + 1)
            panel.axhline(0, color=inks.grid, lw=0.8, zorder=0)
            for row, wanes in zip(answers, adapts, strict=True):
                colour, width = (ORANGE, 1.0) if wanes else (inks.muted, 0.6)
                panel.plot(trial, row, color=colour, lw=width, alpha=0.7)
            up = shown.facts["on"][told, k] > 0
            for which, colour, word in ((up, RED, "rise"), (~up, BLUE, "fall")):
                if which.any():
                    mean = _mean(answers[which], 0)
                    error = _spread(answers[which], mean)
                    style = {"lw": 1.8, "marker": "o", "markersize": 4, "capsize": 2}
                    n = int(which.sum())
                    said = f"mean of {n} that {word}{'' if n > 1 else 's'}"
                    panel.errorbar(trial, mean, error, color=colour, label=said, **style)
            if told.size:
                panel.legend(fontsize=8, loc="best")
            else:
                panel.text(0.5, 0.5, "no neuron answers", transform=panel.transAxes, ha="center")
            panel.set_title(
                f"{shown.stimuli[k]}: {int(adapts.sum())} of {told.size} change over trials",
                fontsize=9,
            )
            known = np.flatnonzero(np.isfinite(shown.arrays["answers"][:, k]).any(axis=0))
            panel.set_xlim(0.5, (known[-1] if known.size else 0) + 1.5)
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.set_xlabel("trial")
            if k % columns == 0:
                panel.set_ylabel(f"answer ({shown.unit})")

    label = "Answers trial by trial of the neurons that answer, and their mean"
    grid = {"nrows": lines, "ncols": columns, "squeeze": False, "sharey": True}
    return Plot("adaptation", label, (_width(columns), 2.9 * lines), draw, grid)


def _compared(shown: Shown) -> Plot:
    """On answers to one stimulus against those to another, for each pair."""
    pairs = list(combinations(range(len(shown.stimuli)), 2))
    columns, lines = _panels(len(pairs))

    def draw(made: Any, axes: Any, inks: Inks) -> None:
        del made
        for place, panel in enumerate(axes.ravel()):
            if place >= len(pairs):
                panel.set_visible(False)
                continue
            a, b = pairs[place]
            x, y = shown.facts["on"][:, a], shown.facts["on"][:, b]
            with np.errstate(invalid="ignore"):
                apart = shown.arrays["q_difference"][:, a, b] <= shown.q
            known = np.isfinite(x) & np.isfinite(y)
            both = np.concatenate([x[known], y[known], [0.0]])
            ends = [float(both.min()), float(both.max())]
            panel.plot(ends, ends, color=inks.grid, lw=1, zorder=0)
            for which, colour, size in ((~apart, inks.muted, 14), (apart, ORANGE, 22)):
                panel.scatter(x[which], y[which], s=size, color=colour, lw=0, alpha=0.85)
            for i in np.flatnonzero(apart & known)[np.argsort(
                -np.abs(x - y)[apart & known], kind="stable")][:8]:  # fmt: skip
                panel.annotate(
                    shown.neurons[i], (x[i], y[i]), xytext=(4, 2), textcoords="offset points",
                    fontsize=7, color=inks.muted,
                )  # fmt: skip
            panel.set_xlabel(f"answer to {shown.stimuli[a]} ({shown.unit})")
            panel.set_ylabel(f"answer to {shown.stimuli[b]} ({shown.unit})")
            panel.set_title(f"{int(apart.sum())} of {len(x)} tell them apart", fontsize=9)

    label = "Answers to one stimulus against answers to another"
    grid = {"nrows": lines, "ncols": columns, "squeeze": False}
    return Plot("compared", label, (_width(columns), 3.2 * lines), draw, grid)


def _panels(n: int) -> tuple[int, int]:
    """Columns and rows of panels."""
    columns = min(n, _PANELS)
    return columns, -(-n // columns)


def _width(columns: int) -> float:
    return min(_WIDE, 1.2 + 3.1 * columns)


def _mean(values: Values, axis: int) -> Values:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=axis) / known.sum(axis=axis))


def _spread(values: Values, mean: Values) -> Values:
    """Standard error of a mean over the first axis, NaN for fewer than two."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    squares = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(n > 1, np.sqrt(squares / (n - 1) / n), np.nan))


__all__ = ["Plot", "Shown", "plots", "write_plots"]
