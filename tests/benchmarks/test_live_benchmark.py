"""The live benchmark measures what it says."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_every_method_is_set_up_for_64_channels_and_tenths_of_a_second():
    from _live_work import CHUNK, METHODS, N_CHANNELS, RATE_HZ, built, eeg

    x = eeg(2.0)
    assert x.shape == (512, N_CHANNELS)
    assert abs(CHUNK / RATE_HZ - 0.1) < 0.002
    for name in METHODS:
        if name != "decoding/riemann":  # pyriemann may be missing
            assert built(name).push(x, 0) == []


def test_chunks_cover_all_samples():
    from _live_work import chunks, eeg

    x = eeg(1.0)
    assert sum(len(chunk) for _, chunk in chunks(x, 7)) == len(x)
