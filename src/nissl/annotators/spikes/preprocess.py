"""Preprocessing as an explicit plan: who does what to the samples, and with which numbers.

Every step is done once, by nissl or by the sorter; the plan says which. nissl's steps are lazy
SpikeInterface preprocessors over the signal in uV, in the field's order: phase shift,
band-pass, bad channels, reference. What they give is what a sorter is handed, and what
amplitudes and templates are measured on: whitening and motion correction come after and are
the sorter's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nissl.annotators.spikes.neuropixels import is_multiplexed, probe_name, shank_groups
from nissl.data import ChannelTable, Signal
from nissl.data.spikeinterface import to_spikeinterface
from nissl.data.usable import require_usable
from nissl.errors import BadArgumentError, BadMetadataError, BadSamplesError

MIN_RATE_HZ = 1000.0
MIN_DURATION_S = 1.0
MIN_REFERENCED = 32  # channels of a shank below which a common reference would carry the spikes
LOCAL_RADIUS_UM = (50.0, 200.0)

OPTIONS: dict[str, tuple[str, ...]] = {
    "bad_channels": ("auto", "keep"),
    "reference": ("auto", "median", "local", "none"),
}
DEFAULTS: dict[str, Any] = {
    "freq_min_hz": 300.0,
    "freq_max_hz": 6000.0,
    "bad_channels": "auto",
    "reference": "auto",
}


@dataclass(frozen=True)
class Step:
    """One step of preprocessing.

    Parameters
    ----------
    step : str
        "phase_shift", "bandpass", "bad_channels", "reference", "whitening" or "motion".
    by : str
        "nissl", or the sorter's name.
    parameters : mapping
        Numbers, JSON values.
    text : str
        One sentence.
    """

    step: str
    by: str
    parameters: Mapping[str, Any]
    text: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "step": self.step,
            "by": self.by,
            "parameters": dict(self.parameters),
            "text": self.text,
        }


@dataclass(frozen=True)
class Plan:
    """All steps, in order.

    Parameters
    ----------
    steps : tuple of Step
    bad_channels : mapping of str to str
        Channel name to "dead", "noise" or "out"; removed before sorting.
    """

    steps: tuple[Step, ...]
    bad_channels: Mapping[str, str] = field(default_factory=dict)

    def by(self, who: str) -> tuple[Step, ...]:
        """Steps that one of the two does."""
        return tuple(step for step in self.steps if step.by == who)

    def without(self, names: Sequence[str]) -> Plan:
        """Return the plan without the steps that someone else does."""
        return Plan(tuple(s for s in self.steps if s.step not in names), self.bad_channels)

    def extended(self, *steps: Step) -> Plan:
        """Return the plan with more steps; a step that is already there is refused."""
        names = [step.step for step in (*self.steps, *steps)]
        if len(set(names)) != len(names):
            raise BadArgumentError(
                "every step of preprocessing once",
                f"{names}",
                "Switch off what the sorter does itself, or nissl's own step.",
            )
        return Plan((*self.steps, *steps), self.bad_channels)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "steps": [step.to_json() for step in self.steps],
            "bad_channels": dict(self.bad_channels),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        """Inverse of `to_json`."""
        return cls(tuple(Step(**step) for step in value["steps"]), value["bad_channels"])


def require_sortable(signal: Signal) -> None:
    """Raise where a signal cannot hold spikes.

    Raises
    ------
    BadMetadataError
        Sampled below 1 kHz.
    BadSamplesError
        Shorter than 1 s, without channels, with NaN, or constant on every channel.
    """
    if signal.rate_hz < MIN_RATE_HZ:
        raise BadMetadataError(
            f"a sampling rate of at least {MIN_RATE_HZ:g} Hz to find spikes",
            f"{signal.rate_hz:g} Hz in stream {signal.name!r}",
            "Choose the wide-band or AP stream with --stream.",
        )
    if signal.n_channels == 0 or signal.duration_s < MIN_DURATION_S:
        raise BadSamplesError(
            f"at least {MIN_DURATION_S:g} s of at least one channel",
            f"{signal.duration_s:.3f} s of {signal.n_channels} channels in {signal.name!r}",
            "Give a longer recording; the file may be truncated.",
        )
    require_usable(signal)


def make_plan(signal: Signal, parameters: Mapping[str, Any], seed: int) -> Plan:
    """Decide nissl's part of the preprocessing.

    Parameters
    ----------
    signal : Signal
    parameters : mapping
        `DEFAULTS` shows the names; others are ignored, missing ones are at their default.
    seed : int
        Of the looks at the samples that find bad channels.

    Raises
    ------
    BadArgumentError
        An option outside its values.
    """
    chosen = DEFAULTS | {k: v for k, v in parameters.items() if k in DEFAULTS}
    for name, allowed in OPTIONS.items():
        if chosen[name] not in allowed:
            raise BadArgumentError(
                f"{name} among {list(allowed)}", repr(chosen[name]), "Choose one of them."
            )
    steps = []
    if is_multiplexed(signal.channels):
        steps.append(_phase_step(signal.channels))
    steps.append(_band_step(signal, chosen))
    bad: dict[str, str] = {}
    if chosen["bad_channels"] == "auto" and signal.n_channels > 1:
        step, bad = _bad_step(signal, Plan(tuple(steps)), seed)
        steps.append(step)
    kept = [i for i, name in enumerate(signal.channels.ids) if name not in bad]
    reference = _reference_step(signal.channels.take(kept), str(chosen["reference"]))
    steps += [] if reference is None else [reference]
    return Plan(tuple(steps), bad)


def apply_plan(signal: Signal, plan: Plan) -> Any:
    """Signal after nissl's steps, lazily.

    Parameters
    ----------
    signal : Signal
    plan : Plan

    Returns
    -------
    spikeinterface.core.BaseRecording
        float32, uV, unwhitened, without the bad channels; one segment per clock segment.
    """
    import spikeinterface.preprocessing as spre

    recording = spre.scale_to_uV(to_spikeinterface(signal))
    for step in plan.by("nissl"):
        recording = _APPLY[step.step](recording, step.parameters)
    return recording


def kept_channels(signal: Signal, plan: Plan) -> list[int]:
    """Column indices of the channels that are not bad."""
    return [i for i, name in enumerate(signal.channels.ids) if name not in plan.bad_channels]


def _phase_step(channels: ChannelTable) -> Step:
    n = int(np.unique(channels.phase).size)
    return Step(
        "phase_shift",
        "nissl",
        {"n_phases": n, "probe": probe_name(channels)},
        f"Channels of the {probe_name(channels)} were shifted onto one time, since its converters "
        f"sample them at {n} moments of each sample period.",
    )


def _band_step(signal: Signal, chosen: Mapping[str, Any]) -> Step:
    low = float(chosen["freq_min_hz"])
    high = min(float(chosen["freq_max_hz"]), 0.45 * signal.rate_hz)
    if not 0 < low < high:
        raise BadArgumentError(
            f"0 < freq_min_hz < freq_max_hz <= {0.45 * signal.rate_hz:g} Hz",
            f"{low:g} and {high:g} Hz",
            "Change the band; at this sampling rate there is nothing above.",
        )
    return Step(
        "bandpass",
        "nissl",
        {"freq_min_hz": low, "freq_max_hz": high, "filter": "bessel", "order": 2},
        f"Filtered from {low:g} to {high:g} Hz (Bessel, second order, forwards and backwards, so "
        "without delay).",
    )


def _bad_step(signal: Signal, so_far: Plan, seed: int) -> tuple[Step, dict[str, str]]:
    from nissl.annotators.spikes.bad_channels import find_bad_channels

    bad, parameters = find_bad_channels(signal, apply_plan(signal, so_far), seed)
    words = {"dead": "dead", "noise": "noisy", "out": "outside the brain"}
    named = ", ".join(f"{name} ({words[why]})" for name, why in bad.items())
    text = f"Left out bad channels: {named}." if bad else "Looked for bad channels; found none."
    return Step("bad_channels", "nissl", parameters | {"removed": list(bad)}, text), bad


def _reference_step(channels: ChannelTable, wanted: str) -> Step | None:
    groups = shank_groups(channels)
    smallest = min((len(g) for g in groups.values()), default=0)
    if wanted == "none" or smallest < 2 or (wanted == "auto" and smallest < MIN_REFERENCED):
        return None
    per = "each shank" if len(groups) > 1 else "all channels"
    names = [[channels.ids[i] for i in group] for group in groups.values()]
    if wanted == "local" and channels.has_geometry:
        return Step(
            "reference",
            "nissl",
            {"operator": "median", "kind": "local", "radius_um": list(LOCAL_RADIUS_UM)},
            "Subtracted from each channel the median of the channels "
            f"{LOCAL_RADIUS_UM[0]:g} to {LOCAL_RADIUS_UM[1]:g} um away.",
        )
    return Step(
        "reference",
        "nissl",
        {"operator": "median", "kind": "global", "groups": names},
        f"Subtracted the median over {per} ({smallest} or more channels) at every sample.",
    )


def _phase_shift(recording: Any, parameters: Mapping[str, Any]) -> Any:
    import spikeinterface.preprocessing as spre

    return spre.phase_shift(recording)


def _bandpass(recording: Any, parameters: Mapping[str, Any]) -> Any:
    from nissl.annotators.spikes.band_pass import BandPassRecording

    return BandPassRecording(
        recording,
        parameters["freq_min_hz"],
        parameters["freq_max_hz"],
        parameters["filter"],
        parameters["order"],
    )


def _remove(recording: Any, parameters: Mapping[str, Any]) -> Any:
    removed = [name for name in parameters["removed"] if name in set(recording.channel_ids)]
    return recording.remove_channels(removed) if removed else recording


def _reference(recording: Any, parameters: Mapping[str, Any]) -> Any:
    import spikeinterface.preprocessing as spre

    if parameters["kind"] == "local":
        return spre.common_reference(
            recording,
            reference="local",
            operator="median",
            local_radius=tuple(parameters["radius_um"]),
        )
    here = set(recording.channel_ids)
    groups = [[name for name in group if name in here] for group in parameters["groups"]]
    from nissl.annotators.spikes.median_reference import MedianReferenceRecording

    return MedianReferenceRecording(recording, [group for group in groups if group])


_APPLY = {
    "phase_shift": _phase_shift,
    "bandpass": _bandpass,
    "bad_channels": _remove,
    "reference": _reference,
}
