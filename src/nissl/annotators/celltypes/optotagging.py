"""Optotagging: which units fire so soon and so precisely after light that they carry the opsin.

For every unit the first spikes after light pulses are compared with first spikes in dark
baseline windows: a test of latencies (`nissl.annotators.celltypes.salt`), an exact test of how
many pulses are answered, latency and jitter of the answer, and the waveform of its spikes.

A verdict has three values. **tagged** means that all criteria hold. **not responsive** means
that no answer was seen, which says nothing about the unit's class: light and opsin do not reach
every cell of a class. **doubtful** is everything else, with the reason: an answer that is late or
jittered (driven through other neurons), an artefact of the light, too few pulses or spikes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.evoked_waveforms import NO_MATCH, WaveformMatch
from nissl.annotators.celltypes.exact_tests import fewer_hits, more_hits
from nissl.annotators.celltypes.pulses import LEAST_PULSES, Windows, count_spikes, first_spikes
from nissl.annotators.celltypes.salt import Salt, salt
from nissl.errors import BadArgumentError
from nissl.trust.discoveries import benjamini_hochberg

Values = npt.NDArray[np.float64]

TAGGED, NOT_RESPONSIVE, DOUBTFUL = "tagged", "not responsive", "doubtful"
NO_NEGATIVE = "That does not make it another class: light and opsin do not reach every cell."

_ARTEFACT_JITTER_MS = 0.05
_MOST_DEAD = 0.5
_QUARTILES = 1.349  # of a normal distribution, in standard deviations


@dataclass(frozen=True)
class Criteria:
    """What is asked of a tagged unit; written into the provenance of the labels.

    Parameters
    ----------
    within_ms : float
        End of the window after a pulse, and the latest median latency of a tagged unit.
    look_ms : float
        How far latencies are looked at, so that late answers are seen to be late; at least
        `within_ms`.
    dead_ms : float
        Spikes so soon after the onset or the end of a pulse are left out: light artefacts.
    recovery_ms : float
        After the end of a pulse this long is not used as baseline.
    alpha : float
        Limit of the p values of a unit: of SALT as published, and of the answered pulses.
    fdr : float
        Limit of the larger of the two, adjusted for the number of units (Benjamini-Hochberg).
    max_jitter_ms : float
    min_reliability : float
        Share of pulses answered beyond what the baseline explains.
    min_waveform_r : float
        Correlation of evoked with spontaneous mean waveform, where waveforms are to be had.
    need_waveform : bool
        Whether units without waveforms to compare are doubtful.
    min_pulses, min_spikes : int
        Below either a unit is doubtful.
    """

    within_ms: float = 10.0
    look_ms: float = 30.0
    dead_ms: float = 0.5
    recovery_ms: float = 50.0
    alpha: float = 0.01
    fdr: float = 0.05
    max_jitter_ms: float = 3.0
    min_reliability: float = 0.1
    min_waveform_r: float = 0.85
    need_waveform: bool = False
    min_pulses: int = 30
    min_spikes: int = 10

    def __post_init__(self) -> None:
        shares = (self.alpha, self.fdr, self.min_reliability)
        lengths = (self.within_ms, self.look_ms, self.max_jitter_ms)
        if (
            not all(0 < x < 1 for x in shares)
            or not all(np.isfinite(x) and x > 0 for x in lengths)
            or not -1 <= self.min_waveform_r <= 1
            or not 0 <= self.dead_ms < self.within_ms <= self.look_ms
            or self.min_pulses < LEAST_PULSES
        ):
            raise BadArgumentError(
                "limits between 0 and 1, times above 0 with dead_ms < within_ms <= look_ms, and "
                f"at least {LEAST_PULSES} pulses",
                f"{self}",
                "Mend the criteria.",
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Tagging:
    """What the light pulses say of one unit.

    Parameters
    ----------
    unit : int
    verdict : {"tagged", "not responsive", "doubtful"}
    sentence : str
        Why, in plain words.
    n_spikes : int
        Of the unit, each time counted once.
    n_pulses : int
        Pulses that count.
    n_dead : int
        Spikes left out as too soon after an edge of the light.
    latency_ms, jitter_ms : float
        Median of the evoked first spikes and their spread (interquartile range over 1.349),
        after the chance of a spontaneous first spike is taken out; NaN without an answer.
    first_ms, first_sd_ms : float
        Median and standard deviation of all first spikes in the window, as often reported.
    reliability : float
        Share of pulses answered in the window beyond what the baseline explains.
    answered, answered_baseline : float
        Share of pulses, and of baseline windows, with a spike.
    rate_hz, baseline_hz : float
        Firing rate in the windows after pulses, and in the baseline windows.
    salt_p, salt_rank_p, salt_divergence : float
        See `nissl.annotators.celltypes.salt.Salt`.
    more_p, fewer_p : float
        Exact probability of so many (few) answered pulses if they were baseline windows.
    late_p : float
        The same of so many, in all the time that is looked at.
    q : float
        Larger of `salt_p` and `more_p`, adjusted for the number of units.
    waveform_r, waveform_null_r, size_ratio : float
        See `nissl.annotators.celltypes.evoked_waveforms.WaveformMatch`.
    """

    unit: int
    verdict: str
    sentence: str
    n_spikes: int
    n_pulses: int
    n_dead: int = 0
    latency_ms: float = np.nan
    jitter_ms: float = np.nan
    first_ms: float = np.nan
    first_sd_ms: float = np.nan
    reliability: float = np.nan
    answered: float = np.nan
    answered_baseline: float = np.nan
    rate_hz: float = np.nan
    baseline_hz: float = np.nan
    salt_p: float = np.nan
    salt_rank_p: float = np.nan
    salt_divergence: float = np.nan
    more_p: float = np.nan
    fewer_p: float = np.nan
    late_p: float = np.nan
    q: float = np.nan
    waveform_r: float = np.nan
    waveform_null_r: float = np.nan
    size_ratio: float = np.nan

    @property
    def tagged(self) -> bool:
        """Whether all criteria hold."""
        return self.verdict == TAGGED

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for what could not be computed."""
        return {
            k: None if isinstance(v, float) and not np.isfinite(v) else v
            for k, v in asdict(self).items()
        }


def measure(unit: int, spikes_s: npt.ArrayLike, windows: Windows) -> Tagging:
    """Numbers of one unit, without a verdict.

    Parameters
    ----------
    unit : int
    spikes_s : array-like, shape (n_spikes,), seconds
        Any order; times that are there twice count once.
    windows : Windows
    """
    spikes = np.unique(np.asarray(spikes_s, dtype=np.float64))
    kept = spikes[~_in_dead_time(spikes, windows)]
    n = int(windows.onset_s.size)
    base = Tagging(unit, "", "", int(spikes.size), n, int(spikes.size - kept.size))
    if not kept.size:
        return base
    start = windows.onset_s + windows.dead_s
    before = start[:, None] - windows.lag_s
    length, look = windows.within_s - windows.dead_s, windows.look_s - windows.dead_s
    late_test, late_base = (first_spikes(kept, x, look, windows.hole_s) for x in (start, before))
    test = np.where(late_test < length, late_test, np.inf)
    baseline = np.where(late_base < length, late_base, np.inf)
    hit, others = np.isfinite(test), np.isfinite(baseline)
    found: Salt = salt(test, baseline, length, bin_s=min(1e-3, length / 4))
    latency, jitter = _answer(late_test, late_base)
    reliability = 1 - (1 - hit.mean()) / max(1 - others.mean(), 1e-9)
    seen = 1e3 * (test[hit] + windows.dead_s)
    return replace(
        base,
        latency_ms=round(1e3 * (latency + windows.dead_s), 6),
        jitter_ms=round(1e3 * jitter, 6),
        first_ms=float(np.median(seen)) if seen.size else np.nan,
        first_sd_ms=float(np.std(seen, ddof=1)) if seen.size > 1 else np.nan,
        reliability=float(reliability) if others.mean() < 1 else 0.0,
        answered=float(hit.mean()),
        answered_baseline=float(others.mean()),
        rate_hz=count_spikes(kept, start, length, windows.hole_s) / length,
        baseline_hz=count_spikes(kept, before, length, windows.hole_s) / length,
        salt_p=found.p,
        salt_rank_p=found.rank_p,
        salt_divergence=found.divergence,
        more_p=more_hits(hit, others),
        fewer_p=fewer_hits(hit, others),
        late_p=more_hits(np.isfinite(late_test), np.isfinite(late_base)),
    )


def evoked(spikes_s: Values, windows: Windows) -> npt.NDArray[np.bool_]:
    """Mark the spikes within the window after a pulse, dead times left out.

    Parameters
    ----------
    spikes_s : ndarray, shape (n_spikes,), float64, seconds
    windows : Windows
    """
    after = np.searchsorted(windows.onset_s, spikes_s, side="right") - 1
    since = spikes_s - windows.onset_s[np.maximum(after, 0)]
    inside = (after >= 0) & (since >= windows.dead_s) & (since < windows.within_s)
    return np.asarray(inside & ~_in_dead_time(spikes_s, windows))


def with_waveforms(found: Tagging, match: WaveformMatch) -> Tagging:
    """The numbers of a unit with those of its waveforms."""
    return replace(
        found,
        waveform_r=match.r,
        waveform_null_r=match.null_r,
        size_ratio=match.size_ratio,
    )


def may_be_tagged(found: Tagging, criteria: Criteria) -> bool:
    """Whether the waveforms of a unit are worth reading: more spikes after light than before."""
    return bool(max(found.salt_p, found.more_p) < criteria.alpha)


def judged(found: Sequence[Tagging], criteria: Criteria) -> tuple[Tagging, ...]:
    """Verdicts of all units of a session together.

    Parameters
    ----------
    found : sequence of Tagging
        As `measure` and `with_waveforms` give them.
    criteria : Criteria
    """
    testable = [each.n_spikes >= criteria.min_spikes for each in found]
    p = [
        max(each.salt_p, each.more_p) if ok else np.nan
        for each, ok in zip(found, testable, strict=True)
    ]
    adjusted = benjamini_hochberg(p)
    return tuple(
        _judged(replace(each, q=float(q)), criteria)
        for each, q in zip(found, adjusted, strict=True)
    )


def tag_trains(
    trains_s: dict[int, npt.ArrayLike],
    windows: Windows,
    criteria: Criteria,
    matches: dict[int, WaveformMatch] | None = None,
) -> tuple[Tagging, ...]:
    """Test all units of a session.

    Parameters
    ----------
    trains_s : dict of int to array-like, shape (n_spikes,), seconds
        Spike times of each unit.
    windows : Windows
    criteria : Criteria
    matches : dict of int to WaveformMatch, optional
        Of the units whose waveforms were compared.
    """
    known = matches or {}
    found = [
        with_waveforms(measure(unit, times, windows), known.get(unit, NO_MATCH))
        for unit, times in trains_s.items()
    ]
    return judged(found, criteria)


def _judged(found: Tagging, limits: Criteria) -> Tagging:
    if found.n_pulses < limits.min_pulses or found.n_spikes < limits.min_spikes:
        sentence = (
            f"{found.n_spikes} spikes and {found.n_pulses} pulses are too few to tell (at least "
            f"{limits.min_spikes} and {limits.min_pulses})."
        )
        return replace(found, verdict=DOUBTFUL, sentence=sentence)
    if found.n_dead > _MOST_DEAD * found.n_spikes:
        sentence = (
            f"{found.n_dead} of its {found.n_spikes} spikes come within {limits.dead_ms:g} ms of "
            "an edge of the light: an artefact."
        )
        return replace(found, verdict=DOUBTFUL, sentence=sentence)
    if not max(found.salt_p, found.more_p) < limits.alpha:
        return _unanswered(found, limits)
    reasons = _reasons(found, limits)
    answer = (
        f"answers {found.reliability:.0%} of {found.n_pulses} pulses after {found.latency_ms:.1f} "
        f"ms (jitter {found.jitter_ms:.2f} ms, SALT p = {found.salt_p:.2g}"
    )
    if reasons:
        return replace(found, verdict=DOUBTFUL, sentence=f"It {answer}), but {'; '.join(reasons)}.")
    waveform = (
        "waveforms not compared"
        if np.isnan(found.waveform_r)
        else f"waveform r = {found.waveform_r:.2f}"
    )
    return replace(found, verdict=TAGGED, sentence=f"It {answer}, {waveform}).")


def _unanswered(found: Tagging, limits: Criteria) -> Tagging:
    """Verdict on a unit whose answer to light does not pass both tests."""
    if found.fewer_p < limits.alpha and found.rate_hz < found.baseline_hz:
        sentence = (
            f"Light lowers its rate from {found.baseline_hz:.1f} to {found.rate_hz:.1f} Hz: "
            "it is inhibited, through other neurons or by the opsin itself."
        )
        return replace(found, verdict=DOUBTFUL, sentence=sentence)
    if found.late_p < limits.alpha:
        sentence = (
            f"It answers late, after {found.latency_ms:.1f} ms (p = {found.late_p:.2g}): it is "
            "probably driven through other neurons."
        )
        return replace(found, verdict=DOUBTFUL, sentence=sentence)
    if found.more_p < limits.alpha or found.salt_p < limits.alpha:
        sentence = (
            f"Only one of two tests sees an answer (SALT p = {found.salt_p:.2g}, answered "
            f"pulses p = {found.more_p:.2g})."
        )
        return replace(found, verdict=DOUBTFUL, sentence=sentence)
    sentence = f"No answer to light is seen (SALT p = {found.salt_p:.2g}). {NO_NEGATIVE}"
    return replace(found, verdict=NOT_RESPONSIVE, sentence=sentence)


def _reasons(found: Tagging, limits: Criteria) -> list[str]:
    """Why a unit that answers is not tagged; empty where it is."""
    reasons = []
    unlike = found.waveform_r < limits.min_waveform_r
    if found.jitter_ms < _ARTEFACT_JITTER_MS and not found.waveform_r >= limits.min_waveform_r:
        shape = "an unlike waveform" if unlike else "no waveform to compare"
        reasons.append(f"next to no jitter and {shape} look like an artefact of the light")
    elif unlike and found.waveform_r < found.waveform_null_r:
        reasons.append(
            f"its spikes after light look unlike the others (r = {found.waveform_r:.2f}): an "
            "artefact, or another unit"
        )
    elif unlike:
        reasons.append(
            f"waveforms agree only with r = {found.waveform_r:.2f}, which its few or noisy spikes "
            "explain"
        )
    elif np.isnan(found.waveform_r) and limits.need_waveform:
        reasons.append("there are no waveforms to compare")
    late = not found.latency_ms < limits.within_ms
    if late or not found.jitter_ms < limits.max_jitter_ms:
        what = "that is late" if late else "the jitter is large"
        reasons.append(f"{what}: it is probably driven through other neurons")
    if not found.reliability >= limits.min_reliability:
        reasons.append(f"that is less than {limits.min_reliability:.0%} of the pulses")
    if not found.q < limits.fdr:
        reasons.append(f"among so many units that may be chance (q = {found.q:.2g})")
    return reasons


def _answer(test_s: Values, baseline_s: Values) -> tuple[float, float]:
    """Median and spread of evoked first spikes, spontaneous ones taken out, seconds.

    Evoked and spontaneous spikes are competing risks: the share of windows without any spike
    up to a time is the product of the shares without either. Their quotient therefore gives
    the distribution of the evoked first spike, up to the share that the light evokes.
    """
    times = np.sort(test_s[np.isfinite(test_s)])
    if not times.size:
        return float("nan"), float("nan")
    silent = 1 - np.arange(1, times.size + 1) / test_s.size
    pooled = np.sort(baseline_s[np.isfinite(baseline_s)])
    spontaneous = 1 - np.searchsorted(pooled, times, side="right") / baseline_s.size
    share = 1 - silent / np.maximum(spontaneous, 1e-9)
    share = np.maximum.accumulate(np.maximum(share, 0.0))
    if share[-1] <= 0:
        return float("nan"), float("nan")
    low, middle, high = (times[np.searchsorted(share, q * share[-1])] for q in (0.25, 0.5, 0.75))
    return float(middle), float((high - low) / _QUARTILES)


def _in_dead_time(spikes_s: Values, windows: Windows) -> npt.NDArray[np.bool_]:
    out = np.zeros(spikes_s.shape, bool)
    for edges in (windows.onset_s, windows.offset_s[np.isfinite(windows.offset_s)]):
        if edges.size:
            after = np.searchsorted(edges, spikes_s, side="right") - 1
            out |= (after >= 0) & (spikes_s - edges[np.maximum(after, 0)] < windows.dead_s)
    return out
