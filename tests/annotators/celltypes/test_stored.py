"""Stored correlograms give what spikes give."""

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.celltypes import axes
from nissl.annotators.celltypes.features import NAMES, SCALAR_NAMES, featurise_units
from nissl.annotators.celltypes.stored import Correlograms, featurise_stored
from nissl.annotators.celltypes.unit import Unit
from nissl.errors import BadArgumentError

DATA = Path(os.environ.get("NISSL_DATA", "../shared/data"))
SESSION = DATA / "ephys/celltypes/cellexplorer_groundtruth/sessions/20160307.npz"
SAME = ("burst_royer", "burst_doublets", "theta_modulation", "refractory_ms", "isi_mode_ms")


def counted(spikes_s):
    """Correlograms by plain counting, as CellExplorer stores them."""
    first, later = np.triu_indices(spikes_s.size, 1)
    lag = spikes_s[later] - spikes_s[first]

    def two_sided(width, n):
        edges = (np.arange(n + 1) + 0.5) * width
        half = np.histogram(lag, edges)[0] / spikes_s.size / width
        return np.concatenate([half[::-1], [0.0], half])

    per_bin = np.histogram(lag, axes.LOG_EDGES_S)[0]
    return Correlograms(
        two_sided(5e-4, 100),
        two_sided(1e-3, 500),
        per_bin / np.diff(axes.LOG_EDGES_S) / spikes_s.size,
        np.histogram(np.diff(spikes_s), axes.LOG_EDGES_S)[0],
        {"firing_rate_hz": spikes_s.size / 400.0},
    )


def test_stored_correlograms_give_what_spikes_give():
    rng = np.random.default_rng(0)
    spikes_s = np.cumsum(0.003 + rng.gamma(1.5, 0.05, 8000))
    spikes_s = spikes_s[spikes_s < 400]
    ours = featurise_units([Unit(spikes_s, 400.0)])
    theirs = featurise_stored([Unit()], [counted(spikes_s)])
    for name in SAME:
        column = NAMES.index(name)
        assert theirs.values[0, column] == pytest.approx(ours.values[0, column], rel=0.1, abs=0.02)
    for names, slack in ((axes.ACG, 0.15), (axes.ISI, 2e-3)):
        part = [NAMES.index(n) for n in names]
        assert np.mean(np.abs(theirs.values[0, part] - ours.values[0, part])) < slack
    assert np.all(np.isnan(theirs.values[0, [NAMES.index(n) for n in axes.ACG3]]))
    assert np.isfinite(theirs.values[0, NAMES.index("acg_tau_rise_ms")])


def test_what_is_not_stored_is_missing_and_what_is_given_is_kept():
    table = featurise_stored([Unit()], [Correlograms(scalars={"cv2": 0.7})])
    known = {n for k, n in enumerate(NAMES) if np.isfinite(table.values[0, k])}
    assert known == {"cv2"}
    assert set(SAME) < set(SCALAR_NAMES)


def test_spike_times_are_not_looked_at():
    unit = Unit(np.arange(0, 100, 0.1), 100.0)
    assert np.all(np.isnan(featurise_stored([unit], [Correlograms()]).values))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"narrow_hz": np.ones(100)}, r"narrow_hz of shape \(201,\)"),
        ({"wide_hz": np.ones(400)}, "wide_hz of shape"),
        ({"log_hz": np.ones((2, 100))}, "log_hz of shape"),
        ({"scalars": {"troughToPeak": 1.0}}, "names of features.SCALARS"),
    ],
)
def test_other_bins_and_names_are_refused(given, says):
    with pytest.raises(BadArgumentError, match=says):
        Correlograms(**given)


def test_one_set_of_correlograms_per_unit():
    with pytest.raises(BadArgumentError, match="of 2 units"):
        featurise_stored([Unit(), Unit()], [Correlograms()])


@pytest.mark.data
@pytest.mark.skipif(not SESSION.is_file(), reason="set NISSL_DATA to the folder of recordings")
def test_cellexplorers_correlograms_and_spikes_agree():
    with np.load(SESSION) as file:
        spikes_s = file["u0_spike_times_10us"] * 1e-5
        stored = Correlograms(
            file["u0_acg_narrow"],
            file["u0_acg_wide"],
            file["u0_acg_log10_rate"],
            file["u0_isi_log10_occurrence"],
            {"firing_rate_hz": spikes_s.size / float(np.ptp(spikes_s))},
        )
    ours, theirs = featurise_units([Unit(spikes_s)]), featurise_stored([Unit()], [stored])
    for name in (*SAME, "acg_tau_rise_ms", "acg_asymptote"):
        column = NAMES.index(name)
        assert theirs.values[0, column] == pytest.approx(
            ours.values[0, column], rel=0.15, abs=0.02
        ), name
    for names in (axes.ACG, axes.ISI):
        part = [NAMES.index(n) for n in names]
        assert np.corrcoef(ours.values[0, part], theirs.values[0, part])[0, 1] > 0.99
