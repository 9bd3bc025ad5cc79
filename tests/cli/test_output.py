"""Tables and JSON: nothing is cut, nothing is taken for markup, JSON is JSON."""

import json

import pytest

from nissl.cli.output import show

COMMANDS = (
    ["tasks"],
    ["tasks", "spikes/tridesclous2"],
    ["doctor"],
    ["show", "{study}"],
    ["verify", "{study}"],
    ["report", "{study}"],
    ["export", "{study}", "{tmp}", "--to", "csv"],
)


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_numbers_that_json_lacks_become_null(capsys):
    rows = [{"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": float("-inf")}, "e": "x"}]
    show("Rows", rows, as_json=True)
    assert strict(capsys.readouterr().out) == [
        {"a": None, "b": [1.5, None], "c": {"d": None}, "e": "x"}
    ]


def test_cells_are_shown_as_they_are(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    long = "[bold]" + "x" * 150
    show("Rows", [{"what": "[ephys]", "detail": long, "n": None, "ok": True}], as_json=False)
    out = capsys.readouterr().out
    assert "[ephys]" in out
    assert "\u2026" not in out
    assert out.count("x") == 150
    show("Rows", [], as_json=False)
    assert capsys.readouterr().out == "Rows: none\n"


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words))
def test_every_table_comes_as_json(nissl, demo, tmp_path, words):
    filled = [w.format(study=demo.study, tmp=tmp_path) for w in words]
    result = nissl(*filled, "--json")
    assert result.code == 0, result.err
    rows = strict(result.out)
    assert rows
    assert len({tuple(row) for row in rows}) == 1, "every row has the same columns"


def test_findings_come_as_json(nissl, tmp_path):
    study = tmp_path / "doubtful"
    short = ("--method", "spikes/tridesclous2", "--seconds", 12)  # a sorter that gets warnings
    made = nissl("demo", "spikes", "--out", study, *short)
    assert made.code == 0, made.err
    result = nissl("show", study, "--source", "simulated-0", "--json")
    assert result.code == 0, result.err
    rows = strict(result.out)
    assert rows
    assert len({tuple(row) for row in rows}) == 1, "every row has the same columns"


def test_completion_can_be_shown(nissl):
    detected_by_name = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    result = nissl("--show-completion", "bash", environment=detected_by_name)
    assert result.code == 0, result.err
    assert "nissl" in result.out
