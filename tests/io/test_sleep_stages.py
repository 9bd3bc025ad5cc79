"""Names of sleep stages, and epochs from runs."""

from __future__ import annotations

import pytest

from nissl.data.annotations import Annotation
from nissl.io.sleep_stages import STAGES, epochs, lasting, split_stages, stage_of


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("Sleep stage W", "W"),
        ("Sleep stage 1", "N1"),
        ("Sleep stage N2", "N2"),
        ("Sleep stage 3", "N3"),
        ("Sleep stage 4", "N3"),
        ("Sleep stage R", "R"),
        ("Sleep stage ?", "unknown"),
        ("Movement time", "unknown"),
        ("SLEEP-S2", "N2"),
        ("SLEEP-S0", "W"),
        ("SLEEP-REM", "R"),
        ("SLEEP-MT", "unknown"),
        ("Stage 2", "N2"),
        ("NREM3", "N3"),
        ("Wake", "W"),
        ("Lights off", None),
        ("Arousal", None),
        ("Sleep spindle", None),
    ],
)
def test_names_of_stages(text: str, stage: str | None) -> None:
    assert stage_of(text) == stage


def test_codes_alone_count_only_together() -> None:
    few = [Annotation(0, 30, "R"), Annotation(30, 30, "spike")]
    assert split_stages(few) == ([], few)
    many = [Annotation(30.0 * k, 30, s) for k, s in enumerate(("W", "N1", "N2"))]
    assert split_stages([*many, few[1]]) == (many, [few[1]])


def test_runs_become_epochs() -> None:
    rows, epoch_s = epochs(
        [Annotation(0, 90, "Sleep stage W"), Annotation(90, 30, "Sleep stage 4")]
    )
    assert epoch_s == 30
    assert rows == [(0, 30, 0), (30, 60, 0), (60, 90, 0), (90, 120, STAGES.index("N3"))]
    assert epochs([Annotation(0, 40, "Stage 2")])[1] == 20
    assert epochs([Annotation(0, 41.3, "Stage 2")]) == ([(0, 41.3, 2)], None)


def test_stages_without_durations_last_until_the_next() -> None:
    marks = [Annotation(30.0 * k, 0, "Stage 2") for k in range(3)]
    stages, notes = lasting(marks)
    assert [a.duration_s for a in stages] == [30, 30, 30]
    assert "no durations" in notes[0]
