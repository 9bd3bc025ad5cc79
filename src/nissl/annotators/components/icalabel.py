"""Independent components and what ICLabel says of them, all seven probabilities kept.

Pion-Tonachini, Kreutz-Delgado and Makeig 2019 (NeuroImage 198, 181-197), through mne-icalabel. The
network expects scalp EEG of 1 to 100 Hz against the common average, components of extended infomax,
and electrodes of the 10-20 system; what differs from that is told as a finding.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.components.pictures import courses, maps, spectra
from nissl.annotators.events.method import chosen
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.data.electrodes import electrodes
from nissl.errors import MissingInputError
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance, Vocabulary
from nissl.run.context import Context
from nissl.run.installed import installed
from nissl.run.memory import measure_peak
from nissl.tasks import Finding, Inputs, Promises, Result

Values = npt.NDArray[np.float64]
CLASSES = ("brain", "muscle", "eye", "heart", "line noise", "channel noise", "other")
"""In the network's order."""
FEWEST = 4
HIGHEST_HZ = 100.0
_WHOLE = Promises(chunked=False, deterministic=True, memory="measured")


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Independent components of a stretch of EEG.

    Parameters
    ----------
    mixing : ndarray, shape (n_channels, n_components), float64
    activations : ndarray, shape (n_samples, n_components), float64
    places : ndarray, shape (n_channels, 3), float64, metres
        Right, front and up.
    channels : tuple of str
        Electrodes that were used, as given.
    start : int
        First sample of the stretch.
    probabilities : ndarray, shape (n_components, 7), float64
        In the order of `CLASSES`.
    """

    mixing: Values
    activations: Values
    places: Values
    channels: tuple[str, ...]
    start: int
    probabilities: Values


@dataclass(frozen=True)
class IcLabel:
    """Extended infomax, and the class of each component with its seven probabilities.

    The longest gapless stretch of the stream is decomposed, in memory as a whole: 64 channels of
    an hour at 250 Hz are half a gigabyte.
    """

    name: str = "components/icalabel"
    version: str = "1"
    promises: Promises = _WHOLE

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return {n: "pip install 'nissl[eeg]'" for n in _PACKAGES if not installed(n)}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {n: installed(n) for n in ("numpy", "scipy", *_PACKAGES) if installed(n)}

    def defaults(self) -> Mapping[str, Any]:
        """`n_components`: by default one less than electrodes."""
        return {"n_components": None}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Decompose a stream and label its components.

        The activations come as a derived signal, one channel per component.

        Raises
        ------
        MissingInputError
            Fewer than four electrodes with a known place.
        """
        begun = time.perf_counter()
        signal = inputs.signal
        with measure_peak() as peak:
            found = decomposed(signal, parameters["n_components"], context.seed)
        number = np.arange(len(found.probabilities))
        p = found.probabilities
        labels = LabelSet.build(
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
                source=inputs.recording.fingerprint,
                stream=inputs.stream,
                author=Author("model", self.name, self.version),
                parameters=dict(parameters),
                seed=context.seed,
                packages=dict(self.packages()),
            ),
        )
        log = {
            "wall_s": time.perf_counter() - begun,
            "peak_memory_bytes": peak.bytes,
            "electrodes": list(found.channels),
        }
        return Result(
            (labels,),
            (_facts(found, labels, signal.rate_hz),),
            (_activations(found, signal),),
            log,
            tuple(_doubts(signal, found)),
        )


def decomposed(signal: Signal, n_components: int | None, seed: int) -> Decomposition:
    """Components of the longest gapless stretch of a signal; see `IcLabel.annotate`."""
    import mne
    from mne_icalabel.iclabel import iclabel_label_components

    raw, used, start = _raw(mne, signal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw.filter(1.0, min(HIGHEST_HZ, 0.45 * signal.rate_hz), verbose="ERROR")
        raw.set_eeg_reference("average", verbose="ERROR")
        n = min(n_components or len(used) - 1, len(used) - 1)
        ica = mne.preprocessing.ICA(
            n, method="infomax", fit_params={"extended": True}, random_state=seed, max_iter=500
        )
        ica.fit(raw, verbose="ERROR")
        p = np.asarray(iclabel_label_components(raw, ica), np.float64)
        activations = np.asarray(ica.get_sources(raw).get_data(), np.float64).T
    return Decomposition(
        np.asarray(ica.get_components(), np.float64),
        activations,
        np.array([ch["loc"][:3] for ch in raw.info["chs"]]),
        used,
        start,
        p / p.sum(axis=1, keepdims=True),
    )


def _facts(found: Decomposition, labels: LabelSet, rate_hz: float) -> ItemTable:
    power, hz = spectra(found.activations, rate_hz)
    size = (found.mixing**2).sum(axis=0) * found.activations.var(axis=0)
    columns: dict[str, Any] = {
        "item": labels.items,
        "share_of_variance": size / size.sum(),
        "strongest_hz": hz[power.argmax(axis=1)],
    }
    context = {"electrodes": list(found.channels), "spectrum_hz": hz.tolist()}
    return ItemTable(
        labels.digest,
        pa.table(columns),
        {"strongest_hz": "Hz", "spectrum": "dB"},
        {
            "map": maps(found.mixing, found.places),
            "spectrum": power,
            "course": courses(found.activations, rate_hz),
        },
        context,
    )


def _activations(found: Decomposition, signal: Signal) -> Signal:
    names = [f"IC{k:03d}" for k in range(found.activations.shape[1])]
    begin = float(signal.clock.to_seconds(found.start))
    clock = Clock.regular(signal.rate_hz, len(found.activations), begin)
    return Signal.from_array(
        found.activations.astype(np.float32),
        signal.rate_hz,
        name="components",
        channels=ChannelTable.plain(names, kind="aux"),
        clock=clock,
    )


def _doubts(signal: Signal, found: Decomposition) -> list[Finding]:
    doubts = []
    high = 0.45 * signal.rate_hz
    if high < HIGHEST_HZ:
        doubts.append(
            Finding(
                "icalabel_band",
                "warning",
                f"ICLabel knows 1 to 100 Hz; this stream ends at {high:.0f} Hz, and muscle is "
                "told less surely.",
                value=high,
                limit=HIGHEST_HZ,
                unit="Hz",
            )
        )
    left = signal.n_samples - len(found.activations)
    if left:
        doubts.append(
            Finding(
                "icalabel_stretch",
                "note",
                f"The longest stretch without a gap was decomposed; {left / signal.rate_hz:.0f} s "
                "were left out.",
                value=left / signal.rate_hz,
                unit="s",
            )
        )
    return doubts


def _raw(mne: Any, signal: Signal) -> tuple[Any, tuple[str, ...], int]:
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
    return raw, tuple(signal.channels.ids[k] for k in picks), segment.start


_PACKAGES = ("mne", "mne-icalabel")


ICALABEL = IcLabel()

__all__ = ["CLASSES", "ICALABEL", "Decomposition", "IcLabel", "decomposed"]
