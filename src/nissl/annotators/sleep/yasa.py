"""`sleep/yasa`: the stages of YASA's trained model, with its probabilities.

Vallat and Walker 2021, eLife 10, e70092: gradient boosting on one EEG, one EOG and one EMG
channel, trained on about 3,000 nights. Its probabilities were not calibrated here, so the set
claims no confidence; they are kept as they are.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.learner import WHOLE, unscored
from nissl.annotators.sleep.powers import RATE_HZ, resampled
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.data import Signal
from nissl.data.electrodes import electrodes
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Author, Kind, LabelSet
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Finding, Inputs, Promises, Result

EPOCH_S = 30.0
LEAST_S = 300.0
"""YASA scores five minutes or more."""
CENTRAL = ("C4", "C3", "Cz", "Fz", "F4", "F3", "Fpz", "Pz", "Oz", "O2", "O1")
_CODES = {"W": 0, "WAKE": 0, "N1": 1, "N2": 2, "N3": 3, "R": 4, "REM": 4}
_STAGES = 5


@dataclass(frozen=True)
class YasaStager:
    """YASA's stages as a method of the task "sleep"."""

    name: str = "sleep/yasa"
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        lacking = [name for name in ("yasa", "mne") if find_spec(name) is None]
        return dict.fromkeys(lacking, "pip install 'nissl[eeg]'")

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("yasa", "mne", "lightgbm", "scipy")}

    def defaults(self) -> Mapping[str, Any]:
        """Names of the channels ("auto" chooses, "" leaves out), and age and sex where known.

        `eeg` by default a central derivation, `eog` and `emg` the first of each; `age` in years,
        `male` true or false.
        """
        return {"eeg": "auto", "eog": "auto", "emg": "auto", "age": None, "male": None}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a stage for every epoch of 30 s.

        Raises
        ------
        MissingInputError
            No EEG channel.
        BadArgumentError
            A channel that is not there; a recording shorter than five minutes.
        """
        begun = time.perf_counter()
        names = chosen(inputs.signal, parameters)
        with measure_peak() as peak:
            epochs = unscored(inputs, EPOCH_S)
            p = probabilities(inputs.signal, epochs, names, parameters, context)
        labels = proposed(epochs, p, self.name, self.version, dict(self.packages()))
        made = replace(labels.provenance, seed=context.seed, parameters=dict(parameters))
        log = {
            "wall_s": time.perf_counter() - begun,
            "peak_memory_bytes": peak.bytes,
            "channels": names,
        }
        lacking = [kind for kind in ("eog", "emg") if kind not in names]
        told = [
            Finding(
                "channels_missing",
                "note",
                f"No {' and no '.join(k.upper() for k in lacking)} channel was found; YASA is "
                "less accurate without, above all for N1 and REM.",
            )
        ]
        findings = tuple(told if lacking else ())
        return Result((replace(labels, provenance=made),), log=log, findings=findings)


def chosen(signal: Signal, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Names of the channels that YASA is given, by kind."""
    ids = signal.channels.ids
    found = electrodes(ids, tuple(getattr(signal.channels, "types", ())))
    rank = {name: k for k, name in enumerate(CENTRAL)}
    out: dict[str, str] = {}
    for kind in ("eeg", "eog", "emg"):
        given = parameters[kind]
        if given not in ("auto", "", None):
            if given not in ids:
                raise BadArgumentError(
                    f"a channel among {list(ids)}", repr(given), f"Check --set {kind}=NAME."
                )
            out[kind] = str(given)
        elif given == "auto":
            own = [e for e in found if e.type == kind]
            own.sort(key=lambda e: rank.get(e.name, len(rank)))
            if own:
                out[kind] = own[0].given
    if "eeg" not in out:
        raise MissingInputError(
            "a channel of EEG, such as 'C4-M1'",
            f"the channels {list(ids[:12])}",
            "Name one: --set eeg=NAME, or choose another --stream.",
        )
    return out


def probabilities(
    signal: Signal,
    epochs: LabelSet,
    names: Mapping[str, str],
    parameters: Mapping[str, Any],
    context: Context,
) -> npt.NDArray[np.float64]:
    """YASA's probabilities, shape (n_epochs, 5), NaN in segments that are too short for it."""
    start, stop = epochs.column("start"), epochs.column("stop")
    out = np.full((start.size, _STAGES), np.nan)
    told = context.progress
    told.start("stage with YASA", float(len(signal.clock.segments)), "segments")
    for segment in signal.clock.segments:
        own = np.flatnonzero((start >= segment.start) & (stop <= segment.stop))
        if own.size * EPOCH_S >= LEAST_S:
            samples = _at_100_hz(signal, int(start[own[0]]), int(stop[own[-1]]), names)
            given = _staged(samples, names, parameters)[: own.size]
            out[own[: len(given)]] = given
        told.advance("stage with YASA", 1.0)
    told.finish("stage with YASA")
    if np.isnan(out).all():
        raise BadArgumentError(
            f"a stretch of {LEAST_S / 60:g} minutes or longer without a gap",
            f"{signal.duration_s:.0f} s in {len(signal.clock.segments)} segments",
            "Use sleep/nissl, which scores single epochs.",
        )
    return out


def _at_100_hz(
    signal: Signal, start: int, stop: int, names: Mapping[str, str]
) -> npt.NDArray[np.float64]:
    """Samples of the channels, shape (n_channels, n), uV, one channel in memory at a time."""
    rows = []
    for name in names.values():
        read = signal.read(start, stop, [name]).astype(np.float64)
        rows.append(resampled(read, signal.rate_hz)[0][:, 0])
    return np.stack(rows)


def _staged(
    samples: npt.NDArray[np.float64], names: Mapping[str, str], parameters: Mapping[str, Any]
) -> npt.NDArray[np.float64]:
    import mne
    import yasa

    kinds = list(names)
    info = mne.create_info(kinds, RATE_HZ, kinds, verbose="error")
    raw = mne.io.RawArray(samples * 1e-6, info, verbose="error")
    known = {key: parameters[key] for key in ("age", "male") if parameters[key] is not None}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        stager = yasa.SleepStaging(
            raw,
            eeg_name="eeg",
            eog_name="eog" if "eog" in names else None,
            emg_name="emg" if "emg" in names else None,
            metadata=known or None,
        )
        said = stager.predict()
        # up to 0.6 it answers with stages, and keeps the probabilities; then with a hypnogram
        table = said.proba if hasattr(said, "proba") else stager.predict_proba()
    out = np.zeros((len(table), _STAGES))
    for name in table.columns:
        out[:, _CODES[str(name)]] = table[name].to_numpy()
    return out


def proposed(
    epochs: LabelSet,
    p: npt.NDArray[np.float64],
    author: str,
    made_by: str,
    packages: Mapping[str, str],
) -> LabelSet:
    """Epochs with stages and probabilities that claim no confidence; NaN is "unknown".

    Parameters
    ----------
    epochs : LabelSet
    p : ndarray, shape (n_epochs, 5), float64
    author, made_by : str
        Method and its version.
    packages : mapping
    """
    mute = np.isnan(p).any(axis=1)
    full = np.zeros((len(p), len(HUMAN)))
    full[:, :-1] = np.nan_to_num(p)
    full[mute] = 0.0
    full[mute, -1] = 1.0
    return LabelSet.build(
        Kind.SPANS,
        {
            "start": epochs.column("start"),
            "stop": epochs.column("stop"),
            "label": full.argmax(axis=1).astype(np.int32),
            "probabilities": full,
        },
        HUMAN,
        replace(
            epochs.provenance,
            author=Author("model", author, made_by),
            packages=dict(packages),
        ),
    )


YASA = YasaStager()

__all__ = ["YASA", "YasaStager", "chosen", "probabilities", "proposed"]
