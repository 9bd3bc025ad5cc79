"""UnitMatch on two sessions, in a process of its own: it is under CC BY-NC-SA and no part of nissl.

    $NISSL_UNITMATCH_PYTHON benchmarks/_same_units_unitmatch.py IN.npz OUT.npz

Reads `wave` (n_units, n_samples, n_channels, 2), `session` (n_units,) and `position`
(n_channels, 2); writes the probabilities of all pairs that it gives with its defaults, and its
seconds.
"""

from __future__ import annotations

import sys
import time
import types

import numpy as np

_arange = np.arange


def arange(*given: object, **options: object) -> np.ndarray:
    """As NumPy did before it refused arrays of one value.

    UnitMatchPy 3.2.1 gives such, and takes the error for a bad unit, of all units.
    """
    plain = [g.item() if isinstance(g, np.ndarray) and g.size == 1 else g for g in given]
    return _arange(*plain, **options)


def main(given: str, out: str) -> None:
    """Run UnitMatch with its defaults."""
    for name in ("mat73", "mtscomp"):  # read files that are not read here
        try:
            __import__(name)
        except Exception:
            sys.modules[name] = types.ModuleType(name)
    import matplotlib

    matplotlib.use("Agg")
    import UnitMatchPy.bayes_functions as bf
    import UnitMatchPy.overlord as ov
    import UnitMatchPy.utils as util
    from UnitMatchPy.default_params import get_default_param

    with np.load(given, allow_pickle=False) as held:
        wave = held["wave"].astype(np.float64)
        session, position = held["session"].astype(int), held["position"].astype(float)
    np.arange = arange  # type: ignore[assignment]
    began = time.perf_counter()
    param = get_default_param()
    places = np.concatenate([np.ones((len(position), 1)), position], axis=1)
    param = util.get_probe_geometry(position, param)
    counts = np.bincount(session)
    param["n_units"], ids, switch, param["n_sessions"] = util.get_session_data(counts)
    within = util.get_within_session(ids, param)
    param["n_channels"], param["n_units_per_session"] = wave.shape[2], counts
    if param["spike_width"] != wave.shape[1]:
        param["spike_width"] = wave.shape[1]
        param["peak_loc"] = wave.shape[1] // 2
        param["waveidx"] = np.arange(param["peak_loc"] - 8, param["peak_loc"] + 15)
    about = {"session_switch": switch, "session_id": ids, "original_ids": np.arange(len(session))}
    found = ov.extract_parameters(wave, [places] * len(counts), about, param)
    _, candidates, scores, predictors = ov.extract_metric_scores(
        found, switch, within, param, niter=2
    )
    prior = 1 - param["n_expected_matches"] / param["n_units"] ** 2
    labels = candidates.astype(int)
    classes = np.unique(labels)
    kernels = bf.get_parameter_kernels(scores, labels, classes, param, add_one=1)
    p = bf.apply_naive_bayes(kernels, np.array((prior, 1 - prior)), predictors, param, classes)
    match = p[:, 1].reshape(param["n_units"], param["n_units"])
    np.savez(out, probability=match, seconds=time.perf_counter() - began)


if __name__ == "__main__":
    main(*sys.argv[1:3])
