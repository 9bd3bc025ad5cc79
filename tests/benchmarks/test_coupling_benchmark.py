"""The benchmark of the coupling loop runs, keeps what it computed, and tells of both parts."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def coupling(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location("coupling_benchmark", folder / "coupling.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_quick_run_writes_a_page(coupling: ModuleType, tmp_path: Path) -> None:
    argv = ["--quick", "--test", str(tmp_path), "--out", str(tmp_path / "out")]
    page = tmp_path / "page" / "coupling.md"
    assert coupling.main([*argv, "--page", str(page)]) == 0
    text = page.read_text()
    assert "Simulated days" in text
    assert "motor cortex, 77" not in text
    results = json.loads(page.with_suffix(".results.json").read_text())
    assert len(results["simulated"]["rows"]) == 1
    assert results["days"] is None
    assert (page.parent / "coupling.png").is_file()


def test_windows_needed_are_those_from_which_on_the_goal_is_kept(coupling: ModuleType) -> None:
    from _coupling_work import needed

    curve = [(10, 0.2), (14, 0.6), (18, 0.4), (22, 0.7), (26, 0.8)]
    assert needed(curve, 0.5, 10) == 12
    assert needed(curve, 0.1, 10) == 0
    assert needed(curve, 0.9, 10) is None
