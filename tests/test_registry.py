"""Registries are lazy, never replace an entry, and name the nearest match."""

import pytest

from nissl.errors import BadArgumentError
from nissl.registry import Registry


def test_builtin_entries_are_imported_at_first_use():
    registry = Registry("things", {"pi": "math:pi", "broken": "no.such.module:x"})
    assert registry.names() == ["pi", "broken"]
    assert registry.get("pi") == pytest.approx(3.14159265)
    with pytest.raises(ModuleNotFoundError):
        registry.get("broken")


def test_taken_names_are_refused_and_kept():
    registry = Registry("things", {"pi": "math:pi"})
    with pytest.raises(BadArgumentError):
        registry.register("pi", 3)
    registry.register("e", 2.7)
    assert registry.get("e") == 2.7
    assert registry.get("pi") != 3


def test_misspelt_names_get_a_hint():
    registry = Registry("sorters", {"spikes/lupin": "math:pi"})
    with pytest.raises(BadArgumentError, match="Did you mean 'spikes/lupin'"):
        registry.get("spikes/lupine")
