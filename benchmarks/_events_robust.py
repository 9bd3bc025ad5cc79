"""The same recording, changed as recordings are: the same labels, or an alarm.

An alarm is a finding about the recording that switches automatic acceptance off.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from nissl.annotators.events.checks import check
from nissl.annotators.events.score import by_channel
from nissl.annotators.events.simulate import simulate
from nissl.data import ChannelTable, Recording, Signal
from nissl.labels import Kind, LabelSet
from nissl.labels.compare import compare
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, Inputs

RATE_HZ = 256.0
NAMES = ("Fp1", "C3", "C4", "O1")
Samples = npt.NDArray[np.float32]
METHODS: Mapping[str, tuple[Mapping[str, float], float]] = {
    "events/spindles": ({"spindle": 4.0, "blink": 8.0}, 10.0),
    "events/slow-waves": ({"slow wave": 4.0, "blink": 8.0}, 8.0),
    "events/bursts": ({"beta burst": 15.0, "blink": 8.0}, 6.0),
    "events/artifacts": ({"muscle": 3.0, "blink": 8.0}, 10.0),
    "events/spikes-interictal": ({"interictal spike": 6.0, "blink": 8.0}, 14.0),
    "events/seizures": ({"seizure": 0.04, "blink": 8.0}, 5.0),
    "events/yasa-spindles": ({"spindle": 4.0, "blink": 8.0}, 10.0),
    "events/yasa-slow-waves": ({"slow wave": 4.0, "blink": 8.0}, 8.0),
}


def _hum(mains: float) -> Callable[[Samples], Samples]:
    def change(x: Samples) -> Samples:
        t = np.arange(len(x))[:, None] / RATE_HZ
        return x + (30 * np.sin(2 * np.pi * mains * t)).astype(np.float32)

    return change


def _flat(x: Samples) -> Samples:
    out = x.copy()
    out[:, 3] = 0
    return out


CHANGES: Mapping[str, Callable[[Samples], Samples]] = {
    "x 0.66": lambda x: x * np.float32(0.66),
    "x 1.5": lambda x: x * np.float32(1.5),
    "volts for microvolts": lambda x: x * np.float32(1e-6),
    "sign turned": lambda x: -x,
    "one channel flat": _flat,
    "50 Hz added": _hum(50.0),
    "60 Hz added": _hum(60.0),
}
SLOWER = "at 100 Hz"


def robustness(*, duration_s: float) -> dict[str, Any]:
    """F1 (IoU 0.5) of labels against those of the unchanged recording, and alarms."""
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        context = Context(Path(scratch))
        for name, (kinds, snr) in METHODS.items():
            recording, _ = simulate(
                77, kinds=kinds, duration_s=duration_s, rate_hz=RATE_HZ, n_channels=4, snr=snr,
                channel_names=NAMES,
            )  # fmt: skip
            x = recording.signal.read()
            plain, alarm = _found(name, x, RATE_HZ, context)
            row: dict[str, Any] = {"unchanged": {"n": plain.n_rows, "alarm": alarm}}
            for change, apply in CHANGES.items():
                labels, alarm = _found(name, apply(x), RATE_HZ, context)
                row[change] = {"same": _same(plain, labels, 1.0), "alarm": alarm}
            slow = resample_poly(x.astype(np.float64), 25, 64, axis=0).astype(np.float32)
            if name not in ("events/spikes-interictal",):
                labels, alarm = _found(name, slow, 100.0, context)
                row[SLOWER] = {"same": _same(plain, labels, RATE_HZ / 100.0), "alarm": alarm}
            out[name] = row
    return out


def _found(name: str, x: Samples, rate: float, context: Context) -> tuple[LabelSet, bool]:
    table = ChannelTable.plain(NAMES, kind="eeg")
    signal = Signal.from_array(x, rate, name="eeg", channels=table)
    recording = Recording(path=None, format="simulated", streams={"eeg": signal}, fingerprint="x")
    method, inputs = ANNOTATORS.get(name), Inputs(recording, "eeg")
    labels = method.annotate(inputs, method.defaults(), context).labels[0]
    findings = check(labels, None, inputs, context)
    return labels, any(f.check == "novelty" and f.item is None for f in findings)


def _same(plain: LabelSet, labels: LabelSet, scale: float) -> float:
    columns = {n: np.rint(labels.column(n) * scale).astype(np.int64) for n in ("start", "stop")}
    channel = labels.column("channel").tolist()
    moved = LabelSet.build(
        Kind.SPANS,
        {**columns, "label": labels.column("label"),
         "channel": [None if c < 0 else c for c in channel]},
        labels.vocabulary,
        labels.provenance,
    )  # fmt: skip
    return float(np.nan_to_num(compare(*by_channel(plain, moved), min_overlap=0.5).metrics["f1"]))
