"""The feature table: its columns, what is missing, its speed, and CellExplorer's own values."""

import csv
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.celltypes import acg3d, axes
from nissl.annotators.celltypes.acg_fit import FIT_FEATURES
from nissl.annotators.celltypes.connections import find_connections
from nissl.annotators.celltypes.features import (
    NAMES,
    SCALAR_NAMES,
    SCALARS,
    UNITS,
    featurise,
    featurise_units,
    units_of,
)
from nissl.annotators.celltypes.lags import count_lags
from nissl.annotators.celltypes.trains import ACG_FEATURES, INTERVAL_FEATURES
from nissl.annotators.celltypes.unit import Unit
from nissl.annotators.celltypes.waveforms import SPACE_FEATURES, WAVEFORM_FEATURES
from nissl.errors import BadArgumentError
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance

RATE_HZ, DURATION_S = 30_000.0, 900.0
SESSIONS = (
    Path(os.environ.get("NISSL_DATA", "../shared/data"))
    / "ephys/celltypes/cellexplorer_groundtruth"
)


def template(n_channels=8, gain=80.0):
    ms = np.arange(90) / 30 - 1
    wave = -np.exp(-0.5 * (ms / 0.12) ** 2) + 0.4 * np.exp(-0.5 * ((ms - 0.45) / 0.2) ** 2)
    apart = np.abs(np.arange(n_channels) - n_channels // 2) * 20.0
    return gain * wave[:, None] * np.exp(-apart / 50)


def position(n_channels=8):
    return np.stack([np.zeros(n_channels), 20.0 * np.arange(n_channels)], axis=1)


def train(seed, rate_hz=10.0, duration_s=DURATION_S):
    rng = np.random.default_rng(seed)
    n = int(rate_hz * duration_s * 1.2) + 50
    times = np.cumsum(0.002 + rng.gamma(1.5, (1 / rate_hz - 0.002) / 1.5, n))
    return np.round(times[times < duration_s] * RATE_HZ) / RATE_HZ


def column(table, name):
    return table.values[:, table.names.index(name)]


def sorting(trains):
    sample = np.concatenate([np.rint(t * RATE_HZ).astype(np.int64) for t in trains])
    item = np.repeat(np.arange(len(trains)) * 3 + 1, [t.size for t in trains])
    order = np.argsort(sample, kind="stable")
    labels = LabelSet.build(
        Kind.EVENTS,
        {
            "sample": sample[order],
            "item": item[order],
            "amplitude": np.full(sample.size, 80.0, np.float32),
        },
        ("unit",),
        Provenance("spikes", "", Author("model", "simulated")),
    )
    n = len(trains)
    items = ItemTable(
        labels.digest,
        pa.table(
            {
                "item": np.arange(n) * 3 + 1,
                "y_um": np.linspace(100, 200, n),
                "layer": ["L5", *[""] * (n - 1)],
            }
        ),
        {"template": "uV"},
        {"template": np.stack([template().astype(np.float32)] * n)},
        {
            "rate_hz": RATE_HZ,
            "duration_s": DURATION_S,
            "position_um": position().tolist(),
            "surface_y_um": 1000.0,
        },
    )
    return labels, items


def test_columns_are_the_scalars_and_the_axes():
    assert NAMES[: len(SCALARS)] == SCALAR_NAMES
    assert NAMES[len(SCALARS) :] == (*axes.WAVE, *axes.ACG, *axes.ISI, *axes.ACG3)
    assert len(set(NAMES)) == len(NAMES) == len(UNITS)
    computed = {*WAVEFORM_FEATURES, *SPACE_FEATURES, *INTERVAL_FEATURES, *ACG_FEATURES}
    computed |= {*FIT_FEATURES, "n_excites", "n_inhibits", "depth_um", "layer"}
    assert computed == set(SCALAR_NAMES)


def test_every_scalar_has_a_sentence_and_a_source():
    for feature in SCALARS:
        assert feature.source
        assert feature.says.format(1.0) != feature.says


def test_features_of_a_sorting_are_those_of_its_arrays():
    trains = [train(1), train(2), train(3)[:3]]
    labels, items = sorting(trains)
    table = featurise(labels, items, subject="m1", session="s1")
    assert table.names == NAMES
    assert table.items.tolist() == [1, 4, 7]
    assert table.subject == ("m1",) * 3
    bare = featurise_units(
        [
            Unit(t, DURATION_S, template().astype(np.float32), RATE_HZ, position(), depth_um=d)
            for t, d in zip(trains, (900.0, 850.0, 800.0), strict=True)
        ]
    )
    same = [k for k, name in enumerate(NAMES) if name != "layer"]
    assert np.allclose(table.values[:, same], bare.values[:, same], equal_nan=True, atol=1e-6)
    assert column(table, "layer")[0] == 5
    assert np.isnan(column(table, "layer")[1])


def test_a_sorting_without_facts_has_no_features_but_fails_not():
    labels, _ = sorting([train(1)])
    assert np.all(np.isnan(featurise(labels, None).values))
    assert units_of(labels, None)[0].spikes_s is None


def test_three_spikes_and_a_flat_waveform_have_next_to_nothing():
    unit = Unit(np.array([1.0, 2.0, 5.0]), 100.0, np.zeros((60, 2)), RATE_HZ)
    table = featurise_units([unit])
    known = {n for k, n in enumerate(NAMES) if np.isfinite(table.values[0, k])}
    assert known == {"firing_rate_hz", "log_n_spikes"}
    assert np.all(np.isnan(featurise_units([Unit()]).values))
    assert featurise_units([]).values.shape == (0, len(NAMES))


def test_spikes_found_twice_change_nothing():
    once = train(4)
    twice = np.sort(np.concatenate([once, once[::2]]))
    one, other = featurise_units([Unit(once, DURATION_S), Unit(twice, DURATION_S)]).values
    assert np.array_equal(one, other, equal_nan=True)


def test_every_modality_can_be_missing_by_itself():
    spikes, wave = Unit(train(5), DURATION_S), Unit(waveform=template(), rate_hz=RATE_HZ)
    table = featurise_units([spikes, wave])
    for name, names in axes.MODALITIES.items():
        part = table.values[:, [NAMES.index(n) for n in names]]
        row = 1 if name == "waveform" else 0
        assert np.all(np.isfinite(part[row])), name
        assert np.all(np.isnan(part[1 - row])), name


def test_connections_are_counted_when_given():
    units = [Unit(train(k), DURATION_S) for k in range(3)]
    outgoing = find_connections(units).outgoing()
    table = featurise_units(units, outgoing=outgoing)
    assert column(table, "n_excites").tolist() == [0, 0, 0]
    assert np.all(np.isnan(column(featurise_units(units), "n_excites")))


def test_subjects_are_one_for_all_or_one_each():
    units = [Unit(), Unit()]
    assert featurise_units(units, subject=["a", "b"]).subject == ("a", "b")
    with pytest.raises(BadArgumentError, match="2 of them"):
        featurise_units(units, session=["a"])


def test_a_thousand_units_take_seconds():
    """Generous: meant for 2 cores with other work beside it."""
    units = [
        Unit(
            train(k, 5 + k % 16, 600.0 + 100 * (k % 13)), None, template(32), RATE_HZ, position(32)
        )
        for k in range(250)
    ]
    featurise_units(units[:2])
    start = time.process_time()
    featurise_units(units)
    assert (time.process_time() - start) * 4 < 20


def stored():
    """Units of the sessions without light: elsewhere stored spikes include evoked ones."""
    with (SESSIONS / "cells_all_columns.csv").open() as file:
        cells = {(row["session"], row["unit"]): row for row in csv.DictReader(file)}
    units, rows, arrays = [], [], []
    for path in sorted((SESSIONS / "sessions").glob("*.npz")):
        if path.stem.startswith("mouse"):
            continue
        with np.load(path) as file:
            for k in sorted({n.split("_")[0] for n in file.files if n.startswith("u")}):
                if f"{k}_spike_times_10us" not in file or len(file[f"{k}_spike_times_10us"]) < 2000:
                    continue
                step = float(np.median(np.diff(file[f"{k}_wave_time_ms"])))
                units.append(
                    Unit(
                        file[f"{k}_spike_times_10us"] * 1e-5,
                        None,
                        file[f"{k}_wave_filt"][:, None],
                        1000 / step,
                    )
                )
                rows.append(cells[path.stem, k[1:]])
                arrays.append({n: file[f"{k}_{n}"] for n in ("acg_log10_rate", "acg_wide")})
    return units, rows, arrays


@pytest.mark.data
@pytest.mark.skipif(not SESSIONS.is_dir(), reason="set NISSL_DATA to the folder of recordings")
def test_as_cellexplorer():
    units, rows, arrays = stored()
    table = featurise_units(units)
    assert len(units) >= 15

    def against(name, theirs, at_least):
        ours = column(table, name)
        known = np.isfinite(ours) & np.isfinite(theirs)
        assert known.sum() >= 8, name
        assert np.corrcoef(ours[known], theirs[known])[0, 1] > at_least, name

    for name, theirs, at_least in (
        ("trough_to_peak_ms", "troughToPeak", 0.99),
        ("trough_to_peak_derivative_ms", "troughtoPeakDerivative", 0.98),
        ("ab_ratio", "ab_ratio", 0.99),
        ("cv2", "cv2", 0.98),
        ("firing_rate_hz", "firingRate", 0.98),
        ("burst_mizuseki", "burstIndex_Mizuseki2012", 0.999),
        ("rate_instability", "firingRateInstability", 0.98),
        ("acg_tau_rise_ms", "acg_tau_rise", 0.7),
    ):
        against(name, np.array([float(r[theirs] or "nan") for r in rows]), at_least)
    wide = np.stack([each["acg_wide"][500:] for each in arrays])
    peak, trough = wide[:, 100:141].mean(axis=1), wide[:, 50:71].mean(axis=1)
    against("theta_modulation", (peak - trough) / (peak + trough), 0.99)
    against("burst_royer", wide[:, 3:6].mean(axis=1) / wide[:, 200:301].mean(axis=1), 0.99)
    acg = table.values[:, [NAMES.index(n) for n in axes.ACG]]
    alike = [np.corrcoef(a, b["acg_log10_rate"])[0, 1] for a, b in zip(acg, arrays, strict=True)]
    assert np.median(alike) > 0.99
    assert min(alike) > 0.95


@pytest.mark.data
@pytest.mark.skipif(not SESSIONS.is_dir(), reason="set NISSL_DATA to the folder of recordings")
def test_shape_survives_a_gain_a_shift_and_another_rate():
    """Real templates: scaled by half, shifted by a sample, resampled from 20 to 30 kHz."""
    from scipy.signal import resample_poly

    with np.load(SESSIONS / "sessions/20170301.npz") as file:
        wave = file["u0_wave_filt_all"].T.astype(np.float64)
    units = [
        Unit(waveform=wave, rate_hz=20_000.0),
        Unit(waveform=0.5 * wave[1:], rate_hz=20_000.0),
        Unit(waveform=resample_poly(wave, 3, 2, padtype="line"), rate_hz=30_000.0),
    ]
    table = featurise_units(units)
    waves = table.values[:, [NAMES.index(n) for n in axes.WAVE]]
    assert np.nanmax(np.abs(waves[1:] - waves[0])) < 0.06
    for name in ("trough_to_peak_ms", "half_width_ms", "ab_ratio"):
        assert np.ptp(column(table, name)) < 0.04, name


def test_deciles_are_named_decile_by_decile():
    unit = Unit(train(6, 30.0), DURATION_S)
    row = featurise_units([unit]).values[0, [NAMES.index(n) for n in axes.ACG3]]
    whole = acg3d.acg3(count_lags(unit.spikes_s, DURATION_S, acg3d.deciles(unit.spikes_s)))
    assert np.array_equal(row.reshape(axes.N_DECILES, axes.N_LAGS), whole)
