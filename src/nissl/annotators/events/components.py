"""Independent components and what ICLabel says of them, all seven probabilities kept.

Pion-Tonachini, Kreutz-Delgado and Makeig 2019 (NeuroImage 198, 181-197), through mne-icalabel. The
network expects scalp EEG of 1 to 100 Hz against the common average, components of extended infomax,
and electrodes of the 10-20 system; what differs from that is told as a finding.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.method import chosen
from nissl.data import ChannelTable, Recording, Signal
from nissl.data.electrodes import electrodes
from nissl.data.signal import ArrayReader
from nissl.errors import MissingDependencyError, MissingInputError
from nissl.labels import Author, Kind, LabelSet, Provenance, Vocabulary
from nissl.tasks import Finding

Values = npt.NDArray[np.float64]
CLASSES = ("brain", "muscle", "eye", "heart", "line noise", "channel noise", "other")
"""In the network's order."""
FEWEST = 4


@dataclass(frozen=True, eq=False)
class Components:
    """A decomposition with its labels.

    Parameters
    ----------
    labels : LabelSet
        CLASSES; target and item are the component's number; probabilities over `CLASSES`.
    mixing : ndarray, shape (n_channels, n_components), float64
        Topographies.
    activations : Signal
        One channel per component ("IC000", ...).
    channels : tuple of str
        Electrodes that were used, as given.
    findings : tuple of Finding
    """

    labels: LabelSet
    mixing: Values
    activations: Signal
    channels: tuple[str, ...]
    findings: tuple[Finding, ...]


def components(
    recording: Recording, stream: str, *, n_components: int | None = None, seed: int = 0
) -> Components:
    """Decompose a stream and label its components.

    Parameters
    ----------
    recording : Recording
    stream : str
        Held in memory as a whole: 64 channels of an hour at 250 Hz are half a gigabyte.
    n_components : int, optional
        By default the rank of the channels.
    seed : int

    Raises
    ------
    MissingDependencyError
        MNE or mne-icalabel is not installed.
    MissingInputError
        Fewer than four electrodes with a known place.
    """
    mne, label = _packages()
    signal = recording[stream]
    raw, used = _raw(mne, signal)
    findings = []
    high = min(100.0, 0.45 * signal.rate_hz)
    if high < 100.0:
        findings.append(
            Finding("icalabel_band", "warning", f"ICLabel knows 1 to 100 Hz; this stream ends at "
                    f"{high:.0f} Hz, and muscle is told less surely.", value=high, limit=100.0,
                    unit="Hz")
        )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw.filter(1.0, high, verbose="ERROR")
        raw.set_eeg_reference("average", verbose="ERROR")
        n = min(n_components or len(used) - 1, len(used) - 1)
        ica = mne.preprocessing.ICA(
            n, method="infomax", fit_params={"extended": True}, random_state=seed, max_iter=500
        )
        ica.fit(raw, verbose="ERROR")
        p = np.asarray(label(raw, ica), np.float64)
        sources = ica.get_sources(raw).get_data()
        mixing = np.asarray(ica.get_components(), np.float64)
    p = p / p.sum(axis=1, keepdims=True)
    names = tuple(f"IC{k:03d}" for k in range(len(p)))
    activations = Signal(
        "components",
        ArrayReader(np.ascontiguousarray(sources.T, np.float32)),
        ChannelTable.plain(names, kind="aux"),
        signal.clock,
    )
    labels = _labels(p, recording, stream, seed, n_components)
    return Components(labels, mixing, activations, used, tuple(findings))


def _labels(
    p: Values, recording: Recording, stream: str, seed: int, n_components: int | None
) -> LabelSet:
    number = np.arange(len(p))
    return LabelSet.build(
        Kind.CLASSES,
        {
            "target": number,
            "item": number,
            "label": p.argmax(axis=1).astype(np.int32),
            "confidence": p.max(axis=1),
            "probabilities": p,
        },
        Vocabulary(CLASSES),
        Provenance(
            task="components",
            source=recording.fingerprint,
            stream=stream,
            author=Author("model", "components/icalabel", version("mne-icalabel")),
            parameters={"n_components": n_components},
            seed=seed,
            packages={name: version(name) for name in ("mne", "mne-icalabel")},
        ),
    )


def _raw(mne: Any, signal: Signal) -> tuple[Any, tuple[str, ...]]:
    montage = mne.channels.make_standard_montage("standard_1005")
    known = electrodes(signal.channels.ids)
    picks = [k for k in chosen(signal, None, ("eeg",)) if known[k].name in montage.ch_names]
    names = [known[k].name for k in picks]
    picks = [k for i, k in enumerate(picks) if known[k].name not in names[:i]]
    if len(picks) < FEWEST:
        raise MissingInputError(
            f"at least {FEWEST} electrodes of the 10-20 system",
            f"{[signal.channels.ids[k] for k in picks]}",
            "Rename the channels, or use another method for artifacts.",
        )
    segment = max(signal.clock.segments, key=lambda s: s.stop - s.start)
    x = np.nan_to_num(signal.read(segment.start, segment.stop, picks)).T * 1e-6
    info = mne.create_info([known[k].name for k in picks], signal.rate_hz, "eeg")
    raw = mne.io.RawArray(np.asarray(x, np.float64), info, verbose="ERROR")
    raw.set_montage(montage, verbose="ERROR")
    return raw, tuple(signal.channels.ids[k] for k in picks)


def _packages() -> tuple[Any, Any]:
    try:
        import mne
        from mne_icalabel.iclabel import iclabel_label_components
    except ImportError as error:
        raise MissingDependencyError(
            "MNE and mne-icalabel", str(error), "Install it: pip install 'nissl[eeg]'"
        ) from None
    return mne, iclabel_label_components
