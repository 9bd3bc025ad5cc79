"""Names by an atlas that a set transformer corrects, trained on worms drawn from that atlas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.affine import moved
from nissl.annotators.names.animals import Animals, normal_colours
from nissl.annotators.names.atlas import Atlas, built
from nissl.annotators.names.drawing import Herd, bodies
from nissl.annotators.names.naming import STRANGE, Naming, named, settled
from nissl.annotators.names.transport import assigned
from nissl.nets import backend

Floats = npt.NDArray[np.float64]

STEPS = 150
"""Batches of drawn worms, half a minute at most on one core; five times as many name no better."""
_BATCH = 12
_RATE = 2e-3
_UNCOLOURED = 0.5
"""Share of drawn worms whose colours are hidden, so that one network names with and without."""
_ITERATIONS = 200
_UNROLLED = 10
"""Iterations of transport that training goes through, so that scores are what it needs."""
_NEVER = 1e-9


@dataclass(frozen=True, eq=False)
class Learned:
    """An atlas with the network that was trained on worms drawn from it; it names animals.

    Parameters
    ----------
    atlas : Atlas
    network : Corrector
    strange : float
        Share of points that is expected to have none of the names.
    mirrored : bool
        Animals are of the other handedness than the atlas.
    """

    atlas: Atlas
    network: Any
    strange: float = STRANGE
    mirrored: bool = False

    def __call__(self, xyz: Floats, colours: Floats | None) -> Naming:
        """Name the points (n, 3) of one animal, with their colours where they are known."""
        first = named(self.atlas, xyz, colours, strange=self.strange, mirrored=self.mirrored)
        score = self.scores(moved(np.asarray(xyz, np.float64), first.affine), colours)
        absent = np.log1p(-self.atlas.presence)
        p, value = assigned(score[:, :-1], score[:, -1], absent, _ITERATIONS)
        return replace(first, probability=p, value=value)

    def scores(self, xyz: Floats, colours: Floats | None) -> Floats:
        """Log-scores of the names, and of none last, of points in the frame of the atlas."""
        import torch

        n_colours = 0 if self.atlas.colour is None else self.atlas.colour.centre.shape[1]
        normal = np.full((len(xyz), n_colours), np.nan)
        if colours is not None and n_colours:
            normal = normal_colours(colours)
        known = np.isfinite(normal).all(axis=1) & (n_colours > 0)
        one = Herd(
            xyz[None],
            np.where(known[:, None], normal, 0.0)[None],
            np.zeros((1, len(xyz)), np.int64),
            np.ones((1, len(xyz)), bool),
        )
        with torch.no_grad(), backend.one_thread():
            out = self.network(*_tensors(one, known[None]))
        return np.asarray(out[0].numpy(), np.float64)


def learned(animals: Animals, rng: np.random.Generator, *, steps: int = STEPS) -> Learned:
    """Build the atlas of some animals and train the network on worms drawn from it.

    Parameters
    ----------
    animals : Animals
    rng : numpy.random.Generator
    steps : int
        Batches of drawn worms.

    Raises
    ------
    MissingDependencyError
        PyTorch is not installed.
    """
    torch = backend.pytorch()
    from nissl.annotators.names.transformer import Corrector, Size

    atlas = built(animals)
    source = bodies(animals, atlas)
    absent = torch.as_tensor(1 - atlas.presence, dtype=torch.float32)
    with backend.seeded(rng), backend.one_thread():
        network = Corrector(atlas, Size())
        optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
        for _ in range(steps):
            herd = source.draw(rng, _BATCH)
            hidden = (rng.random(_BATCH) < _UNCOLOURED) | (atlas.colour is None)
            for k in np.flatnonzero(hidden).tolist():
                # By place alone a frame comes to rest beside the best one, at wrong names.
                own = herd.xyz[k, herd.there[k]]
                herd.xyz[k, herd.there[k]] = moved(own, settled(atlas, own))
            score = network(*_tensors(herd, np.tile(~hidden[:, None], herd.there.shape[1])))
            loss = -_told(score, herd, absent).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    network.eval()
    return Learned(atlas, network)


def _told(score: Any, herd: Herd, absent: Any) -> Any:
    """Log-probability of the truth of each point after transport, as `assigned` has it."""
    import torch

    there = torch.as_tensor(herd.there)
    kernel = torch.exp(score - score.amax(dim=-1, keepdim=True).detach()) * there[..., None]
    outside, kernel = kernel[..., -1], kernel[..., :-1]
    point = there.to(kernel.dtype)
    for _ in range(_UNROLLED):
        name = 1 / (torch.einsum("wi,wij->wj", point, kernel) + absent)
        point = 1 / (torch.einsum("wij,wj->wi", kernel, name) + outside + _NEVER)
    p = torch.cat([kernel * name[:, None] * point[..., None], (outside * point)[..., None]], -1)
    truth = torch.as_tensor(herd.name)[..., None]
    return torch.log(p.gather(-1, truth)[..., 0][there] + _NEVER)


def _tensors(herd: Herd, coloured: npt.NDArray[np.bool_]) -> tuple[Any, ...]:
    import torch

    single = [torch.as_tensor(each, dtype=torch.float32) for each in (herd.xyz, herd.colours)]
    return (*single, torch.as_tensor(coloured, dtype=torch.float32), torch.as_tensor(herd.there))
