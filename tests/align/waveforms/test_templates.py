"""Mean waveforms of both halves, read from the raw data piece by piece."""

import numpy as np
import pytest

from nissl.align.waveforms.templates import templates_of
from nissl.data import ChannelTable, Signal
from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, LabelSet, Provenance

pytest.importorskip("spikeinterface", reason='needs pip install "nissl[ephys]"')
RATE_HZ, N = 30_000.0, 90_000


def spikes(samples, items):
    about = Provenance("spikes", "f" * 64, Author("model", "true", "1"), "ap")
    order = np.argsort(samples, kind="stable")
    columns = {
        "sample": samples[order],
        "item": items[order],
        "channel": np.zeros(samples.size, np.int32),
    }
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), about)


def test_halves_are_halves_in_time_and_rare_units_are_left_out():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 2, (N, 3)).astype(np.float32)
    wave = -100 * np.exp(-0.5 * (np.arange(-15, 16) / 4) ** 2)
    at = np.arange(1000, N - 1000, 900)
    for k, sample in enumerate(at.tolist()):
        size = 1.0 if k < at.size // 2 else 0.5  # it fades
        x[sample - 15 : sample + 16, 1] += size * wave
    signal = Signal.from_array(x, RATE_HZ, name="ap", channels=ChannelTable.plain(["a", "b", "c"]))
    rare = np.array([500, 40_000])
    labels = spikes(np.concatenate([at, rare]), np.repeat([7, 9], [at.size, rare.size]))
    found = templates_of(signal, labels, name="monday")
    assert found.items.tolist() == [7]
    assert found.n_spikes.tolist() == [at.size]
    first, second = np.ptp(found.halves[:, 0], axis=1)
    assert first.argmax() == second.argmax() == 1
    assert second[1] / first[1] == pytest.approx(0.5, abs=0.1)
    assert not found.has_geometry
    with pytest.raises(BadArgumentError, match="'monday'"):
        templates_of(signal, spikes(rare, np.array([9, 9])), name="monday")
