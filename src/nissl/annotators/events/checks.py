"""What is doubtful about events and the recording they were found in.

Findings of the check "novelty" without an item switch automatic acceptance off for the recording:
a wrong amplitude scale, a sign that is turned over, mains hum or flat channels make labels that
look no different from good ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.score import about
from nissl.annotators.events.vocabulary import NOTHING
from nissl.annotators.events.waves import band, spectrum, spread
from nissl.annotators.unlike import NOVELTY
from nissl.data import Signal
from nissl.data.electrodes import electrodes
from nissl.errors import MissingInputError
from nissl.labels import ItemTable, LabelSet
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs

PLAUSIBLE_PER_MIN: Mapping[str, tuple[float, float]] = {
    "spindle": (0.0, 12.0),
    "slow wave": (0.0, 60.0),
    "rapid eye movement": (0.0, 40.0),
    "beta burst": (1.0, 240.0),
    "seizure": (0.0, 0.03),
    "interictal spike": (0.0, 60.0),
    "high-frequency oscillation": (0.0, 120.0),
    "blink": (0.0, 60.0),
}
"""Events a minute and channel beyond which a detector is likelier wrong than the brain strange."""

SCALP_UV = (2.0, 250.0)
"""Robust standard deviation of scalp EEG, 0.5 to 40 Hz; outside, a gain is likelier wrong."""
LINE_RATIO = 10.0
LOOK_S = 120.0
_FRONTAL = ("Fp1", "Fp2", "Fpz", "AF7", "AF8", "AF3", "AF4")


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """Rates beyond what is plausible; with the recording, also what is wrong with it."""
    del items, context
    found = rates(labels)
    if inputs is not None:
        found += recording_findings(inputs.signal)
    return found


def rates(labels: LabelSet) -> list[Finding]:
    """Classes with more, or fewer, events than is plausible."""
    try:
        minutes = float(about(labels)["duration_s"]) / 60
    except MissingInputError:
        return []
    found = []
    channels = max(1, np.unique(labels.column("channel")).size)
    for code, name in enumerate(labels.vocabulary.names):
        if name == NOTHING or name not in PLAUSIBLE_PER_MIN or minutes <= 0:
            continue
        low, high = PLAUSIBLE_PER_MIN[name]
        rate = float(np.sum(labels.column("label") == code)) / minutes / channels
        slack = 2 / minutes / channels  # two events prove nothing
        if rate > high + slack or rate < low - slack:
            found.append(
                Finding(
                    NOVELTY,
                    "warning",
                    f"{rate:.1f} events of the class {name!r} a minute and channel, where "
                    f"{low:g} to {high:g} are plausible; nothing is accepted automatically.",
                    value=rate,
                    limit=high if rate > high else low,
                    unit="per min",
                )
            )
    return found


def recording_findings(signal: Signal) -> list[Finding]:
    """What is wrong with a recording: flat, wrong scale, mains hum, sign, broken samples."""
    x = look(signal)
    if not x.size:
        return []
    types = [e.type for e in electrodes(signal.channels.ids)]
    found = [*_broken(x, signal), *_flat(x, signal)]
    x = np.nan_to_num(x)
    alive = np.ptp(x, axis=0) > 0
    if alive.any():
        found += _scale(x[:, alive], signal, [t for t, a in zip(types, alive, strict=True) if a])
        found += _hum(x[:, alive], signal)
    return found + _sign(x, signal)


def look(signal: Signal) -> npt.NDArray[np.float64]:
    """Up to two minutes in pieces over the recording, (n_samples, n_channels), uV."""
    piece = max(2, int(10 * signal.rate_hz))
    blocks = [(a, b) for a, b in signal.blocks(piece) if b - a >= min(piece, signal.n_samples)]
    most = int(LOOK_S / 10)
    if len(blocks) > most:
        blocks = [blocks[k] for k in np.linspace(0, len(blocks) - 1, most).astype(int)]
    if not blocks:
        return np.empty((0, signal.n_channels))
    return np.concatenate([signal.read(a, b) for a, b in blocks]).astype(np.float64)


def _novel(sentence: str, value: float, limit: float, unit: str = "") -> Finding:
    text = f"{sentence} Nothing is accepted automatically."
    return Finding(NOVELTY, "warning", text, value=value, limit=limit, unit=unit)


def _broken(x: npt.NDArray[np.float64], signal: Signal) -> list[Finding]:
    bad = [signal.channels.ids[c] for c in np.flatnonzero(~np.isfinite(x).all(axis=0))]
    if not bad:
        return []
    return [_novel(f"Samples that are no numbers on {_listed(bad)}; they were taken as 0.",
                   float(len(bad)), 0.0)]  # fmt: skip


def _flat(x: npt.NDArray[np.float64], signal: Signal) -> list[Finding]:
    flat = [signal.channels.ids[c] for c in np.flatnonzero(np.nan_to_num(np.ptp(x, axis=0)) == 0)]
    if not flat:
        return []
    if len(flat) == signal.n_channels:
        return [_novel("The recording is flat: every channel holds one value.",
                       float(len(flat)), 0.0)]  # fmt: skip
    return [_novel(f"Flat: {_listed(flat)}; nothing can be found there.", float(len(flat)), 0.0)]


def _scale(x: npt.NDArray[np.float64], signal: Signal, types: list[str]) -> list[Finding]:
    scalp = [k for k, t in enumerate(types) if t == "eeg"]
    if not scalp or signal.rate_hz < 10:
        return []
    sd = float(np.median(spread(band(x[:, scalp], signal.rate_hz, 0.5, 40.0), axis=0)))
    low, high = SCALP_UV
    if low <= sd <= high:
        return []
    return [
        _novel(
            f"Scalp channels vary by {sd:.3g} uV, where {low:g} to {high:g} are usual: "
            "check the unit and the gain.",
            sd, low if sd < low else high, "uV",
        )
    ]  # fmt: skip


def _hum(x: npt.NDArray[np.float64], signal: Signal) -> list[Finding]:
    for mains in (50.0, 60.0):
        if signal.rate_hz < 2.2 * mains:
            continue
        ratios = []
        for c in range(x.shape[1]):
            freqs, power = spectrum(x[:, c], signal.rate_hz)
            at = np.abs(freqs - mains) <= 1.0
            near = (np.abs(freqs - mains) > 3.0) & (np.abs(freqs - mains) < 10.0)
            ratios.append(float(power[at].max() / max(np.median(power[near]), 1e-12)))
        ratio = float(np.median(ratios))
        if ratio > LINE_RATIO**2:
            return [_novel(f"Mains hum at {mains:g} Hz, {ratio:.0f} times its surroundings.",
                           ratio, LINE_RATIO**2)]  # fmt: skip
    return []


def _sign(x: npt.NDArray[np.float64], signal: Signal) -> list[Finding]:
    """Blinks go up on frontal electrodes; where they go down, the sign is turned over."""
    names = [e.name for e in electrodes(signal.channels.ids)]
    frontal = [k for k, name in enumerate(names) if name in _FRONTAL]
    if not frontal or signal.rate_hz < 20:
        return []
    # faster than slow waves, which go down where blinks go up
    y = band(x[:, frontal].mean(axis=1), signal.rate_hz, 1.5, 8.0, 2)
    sd = max(float(spread(y)), 1e-9)
    up, down = int(np.sum(y > 5 * sd)), int(np.sum(y < -5 * sd))
    if down > 0.1 * signal.rate_hz and down > 3 * up:
        share = down / (up + down)
        return [_novel("Large deflections of frontal channels go down, where blinks go up: the "
                       "sign is likely turned over.", share, 3 / 4)]  # fmt: skip
    return []


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
