"""The simulated night: spans where they are said to be, a detector as right as it claims."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nissl.errors import BadArgumentError
from nissl.testing.spans import CLASSES, RATE_HZ, simulate_night, span_project


def test_planted_spans_stand_out_and_do_not_overlap() -> None:
    night = simulate_night(np.random.default_rng(1), duration_s=200, n_spans=60, n_channels=4)
    assert np.all(night.start[1:] >= night.stop[:-1])
    power = (night.samples.astype(float) ** 2).max(axis=1)
    inside = np.zeros(power.size, bool)
    for a, b, code in zip(night.start, night.stop, night.label, strict=True):
        if CLASSES[code] == "seizure":
            inside[a:b] = True
    assert inside.any()
    assert np.median(power[inside]) > 2 * np.median(power[~inside])


def test_the_detector_is_right_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    night = simulate_night(rng, duration_s=6000, n_spans=3000, n_channels=1)
    found = night.detected("f" * 64, "data", rng)
    assert 0.85 < found.n_rows / 3000 < 0.95
    nearest = np.abs(found.column("start")[:, None] - night.start).argmin(axis=1)
    right = found.column("label") == night.label[nearest]
    claimed = found.column("confidence")
    for low in (0.0, 0.7, 0.85):
        chosen = (claimed >= low) & (claimed < low + 0.15 + 0.55 * (low == 0))
        assert right[chosen].mean() == pytest.approx(claimed[chosen].mean(), abs=0.05)


def test_a_project_holds_the_night_and_both_authors(tmp_path: Path) -> None:
    with span_project(tmp_path, np.random.default_rng(0), duration_s=30, n_spans=6) as project:
        source = project.only_source()
        assert source.recording.signal.rate_hz == RATE_HZ
        sets = project.store.label_sets(source=source.fingerprint, task="events")
        assert [row.author.kind for row in sets] == ["person", "model"]


def test_too_many_spans_are_refused() -> None:
    with pytest.raises(BadArgumentError):
        simulate_night(np.random.default_rng(0), duration_s=10, n_spans=100)
