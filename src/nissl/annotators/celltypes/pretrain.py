"""Train encoders of curves without labels (needs PyTorch).

A denoising variational autoencoder (Kingma and Welling 2014; Vincent et al. 2008) per modality:
from a curve as another probe, another day or a shorter recording would have shown it, to the
curve itself. Of a waveform, noise is added, samples at both ends are lost, its trough is moved by
a fraction of a sample, it is stretched in time a little (drift, position) and tilted; of the
curves of a train, counts are drawn again as from fewer spikes. Polarity is never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import MODALITIES
from nissl.annotators.celltypes.encoder import FEWEST_KNOWN, Encoder, squeezed
from nissl.errors import MissingDependencyError, MissingInputError
from nissl.run.progress import Progress, Silent

Values = npt.NDArray[np.float64]

FEWEST = 50
"""Units below which a modality gets no encoder."""


@dataclass(frozen=True)
class Recipe:
    """How encoders are trained.

    Parameters
    ----------
    n_latents, n_hidden : int
    epochs, batch : int
    rate : float
        Learning rate of Adam.
    beta : float
        Weight of the divergence from the prior.
    """

    n_latents: int = 6
    n_hidden: int = 64
    epochs: int = 80
    batch: int = 128
    rate: float = 2e-3
    beta: float = 0.02


def pretrain(
    curves: dict[str, Values],
    *,
    seed: int = 0,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> dict[str, Encoder]:
    """Encoders of the modalities of which there are enough units.

    Parameters
    ----------
    curves : dict of str to ndarray, shape (n_units, n_samples), float64
        By modality; units need not be the same in all. NaN where not known.
    seed : int
    recipe : Recipe, optional
    progress : Progress, optional

    Raises
    ------
    MissingDependencyError
        No PyTorch.
    MissingInputError
        Fewer than `FEWEST` units in every modality.
    """
    told, plan = progress or Silent(), recipe or Recipe()
    usable = {}
    for name in MODALITIES:
        if name in curves:
            raw = np.asarray(curves[name], np.float64)
            rows = raw[np.isfinite(raw).mean(axis=1) >= FEWEST_KNOWN]
            if len(rows) >= FEWEST:
                usable[name] = rows
    if not usable:
        raise MissingInputError(
            f"{FEWEST} units with a curve",
            str({name: len(rows) for name, rows in curves.items()}),
            "Give more units; they need no labels.",
        )
    told.start("pretrain", float(plan.epochs * len(usable)), "epochs")
    out = {}
    for k, (name, rows) in enumerate(usable.items()):
        out[name] = _train(name, rows, seed + k, plan, told)
    told.finish("pretrain")
    return out


def augmented(modality: str, curve: Values, rng: np.random.Generator) -> Values:
    """Curves as other circumstances would have shown them.

    Parameters
    ----------
    modality : str
    curve : ndarray, shape (n_units, n_samples), float64
        Not squeezed; NaN where not known.
    rng : numpy.random.Generator
    """
    if modality == "waveform":
        return _other_waveform(curve, rng)
    return _fewer_spikes(modality, curve, rng)


def _other_waveform(curve: Values, rng: np.random.Generator) -> Values:
    n, size = curve.shape
    at = np.arange(size, dtype=np.float64)
    middle = 24.0
    stretch = np.exp(rng.normal(0, 0.04, (n, 1)))
    moved = (at - middle) * stretch + middle + rng.uniform(-0.5, 0.5, (n, 1))
    out = _resampled(curve, moved)
    tilt = rng.normal(0, 0.02, (n, 1)) * (at - middle) / size
    noise = rng.normal(0, 1, (n, size)) * rng.uniform(0.0, 0.06, (n, 1))
    smooth = (noise + np.roll(noise, 1, axis=1)) / 2
    out = out * np.exp(rng.normal(0, 0.03, (n, 1))) + tilt + smooth
    first, last = rng.integers(0, 17, (n, 1)), size - rng.integers(0, 14, (n, 1))
    return np.where((at >= first) & (at < last), out, np.nan)


def _resampled(curve: Values, at: Values) -> Values:
    """Values of each row between its samples, NaN beside unknown ones."""
    low = np.clip(np.floor(at).astype(np.int64), 0, curve.shape[1] - 2)
    part = at - low
    left = np.take_along_axis(curve, low, axis=1)
    right = np.take_along_axis(curve, low + 1, axis=1)
    between = left * (1 - part) + right * part
    return np.where((part >= 0) & (part <= 1), between, np.nan)


def _fewer_spikes(modality: str, curve: Values, rng: np.random.Generator) -> Values:
    """Curve as if its bins had held fewer counts: 10 to 3,000 in a bin of mean height."""
    per_bin = 10 ** rng.uniform(1.0, 3.5, (len(curve), 1))
    height = np.nanmean(curve, axis=1, keepdims=True)
    height = np.where(height > 0, height, 1.0)
    expected = np.where(np.isfinite(curve), np.maximum(curve, 0.0) / height * per_bin, 0.0)
    drawn = rng.poisson(np.minimum(expected, 1e8)) / per_bin * height
    out = np.where(np.isfinite(curve), drawn, np.nan)
    if modality == "isi":
        total = np.nansum(out, axis=1, keepdims=True)
        out = out / np.where(total > 0, total, 1.0)
    return np.asarray(out)


def _train(modality: str, rows: Values, seed: int, plan: Recipe, told: Progress) -> Encoder:
    torch = _require_torch()
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng([seed, 7])
    target = squeezed(modality, rows)
    centre = np.nanmedian(target, axis=0)
    centre = np.where(np.isfinite(centre), centre, 0.0)
    spread = float(np.sqrt(np.nanmean((target - centre) ** 2))) or 1.0
    scale = np.full(centre.shape, spread)
    size = centre.size
    net = _network(torch, size, plan, generator)
    optimiser = torch.optim.Adam([p for layer in net for p in layer], lr=plan.rate)
    steps = plan.epochs * max(1, -(-len(rows) // plan.batch))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    fixed = Encoder(modality, centre, scale, ())
    clean, known = (torch.tensor(v, dtype=torch.float32) for v in fixed.standardised(rows))
    for _ in range(plan.epochs):
        x, mask = (
            torch.tensor(v, dtype=torch.float32)
            for v in fixed.standardised(augmented(modality, rows, rng))
        )
        order = torch.randperm(len(rows), generator=generator)
        for part in order.split(plan.batch):
            loss = _loss(torch, net, x[part], mask[part], clean[part], known[part], plan, generator)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        told.advance("pretrain", 1.0)
    arrays = [layer.detach().numpy().astype(np.float64) for layer in (*net[0], *net[1])]
    return Encoder(modality, centre, scale, ((arrays[0], arrays[1]), (arrays[2], arrays[3])))


def _network(torch: Any, size: int, plan: Recipe, generator: Any) -> list[tuple[Any, Any]]:
    """Weights and biases: encoder (2), log variance, decoder (2)."""
    shapes = [
        (2 * size, plan.n_hidden),
        (plan.n_hidden, plan.n_latents),
        (plan.n_hidden, plan.n_latents),
        (plan.n_latents, plan.n_hidden),
        (plan.n_hidden, size),
    ]
    out = []
    for a, b in shapes:
        weight = torch.randn((a, b), generator=generator) * (1.0 / a) ** 0.5
        out.append((weight.requires_grad_(), torch.zeros(b, requires_grad=True)))
    return out


def _loss(
    torch: Any,
    net: list[tuple[Any, Any]],
    x: Any,
    mask: Any,
    clean: Any,
    known: Any,
    plan: Recipe,
    generator: Any,
) -> Any:
    hidden = torch.tanh(torch.cat([x, mask], dim=1) @ net[0][0] + net[0][1])
    mean = hidden @ net[1][0] + net[1][1]
    log_var = (hidden @ net[2][0] + net[2][1]).clamp(-8, 4)
    noise = torch.randn(mean.shape, generator=generator)
    latent = mean + noise * torch.exp(0.5 * log_var)
    back = torch.tanh(latent @ net[3][0] + net[3][1]) @ net[4][0] + net[4][1]
    error = ((back - clean) ** 2 * known).sum(dim=1) / known.sum(dim=1)
    divergence = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(dim=1)
    return (error + plan.beta * divergence).mean()


def _require_torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            "PyTorch, to train encoders",
            "no such package",
            "Install it: pip install 'nissl[train]'; encoders that are trained run without it.",
        ) from None
    return torch
