"""What a job may use."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.run.context import Context, parse_memory


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4 * 10**9),
        ("4 gb", 4 * 10**9),
        ("512MiB", 512 * 2**20),
        ("1.5k", 1500),
        ("1e9", 10**9),
        ("2E+3B", 2000),
        ("7", 7),
        ("1TiB", 2**40),
    ],
)
def test_sizes(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-4GB", "0", "4XB", "four", "1.2.3GB", "nan", "1e999"])
def test_impossible_sizes(text):
    with pytest.raises(BadArgumentError, match="--memory 4GB"):
        parse_memory(text)


@given(st.text(max_size=12))
def test_any_text_gives_a_size_or_our_error(text):
    with contextlib.suppress(BadArgumentError):
        assert parse_memory(text) > 0


def test_the_seed_alone_makes_the_randomness(tmp_path):
    one = Context(tmp_path, seed=3).rng().normal(size=4)
    assert np.array_equal(one, Context(tmp_path / "x", seed=3, workers=2).rng().normal(size=4))
    assert not np.array_equal(one, Context(tmp_path, seed=4).rng().normal(size=4))
