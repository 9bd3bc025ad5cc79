import pytest

from nissl.annotators.sleep.stages import STAGES, stage_of, stages_among


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("Sleep stage W", "W"),
        ("Sleep stage 1", "N1"),
        ("sleep  stage n2", "N2"),
        ("Sleep stage 4", "N3"),
        ("Sleep stage ?", "unknown"),
        ("Movement time", "unknown"),
        ("NREM3", "N3"),
        ("NREM 1", "N1"),
        ("Wake", "W"),
        ("REM", "R"),
        ("S2", "N2"),
        ("4", None),
        ("SLEEP-S2", "N2"),
        ("SLEEP-S0", "W"),
        ("SLEEP-REM", "R"),
        ("SLEEP-MT", "unknown"),
        ("Stage 2", "N2"),
        ("Sleep spindle", None),
        ("Lights off", None),
        ("spindle", None),
        ("NREM", None),
        ("", None),
    ],
)
def test_names(text, stage):
    assert stage_of(text) == stage


def test_own_names_stay():
    assert [stage_of(s) for s in STAGES] == list(STAGES)


def test_letters_are_stages_only_among_stages():
    assert stages_among(["R", "L", "go"]) == {}
    assert stages_among(["W", "R"]) == {}
    assert stages_among(["S  1", "S  2", "S 10", "R  1", "R"]) == {}  # markers of BrainVision
    assert stages_among(["S0", "S1", "S2"]) == {}
    assert len(stages_among(["WAKE", "S1", "S2", "S4", "REM"])) == 5
    assert stages_among(["W", "SWS", "REM"]) == {}  # of rodents, who have no N3
    assert stages_among(["W", "NREM", "REM"]) == {}
    assert stages_among(["W", "R", "N2", "go"]) == {"W": "W", "R": "R", "N2": "N2"}
    assert stages_among(["Sleep stage W"]) == {"Sleep stage W": "W"}
