"""Dynamic causal models recover what they simulate."""

import numpy as np
import pytest

from nissl.align.directed import dcm, rdcm
from nissl.align.directed.laplace import variational_laplace
from nissl.errors import BadArgumentError


def blocks(n=90):
    u = np.zeros((n, 2))
    u[(np.arange(n) // 10) % 2 == 1, 0] = 1
    u[(np.arange(n) // 15) % 2 == 1, 1] = 1
    return u


def pair(*, forward=True, modulated=False):
    a = np.zeros((2, 2), dtype=bool)
    a[(1, 0) if forward else (0, 1)] = True
    c = np.array([[True, False], [False, False]])
    b = np.zeros((2, 2, 2), dtype=bool)
    b[1, 1, 0] = modulated
    return dcm.Model(a, c, b)


def test_a_linear_model_has_its_closed_form():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((200, 3)), np.array([0.5, -1.0, 0.2])
    y = x @ w + 0.1 * rng.standard_normal(200)
    found = variational_laplace(
        lambda sets: (sets @ x.T)[:, :, None], y[:, None], np.zeros(3), np.ones(3)
    )
    precision = np.exp(found.log_precision[0])
    covariance = np.linalg.inv(precision * x.T @ x + np.eye(3))
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-4)
    np.testing.assert_allclose(found.mean, precision * covariance @ x.T @ y, rtol=1e-4)
    assert precision**-0.5 == pytest.approx(0.1, rel=0.15)
    assert found.converged


def test_evidence_prefers_the_parameters_that_are_there():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 2))
    y = (x[:, 0] + 0.5 * rng.standard_normal(200))[:, None]

    def evidence(variance):
        return variational_laplace(
            lambda sets: (sets @ x.T)[:, :, None], y, np.zeros(2), np.asarray(variance)
        ).free_energy

    assert evidence([1.0, 0.0]) > evidence([1.0, 1.0]) > evidence([0.0, 1.0])


def test_signals_rise_after_an_input_and_come_back():
    u = np.zeros((40, 2))
    u[2:5, 0] = 1
    model = pair()
    parameters = np.zeros((1, len(model.names)))
    parameters[0, model.names.index("c00")] = 0.5
    parameters[0, model.names.index("a10")] = 0.4
    out = dcm.predicted(model, parameters, u, interval_s=1.0)[0]
    assert 5 <= out[:, 0].argmax() <= 10
    assert out[:, 1].argmax() > out[:, 0].argmax()
    assert out[:, 0].max() > 0.5
    assert abs(out[-1, 0]) < 0.25 * out[:, 0].max()
    finer = dcm.predicted(model, parameters, u, interval_s=1.0, step_s=0.02)[0]
    np.testing.assert_allclose(out, finer, atol=0.05 * out.max())


def test_a_model_finds_its_parameters_and_beats_one_without_the_connection():
    model, u = pair(), blocks()
    truth, signal = dcm.simulated(
        model, u, np.random.default_rng(3), interval_s=2.0, noise=0.2, least=0.25
    )
    found = dcm.fit(model, signal, u, interval_s=2.0)
    at = model.names.index("a10")
    assert found.mean[at] == pytest.approx(truth[at], abs=0.15)
    low, high = found.interval(0.9)
    free = model.prior[1] > 0
    assert np.mean((low <= truth)[free] & (truth <= high)[free]) >= 0.7
    other = dcm.fit(pair(forward=False), signal, u, interval_s=2.0)
    assert dcm.model_probabilities([found, other])[0] > 0.99


def test_arrows_of_a_model_are_held_to_the_model_turned_round():
    model, u = pair(), blocks()
    _, signal = dcm.simulated(
        model, u, np.random.default_rng(3), interval_s=2.0, noise=0.2, least=0.25
    )
    other = dcm.turned(model, 0, 1)
    assert other.a.tolist() == [[False, True], [False, False]]
    found = dcm.arrows(model, signal, u, interval_s=2.0, names=("V1", "V5"))
    assert [(a.source, a.target, a.verdict) for a in found.arrows] == [(0, 1, "arrow")]
    assert found.arrows[0].direction_p < 1e-3


def test_models_need_inputs_and_fitting_shapes():
    with pytest.raises(BadArgumentError, match="not zero"):
        dcm.fit(pair(), np.zeros((50, 2)), np.zeros((50, 2)), interval_s=2.0)
    with pytest.raises(BadArgumentError, match="scan by scan"):
        dcm.fit(pair(), np.zeros((50, 3)), blocks(50), interval_s=2.0)
    with pytest.raises(BadArgumentError, match="Rows are targets"):
        dcm.Model(np.zeros((3, 3), dtype=bool), np.zeros((2, 1), dtype=bool))


def test_regression_finds_the_connections_of_a_larger_network():
    rng = np.random.default_rng(0)
    n, n_scans, interval_s = 8, 800, 0.5
    a = np.zeros((n, n), dtype=bool)
    a[np.arange(1, n), np.arange(n - 1)] = True
    u = (rng.random((n_scans // 10, n)) < 0.3).repeat(10, axis=0).astype(float)
    model = dcm.Model(a, np.eye(n, dtype=bool))
    truth = np.where(a, rng.choice((-1, 1), a.shape) * rng.uniform(0.15, 0.4, a.shape), 0)
    parameters = np.zeros((1, len(model.names)))
    parameters[0, : n * n] = truth.ravel()
    parameters[0, [model.names.index(f"c{i}{i}") for i in range(n)]] = 0.05
    signal = dcm.predicted(model, parameters, u, interval_s=interval_s)[0]
    found = rdcm.fit(signal + 0.05 * rng.standard_normal(signal.shape), u, interval_s=interval_s)
    off = ~np.eye(n, dtype=bool)
    assert np.corrcoef(found.a[off], truth[off])[0, 1] > 0.9
    claimed = found.arrows().claimed().T
    assert (claimed & a).sum() >= 6
    assert (claimed & ~a).sum() <= 2
    assert np.diag(found.a) == pytest.approx(-0.5, abs=0.2)


def test_regression_needs_scans():
    with pytest.raises(BadArgumentError, match="scans"):
        rdcm.fit(np.random.default_rng(0).standard_normal((10, 8)), interval_s=1.0)
