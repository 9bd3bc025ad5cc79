"""Transfer entropy: reference values, closed forms, and what must not change it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from nissl.align.directed.embedding import Past, embed, ragwitz
from nissl.align.directed.estimators import NearestNeighbours, gaussian
from nissl.align.directed.surrogates import memory, p_value, reindex
from nissl.align.directed.transfer import choose_past, scan_delays, transfer_entropy
from nissl.errors import BadArgumentError, BadSamplesError

FOLDER = Path(os.environ.get("NISSL_DATA", "../shared/data")) / "glue/directed/te_reference"


def driven(n=2000, *, seed=0, delay=1, weight=0.6):
    """x drives y by `weight` after `delay` samples."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, n))
    for t in range(delay, n):
        x[t] += 0.5 * x[t - 1]
        y[t] += 0.4 * y[t - 1] + weight * x[t - delay]
    return x, y


@pytest.mark.data
@pytest.mark.parametrize("method", ["ksg", "gaussian"])
def test_reference_values(method):
    if not FOLDER.is_dir():
        pytest.skip("NISSL_DATA has no glue/directed/te_reference")
    told = json.loads((FOLDER / "expected.json").read_text())
    for row in told[method]:
        data = np.loadtxt(FOLDER / row["file"], comments="%")
        found = transfer_entropy(
            data[:, row["src"]],
            data[:, row["dst"]],
            method=method,
            target_past=Past(row["k"]),
            source_past=Past(row["l"], delay=row.get("lag", 1)),
            k=row.get("knn", 4),
            theiler=row.get("theiler", 0),
        )
        assert found.value == pytest.approx(row["te"], abs=1e-6 if method == "ksg" else 1e-4), row


@pytest.mark.data
def test_pasts_chosen_by_ragwitz_are_those_of_the_reference():
    if not FOLDER.is_dir():
        pytest.skip("NISSL_DATA has no glue/directed/te_reference")
    data = np.loadtxt(FOLDER / "SFI-heartRate_breathVol_bloodOx.txt.gz", comments="%")
    tried = {"lengths": range(1, 7), "steps": range(1, 5)}
    assert ragwitz(data[2350:3550, 1], **tried) == Past(5)
    assert ragwitz(data[2350:3550, 0], **tried) == Past(2)


def test_gaussian_transfer_is_its_closed_form():
    rng = np.random.default_rng(1)
    x = rng.standard_normal(200_000)
    y = np.concatenate([[0.0], 0.6 * x[:-1]]) + rng.standard_normal(x.size)
    truth = 0.5 * np.log(1 + 0.6**2)  # y's own past is white
    assert transfer_entropy(x, y, method="gaussian").value == pytest.approx(truth, abs=3e-3)
    assert transfer_entropy(y, x, method="gaussian").value == pytest.approx(0, abs=1e-4)
    near = transfer_entropy(x[:6000], y[:6000], method="ksg").value
    assert near == pytest.approx(truth, abs=0.03)


@pytest.mark.parametrize("method", ["gaussian", "ksg"])
def test_scale_and_offset_change_nothing(method):
    x, y = driven(400)
    plain = transfer_entropy(x, y, method=method).value
    assert transfer_entropy(1e3 * x - 5, -0.01 * y + 7, method=method).value == pytest.approx(plain)


@pytest.mark.parametrize("kind", ["permutation", "block", "shift"])
def test_independent_series_lie_within_their_null(kind):
    ps = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x, _ = driven(300, seed=seed)
        _, y = driven(300, seed=1000 + seed)
        found = transfer_entropy(
            x, y, method="gaussian", surrogates=39, kind=kind, block=8, rng=rng
        )
        ps.append(found.p)
    assert np.mean(np.asarray(ps) <= 0.05) <= 0.2
    assert 0.3 < np.mean(ps) < 0.7


def test_f_test_of_independent_series_is_uniform():
    ps = [
        transfer_entropy(driven(200, seed=s)[0], driven(200, seed=s + 500)[1], method="gaussian").p
        for s in range(200)
    ]
    assert 0.01 <= np.mean(np.asarray(ps) <= 0.05) <= 0.1


def test_delay_is_found_and_told():
    x, y = driven(3000, delay=7)
    best, profile = scan_delays(x, y, range(1, 15), method="gaussian")
    assert best.delay == 7
    assert profile.argmax() == 6
    assert scan_delays(x[:800], y[:800], range(4, 11), method="ksg")[0].delay == 7


def test_common_drive_is_gone_once_it_is_given():
    rng = np.random.default_rng(4)
    z, x, y = rng.standard_normal((3, 3000))
    x[1:] += z[:-1]
    y[2:] += z[:-2]
    assert transfer_entropy(x, y, method="gaussian").p < 1e-6
    given = [(z, Past(3))]
    assert transfer_entropy(x, y, method="gaussian", given=given).p > 0.01
    plain = transfer_entropy(x[:1500], y[:1500]).value
    assert (
        transfer_entropy(x[:1500], y[:1500], given=[(z[:1500], Past(1, delay=2))]).value < plain / 3
    )


def test_greedy_choice_takes_the_lags_that_count():
    x, y = driven(1500, delay=4)
    own, theirs, found = choose_past(x, y, longest=5, surrogates=39, rng=np.random.default_rng(0))
    assert own[0] == 1
    assert theirs[0] == 4
    assert found.p <= 0.05
    own, theirs, found = choose_past(y, x, longest=5, surrogates=39, rng=np.random.default_rng(0))
    assert theirs == []
    assert found.value == 0


def test_trials_are_not_joined():
    x, y = driven(600)
    trials = embed(x.reshape(6, 100), y.reshape(6, 100), target_past=Past(2))
    assert len(trials.now) == 6 * 98
    assert trials.sample.min() == 2


def test_theiler_window_equals_counting_by_hand():
    rng = np.random.default_rng(5)
    x, y, z = rng.standard_normal((3, 120, 1)).cumsum(axis=1)
    n, k, window = 120, 3, 6
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) > window
    dx, dy, dz = (np.abs(v - v.T) for v in (x, y, z))
    joint = np.where(apart, np.maximum(np.maximum(dx, dy), dz), np.inf)
    radius = np.sort(joint, axis=1)[:, k - 1][:, None]

    def count(d):
        return (apart & (d < radius)).sum(axis=1)

    from scipy.special import digamma

    xz, yz = count(np.maximum(dx, dz)), count(np.maximum(dy, dz))
    told = digamma(k) + np.mean(digamma(count(dz) + 1) - digamma(xz + 1) - digamma(yz + 1))
    assert NearestNeighbours(k, window)(x, y, z).value == pytest.approx(told)


def test_information_is_symmetric():
    rng = np.random.default_rng(6)
    x, y, z = rng.standard_normal((3, 300, 2))
    for estimate in (gaussian, NearestNeighbours(4)):
        assert estimate(x, y + x, z).value == pytest.approx(estimate(y + x, x, z).value)


def test_orders_of_rows_are_permutations():
    rng = np.random.default_rng(7)
    for kind in ("permutation", "block", "shift"):
        assert sorted(reindex(101, kind, rng, block=9)) == list(range(101))
    assert p_value(1.0, np.zeros(99)) == 0.01


def test_memory_tells_slow_from_fast():
    rng = np.random.default_rng(8)
    white = rng.standard_normal(2000)
    assert memory(white) <= 4 < memory(np.convolve(white, np.ones(30), "same"))


def test_what_cannot_be_used_is_refused():
    x, y = driven(100)
    with pytest.raises(BadSamplesError, match="constant"):
        transfer_entropy(np.ones(100), y)
    with pytest.raises(BadSamplesError, match="missing"):
        transfer_entropy(np.where(x > 2, np.nan, x) * np.nan, y)
    with pytest.raises(BadArgumentError, match="one shape"):
        transfer_entropy(x[:50], y)
    with pytest.raises(BadArgumentError, match="samples in a trial"):
        transfer_entropy(x, y, source_past=Past(delay=95))
    with pytest.raises(BadArgumentError, match="delay"):
        Past(delay=0)
