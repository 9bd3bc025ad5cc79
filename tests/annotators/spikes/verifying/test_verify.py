"""Verification end to end with a sorter that takes a moment; resume; odd recordings."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.spikes.simulate import simulate
from nissl.annotators.spikes.verifying.placing import Design
from nissl.annotators.spikes.verifying.verify import Request, verify
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import BadArgumentError, BadSamplesError, InterruptedRunError
from nissl.report.sorting import write_sorting
from nissl.run.context import Context
from nissl.run.progress import Recorder
from nissl.testing.sorters import ThresholdSorter

DESIGN = Design(snr=(4.0, 16.0), rounds=2, units_per_round=2, most_extra=0.3)


@pytest.fixture(scope="module")
def recording():
    return simulate(3, n_channels=8, duration_s=12.0, n_units=3)[0]


def _request(recording, sorter, **options):
    given = {"design": DESIGN, "halves": False} | options
    return Request(recording, recording.signal.name, sorter, sorter.defaults(), **given)


def _context(folder, **options):
    return Context(workdir=folder / "work", **options)


@pytest.fixture(scope="module")
def verified(recording, tmp_path_factory):
    folder = tmp_path_factory.mktemp("verified")
    sorter, progress = ThresholdSorter(), Recorder()
    request = _request(
        recording, sorter, halves=True, also=ThresholdSorter(name="spikes/other", confident=False)
    )
    before = recording.signal.read_raw()
    found = verify(request, folder, _context(folder, progress=progress))
    np.testing.assert_array_equal(recording.signal.read_raw(), before)
    return found, folder, request, progress


def test_every_added_unit_has_an_outcome_and_every_band_an_interval(verified):
    found, _, request, progress = verified
    assert len(found.units) == 4
    assert progress.totals["sortings"] == progress.done["sortings"] == request.n_sortings == 6
    assert sum(b.n for b in found.by_snr) == sum(b.n for b in found.by_depth) == 4
    assert all(u.n_spikes >= 20 for u in found.units)
    assert {b.name for b in found.by_snr} == {"4", "16"}
    judged = sum(found.confidence.counts.values())
    assert judged > 0
    assert found.verdict.state == "unknown"
    assert found.sorters is not None
    assert found.sorters.mean.estimate == 1.0
    assert found.halves is not None
    assert 0 <= found.halves.share.estimate <= 1
    json.dumps(found.to_json()["facts"], allow_nan=False)


def test_what_is_finished_is_not_sorted_again_and_gives_the_same(verified):
    found, folder, request, _ = verified
    sorter = request.method
    calls = sorter.calls
    again = verify(request, folder, _context(folder))
    assert sorter.calls == calls
    plain = [json.dumps(f.to_json(), sort_keys=True) for f in (found, again)]
    assert plain[0] == plain[1]


def test_reports_tell_the_verdict_the_lost_units_and_show_pictures(verified, tmp_path):
    found, *_ = verified
    page, text, facts = write_sorting(found, tmp_path / "out")
    told = json.loads(facts.read_text())
    assert told["verdict"]["state"] == "unknown"
    assert found.verdict.sentence in text.read_text()
    html = page.read_text()
    assert html.count("<svg") == len(list((tmp_path / "out/figures").glob("*.png"))) == 4
    for unit in found.units:
        if unit.fate != "found":
            assert unit.name in html
            assert unit.name in text.read_text()


def test_an_interrupted_verification_goes_on_at_the_first_unfinished_sorting(recording, tmp_path):
    sorter = ThresholdSorter(interrupted_at=1)
    request = _request(recording, sorter)
    with pytest.raises((KeyboardInterrupt, InterruptedRunError)):
        verify(request, tmp_path, _context(tmp_path))
    assert sorter.calls == 1
    verify(request, tmp_path, _context(tmp_path))
    assert sorter.calls == 3


def test_a_sorter_without_confidence_is_said_to_have_none(recording, tmp_path):
    sorter = ThresholdSorter(confident=False)
    design = replace(DESIGN, rounds=1, snr=(16.0,))
    found = verify(_request(recording, sorter, design=design), tmp_path, _context(tmp_path))
    assert found.verdict.state in ("no confidence", "unknown")
    assert found.confidence.overall is None
    _, text, _ = write_sorting(found, tmp_path / "out")
    assert "reliability.png" not in text.read_text()


def test_too_short_recordings_are_refused(tmp_path):
    short = simulate(0, n_channels=4, duration_s=2.0, n_units=2)[0]
    with pytest.raises(BadSamplesError, match="at least 10 s"):
        verify(_request(short, ThresholdSorter()), tmp_path, _context(tmp_path))


def test_unknown_origins_of_units_are_refused(recording):
    with pytest.raises(BadArgumentError, match="units among"):
        _request(recording, ThresholdSorter(), units="mine")


def _noise(n_channels):
    rng = np.random.default_rng(0)
    samples = np.rint(25 * rng.standard_normal((12 * 20_000, n_channels))).astype(np.int16)
    table = ChannelTable.plain(n_channels, gain_uv=0.2)
    signal = Signal.from_array(samples, 20_000.0, channels=table)
    return Recording(path=None, format="array", streams={"signal": signal}, fingerprint="n" * 64)


def test_without_geometry_and_without_own_units_the_library_is_added_and_said_so(tmp_path):
    design = Design(snr=(20.0,), rounds=1, units_per_round=1)
    request = _request(_noise(4), ThresholdSorter(), design=design)
    found = verify(request, tmp_path, _context(tmp_path))
    assert any("line, 20 um apart" in note for note in found.notes)
    assert any("no unit of its own" in note for note in found.notes)
    assert all(u.name.startswith("built-in") for u in found.units)
    assert found.units[0].fate in ("found", "split")


def test_one_channel_is_enough(tmp_path):
    design = Design(snr=(20.0,), rounds=1, units_per_round=1)
    found = verify(
        _request(_noise(1), ThresholdSorter(), design=design), tmp_path, _context(tmp_path)
    )
    assert any("One channel" in note for note in found.notes)
    assert found.units[0].recall > 0.9


def test_a_sorter_that_finds_nothing_gets_a_result_that_says_so(recording, tmp_path):
    design = Design(snr=(20.0,), rounds=1, units_per_round=1)
    request = replace(_request(recording, ThresholdSorter(), design=design), parameters={"sd": 1e6})
    found = verify(request, tmp_path, _context(tmp_path))
    assert found.units[0].fate == "missed"
    assert found.overall.recall.estimate == 0.0
    assert found.verdict.state == "unknown"
    assert len(write_sorting(found, tmp_path / "out")) == 3
