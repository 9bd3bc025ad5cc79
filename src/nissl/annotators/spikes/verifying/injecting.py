"""Adding units to a recording, lazily, with the truth about them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.footprints import N_PHASES
from nissl.annotators.spikes.verifying.bed import Bed
from nissl.annotators.spikes.verifying.placing import Added
from nissl.data import Recording, Signal
from nissl.data.added import AddedReader, Additions
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.atomic import atomic_write
from nissl.labels.digest import digest_json

_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class Injected:
    """A recording with units added.

    Parameters
    ----------
    recording : Recording
        The user's, its stream changed on reading; with a fingerprint of its own.
    truth : LabelSet
        EVENTS of the added units alone; item k is the k-th of `units`.
    units : tuple of Added
    """

    recording: Recording
    truth: LabelSet
    units: tuple[Added, ...]


def additions(units: Sequence[Added], signal: Signal, bed: Bed) -> Additions:
    """Waveforms of units in stored steps, one for each sub-sample position.

    Channels that a multiplexed probe samples later within a sample period get the waveform
    that much later. Channels on which a unit has less than a thousandth of its largest deflection
    are left as they are.

    Parameters
    ----------
    units : sequence of Added
    signal : Signal
    bed : Bed
    """
    width = max(u.print_uv.waveforms_uv.shape[1] for u in units)
    gain = signal.channels.gain_uv.astype(np.float32)
    waves, reached = [], []
    for unit in units:
        wave = _delayed(unit.print_uv.waveforms_uv, signal.channels.phase) * np.float32(unit.scale)
        size = np.abs(wave).max(axis=(0, 1))
        local = np.flatnonzero(size >= _LEAST * size.max())
        waves.append(wave[:, :, local] / gain[local])
        reached.append(local)
    n_local = max(local.size for local in reached)
    shapes = np.zeros((len(units), N_PHASES, width, n_local), np.float32)
    columns = np.full((len(units), N_PHASES, n_local), -1, np.int64)
    for k, (wave, local) in enumerate(zip(waves, reached, strict=True)):
        shapes[k, :, : wave.shape[1], : local.size] = wave
        columns[k, :, : local.size] = local
    onset = np.concatenate([u.sample - u.print_uv.n_before for u in units])
    shape = np.concatenate([k * N_PHASES + u.phase for k, u in enumerate(units)])
    factor = np.concatenate([u.factor for u in units])
    order = np.lexsort((shape, onset))
    return Additions(
        shapes.reshape(-1, width, n_local),
        columns.reshape(-1, n_local),
        onset[order].astype(np.int64),
        shape[order].astype(np.int64),
        factor[order].astype(np.float32),
        bed.low,
        bed.high,
    )


def _delayed(
    waveforms: npt.NDArray[np.float32], phase: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Waveforms (n, n_samples, n_channels) as seen `phase` samples later on each channel."""
    if not np.any(phase):
        return waveforms
    n = waveforms.shape[1]
    spectrum = np.fft.rfft(waveforms, n=2 * n, axis=1)
    turn = np.exp(2j * np.pi * np.fft.rfftfreq(2 * n)[:, None] * phase[None, :])
    return np.fft.irfft(spectrum * turn, n=2 * n, axis=1)[:, :n].astype(np.float32)


def inject(
    recording: Recording, stream: str, units: Sequence[Added], bed: Bed, folder: Path
) -> Injected:
    """Recording with units added; the user's file is neither copied nor written to.

    Parameters
    ----------
    recording : Recording
    stream : str
        Its samples must lie in files, so that sorters' processes can read them.
    units : sequence of Added
    bed : Bed
    folder : Path
        Exists; the added waveforms are kept there, in a file named by its content.
    """
    signal = recording[stream]
    made = additions(units, signal, bed)
    content = hashlib.sha256()
    for field in fields(made):
        content.update(np.ascontiguousarray(getattr(made, field.name)).data)
    about = {"source": recording.fingerprint, "stream": stream, "added": content.hexdigest()}
    fingerprint = digest_json(about)
    path = folder / f"added-{fingerprint[:16]}.npz"
    if not path.exists():
        with atomic_write(path) as file:
            made.write(file)
    changed = replace(signal, reader=AddedReader(signal.reader, str(path.absolute())))
    streams = {**recording.streams, stream: changed}
    with_units = replace(recording, streams=streams, fingerprint=fingerprint)
    return Injected(with_units, _truth(units, with_units, stream), tuple(units))


def _truth(units: Sequence[Added], recording: Recording, stream: str) -> LabelSet:
    from nissl import __version__

    item = np.repeat(np.arange(len(units)), [u.ticks.size for u in units])
    sample = np.concatenate([u.sample for u in units])
    size = np.concatenate([u.amplitude_uv * u.factor for u in units])
    channel = np.repeat([u.channel for u in units], [u.ticks.size for u in units])
    order = np.lexsort((item, sample))
    author = Author("model", "spikes/injected", __version__)
    provenance = Provenance(
        task="spikes", source=recording.fingerprint, author=author, stream=stream
    )
    columns = {
        "item": item[order],
        "sample": sample[order],
        "amplitude": size[order].astype(np.float32),
        "channel": channel[order],
    }
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), provenance)
