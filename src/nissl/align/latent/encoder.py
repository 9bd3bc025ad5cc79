"""A small encoder that sessions share, trained by time alone.

Each session's units are read in by its own linear map into the common space, as an aligner gave it;
one small temporal network, the same for all sessions, adds to that what makes bins next to each
other alike and bins of other windows unlike (InfoNCE: van den Oord, Li and Vinyals 2018,
arXiv:1807.03748). Neither behaviour nor conditions choose what is compared with what: sessions
are brought together by the aligner, and contrast is of time within a session. Sampling by
behaviour is what CEBRA (Schneider, Lee and Mathis 2023, Nature 617:360-368) does; its authors
call it patented, and the core of nissl stays clear of it.

Training needs PyTorch; reading does not (`Encoder.transform`).

What it is worth, on simulated reaches (seeds 10 to 13, none of which chose anything): a linear
decoder that is carried over reads R² .58 through it and .57 through the aligned latents (medians);
one that reads three bins of these side by side reads .64, without any network. So it is offered in
Python, is no aligner of its own, and the linear way is the one to try first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Floats, Fragment, Ints
from nissl.align.latent.decoding import ridge
from nissl.align.latent.maps import Aligned, Map
from nissl.errors import BadArgumentError, MissingDependencyError
from nissl.nets.backend import one_thread

REACH = 1
"""Bins on either side that a layer sees."""
HIDDEN = 24
TEMPERATURE = 0.2
STEPS = 300
_BATCH, _RATE = 256, 3e-3


@dataclass(frozen=True, eq=False)
class Encoder:
    """The shared network behind one session's read-in.

    Parameters
    ----------
    reads : Map
        Of this session.
    layers : tuple of (ndarray, ndarray)
        Weights, shape (2 * REACH + 1, n_in, n_out), and offsets, shape (n_out,); shared.
    back : tuple of (ndarray, ndarray)
        Ridge from latents to this session's prepared activity.
    """

    reads: Map
    layers: tuple[tuple[Floats, Floats], ...]
    back: tuple[Floats, Floats]

    @property
    def n_axes(self) -> int:
        """Number of axes."""
        return self.reads.n_axes

    def transform(self, fragment: Fragment) -> Floats:
        """Latents of a fragment of this population, shape (n_bins, n_axes)."""
        read = self.reads.transform(fragment)
        return _network(read, _neighbours(fragment.windows), self.layers)

    def inverse(self, latents: Floats) -> Floats:
        """Prepared activity that latents speak of, shape (n_bins, n_units)."""
        return np.asarray(latents @ self.back[0] + self.back[1], float)


def encoders(
    fragments: Sequence[Fragment],
    aligned: Aligned,
    rng: np.random.Generator,
    *,
    steps: int = STEPS,
) -> tuple[Encoder, ...]:
    """Train one network for all sessions on their calibration parts.

    Parameters
    ----------
    fragments : sequence of Fragment
        Those that were aligned, windows of several bins each.
    aligned : Aligned
    rng : numpy.random.Generator
    steps : int
        Of training.

    Raises
    ------
    MissingDependencyError
        Without PyTorch.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            "the package torch, to train an encoder",
            "none installed",
            "Install: pip install 'nissl[train]'",
        ) from error
    reads = [m.transform(f) for f, m in zip(fragments, aligned.maps, strict=True)]
    near = [_neighbours(f.windows) for f in fragments]
    pairs = [_pairs(f.windows) for f in fragments]
    for fragment, own in zip(fragments, pairs, strict=True):
        if len(own) < 2:
            raise BadArgumentError(
                f"windows of {fragment.name!r} of two bins or more",
                "bins that stand alone",
                "Ask for shorter bins.",
            )
    n_axes = aligned.maps[0].n_axes
    with one_thread():
        shapes = ((n_axes, HIDDEN), (HIDDEN, n_axes))
        width = 2 * REACH + 1
        held = []
        for k, (a, b) in enumerate(shapes):
            # The last layer begins at nothing, so that training begins from the aligned latents.
            scale = 0.0 if k == 1 else 1 / np.sqrt(a * width)
            weights = torch.tensor(rng.standard_normal((width, a, b)) * scale, requires_grad=True)
            offset = torch.zeros(b, dtype=torch.float64, requires_grad=True)
            held.append((weights, offset))
        x = [torch.tensor(r) for r in reads]
        way = torch.optim.Adam([p for layer in held for p in layer], lr=_RATE)
        for _ in range(steps):
            total = torch.zeros((), dtype=torch.float64)
            for read, beside, own in zip(x, near, pairs, strict=True):
                chosen = own[rng.integers(len(own), size=min(_BATCH, len(own)))]
                z = read
                for k, (weights, offset) in enumerate(held):
                    spread = torch.stack([z[beside[:, j]] for j in range(width)])
                    z = torch.einsum("jni,jio->no", spread, weights) + offset
                    z = torch.tanh(z) if k == 0 else z
                z = torch.nn.functional.normalize(read + z, dim=1)
                alike = z[chosen[:, 0]] @ z[chosen[:, 1]].T / TEMPERATURE
                total = total + torch.nn.functional.cross_entropy(alike, torch.arange(len(chosen)))
            way.zero_grad()
            total.backward()
            way.step()
        layers = tuple((w.detach().numpy().copy(), o.detach().numpy().copy()) for w, o in held)
    out = []
    for fragment, one, read, beside in zip(fragments, aligned.maps, reads, near, strict=True):
        z = _network(read, beside, layers)
        out.append(Encoder(one, layers, ridge(z, one.prepared(fragment))))
    return tuple(out)


def _network(read: Floats, beside: Ints, layers: Sequence[tuple[Floats, Floats]]) -> Floats:
    z = read
    for k, (weights, offset) in enumerate(layers):
        z = np.einsum("nji,jio->no", z[beside], weights, optimize=True) + offset
        z = np.tanh(z) if k + 1 < len(layers) else z
    return np.asarray(read + z, float)


def _neighbours(windows: Ints) -> Ints:
    """Bins that a layer sees, shape (n_bins, 2 * REACH + 1); a window's edge is repeated."""
    n = len(windows)
    out = np.empty((n, 2 * REACH + 1), np.int64)
    for j, step in enumerate(range(-REACH, REACH + 1)):
        there = np.clip(np.arange(n) + step, 0, n - 1)
        same = (windows[there] == windows) & (windows >= 0)
        out[:, j] = np.where(same, there, np.arange(n))
    return out


def _pairs(windows: Ints) -> Ints:
    """Bins of one window that follow each other, shape (n, 2)."""
    left = np.flatnonzero((windows[:-1] == windows[1:]) & (windows[:-1] >= 0))
    return np.stack([left, left + 1], axis=1)
