"""What a hybrid says about itself: what is real, what is made, and with which numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nissl.annotators.spikes.background import BAND_HZ
from nissl.annotators.spikes.bursting import RECOVERY_S
from nissl.annotators.spikes.footprints import TAPER_S
from nissl.annotators.spikes.groundtruth import Declaration
from nissl.annotators.spikes.hybrid_options import HybridOptions
from nissl.annotators.spikes.hybrid_placing import Bed, Placed
from nissl.annotators.spikes.overlapping import OVERLAP_S

SEMI_SYNTHETIC_FROM = 128
"""Channels from which a hybrid is called semi-synthetic: most of its contacts carry made-up
amplitudes and all of its background is synthetic."""


def declare(placed: Sequence[Placed], bed: Bed, options: HybridOptions) -> Declaration:
    """Say what in a hybrid is real and what is made."""
    joined = sum(p.joined for p in placed)
    ends = f" ({joined} of {len(placed)} joined end to end)" if joined else ""
    real = [
        "waveforms: each unit's mean waveform per channel, from one recording",
        f"trains: each unit's own spike times{ends}",
    ]
    if bed.real:
        real.append(f"background: {bed.background.name}; its own spikes are not in the truth")
    parameters: dict[str, Any] = {k: v for k, v in asdict(options).items() if _used(k, v)} | {
        "snr": None if options.snr is None else list(options.snr),
        "duration_s": bed.duration_s,
        "n_channels": bed.n_channels,
        "level_uv": bed.level_uv,
        "real_background": bed.real,
    }
    return Declaration(
        kind="semi-synthetic" if bed.n_channels >= SEMI_SYNTHETIC_FROM else "hybrid",
        real=tuple(real),
        made=(*_made_of_units(joined, options), _made_background(bed)),
        parameters=parameters,
        units=tuple(_unit_facts(p) for p in placed),
    )


def _used(option: str, value: Any) -> bool:
    """Whether an option is declared; those that nothing was done with are not."""
    return bool(value) or option not in ("overlaps", "drift", "drift_um")


def _made_of_units(joined: int, options: HybridOptions) -> list[str]:
    amplitudes = (
        "amplitudes by fitted spatial decay"
        if options.spatial == "fitted"
        else "amplitudes as measured, by fitted spatial decay beyond the real channels"
    )
    made = [
        f"geometry: channels are placed by rank of amplitude around a random place, {amplitudes}",
        f"waveform edges: tapered over {TAPER_S * 1e3:g} ms",
        "spike times: spread over one sample of their own recording; spikes within "
        f"{options.refractory_s * 1e3:g} ms of the one before left out",
        "correlation between units: none, their trains were recorded apart"
        if not options.overlaps
        else f"overlaps: in each pair of neighbours {options.overlaps:.0%} of the spikes of the "
        f"unit with fewer were moved to within {1e3 * OVERLAP_S:g} ms of spikes of the other",
    ]
    if joined:
        made.append(f"joined trains: {joined}, at intervals drawn from the train itself")
    if options.snr is not None:
        low, high = options.snr
        made.append(f"amplitudes: scaled to signal-to-noise ratios of {low:g} to {high:g}")
    if options.amplitude_sd:
        made.append(f"amplitudes: varied from spike to spike by {options.amplitude_sd:.0%}")
    if options.burst_loss:
        made.append(
            f"bursts: each spike takes {options.burst_loss:.0%} of the amplitude from those that "
            f"follow, which is back within some {1e3 * RECOVERY_S:g} ms"
        )
    if options.range_um:
        far = f"{options.range_um:g} um"
        far = f"{options.range_um / 2:g} to {far} each" if options.drift == "jumps" else far
        made.append(
            f"motion: {options.drift}, {far}, of the units alone, the background stays still; "
            "amplitudes by fitted spatial decay, shapes blended between contacts"
        )
    return made


def _made_background(bed: Bed) -> str:
    level = f"level of {bed.level_uv:g} uV in {BAND_HZ[0]:g}-{BAND_HZ[1]:g} Hz"
    if not bed.real:
        return (
            "background: synthetic, Gaussian, with the spectrum and spatial covariance of "
            f"{bed.background.name}; {level}"
        )
    if bed.duration_s > bed.background.duration_s:
        had = f"{bed.background.duration_s:.1f} s"
        return f"background: {level}; {had} continued by crossfaded pieces of itself"
    return f"background: {level}"


def _unit_facts(placed: Placed) -> dict[str, Any]:
    return {
        "unit": placed.unit.name,
        "animal": placed.unit.animal,
        "label": placed.unit.label,
        "scale": round(placed.scale, 6),
        "place_um": [round(float(v), 3) for v in placed.place_um],
        "decay_um": round(placed.print_uv.decay_um, 3),
        "real_channels": placed.print_uv.n_real_channels,
        "n_spikes": int(placed.ticks.size),
        "joined": placed.joined,
    }
