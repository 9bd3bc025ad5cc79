"""Naming all volumes: what one source of evidence has wrong does not drown the others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from nissl.annotators.tracks.following import Opinion
from nissl.annotators.tracks.procedure import Plan, Sight, name_all
from nissl.run.context import Context

N, N_FRAMES = 12, 9


def crawling() -> tuple[Sight, list[np.ndarray], np.ndarray]:
    """Neurons that drift together; what is said of each blob is right for most."""
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 40, (N, 3))
    truth = np.stack([first + np.array([2.0 * t, 0, 0]) for t in range(N_FRAMES)])
    blobs = [each + rng.normal(0, 0.1, each.shape) for each in truth]
    said = []
    for _ in range(N_FRAMES):
        p = np.full((N, N + 1), 0.3 / N)
        p[np.arange(N), np.arange(N)] = 0.7
        said.append(np.log(p))
    light = tuple(np.zeros(N) for _ in range(N_FRAMES))
    facts = tuple(np.zeros((N, 1)) for _ in range(N_FRAMES))
    posture = np.arange(N_FRAMES, dtype=np.float32)[:, None]
    return Sight(tuple(blobs), light, facts, posture), said, truth


def misled(frame: int) -> Opinion:
    """Registration that is sure, and takes every neuron for the next."""
    del frame
    posterior = np.full((N, N), 1e-4)
    posterior[np.arange(N), (np.arange(N) + 1) % N] = 0.99
    return Opinion(posterior, np.full((N, 3), 90.0), np.full(N, 2.0), 0, 0.0)


def test_registration_that_is_sure_and_wrong_is_outvoted(tmp_path: Path) -> None:
    sight, said, truth = crawling()
    frames = np.array([0, 8])
    named = name_all(
        sight, said, frames, truth[frames], Plan(), Context(tmp_path), SimpleNamespace(at=misled)
    )
    for k in range(1, N_FRAMES - 1):
        assert np.linalg.norm(named[k].xyz - truth[k], axis=1).max() < 1.0
