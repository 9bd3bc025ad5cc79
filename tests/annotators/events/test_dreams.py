"""Real spindles: the DREAMS excerpt (needs NISSL_DATA)."""

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.events.spindles import detect
from nissl.annotators.events.train import best_overlap
from nissl.data import ChannelTable, Signal

pytestmark = pytest.mark.data
FILE = Path(os.environ.get("NISSL_DATA", "missing")) / "eeg/dreams_spindles/excerpt1.npz"


def test_agrees_with_an_expert_about_as_experts_do():
    if not FILE.is_file():
        pytest.skip("needs eeg/dreams_spindles in NISSL_DATA")
    with np.load(FILE) as data:
        x, expert = data["x"], data["vis1"]
    signal = Signal.from_array(x[:, None], 100.0, channels=ChannelTable.plain(["C3-A1"]))
    found = detect(signal, 0, 100_000, [0], {"threshold": 0.5})
    start = np.rint(expert[:, 0] * 100).astype(np.int64)
    stop = start + np.rint(expert[:, 1] * 100).astype(np.int64)
    hits = best_overlap(found.start, found.stop, start, stop) >= 0.2
    seen = best_overlap(start, stop, found.start, found.stop) >= 0.2
    f1 = 2 * hits.mean() * seen.mean() / (hits.mean() + seen.mean())
    assert f1 > 0.45
