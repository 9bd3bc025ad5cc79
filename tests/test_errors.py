"""Every error says what was expected, what came and what to do, in two lines."""

import inspect

import pytest

from nissl import errors

CLASSES = [
    c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == "nissl.errors"
]


@pytest.mark.parametrize("cls", CLASSES)
def test_message_is_two_lines_and_tree_is_drawn(cls):
    error = cls("a rate above 0 Hz", "-3 Hz", "Give --rate.")
    assert isinstance(error, errors.NisslError)
    assert str(error) == "Expected a rate above 0 Hz, got -3 Hz.\nGive --rate."
    assert cls.exit_code not in (0, 2), "0 is success and 2 is wrong usage"
    assert cls.__name__ in (errors.__doc__ or ""), "the module docstring draws the whole tree"


def test_builtins_are_mixed_in_where_users_expect_them():
    assert issubclass(errors.SourceNotFoundError, FileNotFoundError)
    assert issubclass(errors.MissingDependencyError, ImportError)
    assert issubclass(errors.StoreError, OSError)
    assert issubclass(errors.InputError, ValueError)
