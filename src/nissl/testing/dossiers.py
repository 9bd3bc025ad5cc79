"""A small dossier with known content, for tests of reports and exporters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.data import ChannelTable, Recording, Signal
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.tasks import Dossier, Finding

RATE_HZ = 30_000.0


def spike_dossier(
    seed: int = 0, *, n_units: int = 3, n_channels: int = 6, duration_s: float = 4.0
) -> Dossier:
    """Poisson units with Gaussian waveforms on a linear probe, with their facts and findings.

    Parameters
    ----------
    seed : int
    n_units, n_channels : int
    duration_s : float
        Seconds.

    Returns
    -------
    Dossier
        With a recording in memory (float32, uV) that contains the waveforms.
    """
    rng = np.random.default_rng(seed)
    n = int(duration_s * RATE_HZ)
    samples, units = _trains(rng, n_units, n)
    position = np.stack([np.zeros(n_channels), 25.0 * np.arange(n_channels)], axis=1)
    best = np.arange(n_units) % n_channels
    templates = _templates(position, best, 60.0 + 40.0 * np.arange(n_units))
    traces = rng.normal(0, 6.0, (n, n_channels)).astype(np.float32)
    for sample, unit in zip(samples.tolist(), units.tolist(), strict=True):
        traces[sample - 30 : sample + 60] += templates[unit]
    channels = ChannelTable.plain(n_channels, position_um=position)
    signal = Signal.from_array(traces, RATE_HZ, name="ap", channels=channels)
    recording = Recording(None, "memory", {"ap": signal}, fingerprint="f" * 64)
    labels = LabelSet.build(
        Kind.EVENTS,
        {
            "sample": samples,
            "item": units,
            "amplitude": (templates[units, 30, best[units]]).astype(np.float32),
            "channel": best[units].astype(np.int32),
        },
        ("unit",),
        Provenance(
            "spikes",
            recording.fingerprint,
            Author("model", "spikes/tridesclous2", "1"),
            "ap",
            {"detect_threshold": 5.0},
            seed,
            packages={"spikeinterface": "0.105.3"},
        ),
    )
    items = _items(labels, templates, position, best, duration_s)
    findings = (
        Finding(
            "isi_violations",
            "warning",
            "Unit 0 fires inside its refractory time more often than one neuron does: "
            "it probably holds spikes of two.",
            item=0,
            value=0.8,
            limit=0.5,
        ),
        Finding("line_noise", "note", "There is some 50 Hz hum.", value=3.0, limit=2.0),
    )
    return Dossier(
        labels=labels,
        items=items,
        recording=recording,
        stream="ap",
        findings=findings,
        log={
            "preprocessing": [
                {
                    "step": "bandpass",
                    "by": "nissl",
                    "parameters": {},
                    "text": "Bandpass 300-6000 Hz",
                }
            ],
            "bad_channels": {str(n_channels - 1): "noise"},
        },
        source=_facts(recording, signal),
    )


def _trains(
    rng: np.random.Generator, n_units: int, n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    samples, units = [], []
    for unit in range(n_units):
        gaps = rng.exponential(RATE_HZ / (5.0 + 5 * unit), 4 * n_units * 100) + 0.003 * RATE_HZ
        train = np.cumsum(gaps).astype(np.int64)
        train = train[(train > 100) & (train < n - 100)]
        samples.append(train)
        units.append(np.full(train.size, unit, np.int64))
    merged, owner = np.concatenate(samples), np.concatenate(units)
    order = np.lexsort((owner, merged))
    return merged[order], owner[order]


def _templates(
    position: npt.NDArray[np.float64],
    best: npt.NDArray[np.int64],
    peak_uv: npt.NDArray[np.floating[Any]],
) -> npt.NDArray[np.float32]:
    t_ms = np.arange(-30, 60) / RATE_HZ * 1e3
    shape = -np.exp(-0.5 * (t_ms / 0.12) ** 2) + 0.35 * np.exp(-0.5 * ((t_ms - 0.5) / 0.25) ** 2)
    shape /= -shape[30]
    distance = np.linalg.norm(position[None] - position[best][:, None], axis=2)
    scale = peak_uv[:, None] * np.exp(-distance / 35.0)
    return np.asarray(shape[None, :, None] * scale[:, None, :], dtype=np.float32)


def _items(
    labels: LabelSet,
    templates: npt.NDArray[np.float32],
    position: npt.NDArray[np.float64],
    best: npt.NDArray[np.int64],
    duration_s: float,
) -> ItemTable:
    n_units = templates.shape[0]
    counts = np.bincount(labels.column("item"), minlength=n_units)
    amplitude = templates[np.arange(n_units), 30, best]
    table = pa.table(
        {
            "item": np.arange(n_units, dtype=np.int64),
            "n_spikes": counts.astype(np.int64),
            "channel": best.astype(np.int32),
            "x_um": position[best, 0],
            "y_um": position[best, 1],
            "shank": np.zeros(n_units, np.int32),
            "firing_rate_hz": counts / duration_s,
            "amplitude_median_uv": amplitude.astype(np.float64),
            "snr": np.abs(amplitude) / 6.0,
            "isi_violations_ratio": np.zeros(n_units),
            "rp_contamination": np.linspace(0.0, 0.1, n_units),
            "presence_ratio": np.ones(n_units),
            "amplitude_cutoff": np.full(n_units, np.nan),
        }
    )
    rng = np.random.default_rng(0)
    acg = rng.poisson(20, (n_units, 101)).astype(np.float32)
    acg[:, 48:53] = 0
    n_channels = templates.shape[2]
    return ItemTable(
        of=labels.digest,
        table=table,
        units={
            "firing_rate_hz": "Hz",
            "x_um": "um",
            "y_um": "um",
            "amplitude_median_uv": "uV",
            "template": "uV",
            "acg": "Hz",
        },
        arrays={"template": templates, "acg": acg},
        context={
            "rate_hz": RATE_HZ,
            "n_before": 30,
            "channel_ids": [str(c) for c in range(n_channels)],
            "position_um": position.tolist(),
            "shank": [0] * n_channels,
            "noise_uv": [6.0] * n_channels,
        },
    )


def _facts(recording: Recording, signal: Signal) -> dict[str, object]:
    return {
        "name": "simulated",
        "path": "simulated.bin",
        "format": recording.format,
        "fingerprint": recording.fingerprint,
        "subject": {"id": "M03"},
        "session": {"id": "day1"},
        "streams": {
            "ap": {
                "rate_hz": signal.rate_hz,
                "n_samples": signal.n_samples,
                "duration_s": signal.duration_s,
                "dtype": str(signal.dtype),
                "kind": "ephys",
                "clock": signal.clock.to_json(),
                "channels": signal.channels.to_json(),
            }
        },
    }
