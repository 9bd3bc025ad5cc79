"""Simulated recordings with known spikes, through SpikeInterface's generator.

Nothing in them is real: one made-up waveform per unit, falling off with distance from a point,
Poisson trains with a refractory period, and Gaussian noise that is white and independent per
channel where there is no drift, and correlated between neighbouring channels where there is.
They flatter; see `nissl.annotators.spikes.hybrid` for recordings made from real units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.groundtruth import (
    Declaration,
    GroundTruth,
    Spikes,
    Templates,
    collect,
    grid_um,
    probe_table,
    recording_of,
    true_items,
    truth_of,
)
from nissl.annotators.spikes.motion_paths import (
    DRIFT_UM,
    DRIFTS,
    JUMP_UM,
    PATH_HZ,
    described,
    jump_path,
)
from nissl.clock import Clock
from nissl.data import Recording
from nissl.data.spikeinterface import require_spikeinterface
from nissl.errors import BadArgumentError
from nissl.labels import Author, LabelSet

_BLOCK_S = 2.0
_STATIC_MS = (1.0, 3.0)  # the generator's own defaults, so that figures compare with others'
_DRIFT_MS = (1.5, 3.0)
_STATIC_NOISE_UV = 5.0
_DRIFT_NOISE_UV = (6.0, 8.0)


@dataclass(frozen=True)
class _Size:
    n_channels: int
    n_units: int
    rate_hz: float
    duration_s: float


def simulate(seed: int, **size: Any) -> tuple[Recording, LabelSet]:
    """Simulate a recording with known spikes.

    Parameters
    ----------
    seed : int
        Of all randomness; same seed and size, same bytes.
    **size
        As for `simulate_truth`.

    Returns
    -------
    recording : Recording
    truth : LabelSet
        EVENTS, one row per true spike.
    """
    made = simulate_truth(seed, **size)
    return made.recording, made.truth


def simulate_truth(
    seed: int,
    *,
    n_channels: int = 32,
    duration_s: float = 300.0,
    n_units: int = 24,
    rate_hz: float = 30_000.0,
    drift: str | None = None,
    path: Path | None = None,
) -> GroundTruth:
    """Simulate a recording, and say all that is known about it.

    Parameters
    ----------
    seed : int
        Of all randomness.
    n_channels : int
        Contacts, in two columns 20 um apart.
    duration_s : float
        Seconds.
    n_units : int
        True units.
    rate_hz : float
        Samples per second.
    drift : {None, "rigid", "nonrigid", "bumps", "jumps"}
        None: the tissue stands still (the generator's defaults: 15 Hz per unit, noise 5 uV).
        "rigid": a slow zigzag of 30 um, all units together; "nonrigid": units at one end of
        the probe move half as far; "bumps": sudden jumps within these 30 um; "jumps": three
        sudden movements of 50 to 100 um, to and fro. With drift the generator's defaults
        for drifting recordings hold: 2-8 Hz per unit, noise 6-8 uV.
    path : Path, optional
        Raw int16 file to write; without it the samples are held in memory
        (2 bytes x `n_channels` x `rate_hz` x `duration_s`).

    Returns
    -------
    GroundTruth

    Raises
    ------
    BadArgumentError
        A size below its limit, or an unknown drift.
    MissingDependencyError
        SpikeInterface is not installed.

    Notes
    -----
    Generators: `generate_ground_truth_recording` and `generate_drifting_recording` of
    SpikeInterface (Buccino et al. 2020, eLife 9:e61834; drift as in Garcia et al. 2024,
    eNeuro 11(2)).
    """
    require_spikeinterface()
    _check(n_channels, duration_s, n_units, drift)
    size = _Size(n_channels, n_units, rate_hz, duration_s)
    traces, sorting, templates = (
        _static(seed, size) if drift is None else _drifting(seed, size, drift)
    )
    declaration = _declaration(templates, drift, size)
    n_samples = int(traces.get_num_samples(segment_index=0))
    kept = collect(_blocks(traces, int(_BLOCK_S * rate_hz)), (n_samples, n_channels), path)
    channels = probe_table(grid_um(n_channels))
    clock = Clock.regular(rate_hz, n_samples)
    recording = recording_of(kept, channels, clock, declaration, path=path)
    spikes = _spikes(sorting, templates, n_samples)
    author, packages = _author()
    truth = truth_of(spikes, templates, recording, author, seed, packages)
    items = true_items(truth, templates, recording.signal)
    return GroundTruth(recording, truth, items, declaration)


def _check(n_channels: int, duration_s: float, n_units: int, drift: str | None) -> None:
    if n_channels < 2 or n_channels % 2 or n_units < 1 or not duration_s > 0:
        raise BadArgumentError(
            "an even number of channels, at least one unit and a duration above 0 s",
            f"{n_channels} channels, {n_units} units, {duration_s} s",
            "Choose other sizes.",
        )
    if drift is not None and drift not in DRIFTS:
        raise BadArgumentError(
            f"a drift among {DRIFTS}, or None", repr(drift), "Choose one of them."
        )


def _author() -> tuple[Author, dict[str, str]]:
    import spikeinterface

    from nissl import __version__

    packages = {"spikeinterface": spikeinterface.__version__, "numpy": np.__version__}
    return Author("model", "spikes/simulate", __version__), packages


def _probe(n_channels: int) -> Any:
    from nissl.data.si_recording import probe_of

    return probe_of(probe_table(grid_um(n_channels)))


def _static(seed: int, size: _Size) -> tuple[Any, Any, Templates]:
    """Build the lazy recording, its sorting and templates without drift."""
    from spikeinterface.core import generate_ground_truth_recording
    from spikeinterface.core.generate import generate_templates, generate_unit_locations

    before_ms, after_ms = _STATIC_MS
    probe = _probe(size.n_channels)
    place = generate_unit_locations(
        size.n_units,
        probe.contact_positions,
        margin_um=10.0,
        minimum_z=5.0,
        maximum_z=50.0,
        minimum_distance=20.0,
        seed=seed,
    )
    waveforms = generate_templates(
        probe.contact_positions, place, size.rate_hz, before_ms, after_ms, seed=seed
    )
    traces, sorting = generate_ground_truth_recording(
        durations=[size.duration_s],
        sampling_frequency=size.rate_hz,
        num_units=size.n_units,
        probe=probe,
        templates=waveforms,
        ms_before=before_ms,
        ms_after=after_ms,
        noise_kwargs={"noise_levels": _STATIC_NOISE_UV, "strategy": "on_the_fly"},
        seed=seed,
    )
    n_before = int(before_ms * size.rate_hz / 1000)
    templates = Templates(
        np.asarray(waveforms, dtype=np.float32), n_before, place[:, :2], _STATIC_NOISE_UV
    )
    return traces, sorting, templates


def _drifting(seed: int, size: _Size, drift: str) -> tuple[Any, Any, Templates]:
    """Build the lazy recording, its sorting and templates (at rest) with drift."""
    from spikeinterface.generation import generate_drifting_recording

    before_ms, after_ms = _DRIFT_MS
    _, traces, sorting, extra = generate_drifting_recording(
        num_units=size.n_units,
        duration=size.duration_s,
        sampling_frequency=size.rate_hz,
        probe=_probe(size.n_channels),
        displacement_data=_jumping(seed, size) if drift == "jumps" else None,
        generate_displacement_vector_kwargs=described(drift, size.duration_s),
        generate_templates_kwargs={
            "ms_before": before_ms,
            "ms_after": after_ms,
            "mode": "ellipsoid",
            "unit_params": {
                "alpha": (100.0, 500.0),
                "spatial_decay": (10, 45),
                "ellipse_shrink": (0.4, 1),
                "ellipse_angle": (0, np.pi * 2),
            },
        },
        generate_noise_kwargs={"noise_levels": _DRIFT_NOISE_UV, "spatial_decay": 25.0},
        extra_outputs=True,
        seed=seed,
    )
    still = extra["templates"]
    waveforms = np.asarray(still.templates_array, dtype=np.float32)
    place = np.asarray(extra["unit_locations"], dtype=np.float64)[:, :2]
    return traces, sorting, Templates(waveforms, int(still.nbefore), place, 7.0)


def _jumping(seed: int, size: _Size) -> tuple[Any, ...]:
    """Displacement of all units, as the generator takes it: three jumps, the first after a rest."""
    path = jump_path(np.random.default_rng([seed, 1]), size.duration_s)
    along = np.asarray([0.0, 1.0])
    units = np.repeat(path[:, None, None] * along, size.n_units, axis=1)
    vectors = (path[:, None] * along)[:, :, None]
    steps = np.unique(path)[:, None] * along
    return units, vectors, np.ones((size.n_units, 1)), PATH_HZ, steps


def _blocks(traces: Any, n_block: int) -> Iterator[npt.NDArray[np.float32]]:
    n_samples = int(traces.get_num_samples(segment_index=0))
    for start in range(0, n_samples, n_block):
        stop = min(start + n_block, n_samples)
        block = traces.get_traces(segment_index=0, start_frame=start, end_frame=stop)
        yield np.asarray(block, dtype=np.float32)


def _spikes(sorting: Any, templates: Templates, n_samples: int) -> Spikes:
    vector = sorting.to_spike_vector()
    inside = (vector["sample_index"] >= 0) & (vector["sample_index"] < n_samples)
    unit = vector["unit_index"][inside].astype(np.int64)
    sample = vector["sample_index"][inside].astype(np.int64)
    return Spikes(sample, unit, templates.peak_uv[unit])


def _declaration(templates: Templates, drift: str | None, size: _Size) -> Declaration:
    noise = (
        f"white Gaussian noise of {_STATIC_NOISE_UV:g} uV, independent per channel"
        if drift is None
        else f"Gaussian noise of {_DRIFT_NOISE_UV[0]:g}-{_DRIFT_NOISE_UV[1]:g} uV that falls off "
        "with distance between channels"
    )
    far = f"{DRIFT_UM:g} um peak to peak"
    far = f"{JUMP_UM[0]:g} to {JUMP_UM[1]:g} um each" if drift == "jumps" else far
    motion = "none" if drift is None else f"{drift}, {far}"
    return Declaration(
        kind="simulated",
        real=(),
        made=(
            "waveforms: one analytic shape per unit, scaled by distance to each contact",
            "trains: Poisson with a refractory period of 4 ms, independent between units",
            f"background: {noise}, without spikes of other cells",
            f"motion: {motion}",
        ),
        parameters={**asdict(size), "drift": drift, "noise_uv": templates.noise_uv},
        units=tuple({"peak_uv": round(float(p), 3)} for p in templates.peak_uv),
    )
