"""Encoders that learn from recordings without labels.

Any signals will do: each channel of each window is an example. What comes out is one ONNX file
that `nissl.embed` runs without PyTorch. Windows may also be given as an array, so that waveforms
of spikes, or whatever else is one number over time, go the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingInputError
from nissl.nets.augment import Change
from nissl.nets.backend import seeded
from nissl.nets.inference import Network
from nissl.nets.onnx_files import exported
from nissl.nets.training import Recipe, Windows, fit
from nissl.nets.windows import Grid, windows
from nissl.run.progress import Progress

if TYPE_CHECKING:
    from nissl.nets.encoder import EncoderSettings

Values = npt.NDArray[np.float32]

OBJECTIVES = ("masked", "cpc", "pairs")
FEWEST = 64
"""Windows of channels below which nothing is learnt."""


@dataclass(frozen=True)
class Pretraining:
    """How an encoder is trained.

    Parameters
    ----------
    objective : {"masked", "cpc", "pairs"}
        See `nissl.nets.objectives`.
    grid : Grid
        Of the windows that it reads.
    width : int
        Features of a token; a window gets twice as many.
    strides : tuple of int
        Of its convolutions.
    recipe : Recipe
    most : int
        Windows of channels at most, drawn evenly from the sources.
    """

    objective: str = "pairs"
    grid: Grid = field(default_factory=lambda: Grid(100.0, 30.0, 30.0))
    width: int = 32
    strides: tuple[int, ...] = (4, 4, 2)
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=20, patience=5, batch=64))
    most: int = 4000

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise BadArgumentError(
                f"an objective among {OBJECTIVES}", repr(self.objective), "Choose one."
            )


@dataclass(frozen=True, eq=False)
class Pretrained:
    """An encoder.

    Parameters
    ----------
    net : Encoder
    network : Network
        The same as ONNX; `network.model` are the bytes to keep.
    history : tuple of (float, float)
        Loss in training and on sources kept aside, by epoch.
    """

    net: Any
    network: Network
    history: tuple[tuple[float, float], ...]


def channel_windows(
    sources: Sequence[Signal], grid: Grid, *, most: int, rng: np.random.Generator
) -> tuple[Values, npt.NDArray[np.int64]]:
    """Windows of single channels, and the source of each.

    Parameters
    ----------
    sources : sequence of Signal
    grid : Grid
    most : int
        Windows at most, from each source as many.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n, n_samples), float32
    ndarray, shape (n,), int64
    """
    share = max(1, most // max(1, len(sources)))
    found, of = [], []
    for place, signal in enumerate(sources):
        rows = np.concatenate(
            [w for _, w in windows(signal, grid)] or [np.empty((0, 0), np.float32)]
        )
        rows = rows[np.isfinite(rows).all(axis=1)] if rows.size else rows
        picked = np.sort(rng.permutation(len(rows))[:share])
        if picked.size:
            found.append(rows[picked])
            of.append(np.full(picked.size, place))
    if not found:
        raise MissingInputError(
            f"recordings of at least {grid.length_s:g} s with a signal",
            f"{len(sources)} without one",
            "Give longer recordings, or shorten the windows.",
        )
    return np.concatenate(found), np.concatenate(of).astype(np.int64)


def pretrain(
    sources: Sequence[Signal],
    plan: Pretraining | None = None,
    *,
    rng: np.random.Generator,
    augment: Change | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> Pretrained:
    """Train an encoder on any set of signals; a fifth of them, kept aside, says when to stop.

    Parameters
    ----------
    sources : sequence of Signal
    plan : Pretraining, optional
    rng : numpy.random.Generator
    augment : callable, optional
        See `nissl.nets.augment`; for "pairs" each view is changed by itself.
    progress, checkpoint : optional
        See `nissl.nets.training.fit`.

    Raises
    ------
    MissingDependencyError
        No PyTorch.
    MissingInputError
        Too few windows.
    """
    how = plan or Pretraining()
    x, of = channel_windows(sources, how.grid, most=how.most, rng=rng)
    return pretrain_windows(
        x, of, how, rng=rng, augment=augment, progress=progress, checkpoint=checkpoint
    )


def pretrain_windows(
    x: Values,
    of: npt.NDArray[np.int64],
    plan: Pretraining,
    *,
    rng: np.random.Generator,
    augment: Change | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> Pretrained:
    """Train an encoder on windows of single channels; see `pretrain`.

    Parameters
    ----------
    x : ndarray, shape (n, n_samples), float32
        On one scale; `plan.grid` says what they are.
    of : ndarray, shape (n,), int64
        Source of each; what is kept aside are whole sources where there are several.
    """
    if len(x) < FEWEST or x.shape[1] != plan.grid.n_samples:
        raise MissingInputError(
            f"{FEWEST} windows of {plan.grid.n_samples} samples",
            f"{len(x)} of {x.shape[1]}",
            "Give more recordings; they need no labels.",
        )
    from nissl.nets.encoder import Encoder, EncoderSettings
    from nissl.nets.objectives import objective

    settings = EncoderSettings(plan.width, plan.strides)
    with seeded(rng):
        net = objective(plan.objective, Encoder(settings))
    aside = _aside(of, rng)
    nothing = np.zeros(len(x), np.int64)
    trained = fit(
        net,
        Windows(x[~aside], nothing[~aside]),
        Windows(x[aside], nothing[aside]),
        rng=rng,
        recipe=plan.recipe,
        augment=_views(plan.objective, augment),
        loss=lambda network, windows, _: network(windows),
        progress=progress,
        checkpoint=checkpoint,
    )
    encoder = trained.net.encoder
    model = exported(encoder, x[:1, None], header(plan, settings), varying={0: "n", 2: "samples"})
    return Pretrained(encoder, Network(model), trained.history)


def header(plan: Pretraining, settings: EncoderSettings) -> dict[str, Any]:
    """What the file of an encoder says of itself."""
    return {
        "format": 1,
        "kind": "encoder",
        "objective": plan.objective,
        "n_features": settings.n_features,
        **asdict(plan.grid),
    }


def _aside(of: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Windows to stop by: of a fifth of the sources, or the last fifth of a single one."""
    sources = np.unique(of)
    if sources.size == 1:
        return np.arange(len(of)) >= len(of) - max(1, len(of) // 5)
    kept = rng.permutation(sources)[: max(1, sources.size // 5)]
    return np.asarray(np.isin(of, kept))


def _views(name: str, augment: Change | None) -> Change | None:
    """The declared change for windows without a channel axis; twice where pairs are compared."""
    if augment is None:
        return None
    change = augment

    def changed(x: Any, y: Any, rng: np.random.Generator) -> tuple[Any, Any]:
        views = [change(x[:, None], y, rng)[0][:, 0] for _ in range(1 + (name == "pairs"))]
        return (views[0] if len(views) == 1 else np.stack(views, axis=1)), y

    return changed


__all__ = [
    "FEWEST",
    "OBJECTIVES",
    "Pretrained",
    "Pretraining",
    "channel_windows",
    "pretrain",
    "pretrain_windows",
]
