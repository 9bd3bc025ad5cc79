"""The benchmark of alignment runs on files laid out as the data folder, and without any."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.align.places.simulate import simulate_places


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location("glue_benchmark", folder / "glue.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_days(folder: Path) -> None:
    from _glue_days import DAYS, FOLDER

    (folder / FOLDER).mkdir(parents=True)
    rng = np.random.default_rng(0)
    subject = simulate_subject(rng)
    for name in DAYS:
        day = simulate_day(rng, subject, n_units=60).fragment
        np.savez(
            folder / FOLDER / name,
            counts=day.activity.astype(np.uint8),
            bin_s=day.bin_s,
            trial=day.windows,
            target=np.asarray(day.condition),
            vel=day.behaviour["velocity"],
        )


def write_places(folder: Path) -> None:
    from _glue_ca1 import FOLDER

    (folder / FOLDER).mkdir(parents=True)
    for seed in range(3):
        follows = ((0,) * 5, (0, 1, 0, 1, 1), (0,) * 5, (1,) * 5) * 2
        days = simulate_places(np.random.default_rng(seed), maps=follows, laps_per_window=3)
        known = np.unique(np.concatenate([f.units for f, _ in days]))
        index = np.zeros((len(known), len(days)), np.int16)
        held: dict[str, object] = {"fs": 10.0}
        for s, (fragment, _) in enumerate(days):
            index[np.searchsorted(known, fragment.units), s] = np.arange(fragment.n_units) + 1
            frame, cell = np.nonzero(fragment.activity)
            position = fragment.behaviour["position"][:, 0]
            held |= {
                f"s{s + 1}_shape": fragment.activity.shape,
                f"s{s + 1}_ev_frame": frame,
                f"s{s + 1}_ev_cell": cell,
                f"s{s + 1}_pos_cm": position,
                f"s{s + 1}_vel_cms": np.gradient(position) * 10,
                f"s{s + 1}_trial": fragment.windows,
            }
        maps = np.array(follows) + 1
        np.savez(
            folder / FOLDER / f"M{seed}_envA.npz", cell_to_index=index, map_per_trial=maps, **held
        )


def write_regions(folder: Path) -> None:
    from _glue_regions import FIRST, FOLDER

    (folder / FOLDER).mkdir(parents=True)
    for seed, name in enumerate(("CA1_A", "CA1_B", "CA3_C")):
        held: dict[str, object] = {"fs": 10.0}
        for room in range(2):
            ((fragment, _), _) = simulate_places(np.random.default_rng(10 * seed + room))
            position = fragment.behaviour["position"][:, 0]
            place = np.clip(position / 5, 0, 19).astype(int) + FIRST
            back = np.gradient(position) < 0
            for direction in (0, 1):
                own = back == bool(direction)
                frame, cell = np.nonzero(fragment.activity[own])
                key = f"env{room}_s0_dir{direction}"
                held |= {
                    f"{key}_frame": frame,
                    f"{key}_cell": cell,
                    f"{key}_count": np.ones(len(frame)),
                    f"{key}_shape": (int(own.sum()), fragment.n_units),
                    f"{key}_posbin": place[own],
                }
        np.savez(folder / FOLDER / f"{name}.npz", **held)


@pytest.mark.slow
def test_it_writes_figures_tables_and_a_plot(glue: ModuleType, tmp_path: Path) -> None:
    write_days(tmp_path)
    write_places(tmp_path)
    write_regions(tmp_path)
    out = tmp_path / "out"
    options = ["--test", str(tmp_path), "--out", str(out), "--quick"]
    assert glue.main([*options, "--page", str(tmp_path / "page" / "glue.md")]) == 0
    results = json.loads((out / "results.json").read_text())
    for rows in results["days"]["directions"].values():
        by = {(r["method"], r["labelled"]): r["median"] for r in rows}
        assert by["transport, taught", 10] > 0.3 > by["none", 10]
    assert all(t["remapping"]["false"] == 0 for t in results["ca1"])
    assert sum(t["remapping"]["hit"] for t in results["ca1"]) > 0
    assert len(results["regions"]["names"]) == 6
    page = (tmp_path / "page" / "glue.md").read_text()
    assert "quick run" in page
    assert (tmp_path / "page" / "glue.png").stat().st_size > 10_000
    kept = (out / "cells").stat().st_mtime_ns
    assert glue.main(options) == 0
    assert (out / "cells").stat().st_mtime_ns == kept


def test_without_data_what_is_simulated_is_told(glue: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--test", str(tmp_path), "--out", str(out), "--quick", "--parts", "days,regions"]
    assert glue.main(options) == 0
    page = (out / "glue.md").read_text()
    assert "CA1" not in page


def test_too_little_is_refused_and_told(glue: ModuleType, tmp_path: Path) -> None:
    from _glue_translate import EVOKED, MEG

    rng = np.random.default_rng(0)
    source = np.cumsum(rng.standard_normal((4, 3, 200)), axis=2)
    held = {"sfreq": 600.0}
    for name, own in zip(EVOKED, source, strict=True):
        held[f"{name}_meg"] = rng.standard_normal((8, 3)) @ own
        held[f"{name}_eeg"] = rng.standard_normal((5, 3)) @ own
    (tmp_path / MEG).parent.mkdir(parents=True)
    np.savez(tmp_path / MEG, **held)
    out = tmp_path / "out"
    options = ["--test", str(tmp_path), "--out", str(out), "--quick", "--parts", "meg,rates"]
    assert glue.main(options) == 0
    page = (out / "glue.md").read_text()
    assert "record more windows" in page
    assert "not to be believed" in page
    assert "Fluorescence" not in page


def test_rules_carried_over_make_a_table(glue: ModuleType) -> None:
    import _glue_translate_page as page
    from _glue_translate import _row
    from nissl.align.latent.aligners import Settings
    from nissl.align.translation.simulate import simulate_population, simulate_system
    from nissl.align.translation.unpaired import carry

    rng = np.random.default_rng(0)
    system = simulate_system(rng)
    pair = [simulate_population(rng, system, name=n, n_windows=24) for n in ("first", "same")]
    own = _row(carry(*pair, rng, settings=Settings(n_axes=6), n_null=19))
    text = "\n".join(page.carried({"simulated": [{**own, "kind": "same"}]}))
    assert "simulated: same system" in text
    assert "of 1" in text
