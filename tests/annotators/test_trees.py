"""Whether LightGBM can be used is told without importing it."""

import sys

from nissl.annotators import trees


def _only(folder, monkeypatch):
    """Python finds packages in that folder alone."""
    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    monkeypatch.setattr(sys, "path", [str(folder)])


def test_what_is_installed_is_not_missing():
    assert trees.missing() == {}


def test_no_package(tmp_path, monkeypatch):
    _only(tmp_path, monkeypatch)
    assert trees.missing() == {"lightgbm": "pip install lightgbm"}


def test_a_library_that_cannot_be_loaded(tmp_path, monkeypatch):
    folder = tmp_path / "lightgbm" / "lib"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise OSError('libgomp.so.1: no such file')\n")
    (folder / "lib_lightgbm.so").write_bytes(b"not a library")
    _only(tmp_path, monkeypatch)
    assert "libgomp1" in trees.missing()["lightgbm"]
