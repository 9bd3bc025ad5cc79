"""Checks of EEG, MEG and polysomnography as they are opened, before anything is claimed of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from nissl.data import Recording, Signal
from nissl.data.channels import BRAIN
from nissl.data.electrodes import Electrode, electrodes, unknown
from nissl.tasks import Finding

FORMATS = ("edf", "mne", "bids")
ELECTRIC = ("eeg", "eog", "emg", "ecg", "seeg", "ecog", "lfp", "meg")
N_LOOKS = 64
LOOK_S = 2.0


def source_findings(recording: Recording) -> list[Finding]:
    """Say what is doubtful about a recording of EEG or the like; [] for other formats.

    What its reader noted, channels that nothing explains, no channel of the brain at all, and
    electrodes that carry nothing.
    """
    found = [Finding("source", "warning", note) for note in recording.notes]
    if recording.format not in FORMATS:
        return found
    channels = {n: electrodes(s.channels.ids, s.channels.types) for n, s in recording.items()}
    return [
        *found,
        *unknown_channels(e for several in channels.values() for e in several),
        *no_brain(recording),
        *(f for name, signal in recording.items() for f in flat(signal, channels[name])),
    ]


def unknown_channels(found: Iterable[Electrode]) -> list[Finding]:
    """One finding that lists the names that nothing explains."""
    names = unknown(tuple(found))
    if not names:
        return []
    shown = ", ".join(repr(n) for n in names[:12]) + (" ..." if len(names) > 12 else "")
    sentence = (
        f"{len(names)} channel names say nothing of what they measure: {shown}. They are kept and "
        "used as 'misc'; methods that look for EEG, EOG or EMG do not see them."
    )
    return [Finding("unknown_channels", "note", sentence, value=float(len(names)), limit=0.0)]


def no_brain(recording: Recording) -> list[Finding]:
    """Whether no stream holds EEG, MEG or intracranial channels."""
    if any(signal.channels.kind in BRAIN for signal in recording.values()):
        return []
    sentence = (
        "No channel is EEG, MEG or intracranial by its name; `nissl show FILE` lists how the "
        "names were understood."
    )
    return [Finding("no_eeg", "warning", sentence)]


def flat(signal: Signal, found: tuple[Electrode, ...]) -> list[Finding]:
    """Electrodes that are constant in every one of some looks, spread over the recording.

    Parameters
    ----------
    signal : Signal
    found : tuple of Electrode
        Of its channels.
    """
    columns = [i for i, e in enumerate(found) if e.type in ELECTRIC]
    if not columns:
        return []
    blocks = list(signal.blocks(max(2, round(LOOK_S * signal.rate_hz))))
    looks = np.unique(np.linspace(0, len(blocks) - 1, min(N_LOOKS, len(blocks))).round())
    still: npt.NDArray[np.bool_] = np.ones(len(columns), dtype=bool)
    for look in looks.astype(int).tolist():
        start, stop = blocks[look]
        samples = signal.read_raw(start, stop, columns)
        still &= np.all(samples == samples[:1], axis=0)
        if not still.any():
            return []
    names = [found[columns[i]].given for i in np.flatnonzero(still)]
    everything = len(names) == len(columns)
    what = "Every electrode" if everything else f"{', '.join(names[:12])}"
    sentence = (
        f"{what} of the stream {signal.name!r} is constant in all {looks.size} looks spread over "
        "the recording: it was not connected, or the file holds no signal."
    )
    share = len(names) / len(columns)
    severity = "error" if everything else "warning"
    return [Finding("flat_channels", severity, sentence, value=share, limit=0.0)]
