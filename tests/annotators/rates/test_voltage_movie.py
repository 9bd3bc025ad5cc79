"""From a movie of voltage to spikes: footprints, traces, `rates/voltage`."""

import numpy as np
import pytest

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.traces import extract
from nissl.annotators.rates.simulate import frames_of
from nissl.annotators.rates.simulate_voltage import Manner, voltage
from nissl.annotators.rates.train_voltage import paired
from nissl.annotators.rates.voltage_method import VOLTAGE
from nissl.data import ChannelTable, Recording, Signal
from nissl.data.movie import Movie
from nissl.run.context import Context
from nissl.tasks import Inputs

RATE = 600.0
N = 6000


@pytest.mark.parametrize("polarity", [1, -1])
def test_spikes_of_a_movie_of_either_polarity(polarity, tmp_path):
    rng = np.random.default_rng(0)
    how = Manner(firing_hz=(4.0, 8.0), amplitude=(0.1, 0.12), motion_per_min=(0, 0))
    cells = [voltage(RATE, N, 200.0, polarity, rng, how) for _ in range(2)]
    y, x = np.mgrid[:20, :32]
    masks = np.zeros((20, 32), np.int64)
    light = np.full((N, 20, 32), 100.0)
    for k, (cell, middle) in enumerate(zip(cells, (8, 23), strict=True)):
        inside = np.hypot(y - 10, x - middle) < 4
        masks[inside] = k + 1
        light[:, inside] += 300 * (cell.fluorescence / cell.fluorescence[:200].mean())[:, None]
    movie = Movie.from_array(rng.poisson(light).astype(np.uint16), RATE)
    traces = extract(movie, Footprints.from_masks(masks), Context(tmp_path))
    table = ChannelTable.plain(["0", "1"], kind="fluorescence")
    signal = Signal.from_array(traces.dff, RATE, name="fluorescence", channels=table)
    recording = Recording(None, "made", {"fluorescence": signal}, fingerprint="f")
    result = VOLTAGE.annotate(
        Inputs(recording, "fluorescence"), VOLTAGE.defaults(), Context(tmp_path)
    )
    assert result.log["polarity"] == polarity
    labels, under = result.labels[0], result.sources[1].read()
    for k, cell in enumerate(cells):
        rows = labels.rows_of(k)
        hit, right = paired(
            frames_of(cell.spikes_s, RATE, N),
            labels.column("sample")[rows],
            labels.column("confidence")[rows],
        )
        assert hit.mean() > 0.8
        assert right.mean() > 0.9
        assert np.corrcoef(under[:, k], cell.subthreshold)[0, 1] > 0.7
