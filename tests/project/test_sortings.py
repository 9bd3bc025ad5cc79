"""Verdicts on sortings are kept in the project, and only for what was verified."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from nissl.annotators.spikes.groundtruth import GAIN_UV
from nissl.annotators.spikes.rawfile import raw_options, save_raw
from nissl.annotators.spikes.simulate import simulate
from nissl.annotators.spikes.verifying.placing import Design
from nissl.cli import app
from nissl.errors import BadArgumentError
from nissl.project import open_project, sortings
from nissl.tasks import TASKS
from nissl.testing.sorters import ThresholdSorter

OPTIONS = sortings.Options(Design(snr=(16.0,), rounds=1, units_per_round=1), halves=False)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    made = simulate(3, n_channels=8, duration_s=12.0, n_units=3)[0]
    return save_raw(made, tmp_path_factory.mktemp("raw"))


@pytest.fixture
def threshold(monkeypatch):
    """A sorter that takes a moment, under the name "spikes/threshold"."""
    sorter, real = ThresholdSorter(), sortings.resolve

    def resolve(name):
        return (TASKS.get("spikes"), sorter) if name == sorter.name else real(name)

    monkeypatch.setattr(sortings, "resolve", resolve)
    return sorter


def test_a_verdict_is_kept_and_asked_for_and_speaks_of_nothing_else(raw, tmp_path, threshold):
    with open_project(tmp_path / "study") as study:
        source = study.add(raw, **raw_options(raw))
        before = study.calibration_of(source, threshold.name)
        assert before.state == "not verified"
        assert "not a probability" in before.sentence
        done = study.verify_sorting(source, threshold.name, options=OPTIONS)
        assert all(path.is_relative_to(study.path / "reports") for path in done.files)
        kept = study.calibration_of(source, threshold.name)
        assert kept == done.found.verdict
        assert kept.source == source.fingerprint
        assert study.calibration_of(source, "spikes/lupin").state == "not verified"
        other = study.calibration_of(source, threshold.name, parameters={"sd": 4.0})
        assert other.state == "not verified"
        same = study.calibration_of(source, threshold.name, parameters={"sd": 5.0})
        assert same == kept
    with open_project(tmp_path / "study") as study:
        assert study.calibration_of(source.name, threshold.name) == kept


def test_another_version_of_a_method_is_not_verified(raw, tmp_path, threshold, monkeypatch):
    with open_project(tmp_path / "study") as study:
        source = study.add(raw, **raw_options(raw))
        study.verify_sorting(source, threshold.name, options=OPTIONS)
        newer = {threshold.name: replace(threshold, version="2")}
        monkeypatch.setattr(sortings, "ANNOTATORS", newer)
        assert study.calibration_of(source, threshold.name).state == "not verified"


def test_methods_of_other_tasks_are_refused(raw, tmp_path):
    with open_project(tmp_path / "study") as study:
        source = study.add(raw, **raw_options(raw))
        with pytest.raises(BadArgumentError, match="task 'spikes'"):
            study.verify_sorting(source, "events/spindles", options=OPTIONS)


def test_the_command_reports_on_a_file_and_keeps_verdicts_of_sources(raw, tmp_path, threshold):
    quick = ["--method", threshold.name, "--snr", "16", "--rounds", "1", "--units-per-round", "1",
             "--no-halves", "--workers", "1", "--json"]  # fmt: skip
    options = raw_options(raw)
    alone = CliRunner().invoke(
        app,
        ["verify-sorting", str(raw), *quick, "--out", str(tmp_path / "out"), "--rate",
         str(options["rate_hz"]), "--channels", str(options["n_channels"]), "--dtype", "int16",
         "--gain-uv", str(GAIN_UV), "--probe", str(options["probe"])],
    )  # fmt: skip
    assert alone.exit_code == 0, alone.output
    told = json.loads(alone.stdout)
    assert told["facts"]["method"] == "spikes/threshold 1"
    assert (tmp_path / "out/report.html").is_file()
    with open_project(tmp_path / "study") as study:
        name = study.add(raw, **options).name
    found = CliRunner().invoke(
        app, ["verify-sorting", name, "--project", str(tmp_path / "study"), *quick]
    )
    assert found.exit_code == 0, found.output
    with open_project(tmp_path / "study") as study:
        assert study.calibration_of(name, threshold.name).state == "unknown"


def test_sizes_that_are_no_numbers_are_refused(tmp_path):
    found = CliRunner().invoke(app, ["verify-sorting", str(tmp_path), "--snr", "big"])
    assert isinstance(found.exception, BadArgumentError)
    assert "--snr 4,8,12" in str(found.exception)
