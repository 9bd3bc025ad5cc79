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


def test_a_sorter_taught_by_the_truth_finds_its_units_on_the_stream():
    from _live_sorter import spikes_of, taught_by_truth
    from nissl.annotators.spikes.simulate import simulate
    from nissl.live import StreamInfo, offline
    from nissl.live.spikes import LiveSpikes

    recording, truth = simulate(140, n_channels=8, n_units=4, duration_s=6.0)
    signal, unit = recording.signal, truth.column("item")
    known = taught_by_truth(signal, truth.column("sample"), unit)
    _, found = spikes_of(offline(LiveSpikes(StreamInfo.of(signal), known), signal))
    assert known.n_units == 4
    for u in range(4):
        assert abs((found == u).sum() - (unit == u).sum()) <= 0.1 * (unit == u).sum()
