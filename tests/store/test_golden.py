"""Projects of every released format version open and hold exactly what they held."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from nissl.store import Store

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = sorted(p.name for p in GOLDEN.glob("v*"))


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told_then(found, expected):
    """What is found, without fields that a later version has added."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {k: told_then(v, expected[k]) for k, v in found.items() if k in expected}
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        return [told_then(f, e) for f, e in zip(found, expected, strict=True)]
    return found


def test_version_one_is_kept():
    assert "v1" in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_a_golden_project_opens_with_its_content(tmp_path, version, make):
    shutil.copytree(GOLDEN / version, tmp_path / version)
    expected = json.loads((tmp_path / version / "expected.json").read_text())
    with Store.open(tmp_path / version, create=False) as store:
        assert told_then(json.loads(json.dumps(make.content(store))), expected) == expected
        assert store.verify() == []
        assert store.get_labels(make.spikes().digest) == make.spikes()
        assert store.get_items(make.items(5.5).digest) == make.items(5.5)
        assert store.edits() == make.edits()
        store.append([make.edits()[0]])  # and it can be written on
        assert store.edits() == make.edits()


def test_the_present_version_writes_the_same_content(tmp_path, make):
    expected = json.loads((GOLDEN / VERSIONS[-1] / "expected.json").read_text())
    made = json.loads(json.dumps(make.make(tmp_path / VERSIONS[-1])))
    assert told_then(made, expected) == expected
