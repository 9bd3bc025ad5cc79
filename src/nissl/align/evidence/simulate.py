"""Simulated recordings for claims that are true or false by construction."""

from __future__ import annotations

import numpy as np

from nissl.align.fragments import About, Floats, Fragment
from nissl.errors import BadArgumentError

SHARED = ("all", "individual", "none", "half of conditions", "half of individuals")


def simulate_recordings(
    rng: np.random.Generator,
    *,
    shared: str = "all",
    n_subjects: int = 6,
    n_days: int = 2,
    axes: int = 2,
    private: int = 2,
    n_conditions: int = 12,
    per_condition: int = 8,
    n_units: int = 30,
    depth: float = 0.6,
) -> list[Fragment]:
    """Recordings of several days of several individuals, each with other units.

    Parameters
    ----------
    rng : numpy.random.Generator
    shared : str
        Who codes conditions alike: all; days of one individual; none; all in one half of the
        conditions, the others coded by each recording in its own way; one individual in two, by
        chance.
    n_subjects, n_days : int
    axes : int
        Equally strong axes along which the shared code lies.
    private : int
        Axes of each recording's own code, half as strong.
    n_conditions, per_condition : int
        Windows are `n_conditions * per_condition`.
    n_units : int
    depth : float
        Standard deviation of log rate that each axis gives.

    Raises
    ------
    BadArgumentError
        Of another word for who shares.
    """
    if shared not in SHARED:
        raise BadArgumentError(f"one of {list(SHARED)}", repr(shared), "Choose one.")
    common = rng.standard_normal((n_conditions, axes))
    out = []
    for subject in range(n_subjects):
        own = rng.standard_normal((n_conditions, axes))
        with_others = rng.random() < 0.5
        for day in range(n_days):
            code = common
            if shared == "individual" or (shared == "half of individuals" and not with_others):
                code = own
            elif shared == "none":
                code = rng.standard_normal((n_conditions, axes))
            elif shared == "half of conditions":
                half = n_conditions // 2
                code = common.copy()
                code[half:] = rng.standard_normal((n_conditions - half, axes))
            out.append(_recorded(rng, code, private, per_condition, n_units, depth, subject, day))
    return out


def _recorded(
    rng: np.random.Generator,
    code: Floats,
    private: int,
    per_condition: int,
    n_units: int,
    depth: float,
    subject: int,
    day: int,
) -> Fragment:
    n_conditions, n_steps, bin_s = len(code), 4, 0.1
    whole = np.column_stack([code, 0.5 * rng.standard_normal((n_conditions, private))])
    condition = rng.permutation(np.repeat(np.arange(n_conditions), per_condition))
    course = np.sin(np.pi * (np.arange(n_steps) + 0.5) / n_steps)
    loading = rng.standard_normal((whole.shape[1], n_units)) * depth
    base = np.log(rng.uniform(5, 20, n_units) * bin_s) + 0.5 * rng.standard_normal(n_units)
    drive = whole[condition] @ loading
    shake = 0.3 * rng.standard_normal((len(condition), 3)) @ rng.standard_normal((3, n_units))
    together = course[None, :, None] * (1 + drive + shake)[:, None]
    counts = rng.poisson(np.exp(np.clip(together + base, -8, 4)))
    return Fragment(
        f"subject {subject} day {day}",
        counts.reshape(-1, n_units).astype(float),
        bin_s,
        np.repeat(np.arange(len(condition)), n_steps),
        np.repeat(condition, n_steps),
        about=About("simulated", f"s{subject}", f"d{day}", "V1", "task", "spikes"),
    )


def simulate_windows(
    rng: np.random.Generator, *, effect: float, n: int = 30, blocked: bool = False
) -> tuple[Floats, Floats, Floats, Floats]:
    """Activity of windows with and without an intervention, and when they were.

    Parameters
    ----------
    rng : numpy.random.Generator
    effect : float
        In standard deviations of windows.
    n : int
        Of each.
    blocked : bool
        All with it after all without.

    Returns
    -------
    on, off, on_s, off_s : ndarray, shape (n,)
    """
    when = np.arange(2 * n, dtype=float)
    picked = when >= n if blocked else np.isin(np.arange(2 * n), rng.permutation(2 * n)[:n])
    slow = np.convolve(rng.standard_normal(2 * n + 20), np.ones(21) / 21, mode="valid")
    value = rng.standard_normal(2 * n) + 0.5 * slow + effect * picked
    return value[picked], value[~picked], when[picked], when[~picked]
