"""Findings: raised by what is wrong, silent where all is well."""

import numpy as np
import pytest

from nissl.annotators.spikes.checks import LIMITS, check, check_units
from nissl.annotators.spikes.recording_checks import check_recording
from nissl.annotators.spikes.units import SCHEMA, to_arrow
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import SEVERITIES

RATE = 30_000.0
GOOD = {
    "n_spikes": 900,
    "snr": 8.0,
    "isi_violations_ratio": 0.0,
    "rp_contamination": 0.01,
    "presence_ratio": 1.0,
    "amplitude_cutoff": 0.01,
    "drift_um": 3.0,
    "nn_isolation": 0.98,
    "sync_8": 0.0,
}
BAD = {
    "snr": 1.5,
    "isi_violations_ratio": 2.0,
    "rp_contamination": 0.3,
    "presence_ratio": 0.4,
    "amplitude_cutoff": 0.4,
    "drift_um": 60.0,
    "nn_isolation": 0.6,
    "sync_8": 0.2,
    "n_spikes": 12,
}


def table(*rows):
    columns = {c.name: np.asarray([row.get(c.name, 0.0) for row in rows]) for c in SCHEMA} | {
        "item": np.arange(len(rows))
    }
    return ItemTable("d", to_arrow(columns))


def test_a_good_unit_raises_nothing():
    assert check_units(table(GOOD)) == []


@pytest.mark.parametrize("limit", LIMITS, ids=lambda k: k.check)
def test_each_limit_is_raised_by_its_metric_alone(limit):
    found = check_units(table(GOOD, GOOD | {limit.column: BAD[limit.column]}))
    assert [f.check for f in found] == [limit.check]
    assert found[0].item == 1
    assert found[0].value == BAD[limit.column]
    assert found[0].limit == limit.limit
    assert limit.shown(limit.limit) in found[0].sentence
    assert "{" not in found[0].sentence


def test_what_was_not_computed_raises_nothing():
    unknown = {name: np.nan for name in GOOD if name != "n_spikes"} | {"n_spikes": 900}
    assert check_units(table(unknown)) == []


def test_limits_are_declared_for_columns_that_exist():
    assert {k.column for k in LIMITS} <= {c.name for c in SCHEMA}
    assert {k.severity for k in LIMITS} <= set(SEVERITIES)
    assert all(k.source for k in LIMITS)


def clean(n_channels=8, seconds=4.0, seed=0, sd=10.0):
    rng = np.random.default_rng(seed)
    return np.round(rng.standard_normal((round(seconds * RATE), n_channels)) * sd / 0.2)


def recording_findings(raw, tmp_path, **options):
    n = raw.shape[1]
    channels = ChannelTable.plain(n, gain_uv=0.2)
    signal = Signal.from_array(raw.astype(np.int16), RATE, channels=channels, **options)
    return {f.check: f for f in check_recording(signal, Context(tmp_path))}


def test_a_clean_recording_raises_nothing(tmp_path):
    assert recording_findings(clean(), tmp_path) == {}


def test_dead_and_noisy_channels(tmp_path):
    raw = clean()
    raw[:, 3] = 0
    raw[:, 6] *= 20
    found = recording_findings(raw, tmp_path)
    assert "3" in found["dead_channels"].sentence
    assert "6" in found["noisy_channels"].sentence
    assert found["dead_channels"].severity == "warning"


def test_saturation(tmp_path):
    raw = clean()
    raw[10_000:10_400, 2] = 32767
    found = recording_findings(raw, tmp_path)
    assert found["saturation"].value == pytest.approx(400 / len(raw), rel=0.05)


def test_line_noise(tmp_path):
    raw = clean()
    raw += (300 / 0.2 * np.sin(2 * np.pi * 50 * np.arange(len(raw)) / RATE))[:, None]
    found = recording_findings(raw, tmp_path)
    assert found["line_noise"].value == pytest.approx(300 / np.sqrt(2), rel=0.1)
    assert "50 Hz" in found["line_noise"].sentence


def test_dropped_samples_and_gaps(tmp_path):
    raw = clean()
    raw[30_000:33_000] = 0
    found = recording_findings(raw, tmp_path)
    assert found["dropped_samples"].value == pytest.approx(0.1, rel=0.01)
    assert "1.000 s" in found["dropped_samples"].sentence
    clock = Clock.from_segments(RATE, [60_000, 60_000], [0.0, 7.0])
    gaps = recording_findings(clean(), tmp_path / "gaps", clock=clock)
    assert gaps["gaps"].value == 1
    assert "5.000 s" in gaps["gaps"].sentence


@pytest.mark.parametrize(("factor", "word"), [(0.01, "small"), (40.0, "large")])
def test_a_wrong_gain_shows_in_the_noise(tmp_path, factor, word):
    x = (clean() * 0.2 * factor).astype(np.float32)
    found = {f.check: f for f in check_recording(Signal.from_array(x, RATE), Context(tmp_path))}
    assert word in found["gain"].sentence


def test_a_set_without_units_says_so(tmp_path):
    labels = LabelSet.build(
        Kind.EVENTS,
        {"sample": np.empty(0, np.int64)},
        ("unit",),
        Provenance("spikes", "f", Author("model", "spikes/x", "1")),
    )
    assert [f.check for f in check(labels, None, None, Context(tmp_path))] == ["no_units"]
