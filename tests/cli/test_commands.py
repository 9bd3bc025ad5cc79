"""Every command as a user calls it: tables, JSON, exit codes, and errors in two lines."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from nissl.cli import app
from nissl.tasks import TASKS


def _error_lines(result):
    return [line for line in result.err.strip().splitlines() if line]


def test_no_arguments_show_help_and_version_prints(nissl):
    assert "annotate" in nissl().out + nissl().err
    assert nissl("--version").out.strip()[0].isdigit()


COMMANDS = """add annotate demo doctor export head import learn models purkinje relocate report show
snapshot subject sync tag tasks verify"""


@pytest.mark.parametrize("command", COMMANDS.split())
def test_every_command_has_help(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_unknown_command_is_wrong_usage(nissl):
    assert nissl("anotate").code == 2


def test_tasks_say_what_is_installed_and_how_to_get_the_rest(nissl):
    rows = {row["method"]: row for row in json.loads(nissl("tasks", "--json").out)}
    assert rows["spikes/tridesclous2"]["installed"] is True
    assert sum(row["default"] for row in rows.values()) == len(TASKS.names())
    for row in rows.values():
        assert row["installed"] or row["install_with"]
    parameters = json.loads(nissl("tasks", "spikes/tridesclous2", "--json").out)
    assert {"freq_min_hz", "sorter"} <= {row["parameter"] for row in parameters}


def test_doctor_examines_environment_and_project(nissl, demo, tmp_path):
    rows = json.loads(nissl("doctor", demo.study, "--json").out)
    assert {"python", "machine", "gpu"} <= {row["what"] for row in rows}
    assert next(r for r in rows if r["what"].startswith("project"))["state"] == "good"
    bad = nissl("doctor", tmp_path / "nothing")
    assert bad.code == 4


def test_show_names_sources_labels_and_findings(nissl, demo):
    rows = json.loads(nissl("show", demo.study, "--json").out)
    assert {row["source"] for row in rows} == {"simulated-0"}
    assert any(row["head"] for row in rows)
    findings = json.loads(nissl("show", demo.study, "--source", "simulated-0", "--json").out)
    assert all(row["sentence"] for row in findings)


def test_show_lists_the_streams_of_a_recording(nissl, tmp_path):
    np.savez(tmp_path / "r.npz", data=np.ones((1000, 4), np.int16), rate_hz=1000.0)
    rows = json.loads(nissl("show", tmp_path / "r.npz", "--json").out)
    assert rows[0]["channels"] == 4
    assert rows[0]["seconds"] == 1.0
    np.zeros(3000, np.int16).tofile(tmp_path / "r.bin")
    raw = ["--rate", 1000, "--channels", 3, "--dtype", "int16", "--gain-uv", 0.5]
    rows = json.loads(nissl("show", tmp_path / "r.bin", *raw, "--json").out)
    assert rows[0]["seconds"] == 1.0


@pytest.mark.parametrize("to", ["nwb", "phy", "spikeinterface", "alf", "csv", "parquet"])
def test_export_to_every_format_is_verified(nissl, demo, tmp_path, to):
    result = nissl("export", demo.study, tmp_path / "out", "--to", to, "--json")
    assert result.code == 0, result.err
    (row,) = json.loads(result.out)
    assert row["verified"] is True
    assert row["reviewed"] == "0%"
    again = nissl("export", demo.study, tmp_path / "out", "--to", to)
    assert again.code == 3, "nothing is overwritten unasked"
    assert nissl("export", demo.study, tmp_path / "out", "--to", to, "--overwrite").code == 0


def test_export_of_drafts_must_be_asked_for(nissl, demo, tmp_path):
    copy = tmp_path / "copy"
    assert nissl("snapshot", demo.study, copy).code == 0
    raw = tmp_path / "raw"
    shutil.copytree(demo.study / "recordings", raw)
    probe = raw / "simulated-0.probe.json"
    options = ["--rate", 30000, "--channels", 12, "--dtype", "int16", "--gain-uv", 1.0]
    added = nissl("add", copy, raw / "simulated-0.bin", "--probe", probe, *options)
    assert added.code == 0, added.err
    result = nissl("export", copy, tmp_path / "out", "--to", "csv", "--task", "curation")
    assert result.code == 4
    assert "nissl annotate" in result.err


def test_snapshot_verifies_and_a_flipped_byte_is_seen(nissl, demo, tmp_path):
    copy = tmp_path / "copy"
    assert nissl("snapshot", demo.study, copy).code == 0
    assert nissl("verify", copy).code == 0
    victim = max((copy / "labels").glob("*.parquet"), key=lambda p: p.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 0xFF
    victim.unlink()  # a snapshot may share its immutable files with the project
    victim.write_bytes(content)
    result = nissl("verify", copy, "--json")
    assert result.code == 5
    assert "differs" in {row["state"] for row in json.loads(result.out)}


def test_import_of_trials_reaches_the_report(nissl, demo, tmp_path):
    copy = tmp_path / "copy"
    assert nissl("snapshot", demo.study, copy).code == 0
    table = tmp_path / "trials.csv"
    rows = "\n".join(f"{t:.2f},{t + 0.5:.2f},cue" for t in np.arange(1, 28, 1.5))
    table.write_text(f"start_s,stop_s,label\n{rows}\n")
    result = nissl("import", copy, "simulated-0", table, "--author", "ana", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)[0]["kind"] == "spans"
    assert nissl("report", copy).code == 0
    html = (copy / "reports/simulated-0.spikes.html").read_text()
    assert "Firing rate around cue" in html


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show", "{tmp}/nothing.bin"], 3, "nothing.bin"),
        (["report", "{tmp}/no-project"], 5, "project"),
        (["annotate", "{tmp}/no-project", "--task", "spikes"], 5, "project"),
        (["annotate", "{study}", "--task", "sleeep"], 3, "one of the tasks"),
        (["annotate", "{study}", "--task", "spikes", "--memory", "lots"], 3, "4GB"),
        (["annotate", "{study}", "--task", "spikes", "--set", "nonsense=1"], 3, "parameters of"),
        (["export", "{study}", "{tmp}/o", "--to", "nwbb"], 3, "Did you mean 'nwb'"),
        (["head", "{study}", "nobody", "spikes"], 4, "nobody"),
    ],
)
def test_errors_are_two_lines_with_their_exit_code(nissl, demo, tmp_path, arguments, code, words):
    filled = [a.format(tmp=tmp_path, study=demo.study) for a in arguments]
    result = nissl(*filled)
    assert result.code == code, result.err
    assert "Traceback" not in result.err
    lines = _error_lines(result)
    assert len(lines) == 2, result.err
    assert lines[0].startswith("nissl: Expected ")
    assert words in result.err
