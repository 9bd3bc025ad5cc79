"""Checks of the recording itself, before anyone trusts what was found in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.preprocess import apply_plan, make_plan
from nissl.annotators.spikes.sampling import noise_uv
from nissl.data import Signal
from nissl.run.context import Context
from nissl.run.statistics import SignalStatistics, signal_statistics
from nissl.tasks import Finding

MAX_SATURATED = 1e-4  # fraction of samples
MIN_SATURATED = 10
MAX_LINE_UV = 20.0
MIN_LINE_RATIO = 10.0
NOISE_RANGE_UV = (0.5, 100.0)
MAX_FROZEN = 0.0

Bools = npt.NDArray[np.bool_]


def check_recording(signal: Signal, context: Context) -> list[Finding]:
    """Dead or noisy channels, saturation, line noise, dropped samples, wrong gain.

    Parameters
    ----------
    signal : Signal
    context : Context

    Returns
    -------
    list of Finding
        Without an item: they are about the recording.
    """
    statistics = signal_statistics(signal, context)
    plan = make_plan(signal, {}, context.seed)
    noise = noise_uv(apply_plan(signal, plan), signal.clock, context.seed)
    return [
        *bad_channels(plan.bad_channels, signal.n_channels),
        *saturation(statistics),
        *line_noise(statistics),
        *dropped(statistics, signal),
        *gain(noise),
    ]


def bad_channels(bad: Mapping[str, str], n_channels: int) -> list[Finding]:
    """One finding per kind of bad channel."""
    words = {
        "dead": ("dead_channels", "carry no signal", "a broken contact or a wrong channel map"),
        "noise": ("noisy_channels", "are far noisier than their neighbours", "a bad contact"),
        "out": ("outside_channels", "seem to lie outside the brain", "no harm"),
    }
    findings = []
    for kind, (check, what, why) in words.items():
        names = [name for name, label in bad.items() if label == kind]
        if names:
            findings.append(
                Finding(
                    check,
                    "note" if kind == "out" else "warning",
                    f"{len(names)} of {n_channels} channels {what} ({listed(names)}): {why}. "
                    "They are left out of sorting.",
                    value=float(len(names)),
                    limit=0.0,
                    unit="channels",
                )
            )
    return findings


def saturation(statistics: SignalStatistics) -> list[Finding]:
    """Samples that stick at the end of the range."""
    extremes = statistics.n_at_min + statistics.n_at_max
    live = statistics.longest_constant < statistics.n_samples
    stuck = np.maximum(statistics.n_at_limit, np.where(live, extremes, 0))
    share = stuck / max(statistics.n_samples, 1)
    at_limit = statistics.n_at_limit >= MIN_SATURATED
    flat = (share > MAX_SATURATED) & (_span(statistics) > 8 * statistics.sd_uv)
    high = at_limit | (flat & (stuck >= MIN_SATURATED))
    if not np.any(high):
        return []
    return [
        Finding(
            "saturation",
            "warning",
            f"{int(high.sum())} channels ({_names(statistics, high)}) stick at the end of their "
            f"range in up to {100 * float(share[high].max()):.3f} % of the samples: spikes there "
            "are cut off. Lower the amplifier's gain, or look for artefacts.",
            value=float(share[high].max()),
            limit=MAX_SATURATED,
        )
    ]


def line_noise(statistics: SignalStatistics) -> list[Finding]:
    """50 and 60 Hz from the mains."""
    findings = []
    for column, line in enumerate(statistics.line_hz):
        uv, ratio = statistics.line_uv[:, column], statistics.line_ratio[:, column]
        high = (np.nan_to_num(uv) > MAX_LINE_UV) & (np.nan_to_num(ratio) > MIN_LINE_RATIO)
        if np.any(high):
            worst = float(np.nanmax(uv))
            findings.append(
                Finding(
                    "line_noise",
                    "note",
                    f"The mains at {line:g} Hz add up to {worst:.0f} uV (RMS) to "
                    f"{int(high.sum())} channels: without harm to spikes after filtering, but not "
                    "to slow signals. Check ground and shielding.",
                    value=worst,
                    limit=MAX_LINE_UV,
                    unit="uV",
                )
            )
    return findings


def dropped(statistics: SignalStatistics, signal: Signal) -> list[Finding]:
    """Stretches in which nothing changes, and gaps between segments."""
    findings = []
    runs = statistics.frozen_runs
    if len(runs):
        lost_s = float(np.sum(runs[:, 1] - runs[:, 0]) / signal.rate_hz)
        first_s = float(signal.clock.to_seconds(runs[0, 0]))
        findings.append(
            Finding(
                "dropped_samples",
                "warning",
                f"In {len(runs)} stretches, {lost_s:.3f} s in all, no channel changes (the first "
                f"at {first_s:.3f} s): samples were lost there, and spikes with them.",
                value=lost_s,
                limit=MAX_FROZEN,
                unit="s",
            )
        )
    segments = signal.clock.segments
    if len(segments) > 1:
        lost_s = segments[-1].end_s - segments[0].t0_s - signal.duration_s
        findings.append(
            Finding(
                "gaps",
                "note",
                f"The recording has {len(segments) - 1} gaps, {lost_s:.3f} s in all; no spike is "
                "looked for across them.",
                value=float(len(segments) - 1),
                limit=0.0,
                unit="gaps",
            )
        )
    return findings


def gain(noise: npt.NDArray[np.float64]) -> list[Finding]:
    """Noise of the spike band that no amplifier and tissue give."""
    level = float(np.median(noise)) if noise.size else np.nan
    low, high = NOISE_RANGE_UV
    if low <= level <= high:
        return []
    side, limit = ("small", low) if level < low else ("large", high)
    return [
        Finding(
            "gain",
            "warning",
            f"The noise in the spike band is {level:.3g} uV, too {side} for electrodes in tissue "
            f"({low:g} to {high:g} uV): the gain in the header is probably wrong, and all "
            "amplitudes with it. Give it with --gain-uv.",
            value=level,
            limit=limit,
            unit="uV",
        )
    ]


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names with commas; the first few and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _names(statistics: SignalStatistics, chosen: Bools) -> str:
    return listed([statistics.channel_ids[i] for i in np.flatnonzero(chosen)])


def _span(statistics: SignalStatistics) -> npt.NDArray[np.float64]:
    return np.asarray(statistics.max_uv - statistics.min_uv)
