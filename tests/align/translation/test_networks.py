"""Networks over lags: what is not linear is found, what is not there is not, and maps travel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nissl.align.fragments import Fragment
from nissl.align.translation import files
from nissl.align.translation.linear import Linear
from nissl.align.translation.paired import READ_ONLY, lagged, translate
from nissl.align.translation.scores import skill
from nissl.errors import BadArgumentError, MissingDependencyError
from nissl.nets import backend

N_WINDOWS, LENGTH = 40, 50


def bent(seed: int, *, related: bool = True) -> tuple[Fragment, Fragment]:
    """Targets that follow mixtures of the source, and the product of two of its channels."""
    rng = np.random.default_rng(seed)
    n = N_WINDOWS * LENGTH
    window = np.repeat(np.arange(N_WINDOWS), LENGTH)
    x = rng.standard_normal((n, 4))
    x[1:] += 0.7 * x[:-1]
    y = np.stack([x[:, 0] * x[:, 1], np.abs(x[:, 2]), x[:, 3]], axis=1)
    y = np.roll(y, 1, axis=0) + 0.3 * rng.standard_normal(y.shape)
    if not related:
        y = rng.standard_normal(y.shape)
    return Fragment("x", x, 0.05, window), Fragment("y", y, 0.05, window)


@pytest.mark.parametrize("method", ["tcn", "transformer"])
def test_a_network_finds_what_no_line_does(method: str) -> None:
    """Fitted on four fifths of the windows, the last of which stop it; scored on the rest."""
    pytest.importorskip("torch")
    from nissl.align.translation import linear, network

    source, target = bent(0)
    lags = (-2, -1, 0)
    x, y, window = lagged(source, lags), target.activity, source.windows
    rows, test = window < 32, window >= 32
    left = window[rows] >= 26
    best = linear.chosen(x[rows], y[rows], left, linear.settings(3))
    straight = skill(y[test], linear.fit(x[rows], y[rows], *best).predict(x[test]))

    def fitted(epochs: int) -> network.Networked:
        recipe = replace(network.RECIPE, epochs=epochs)
        rng = np.random.default_rng(0)
        return network.fit(method, x[rows], y[rows], left, len(lags), rng, recipe)

    found = fitted(15)
    bent_too = skill(y[test], found.predict(x[test]))
    assert straight[0] < 0.1
    assert straight[2] > 0.7
    assert bent_too[0] > straight[0] + 0.3
    assert bent_too[1] > straight[1] + 0.3
    assert bent_too[2] > straight[2] - 0.03
    assert found.gained > 0.2
    assert np.array_equal(fitted(1).predict(x), fitted(1).predict(x))


def test_a_network_that_gains_nothing_is_the_ridge() -> None:
    pytest.importorskip("torch")
    for seed in range(2):
        source, target = (f.in_windows(np.arange(20)) for f in bent(seed, related=False))
        found = translate(source, target, np.random.default_rng(seed), method="tcn", n_null=19)
        assert found.overall < 0.02
        assert found.rule.gained < 0.05
        assert found.p > 0.05
        assert found.null == READ_ONLY


@pytest.mark.parametrize("method", ["ridge", "tcn", "transformer"])
def test_maps_run_elsewhere(method: str) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    if method != "ridge":
        pytest.importorskip("torch")
    from nissl.nets.inference import Network

    source, target = (f.in_windows(np.arange(10)) for f in bent(1))
    found = translate(
        source, target, np.random.default_rng(0), method=method, n_null=1, lags=(-1, 0)
    )
    run = Network(files.onnx_of(found, {"bin_s": 0.05}))
    said = run(lagged(source, found.lags).astype(np.float32))
    np.testing.assert_allclose(said, found.predict(source), atol=2e-5)
    assert run.header == {"bin_s": 0.05, "method": method, "lags": [-1, 0]}
    held = files.arrays(found)
    assert {"lags", "skill", "by_window"} < set(held)
    assert ("weights" in held) == isinstance(found.rule, Linear)


def test_without_pytorch_the_command_that_installs_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    monkeypatch.setattr(backend, "missing", lambda *names: dict.fromkeys(names, ""))
    monkeypatch.delitem(sys.modules, "nissl.align.translation.network", raising=False)
    with pytest.raises(MissingDependencyError, match=r"nissl\[train\]"):
        translate(*bent(0), np.random.default_rng(0), method="tcn")
    with pytest.raises(BadArgumentError, match="transformer"):
        translate(*bent(0), np.random.default_rng(0), method="lstm")


def test_what_never_changes_is_not_scored() -> None:
    source, target = bent(2)
    activity = np.concatenate([target.activity, np.zeros((target.n_bins, 1))], axis=1)
    quiet = Fragment("y", activity, 0.05, target.window)
    found = translate(source, quiet, np.random.default_rng(0), n_null=1)
    assert np.isnan(found.skill[3])
    assert np.isfinite(found.overall)
    assert np.isfinite(found.p)
    late = np.where(np.arange(source.n_bins) < source.n_bins - LENGTH, 1.0, np.nan)
    late = np.nan_to_num(late, nan=2.0)[:, None]
    window = np.where(source.windows < N_WINDOWS - 1, source.windows, -1)
    still = Fragment("still", late, 0.05, window)
    with pytest.raises(BadArgumentError, match="stays the same"):
        translate(still, Fragment("y", target.activity, 0.05, window), np.random.default_rng(0))
