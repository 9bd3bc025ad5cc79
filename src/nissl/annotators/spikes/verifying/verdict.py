"""Whether a sorter's confidence is calibrated on this probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.verifying.judged import Judged
from nissl.errors import BadLabelsError
from nissl.trust.bands import quantile_edges
from nissl.trust.reliability import Reliability, bands, reliability

STATES = ("calibrated", "not calibrated", "unknown", "no confidence", "not verified")
MOST_ECE = 0.05
LEAST_UNITS = 8
LEAST_SPIKES = 300
N_BANDS = 4
_LEAST_WRONG = 10


@dataclass(frozen=True)
class Verdict:
    """What may be said of a method's per-spike confidence on one recording.

    Parameters
    ----------
    state : str
        One of `STATES`. Only in the first may a confidence be called a probability.
    method : str
        With its version, "spikes/lupin 1".
    source, stream : str
        Fingerprint and name of what it was verified on.
    sentence : str
        For people.
    n_units, n_spikes : int
        Added units that spikes could be judged of, and these spikes.
    ece, brier_skill : float or None
        Debiased expected calibration error, and skill over the base rate.
    """

    state: str
    method: str
    source: str
    stream: str
    sentence: str
    n_units: int = 0
    n_spikes: int = 0
    ece: float | None = None
    brier_skill: float | None = None

    @property
    def calibrated(self) -> bool:
        """Whether confidences may be called probabilities."""
        return self.state == STATES[0]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Verdict:
        """Inverse of `to_json`.

        Raises
        ------
        BadLabelsError
            Not a verdict.
        """
        try:
            made = cls(**value)
        except TypeError as error:
            raise BadLabelsError(
                "a verdict on a sorting", f"{error}", "Run `nissl verify-sorting` again."
            ) from error
        return made


def not_verified(method: str, source: str, stream: str) -> Verdict:
    """What is said before anybody has verified."""
    return Verdict(
        "not verified",
        method,
        source,
        stream,
        f"Confidence of {method} was not verified on this recording: it is a score, not a "
        "probability (nissl verify-sorting).",
    )


@dataclass(frozen=True)
class Confidence:
    """Reliability of confidences over all judged spikes and in bands.

    Parameters
    ----------
    overall : Reliability or None
        None where the sorter gives no confidence, or no spike can be judged.
    by_snr, by_depth, by_amplitude : dict of str to Reliability
        In bands of the added unit that a spike is about.
    counts : dict of str to int
        Judged spikes of each kind.
    """

    overall: Reliability | None
    by_snr: dict[str, Reliability]
    by_depth: dict[str, Reliability]
    by_amplitude: dict[str, Reliability]
    counts: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "counts": self.counts,
            "overall": None if self.overall is None else self.overall.to_json(),
            **{
                bands: {name: each.to_json() for name, each in getattr(self, bands).items()}
                for bands in ("by_snr", "by_depth", "by_amplitude")
            },
        }


def confidence_of(spikes: Judged, rng: np.random.Generator) -> Confidence:
    """Reliability of judged spikes; intervals resample whole added units."""
    known = np.isfinite(spikes.confidence)
    if not known.any():
        return Confidence(None, {}, {}, {}, spikes.counts())
    p, right, unit = (x[known] for x in (spikes.confidence, spikes.right, spikes.unit))
    snr = spikes.snr[known]
    parts = {}
    for level in np.unique(snr).tolist():
        inside = snr == level
        parts[f"{level:g}"] = reliability(p[inside], right[inside], groups=unit[inside], rng=rng)
    depth, amplitude = (
        bands(p, right, x, edges=edges_of(x), groups=unit, rng=rng)
        for x in (spikes.depth_um[known], spikes.amplitude_uv[known])
    )
    whole = reliability(p, right, groups=unit, rng=rng)
    return Confidence(whole, parts, depth, amplitude, spikes.counts())


def edges_of(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Round inner edges that cut values (n,) into at most four bands of about equal numbers."""
    return tuple(sorted({float(round(edge)) for edge in quantile_edges(values, N_BANDS)}))


def judge(found: Confidence, n_units: int, *, method: str, source: str, stream: str) -> Verdict:
    """Decide whether confidences are calibrated.

    They are where at least 8 added units and 300 spikes could be judged, the debiased
    calibration error is at most 0.05, the Brier skill over the base rate is above 0 with its
    whole interval, and in no band of size wholly below 0. Where fewer than 10 spikes are wrong,
    the base rate leaves no room for skill, and none is asked for.

    Parameters
    ----------
    found : Confidence
    n_units : int
        Added units with judged spikes.
    method, source, stream : str
        Kept with the verdict.
    """
    whole = found.overall
    if whole is None:
        none = sum(found.counts.values())
        state = "no confidence" if none else "unknown"
        why = (
            f"{method} gives no confidence for single spikes."
            if none
            else f"No added unit was found by {method}: nothing can be said of its confidence."
        )
        return Verdict(state, method, source, stream, why, n_units, none)
    ece, skill = whole.ece_debiased.estimate, whole.brier_skill
    n_wrong = _wrong(whole)
    facts = (n_units, whole.n, float(ece), _number(skill.estimate))
    of = f"{whole.n} spikes of {n_units} added units"
    if n_units < LEAST_UNITS or whole.n < LEAST_SPIKES:
        say = (
            f"Too little to judge the confidence of {method} by: {of}; {LEAST_UNITS} units and "
            f"{LEAST_SPIKES} spikes are needed. Add rounds."
        )
        return Verdict("unknown", method, source, stream, say, *facts)
    poor = [
        name
        for name, each in found.by_snr.items()
        if each.brier_skill.high < 0 and _wrong(each) >= _LEAST_WRONG
    ]
    skilled = n_wrong < _LEAST_WRONG or skill.low > 0
    if ece <= MOST_ECE and skilled and not poor:
        say = (
            f"Confidence of {method} is calibrated on this recording: off by {ece:.3f} on "
            f"average (debiased), over {of}."
        )
        return Verdict("calibrated", method, source, stream, say, *facts)
    reasons = []
    if ece > MOST_ECE:
        reasons.append(f"it is off by {ece:.3f} on average (limit {MOST_ECE:g})")
    if not skilled:
        reasons.append(f"it is not shown to be better than the base rate (Brier skill {skill})")
    if poor:
        reasons.append(f"it misleads at a signal-to-noise ratio of {', '.join(poor)}")
    say = (
        f"Confidence of {method} is not calibrated on this recording: {'; '.join(reasons)} ({of})."
    )
    return Verdict("not calibrated", method, source, stream, say, *facts)


def _wrong(spikes: Reliability) -> int:
    return round(spikes.n * (1 - spikes.accuracy.estimate))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
