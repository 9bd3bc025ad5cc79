"""Features against SpikeInterface's own computation on a simulated sorting."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.curation import templates, trains
from nissl.annotators.curation.features import FEATURES, NAMES, featurise
from nissl.annotators.spikes.metrics import synchrony as synchrony_of_units
from nissl.annotators.spikes.units import SCHEMA
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance

RATE_HZ = 30_000.0
DURATION_S = 10.0


@pytest.fixture(scope="module")
def sorted_units():
    """A simulated sorting as SpikeInterface's analyzer and as our labels and item table."""
    pytest.importorskip("spikeinterface")
    from spikeinterface.core import create_sorting_analyzer, generate_ground_truth_recording

    recording, sorting = generate_ground_truth_recording(
        durations=[DURATION_S],
        sampling_frequency=RATE_HZ,
        num_channels=12,
        num_units=4,
        generate_sorting_kwargs={"firing_rates": 60.0, "refractory_period_ms": 0.5},
        seed=3,
    )
    analyzer = create_sorting_analyzer(sorting, recording, sparse=False)
    analyzer.compute(
        {
            "random_spikes": {"seed": 0},
            "templates": {"ms_before": 1.0, "ms_after": 2.0},
            "spike_amplitudes": {},
        }
    )
    vector = sorting.to_spike_vector()
    labels = LabelSet.build(
        Kind.EVENTS,
        {
            "sample": vector["sample_index"].astype(np.int64),
            "item": vector["unit_index"].astype(np.int64),
            "amplitude": analyzer.get_extension("spike_amplitudes").get_data(),
        },
        ("unit",),
        Provenance("spikes", "", Author("model", "simulated")),
    )
    n = len(sorting.unit_ids)
    items = ItemTable(
        labels.digest,
        pa.table({"item": np.arange(n), "snr": np.linspace(3, 9, n)}),
        {"snr": "", "template": "uV"},
        {"template": analyzer.get_extension("templates").get_data(operator="average")},
        {
            "rate_hz": RATE_HZ,
            "duration_s": DURATION_S,
            "position_um": analyzer.get_channel_locations().tolist(),
        },
    )
    return analyzer, labels, items


@pytest.fixture(scope="module")
def theirs(sorted_units):
    from spikeinterface.metrics.quality import compute_quality_metrics
    from spikeinterface.metrics.template import compute_template_metrics

    analyzer, _, _ = sorted_units
    quality = compute_quality_metrics(analyzer, metric_names=["rp_violation", "amplitude_cv"])
    shape = compute_template_metrics(
        analyzer,
        metric_names=[
            "peak_to_trough_duration",
            "recovery_slope",
            "repolarization_slope",
            "spread",
        ],
    )
    return quality, shape


@pytest.fixture(scope="module")
def ours(sorted_units):
    _, labels, items = sorted_units
    table = featurise(labels, items, subject="m1", session="s1")
    return {name: table.values[:, k] for k, name in enumerate(table.names)}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("foreign_fraction", "rp_contamination"),
        ("amplitude_cv", "amplitude_cv_median"),
        ("amplitude_cv_range", "amplitude_cv_range"),
    ],
)
def test_trains_as_spikeinterface(ours, theirs, name, column):
    other = theirs[0][column].to_numpy(float)
    assert np.all(np.isfinite(other))
    assert np.any(other > 0)
    assert np.allclose(ours[name], other, atol=1e-6)


@pytest.mark.slow  # SpikeInterface compiles for twenty seconds
def test_synchrony_as_spikeinterface(sorted_units, ours):
    from spikeinterface.metrics.quality import compute_quality_metrics

    other = compute_quality_metrics(sorted_units[0], metric_names=["synchrony"])
    for size in (2, 4, 8):
        assert np.allclose(ours[f"sync_{size}"], other[f"sync_spike_{size}"].to_numpy(float))


@pytest.mark.parametrize(
    ("name", "column", "factor"),
    [
        ("trough_to_peak_ms", "peak_to_trough_duration", 1e3),
        ("recovery_uv_per_ms", "recovery_slope", 1e-3),
        ("repolarization_uv_per_ms", "repolarization_slope", 1e-3),
    ],
)
def test_shapes_as_spikeinterface(ours, theirs, name, column, factor):
    """All but one: newer versions of SpikeInterface may take another peak as the main one."""
    other = theirs[1][column].to_numpy(float) * factor
    assert np.sum(np.isclose(ours[name], other, rtol=0.02, atol=1e-3)) >= len(other) - 1


def test_space_as_spikeinterface(sorted_units, ours):
    """On the same channels: SpikeInterface's functions, given what we give ours."""
    from spikeinterface.metrics.template.metrics import get_exp_decay, get_spread

    _, _, items = sorted_units
    position = np.asarray(items.context["position_um"])
    for k, template in enumerate(items.arrays["template"].astype(float)):
        main = np.argmin(template.min(axis=0))
        near = np.linalg.norm(position - position[main], axis=1) <= templates.NEAR_UM
        spread = get_spread(
            template[:, near],
            position[near],
            RATE_HZ,
            depth_direction="y",
            spread_threshold=0.2,
            spread_smooth_um=20,
            column_range=None,
        )
        decay = get_exp_decay(template[:, near], position[near], peak_function="ptp", min_r2=0.5)
        assert ours["spread_um"][k] == pytest.approx(spread)
        assert ours["decay_per_um"][k] == pytest.approx(decay, rel=1e-2, nan_ok=True)


def test_every_feature_is_mapped_once_and_what_is_kept_is_in_the_item_table():
    assert len({f.unitrefine for f in FEATURES}) == len(FEATURES) == len(set(NAMES))
    columns = {c.name: c.unit for c in SCHEMA}
    for feature in FEATURES:
        if feature.column:
            assert columns[feature.column] == feature.unit


def test_missing_is_nan(sorted_units):
    _, labels, items = sorted_units
    bare = featurise(labels, None)
    known = {n for k, n in enumerate(bare.names) if np.isfinite(bare.values[:, k]).any()}
    assert known == {"sync_2", "sync_4", "sync_8"}
    table = featurise(labels, items)
    assert np.all(np.isnan(table.values[:, NAMES.index("presence_ratio")]))
    assert np.all(np.isfinite(table.values[:, NAMES.index("snr")]))


def test_templates_in_a_sorters_own_unit_have_shapes_but_no_slopes(sorted_units):
    _, _, items = sorted_units
    found = templates.template_features(items.arrays["template"], RATE_HZ, in_uv=False)
    assert np.all(np.isnan(found["repolarization_uv_per_ms"]))
    assert np.all(np.isfinite(found["half_width_ms"]))


def test_a_template_of_nan_has_no_features():
    found = templates.template_features(np.full((2, 30, 4), np.nan, np.float32), RATE_HZ)
    assert all(np.all(np.isnan(v)) for v in found.values())


@settings(deadline=None)  # the first call imports SciPy
@given(st.floats(0.1, 50.0))
def test_shape_does_not_depend_on_gain(gain):
    t = np.arange(60)
    wave = -np.exp(-(((t - 20) / 3.0) ** 2)) + 0.4 * np.exp(-(((t - 32) / 6.0) ** 2))
    one, other = (templates.shape(wave * g, RATE_HZ, in_uv=True) for g in (1.0, gain))
    for name in ("trough_to_peak_ms", "half_width_ms", "positive_peaks", "negative_peaks"):
        assert one[name] == pytest.approx(other[name])
    assert other["repolarization_uv_per_ms"] == pytest.approx(
        gain * one["repolarization_uv_per_ms"], rel=1e-6
    )


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), min_size=1, max_size=80))
def test_synchrony_as_the_item_tables_where_no_unit_fires_twice_at_once(pairs):
    pairs = sorted(set(pairs))
    sample = np.asarray([s for s, _ in pairs], np.int64)
    unit = np.asarray([u for _, u in pairs], np.int64)
    got = trains.synchrony(sample, unit, 10, 3)
    assert np.allclose(got, synchrony_of_units(sample, unit, 10, size=3), equal_nan=True)


@settings(deadline=None)  # the first call compiles
@given(st.integers(2, 200), st.integers(0, 2**32 - 1))
def test_a_train_without_short_intervals_has_no_foreign_spikes(n, seed):
    gaps = np.random.default_rng(seed).integers(31, 4000, n)
    sample = np.cumsum(gaps)
    assert trains.foreign_fraction(sample, RATE_HZ, int(sample[-1]) + 1) == 0.0
