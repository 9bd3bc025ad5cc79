"""The benchmark's plumbing: cells that resume, honest peaks, tables that say what was found."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.spikes.groundtruth import about
from nissl.errors import BadArgumentError, EvaluationError
from nissl.labels import Kind, LabelSet

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def python_cell(code, name="a/b", **key):
    import _common

    body = f"import sys, json\n{code}\njson.dump(dict(value=1), open(sys.argv[1], 'w'))"
    return _common.Cell(name, {"name": name} | key, (sys.executable, "-c", body))


# --- cells ---------------------------------------------------------------------------------


def test_a_finished_cell_is_never_computed_again(tmp_path):
    import _common

    counter = tmp_path / "count"
    cell = python_cell(f"open({str(counter)!r}, 'a').write('x')")
    first = _common.run_cell(cell, tmp_path / "cells")
    second = _common.run_cell(cell, tmp_path / "cells")
    assert first["result"] == {"value": 1}
    assert second == first
    assert counter.read_text() == "x"
    _common.run_cell(cell, tmp_path / "cells", fresh=True)
    assert counter.read_text() == "xx"


def test_another_key_is_another_cell(tmp_path):
    assert python_cell("", size=1).digest != python_cell("", size=2).digest
    assert python_cell("", size=1).file(tmp_path) != python_cell("", size=2).file(tmp_path)


def test_a_failed_cell_says_why_and_is_tried_again(tmp_path):
    import _common

    flag = tmp_path / "flag"
    cell = python_cell(
        f"import os\nif not os.path.exists({str(flag)!r}): sys.exit('no such thing at /a/b/c')"
    )
    failed = _common.run_cell(cell, tmp_path / "cells")
    assert failed["error"] == "no such thing at …"
    assert "result" not in failed
    assert _common.kept_result(cell, tmp_path / "cells") is None
    flag.touch()
    assert _common.run_cell(cell, tmp_path / "cells")["result"] == {"value": 1}


def test_a_cell_that_hangs_is_killed_and_kept_as_such(tmp_path):
    import _common

    cell = python_cell(
        "import subprocess\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    )
    found = _common.run_cell(cell, tmp_path / "cells", timeout_s=1.0)
    assert found["error"] == "timeout"
    assert found["process_s"] < 20
    assert _common.run_cell(cell, tmp_path / "cells", timeout_s=1.0) == found


def test_peak_memory_is_that_of_the_whole_tree(tmp_path):
    import _common

    child = "import numpy, time; x = numpy.ones(25_000_000); time.sleep(0.6)"
    cell = python_cell(f"import subprocess\nsubprocess.run([sys.executable, '-c', {child!r}])")
    found = _common.run_cell(cell, tmp_path / "cells")
    assert 200e6 < found["peak_memory_bytes"] < 1e9


def test_a_damaged_file_of_a_cell_counts_as_missing(tmp_path):
    import _common

    cell = python_cell("")
    _common.run_cell(cell, tmp_path)
    cell.file(tmp_path).write_text("{half")
    assert _common.run_cell(cell, tmp_path)["result"] == {"value": 1}


# --- what is written -----------------------------------------------------------------------


def test_machine_facts_name_no_path_host_or_user():
    import _common

    facts = _common.machine()
    assert set(facts) == {"cpu", "cores", "memory_gb", "system", "python"}
    assert "/" not in json.dumps(facts)
    assert _common.anchor_s() > 0


def test_results_are_plain_and_finite():
    import _common

    given = {"a": np.float32(0.5), "b": [float("nan"), np.int64(3)], "c": (float("inf"),)}
    assert _common.finite(given) == {"a": 0.5, "b": [None, 3], "c": [None]}


def test_tables_show_a_dash_for_what_is_missing():
    import _common

    text = _common.table(("x", "y"), [("a", None), ("b", _common.number(1.23456, 2))])
    assert text.splitlines()[2:] == ["| a | – |", "| b | 1.23 |"]
    assert _common.percent(0.123) == "+12.3 %"
    assert _common.number(float("nan")) is None


def test_overhead_is_measured_within_a_run_and_against_a_direct_one():
    import _spikes_page

    row, direct = {"wall_s": 110.0, "sorter_wall_s": 100.0}, {"wall_s": 88.0}
    own, against = _spikes_page.overhead(row, direct)
    assert own == pytest.approx(0.10)
    assert against == pytest.approx(0.25)
    assert _spikes_page.overhead({"wall_s": 5.0}, None) == (None, None)


# --- recordings and scores -----------------------------------------------------------------


def test_the_default_recordings_are_those_asked_for():
    import spikes

    specs = {s.name: s for s in spikes.chosen_specs(None, quick=False)}
    assert specs["static"].size == {
        "seed": 0, "n_channels": 32, "duration_s": 300.0, "n_units": 24,
    }  # fmt: skip
    assert not specs["static"].moves
    for n_channels in (32, 64):
        for drift in ("rigid", "nonrigid"):
            spec = specs[f"{drift}{n_channels}"]
            assert (spec.size["drift"], spec.size["n_channels"]) == (drift, n_channels)
            assert spec.moves
    assert specs["hybrid32-slow"].moves
    assert specs["hybrid32-jumps"].moves
    assert not specs["hybrid32-pairs"].moves
    hybrids = {s.size["n_channels"] for s in specs.values() if s.make == "hybrid"}
    assert hybrids == {4, 32, 128}
    assert all(s.size["duration_s"] >= 120.0 for s in specs.values())
    assert specs["static"].at(2).place == "static/2"
    quick = spikes.chosen_specs(("static",), quick=True)
    assert quick[0].size["duration_s"] == 30.0
    with pytest.raises(BadArgumentError):
        spikes.chosen_specs(("statick",), quick=False)


def planned(*argv):
    import spikes

    args = spikes.parser().parse_args(list(argv))
    return spikes.plan(args, ["lupin", "mountainsort5", "nissl"])


def test_all_kinds_come_before_a_second_seed_and_slow_sorters_run_on_the_first():
    todo = planned("--recordings", "static,rigid32", "--seeds", "4,5")
    assert [(spec.name, spec.size["seed"]) for _, spec, _ in todo] == [
        ("static", 4), ("rigid32", 4), ("static", 5), ("rigid32", 5),
    ]  # fmt: skip
    assert ("mountainsort5", "nissl") in todo[0][2]
    assert todo[2][2] == [("lupin", "nissl"), ("nissl", "nissl")]
    every = planned("--recordings", "static", "--slow-seeds", "3")
    assert all(("mountainsort5", "nissl") in steps for _, _, steps in every)


def test_other_blocks_are_planned_when_asked_for_only():
    assert {block for block, _, _ in planned()} == {"accuracy"}
    todo = planned("--blocks", "timing,scale,long")
    assert {block for block, _, _ in todo} == {"timing", "scale", "long"}
    timing = next(steps for block, _, steps in todo if block == "timing")
    assert ("nissl", "timed") in timing
    assert ("nissl", "direct") not in timing
    assert all(steps == [("nissl", "nissl")] for block, _, steps in todo if block == "scale")
    with pytest.raises(BadArgumentError):
        planned("--blocks", "speed")


def test_what_is_kept_is_written_without_computing_anything(tmp_path):
    import spikes

    assert spikes.main(["--kept", "--only", "tridesclous2", "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text())["rows"] == []
    assert not (tmp_path / "cells").exists()


def test_cells_of_other_sorters_do_not_depend_on_our_version(monkeypatch):
    import spikes

    args = spikes.parser().parse_args([])

    def digest(sorter):
        spec = spikes.SPECS[0]
        step = spikes._Step("accuracy", spec, sorter, "nissl", 1)
        return spikes._sorter_cell(step, "f", {"version": "1"}, args).digest

    before = digest("lupin"), digest("nissl")
    monkeypatch.setattr(spikes.nissl, "__version__", "99")
    monkeypatch.setattr(spikes, "own_source", lambda: "other")
    assert digest("lupin") == before[0]
    assert digest("nissl") != before[1]


def test_motion_correction_is_switched_on_where_there_is_motion_and_a_choice():
    from _spikes_work import motion_parameters

    assert motion_parameters({"motion_correction": "auto"}, True) == {"motion_correction": "on"}
    assert motion_parameters({"motion_correction": "off"}, True) == {}
    assert motion_parameters({"motion_correction": "auto"}, False) == {}
    assert motion_parameters({}, True) == {}


def test_sorters_that_are_not_installed_are_listed_with_the_reason():
    import spikes

    found, absent = spikes.installed(None, quick=False)
    assert "tridesclous2" in found
    assert found["tridesclous2"]["packages"]["spikeinterface"]
    assert set(found) | set(absent) >= {"lupin", "kilosort4", "mountainsort5", "spykingcircus2"}
    only, _ = spikes.installed(("tridesclous2",), quick=False)
    assert list(only) == ["tridesclous2"]


def prepared(folder, seed=0):
    import _spikes_work

    size = {"seed": seed, "n_channels": 4, "duration_s": 3.0, "n_units": 3}
    spec = _spikes_work.Spec("tiny", "Tiny", "simulated", size)
    return _spikes_work.prepare(spec, (folder, folder), "report", folder / "tiny")


def test_prepared_recordings_are_complete_and_the_same_for_the_same_seed(tmp_path):
    facts, again = prepared(tmp_path / "a"), prepared(tmp_path / "b")
    assert facts["fingerprint"] == again["fingerprint"]
    assert facts["truth"] == again["truth"]
    assert facts["declaration"]["kind"] == "simulated"
    assert {p.name for p in (tmp_path / "a" / "tiny").iterdir()} == {
        "recording.bin", "recording.json", "recording.probe.json", "truth.parquet", "units.json",
    }  # fmt: skip
    assert "/" not in json.dumps(facts["declaration"]["parameters"])


def test_scores_agree_with_spikeinterface(tmp_path):
    from spikeinterface.comparison import compare_sorter_to_ground_truth
    from spikeinterface.core import NumpySorting

    import _spikes_work
    from nissl.labels.serialise import read_labels

    prepared(tmp_path)
    truth = read_labels(tmp_path / "tiny" / "truth.parquet")
    rng = np.random.default_rng(0)
    sample, item = truth.column("sample"), truth.column("item").copy()
    item[(item == 1) & (rng.random(item.size) < 0.3)] = 5  # a unit that is split in two
    kept = rng.random(item.size) < np.asarray([0.95, 0.9, 0.3])[truth.column("item")]
    noise = rng.integers(0, 90_000, 40)
    found = LabelSet.build(
        Kind.EVENTS,
        {
            "item": np.concatenate([item[kept], np.full(40, 9)]),
            "sample": np.concatenate([sample[kept] + rng.integers(-3, 4, kept.sum()), noise]),
        },
        ("unit",),
        truth.provenance,
    )
    ours = _spikes_work.score(tmp_path / "tiny", found, 30_000.0)
    theirs = compare_sorter_to_ground_truth(
        *(
            NumpySorting.from_samples_and_labels([s.column("sample")], [s.column("item")], 30_000.0)
            for s in (truth, found)
        ),
        exhaustive_gt=True,
    )
    performance = theirs.get_performance()
    assert np.allclose(
        ours["accuracy_by_unit"], performance["accuracy"].to_numpy(dtype=float), atol=0.02
    )
    assert ours["n_good"] == theirs.count_well_detected_units(0.8)
    assert ours["n_false_positive"] == len(theirs.get_false_positive_units())
    perfect = _spikes_work.score(tmp_path / "tiny", about(truth, "other"), 30_000.0)
    assert (perfect["accuracy_mean"], perfect["n_false_positive"]) == (1.0, 0)


def test_kept_spikes_are_scored_anew_as_they_were(tmp_path):
    import _spikes_work
    from nissl.labels.serialise import read_labels

    prepared(tmp_path)
    truth = read_labels(tmp_path / "tiny" / "truth.parquet")
    first = _spikes_work.score(tmp_path / "tiny", about(truth, "other"), 30_000.0)
    stale = first | {"accuracy_mean": 0.1, "wall_s": 7.0}
    again = _spikes_work.rescored(tmp_path / "tiny", stale)
    assert again == first | {"wall_s": 7.0}


def test_two_folders_that_share_an_animal_are_refused(tmp_path, monkeypatch):
    import _spikes_work
    from nissl.annotators.spikes.hybrid_units import HybridUnit

    def library(folder):
        animal = "shared" if folder.name in ("a", "b") else folder.name
        return (HybridUnit(f"{folder.name}/u0", animal, np.eye(20), 2e4, np.arange(9.0)),)

    monkeypatch.setattr(_spikes_work, "load_cellexplorer", library)
    with pytest.raises(EvaluationError, match="shared"):
        _spikes_work.sides(tmp_path / "a", tmp_path / "b")
    tune, report = _spikes_work.sides(tmp_path / "a", tmp_path / "c")
    assert [u.animal for u in (*tune, *report)] == ["shared", "c"]


# --- the page ------------------------------------------------------------------------------


def made_up_results():
    import _spikes_page

    declaration = {
        "real": ["trains: real"], "made": ["geometry: made"], "units": [{}, {}],
        "parameters": {"real_background": True},
    }  # fmt: skip
    facts = {
        "title": "Hybrid tetrode, 4 channels", "size": {"duration_s": 60.0, "n_channels": 4},
        "make": "hybrid",
        "seeds": {"0": {"declaration": declaration, "n_spikes": 100, "snr": [5.0, 9.0]}},
    }  # fmt: skip
    bins = [[19, 90, 86.0, 85], [4, 10, 2.0, 1]]
    scored = {
        "accuracy_mean": 0.75, "n_good": 1, "n_true": 2, "n_false_positive": 3, "n_redundant": 0,
        "wall_s": 23.0, "cpu_s": 21.0, "peak_memory_bytes": 2_000_000_000, "anchor_s": 0.1,
        "error": None, "recording": "tetrode", "seed": 0, "block": "accuracy", "workers": 1,
        "units": [
            {"accuracy": a, "snr": s, "n_overlaps": 9, "n_overlaps_found": 8}
            for a, s in ((0.5, 5.0), (1.0, 9.0))
        ],
        "calibration": None,
    }  # fmt: skip
    timed = scored | {
        "block": "timing", "how": "timed", "sorter_wall_s": 20.0, "report_s": 2.0, "nwb_s": 3.0,
        "cold": {"wall_s": 60.0}, "anchors_s": [0.1, 0.2, 0.1],
    }  # fmt: skip
    own = {
        "sorter": "nissl",
        "units": [unit | {"accuracy": unit["accuracy"] - 0.1} for unit in scored["units"]],
        "calibration": [
            {"band": b, "matched": True, "without": 0, "squared": 4.0, "bins": bins} for b in (0, 1)
        ],
    }
    rows = [
        scored | {"how": "nissl", "sorter": "tridesclous2"},
        scored | {"how": "nissl"} | own,
        timed | {"sorter": "tridesclous2"},
        scored | {"block": "timing", "how": "direct", "sorter": "tridesclous2", "wall_s": 20.0},
        timed | {"sorter": "nissl", "wall_s": 5.0},
        scored | {"how": "nissl", "block": "scale", "sorter": "nissl"},
        scored | {"how": "nissl", "block": "long", "sorter": "nissl", "recording": "tetrode"},
    ]
    versions = {"version": "1", "packages": {"spikeinterface": "0.105"}}
    facts_of_machine = {"cpu": "X", "cores": 2, "memory_gb": 8, "python": "3.11"}
    results = {
        "nissl": "0.1.0", "quick": True, "machine": facts_of_machine,
        "sorters": {"tridesclous2": versions, "nissl": versions},
        "absent": {"kilosort4": "not installed: kilosort"},
        "recordings": {"tetrode": facts}, "rows": rows,
    }  # fmt: skip
    return results | {"summary": _spikes_page.summarise(results)}


def finite_results():
    from _common import finite

    return dict(finite(made_up_results()))


def test_the_page_says_what_was_found_and_what_the_truth_lacks():
    import _spikes_page

    text = _spikes_page.markdown(finite_results(), {"": "spikes.png"})
    row = next(line for line in text.splitlines() if line.startswith("| tridesclous2 | 0.750"))
    assert "| 0.500 (1) | 1.000 (1) | – | 1.0 of 2 | 3.0 | 0.0 | 0.889 (18) | 21 | 23 |" in row
    costs = "| tridesclous2 | 60.0 | 23.0 | 21.0 | 20.0 | +15.0 % | 20.0 | +15.0 % | 2.0 | 3.0 |"
    assert costs in text
    assert "all units -0.100 (-0.100 to -0.100) to tridesclous2 on seed 0" in text
    assert "-0.100" in text
    assert "| nissl | SNR < 6 | 0 |" in text  # a real background's recording stands apart
    assert "| nissl | Hybrid tetrode, 4 channels | 200 | 0.860 |" in text
    assert "kilosort4: not installed" in text
    assert "are not errors" in text
    assert "quick run" in text


def test_aims_are_told_with_what_was_measured():
    import _spikes_page

    text = _spikes_page.markdown(finite_results(), {})
    assert "| Hybrid tetrode, 4 channels | ≥ best other | -0.100" in text
    assert "overlaps found ≥ 0.9 | 0.889" in text
    assert "≤ 1/3 of tridesclous2's | 0.22 (5.0 of 23.0 s) | yes |" in text
    assert "faster than real time | 2.61 times | yes |" in text
    assert "| peak memory < 4 GB | 2.00 GB | yes |" in text


def test_a_failed_cell_is_told_and_counts_nowhere():
    import _spikes_page

    results = made_up_results()
    lost = {
        "block": "accuracy", "recording": "tetrode", "seed": 0, "sorter": "mountainsort5",
        "how": "nissl", "error": "timeout", "process_s": 900.0, "anchor_s": None,
    }  # fmt: skip
    results["rows"].append(lost)
    results["summary"] = _spikes_page.summarise(results)
    assert set(results["summary"]["recordings"]["tetrode"]["sorters"]) == {"tridesclous2", "nissl"}
    text = _spikes_page.markdown(results, {})
    assert "| mountainsort5, seed 0 | stopped after 900 s |" in text


def test_recordings_that_could_not_be_made_are_told():
    import _spikes_page

    results = finite_results()
    results["recordings"]["slow32"] = {"title": "Slow", "seeds": {"1": {"error": "no way"}}}
    assert "- Slow, seed 1: could not be made, no way" in _spikes_page.markdown(results, {})


def test_what_goes_beside_the_page_is_short_and_says_the_same():
    from _spikes_published import published

    bins = [[19, 2, 1.91234567, 1], [20, 3, 3.0, 3]]
    unit = {"band": 1, "bins": bins, "squared": 0.25, "matched": True}
    row = {
        "accuracy_by_unit": [0.5, 0.123456],
        "units": [{"snr": 4.0, "accuracy": 0.5}, {"snr": 9.0, "accuracy": 0.123456}],
        "calibration": [unit, {**unit, "bins": bins[:1]}, {**unit, "band": 0}],
    }
    told = published({"quick": False, "rows": [row, {"error": "timeout"}]})
    assert (told["quick"], told["rows"][1]) == (False, {"error": "timeout"})
    assert told["rows"][0]["units"] == {"snr": [4.0, 9.0], "accuracy": [0.5, 0.1235]}
    low, high = told["rows"][0]["calibration"]
    assert low == {"band": 0, "units": 1, "squared": 0.25, "bins": [[19, 2, 1.912, 1], bins[1]]}
    assert high == {
        "band": 1, "units": 2, "squared": 0.5, "bins": [[19, 4, 3.825, 2], [20, 3, 3.0, 3]],
    }  # fmt: skip


def test_results_page_and_plots_are_written(tmp_path):
    import spikes

    spikes.write(finite_results(), tmp_path / "out", tmp_path / "docs" / "sorting.md")
    assert json.loads((tmp_path / "out" / "results.json").read_text())["quick"] is True
    for name in ("spikes", "spikes-snr", "spikes-reliability", "spikes-time", "spikes-scale"):
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        moved = name.replace("spikes", "sorting")
        assert f"({moved}.png)" in (tmp_path / "docs" / "sorting.md").read_text()
        assert (tmp_path / "docs" / f"{moved}.png").is_file()


@pytest.mark.slow
def test_a_run_from_end_to_end_resumes(tmp_path, capsys):
    import spikes

    arguments = [
        "--quick", "--recordings", "static", "--only", "tridesclous2", "--direct", "static",
        "--out", str(tmp_path),
    ]  # fmt: skip
    assert spikes.main(arguments) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert {row["how"] for row in results["rows"]} == {"direct", "nissl"}
    assert all(row["accuracy_mean"] > 0.7 for row in results["rows"])
    assert str(tmp_path) not in json.dumps(results)
    capsys.readouterr()
    assert spikes.main(arguments) == 0
    assert capsys.readouterr().out.count("(kept)") == 3
