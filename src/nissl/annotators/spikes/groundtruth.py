"""Recordings whose spikes are known: what simulations and hybrids have in common.

Conventions: samples are int16 steps of `GAIN_UV`; a truth is an EVENTS set whose `sample` is
the sample nearest to the spike's extreme value on the unit's best channel, `amplitude` that
value in uV as it was added, `item` the unit (0, 1, ...). What in a recording is real and what
is made is declared, and the declaration travels in the stream's metadata.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.clock import Clock
from nissl.data import ArrayReader, ChannelTable, Recording, Session, Signal, Subject
from nissl.data.files import FilePart, FramesReader
from nissl.errors import BadMetadataError
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.digest import digest_json

GAIN_UV = 0.195
"""uV per step of the int16 samples (the step of common 16-bit amplifiers)."""

STREAM = "ap"


@dataclass(frozen=True)
class Declaration:
    """What in a recording with known truth is real, and what is made.

    Parameters
    ----------
    kind : {"simulated", "hybrid", "semi-synthetic"}
    real : tuple of str
        Sentences; empty for simulations.
    made : tuple of str
        Sentences.
    parameters : mapping
        Every number that shaped it, JSON values.
    units : tuple of mapping
        Per true unit: where its waveform and train come from, and what was done to them.
    """

    kind: str
    real: tuple[str, ...]
    made: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    units: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "kind": self.kind,
            "real": list(self.real),
            "made": list(self.made),
            "parameters": dict(self.parameters),
            "units": [dict(unit) for unit in self.units],
        }


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """A recording with everything that is known about it.

    Parameters
    ----------
    recording : Recording
        One stream "ap", int16, calibrated to uV, with geometry; its metadata hold the
        declaration.
    truth : LabelSet
        EVENTS, one row per true spike.
    items : ItemTable
        One row per true unit that spikes, with its template (n_units, n_samples, n_channels)
        float32, uV.
    declaration : Declaration
    """

    recording: Recording
    truth: LabelSet
    items: ItemTable
    declaration: Declaration


@dataclass(frozen=True, eq=False)
class Spikes:
    """True spikes of all units, in any order.

    Parameters
    ----------
    sample : ndarray, shape (n_spikes,), int64
    unit : ndarray, shape (n_spikes,), int64
    amplitude_uv : ndarray, shape (n_spikes,), float32
        Signed extreme value on the unit's best channel, without background.
    channel : ndarray, shape (n_spikes,), int64, optional
        The best channel at each spike, of units that move; without it that of the template.
    """

    sample: npt.NDArray[np.int64]
    unit: npt.NDArray[np.int64]
    amplitude_uv: npt.NDArray[np.float32]
    channel: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Templates:
    """Mean waveforms of the true units.

    Parameters
    ----------
    waveforms_uv : ndarray, shape (n_units, n_samples, n_channels), float32, uV
    n_before : int
        Samples before the extreme value on the best channel.
    position_um : ndarray, shape (n_units, 2), float64, micrometres
        Where each unit sits beside the probe.
    noise_uv : float
        Standard deviation of the background, uV; the unit of signal-to-noise ratios.
    """

    waveforms_uv: npt.NDArray[np.float32]
    n_before: int
    position_um: npt.NDArray[np.float64]
    noise_uv: float

    @property
    def best_channel(self) -> npt.NDArray[np.int64]:
        """Channel on which each unit is largest, shape (n_units,)."""
        size = np.abs(self.waveforms_uv[:, self.n_before, :])
        return np.asarray(np.argmax(size, axis=1), dtype=np.int64)

    @property
    def peak_uv(self) -> npt.NDArray[np.float32]:
        """Signed extreme value on the best channel, shape (n_units,), uV."""
        rows = np.arange(len(self.waveforms_uv))
        peaks: npt.NDArray[np.float32] = self.waveforms_uv[rows, self.n_before, self.best_channel]
        return peaks


def to_steps(block_uv: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Samples in uV as int16 steps of `GAIN_UV`, clipped as an amplifier would."""
    limits = np.iinfo(np.int16)
    steps = np.rint(block_uv / np.float32(GAIN_UV))
    clipped: npt.NDArray[np.int16] = np.clip(steps, limits.min, limits.max).astype(np.int16)
    return clipped


def collect(
    blocks: Iterable[npt.NDArray[np.float32]],
    shape: tuple[int, int],
    path: Path | None,
) -> tuple[ArrayReader | FramesReader, str]:
    """Keep blocks of samples, in memory or in a raw file, and digest them.

    Parameters
    ----------
    blocks : iterable of ndarray, each of shape (n, n_channels), float32, uV
        One after the other; together `shape`.
    shape : tuple of int
        Samples and channels.
    path : Path, optional
        Raw file to write (int16, little endian, frame by frame); in memory without it.

    Returns
    -------
    reader : SampleReader
    digest : str
        Hex SHA-256 of the samples' bytes.
    """
    hasher = hashlib.sha256()
    if path is None:
        out = np.empty(shape, dtype="<i2")
        start = 0
        for block in blocks:
            part = out[start : start + len(block)]
            part[...] = to_steps(block)
            hasher.update(np.ascontiguousarray(part).data)
            start += len(block)
        out.setflags(write=False)
        return ArrayReader(out), hasher.hexdigest()
    with open(path, "wb") as file:
        for block in blocks:
            steps = np.ascontiguousarray(to_steps(block), dtype="<i2")
            hasher.update(steps.data)
            file.write(steps.data)
    whole = FilePart(str(path.absolute()), 0, shape[0])
    return FramesReader((whole,), "<i2", shape[1]), hasher.hexdigest()


def recording_of(
    kept: tuple[ArrayReader | FramesReader, str],
    channels: ChannelTable,
    clock: Clock,
    declaration: Declaration,
    *,
    path: Path | None = None,
) -> Recording:
    """Recording over kept samples, fingerprinted by their content and calibration."""
    reader, digest = kept
    metadata = {"declaration": declaration.to_json()}
    signal = Signal(STREAM, reader, channels, clock, metadata)
    fingerprint = digest_json(
        {"samples": digest, "channels": channels.to_json(), "rate_hz": clock.rate_hz}
    )
    return Recording(
        path=path,
        format=declaration.kind,
        streams={STREAM: signal},
        subject=Subject(id=declaration.kind),
        session=Session(id=fingerprint[:12]),
        fingerprint=fingerprint,
    )


def truth_of(
    spikes: Spikes,
    templates: Templates,
    recording: Recording,
    author: Author,
    seed: int,
    packages: Mapping[str, str],
) -> LabelSet:
    """True spikes as EVENTS; the declaration's parameters are the set's parameters."""
    declared = recording.signal.metadata["declaration"]
    order = np.lexsort((spikes.unit, spikes.sample))
    unit = spikes.unit[order]
    provenance = Provenance(
        task="spikes",
        source=recording.fingerprint,
        author=author,
        stream=STREAM,
        parameters=declared["parameters"],
        seed=seed,
        packages=packages,
    )
    channel = templates.best_channel[unit] if spikes.channel is None else spikes.channel[order]
    columns = {
        "item": unit,
        "sample": spikes.sample[order],
        "amplitude": spikes.amplitude_uv[order],
        "channel": channel,
    }
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), provenance)


def true_items(truth: LabelSet, templates: Templates, signal: Signal) -> ItemTable:
    """Facts about the true units that spike.

    Parameters
    ----------
    truth : LabelSet
        EVENTS whose items index `templates`.
    templates : Templates
    signal : Signal
        The stream the truth is about.

    Returns
    -------
    ItemTable
        Columns as those of the task's own item table where both have them; array "template"
        (n_items, n_samples, n_channels) float32, uV, whose extreme value stands at context
        "n_before".
    """
    items = truth.items
    counts = np.asarray([truth.rows_of(i).size for i in items.tolist()], dtype=np.int64)
    channel = templates.best_channel[items]
    peak = templates.peak_uv[items].astype(np.float64)
    columns = {
        "item": items,
        "n_spikes": counts,
        "channel": channel.astype(np.int32),
        "x_um": templates.position_um[items, 0],
        "y_um": templates.position_um[items, 1],
        "shank": signal.channels.shank[channel].astype(np.int32),
        "firing_rate_hz": counts / signal.duration_s,
        "amplitude_median_uv": _medians(truth),
        "snr": np.abs(peak) / templates.noise_uv,
    }
    units = {"x_um": "um", "y_um": "um", "firing_rate_hz": "Hz", "amplitude_median_uv": "uV"}
    context = {
        "rate_hz": signal.rate_hz,
        "n_before": templates.n_before,
        "noise_uv": templates.noise_uv,
        "channel_ids": list(signal.channels.ids),
        "position_um": signal.channels.position_um.tolist(),
        "shank": signal.channels.shank.tolist(),
    }
    return ItemTable(
        of=truth.digest,
        table=pa.table(columns),
        units=units | {"snr": "", "template": "uV"},
        arrays={"template": templates.waveforms_uv[items]},
        context=context,
    )


def _medians(truth: LabelSet) -> npt.NDArray[np.float64]:
    amplitude = truth.column("amplitude")
    values = [float(np.median(amplitude[truth.rows_of(i)])) for i in truth.items.tolist()]
    return np.asarray(values, dtype=np.float64)


def about(truth: LabelSet, fingerprint: str) -> LabelSet:
    """Return the same truth, about another copy of its recording.

    A recording in memory and the raw file written from it have different fingerprints.
    """
    provenance = replace(truth.provenance, source=fingerprint)
    return LabelSet(truth.kind, truth.table, truth.vocabulary, provenance)


def probe_table(position_um: npt.ArrayLike, *, shank: Sequence[int] | None = None) -> ChannelTable:
    """Channels of a probe with contacts at given places, int16 steps of `GAIN_UV`.

    Parameters
    ----------
    position_um : array-like, shape (n_channels, 2), micrometres
    shank : sequence of int, optional
        Shank of each contact; all 0 by default.
    """
    from nissl.data.si_probe import plain_probe
    from nissl.data.si_recording import probe_of
    from nissl.data.spikeinterface import require_spikeinterface

    require_spikeinterface()
    position = np.asarray(position_um, dtype=np.float64)
    plain = ChannelTable.plain(
        len(position),
        gain_uv=GAIN_UV,
        position_um=position,
        shank=None if shank is None else np.asarray(shank, dtype=np.int64),
    )
    return replace(plain, probe=plain_probe(probe_of(plain)))


def grid_um(
    n_channels: int, *, n_columns: int = 2, pitch_um: float = 20.0
) -> npt.NDArray[np.float64]:
    """Contacts of a probe of equal columns, column by column; shape (n_channels, 2), um.

    A tetrode is ``grid_um(4, pitch_um=25.0)``.
    """
    if n_channels < 1 or n_channels % n_columns:
        raise BadMetadataError(
            f"a number of channels that {n_columns} columns share evenly",
            f"{n_channels}",
            "Choose a multiple of the columns.",
        )
    rows = n_channels // n_columns
    column, row = np.divmod(np.arange(n_channels), rows)
    return np.asarray(np.stack([column, row], axis=1) * pitch_um, dtype=np.float64)
