"""Pairs of fragments that differ in one thing that is known, for attribution to name."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nissl.align.errormap.windowed import Windowed
from nissl.align.fragments import Floats, Ints
from nissl.errors import BadArgumentError

PLANTED = ("noise", "drift", "units", "rates", "sampling", "state", "remapping", "geometry")
N_CONDITIONS, N_STEPS, N_LATENTS, N_EACH = 10, 8, 4, 16
LEVEL = 3.0
"""Of all units, in parts of how much they are modulated: activity is never below 0."""


@dataclass(frozen=True, eq=False)
class Planted:
    """A pair, and what it takes to tell.

    Parameters
    ----------
    source, target : Windowed
    common : ndarray of int
    halves : {"turns", "time"}
    same : tuple of ndarray of int, optional
        Units that are the same.
    """

    source: Windowed
    target: Windowed
    common: Ints
    halves: str = "turns"
    same: tuple[Ints, Ints] | None = None


def planted(reason: str, rng: np.random.Generator, n_units: int = 50) -> Planted:
    """Simulate a pair that would predict each other well but for one thing.

    Parameters
    ----------
    reason : str
        One of `PLANTED`.
    rng : numpy.random.Generator
    n_units : int
        Of fragments that are not short of units.

    Raises
    ------
    BadArgumentError
        Of an unknown reason.
    """
    if reason not in PLANTED:
        raise BadArgumentError(f"a reason among {list(PLANTED)}", repr(reason), "Choose one.")
    code, other = (rng.standard_normal((N_CONDITIONS, N_STEPS, N_LATENTS)) for _ in range(2))
    condition = np.tile(np.arange(N_CONDITIONS), N_EACH)
    plain = _windows(rng, "target", code[condition], n_units)
    source = _windows(rng, "source", code[condition], n_units)
    common = np.arange(N_CONDITIONS)
    made = Planted(source, plain, common)
    if reason == "noise":
        return replace(made, target=_windows(rng, "target", code[condition], n_units, noise=5.0))
    if reason == "units":
        return replace(made, source=_windows(rng, "source", code[condition], 2))
    if reason == "geometry":
        return replace(made, source=_windows(rng, "source", other[condition], n_units))
    if reason == "drift":
        late = np.linspace(0, 1, len(condition))[:, None, None]
        early, last = (_windows(rng, "target", code[condition], n_units) for _ in range(2))
        # Other weights of the same latents: their geometry stays.
        drifted = replace(early, values=(1 - late) * early.values + late * last.values)
        return replace(made, target=drifted, halves="time")
    if reason == "rates":
        half = np.repeat([1.0, 0.03], n_units)
        loud = _windows(rng, "target", code[condition], 2 * n_units, gain=half)
        quiet = _windows(rng, "source", code[condition], n_units // 2, gain=half[-n_units // 2 :])
        return replace(made, source=quiet, target=loud)
    if reason == "sampling":
        return replace(made, source=source.coarser(4 * source.bin_s))
    if reason == "state":
        sides = []
        for name, share in (("source", 0.75), ("target", 0.25)):
            lively = rng.random(len(condition)) < share
            mixed = np.where(lively[:, None, None], other[condition], code[condition])
            one = _windows(rng, name, mixed, n_units)
            sides.append(replace(one, state=lively + 0.02 * rng.standard_normal(len(lively))))
        return replace(made, source=sides[0], target=sides[1])
    mixing = rng.standard_normal((N_LATENTS, n_units))
    turned = rng.random(n_units) < 0.5
    before = _windows(rng, "source", code[condition], n_units, mixing=mixing)
    kept = _windows(rng, "target", code[condition], n_units, mixing=mixing)
    new = _windows(rng, "target", other[condition], n_units, mixing=mixing)
    remapped = replace(kept, values=np.where(turned, new.values, kept.values))
    everyone = np.arange(n_units)
    return Planted(before, remapped, common, same=(everyone, everyone))


def _windows(
    rng: np.random.Generator,
    name: str,
    latents: Floats,
    n_units: int,
    *,
    noise: float = 0.3,
    gain: Floats | None = None,
    mixing: Floats | None = None,
) -> Windowed:
    """Units that mix latents, shape (n_windows, n_steps, n_latents), and are noisy."""
    mixed = latents @ (rng.standard_normal((N_LATENTS, n_units)) if mixing is None else mixing)
    mixed = (mixed + LEVEL * np.sqrt(N_LATENTS)) * (1.0 if gain is None else gain)
    values = np.maximum(mixed + noise * rng.standard_normal(mixed.shape), 0.0)
    condition = np.tile(np.arange(N_CONDITIONS), len(latents) // N_CONDITIONS)
    state = values.mean(axis=(1, 2))
    return Windowed(name, values, condition, state, np.arange(n_units))
