"""One monkey on two days: what can be said of it, and of monkeys."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.align.evidence.checklist import checklist
from nissl.align.evidence.claim import Claim, Recorded
from nissl.align.fragments import About, Fragment

FOLDER = Path(os.environ.get("NISSL_DATA", "../shared/data")) / "glue/m1_multiday"


@pytest.mark.data
def test_nothing_is_said_of_other_monkeys() -> None:
    files = sorted(FOLDER.glob("*_bin100ms_vel5.npz"))
    if len(files) != 2:
        pytest.skip("NISSL_DATA has no glue/m1_multiday")
    days = []
    for k, file in enumerate(files):
        about = About("macaque", "Chewie", f"day {k + 1}", "M1", "reaches", "spikes")
        with np.load(file, allow_pickle=False) as held:
            counts = held["counts"].astype(float)
            bin_s, trial, target = float(held["bin_s"]), held["trial"], held["target"]
            days.append(Fragment(f"day {k + 1}", counts, bin_s, trial, target, about=about))
    claim = Claim("targets", "coded alike", tuple(Recorded(d.name, "trials") for d in days), 0.1)
    found = checklist(claim, days, np.random.default_rng(0), permutations=99)
    assert found["shared"].verdict == found["conditions"].verdict == "supported"
    assert found["geometry"].verdict == "supported"
    assert found["individuals"].verdict == found["days"].verdict == "not testable"
    assert (found["individuals"].n, found["days"].n) == (1, 2)
    assert "5 individuals" in found["individuals"].needs
