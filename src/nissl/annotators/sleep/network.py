"""`sleep/network`: stages from the samples themselves, by a network over epochs.

One small stack of convolutions reads each channel of each epoch, channels are pooled by attention,
and a recurrent unit runs over the epochs (`nissl.nets.context`). It runs from an ONNX file,
without PyTorch. The weights that the package brings were trained on simulated nights: they show
that the path from samples to stages works, and claim nothing about people. A laboratory with
scored raw nights trains its own: ``python -m nissl.annotators.sleep.train_network``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.learner import WHOLE, unscored
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.annotators.sleep.yasa import proposed
from nissl.data import Signal
from nissl.data.electrodes import electrodes
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import LabelSet
from nissl.nets.inference import Network, missing
from nissl.nets.windows import Grid, read_window, scale_of
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.run.progress import Progress, Silent
from nissl.tasks import Finding, Inputs, Promises, Result

GRID = Grid(100.0, 30.0, 30.0)
KIND = "sleep"
BLOCK, AROUND = 60, 15
"""Epochs that are staged together, and those on each side that they see."""
MOST_CHANNELS = 6
TYPES = ("eeg", "eog", "emg")
SIMULATED = "simulated_weights"


def weights_file() -> Path:
    """File of the shipped weights."""
    return Path(__file__).parent / "network_weights" / "simulated.onnx"


@cache
def shipped() -> Network:
    """Network that the package brings."""
    return Network.read(weights_file())


@dataclass(frozen=True)
class NetworkStager:
    """The method.

    Parameters
    ----------
    model : Network, optional
        As `train_network` writes it; the shipped one by default.
    """

    model: Network | None = field(default=None, repr=False)
    name: str = "sleep/network"
    version: str = "1"
    promises: Promises = WHOLE

    @property
    def known(self) -> Network:
        """Network that it uses; `BadArgumentError` where it stages no sleep."""
        network = shipped() if self.model is None else self.model
        if network.header.get("kind") != KIND:
            raise BadArgumentError(
                "a network that stages sleep",
                f"one of kind {network.header.get('kind')!r}",
                "Train one: python -m nissl.annotators.sleep.train_network",
            )
        return network

    @property
    def weights(self) -> str:
        """Digest of the network."""
        return self.known.digest

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return missing()

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("numpy", "scipy", "onnxruntime")}

    def defaults(self) -> Mapping[str, Any]:
        """`channels`: names to read; all of EEG, EOG and EMG, six at most, by default."""
        return {"channels": []}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a stage for every epoch of 30 s.

        Raises
        ------
        MissingInputError
            No channel of EEG, EOG or EMG.
        BadArgumentError
            A channel that is not there, or no whole epoch.
        """
        begun, network = time.perf_counter(), self.known
        names = channels_of(inputs.signal, tuple(str(n) for n in parameters["channels"]))
        with measure_peak() as peak:
            epochs = unscored(inputs, GRID.length_s)
            p = probabilities(network, inputs.signal.take(names), epochs, context.progress)
        labels = proposed(epochs, p, self.name, self.version, dict(self.packages()))
        made = labels.provenance
        labels = replace(
            labels,
            provenance=replace(
                made,
                author=replace(made.author, weights=network.digest),
                seed=context.seed,
                parameters=dict(parameters),
            ),
        )
        log = {
            "wall_s": time.perf_counter() - begun,
            "peak_memory_bytes": peak.bytes,
            "channels": names,
            "trained_on": str(network.header.get("trained_on", "")),
        }
        return Result((labels,), log=log, findings=_told(network))


def channels_of(signal: Signal, chosen: tuple[str, ...] = ()) -> list[str]:
    """Names of the channels that are read: those chosen, or EEG first, then EOG and EMG."""
    ids = signal.channels.ids
    unknown = [name for name in chosen if name not in ids]
    if unknown:
        raise BadArgumentError(
            f"channels among {list(ids[:12])}", f"{unknown}", "Check --set channels='[...]'."
        )
    if chosen:
        return list(chosen)
    found = electrodes(ids, signal.channels.types)
    by_type = [[e.given for e in found if e.type == kind] for kind in TYPES]
    eeg = by_type[0][: MOST_CHANNELS - min(2, len(by_type[1])) - min(1, len(by_type[2]))]
    names = [*eeg, *by_type[1][:2], *by_type[2][:1]]
    if not names:
        raise MissingInputError(
            "a channel of EEG, EOG or EMG",
            f"the channels {list(ids[:12])}",
            "Name some: --set channels='[\"C4\"]', or choose another --stream.",
        )
    return names


def probabilities(
    network: Network, signal: Signal, epochs: LabelSet, progress: Progress | None = None
) -> npt.NDArray[np.float64]:
    """Probabilities of stages, (n_epochs, n_classes); NaN where no channel is heard.

    Parameters
    ----------
    network : Network
    signal : Signal
        The channels to read.
    epochs : LabelSet
    progress : Progress, optional
    """
    told, scale = progress or Silent(), scale_of(signal)
    start = epochs.column("start")
    out = np.full((start.size, len(HUMAN) - 1), np.nan)
    told.start("stage", float(start.size), "epochs")
    for own in _runs(signal, start):
        for first in range(0, own.size, BLOCK):
            seen = own[max(0, first - AROUND) : first + BLOCK + AROUND]
            wanted = own[first : first + BLOCK]
            x = np.stack([read_window(signal, at, GRID, scale) for at in start[seen].tolist()])
            scores = network(x[None])[0].T.astype(np.float64)
            p = np.exp(scores - scores.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[~np.any(np.all(np.isfinite(x), axis=2), axis=1)] = np.nan
            out[wanted] = p[np.isin(seen, wanted)]
            told.advance("stage", float(wanted.size))
    told.finish("stage")
    return out


def _runs(signal: Signal, start: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.intp]]:
    """Epochs of each segment, in order."""
    for segment in signal.clock.segments:
        own = np.flatnonzero((start >= segment.start) & (start < segment.stop))
        if own.size:
            yield own


def _told(network: Network) -> tuple[Finding, ...]:
    if not network.header.get("simulated"):
        return ()
    return (
        Finding(
            SIMULATED,
            "warning",
            "This network was trained on simulated nights only and has seen no person's sleep: "
            "its stages show that the path works, and are not to be relied on.",
        ),
    )


NETWORK = NetworkStager()

__all__ = ["GRID", "NETWORK", "NetworkStager", "channels_of", "probabilities", "shipped"]
