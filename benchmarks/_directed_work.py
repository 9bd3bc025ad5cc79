"""Cells of `directed.py`: each function is one, and gives plain numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.directed import dcm as causal
from nissl.align.directed import networks, simulate, trains
from nissl.align.directed import rdcm as regression
from nissl.align.directed.arrows import BOLD, FIELDS, SPIKES, Arrows, Modality
from nissl.align.directed.embedding import Past, ragwitz
from nissl.align.directed.series import directed, partial_correlation
from nissl.align.directed.transfer import scan_delays, transfer_entropy

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def te(folder: Path) -> dict[str, Any]:
    """Largest error of the reference values, and pasts chosen by prediction."""
    told = json.loads((folder / "te_reference/expected.json").read_text(encoding="utf-8"))
    out: dict[str, Any] = {}
    for method in ("ksg", "gaussian"):
        errors = []
        for row in told[method]:
            data = np.loadtxt(folder / "te_reference" / row["file"], comments="%")
            found = transfer_entropy(
                data[:, row["src"]],
                data[:, row["dst"]],
                method=method,
                target_past=Past(row["k"]),
                source_past=Past(row["l"], delay=row.get("lag", 1)),
                k=row.get("knn", 4),
                theiler=row.get("theiler", 0),
            )
            errors.append(abs(found.value - row["te"]))
        out[method] = {"n": len(errors), "worst": max(errors)}
    name = "te_reference/SFI-heartRate_breathVol_bloodOx.txt.gz"
    data = np.loadtxt(folder / name, comments="%")[2350:3550]
    out["ragwitz"] = [
        ragwitz(data[:, at], lengths=range(1, 7), steps=range(1, 5)).length for at in (1, 0)
    ]
    return out


def lorenz(folder: Path, trials: int) -> dict[str, Any]:
    """Delays of two coupled Lorenz systems: every fifth first, then all around the best."""
    x = np.load(folder / "idtxl/lorenz_2.npz")["x"].astype(np.float64)
    x = np.moveaxis(x, 2, 1)[:, :trials]
    pasts = [ragwitz(each, lengths=range(1, 7), steps=(1, 2, 4, 8, 12)) for each in x]
    out: dict[str, Any] = {"trials": trials, "rows": []}
    for source, target, truth in ((0, 1, 45), (1, 0, 75)):
        options: dict[str, Any] = {"target_past": pasts[target], "source_past": pasts[source]}
        coarse = list(range(5, 101, 5))
        first, profile = scan_delays(x[source], x[target], coarse, **options)
        fine = [d for d in range(first.delay - 4, first.delay + 5) if d > 0]
        best, near = scan_delays(x[source], x[target], fine, **options)
        out["rows"].append(
            {
                "truth": truth,
                "coarse": first.delay,
                "found": best.delay,
                "delays": coarse,
                "profile": profile.tolist(),
                "fine": fine,
                "near": near.tolist(),
            }
        )
    return out


def network(folder: Path, file: str, interval_s: float, n: int) -> dict[str, Any]:
    """Edges and arrows of simulated fMRI, one recording at a time."""
    data = np.load(folder / f"{file}.npz")
    series = data["ts"][:n].astype(np.float64)
    truth = data["adj"] != 0
    np.fill_diagonal(truth, False)
    return _judged([(x.T, truth) for x in series], BOLD, interval_s)


def series(folder: Path, kind: str, seeds: int) -> dict[str, Any]:
    """Arrows of simulations of our own; no data are read."""
    make = {
        "autoregression": lambda rng: simulate.autoregression(rng, n_samples=1000),
        "mixed": lambda rng: simulate.mixed(rng, n_samples=1000),
        "blood_flow": lambda rng: simulate.blood_flow(rng, n_samples=300),
        "slow": lambda rng: simulate.autoregression(rng, n_samples=1000, longest_delay=4),
    }[kind]
    made = [make(np.random.default_rng(1000 + seed)) for seed in range(seeds)]
    modality, interval_s = (BOLD, 2.0) if kind in ("blood_flow", "slow") else (FIELDS, 1.0)
    return _judged([(each.series, each.truth) for each in made], modality, interval_s)


def _judged(
    given: list[tuple[Floats, Bools]], modality: Modality, interval_s: float
) -> dict[str, Any]:
    from sklearn.metrics import roc_auc_score

    labels, scores, counts, plain = [], [], [], []
    for x, truth in given:
        corner = np.triu_indices(len(truth), 1)
        labels.append((truth | truth.T)[corner])
        scores.append(np.abs(partial_correlation(x.T))[corner])
        counts.append(_counts(directed(x, modality, interval_s=interval_s), truth))
        plain.append(_counts(directed(x, SPIKES, interval_s=interval_s), truth))
    mixed = np.concatenate(labels)
    auc, low, high = float("nan"), float("nan"), float("nan")
    if 0 < mixed.sum() < mixed.size:
        auc = float(roc_auc_score(mixed, np.concatenate(scores)))
        rng = np.random.default_rng(0)
        draws = []
        for _ in range(500):
            at = rng.integers(len(labels), size=len(labels))
            draws.append(
                roc_auc_score(
                    np.concatenate([labels[i] for i in at]),
                    np.concatenate([scores[i] for i in at]),
                )
            )
        low, high = (float(v) for v in np.quantile(draws, (0.025, 0.975)))
    return {
        "recordings": len(given),
        "edges_auc": {"estimate": auc, "low": low, "high": high},
        "verdicts": _sum(counts),
        "plain": _sum(plain),
    }


def _counts(found: Arrows, truth: Bools) -> dict[str, int]:
    claimed = found.claimed()
    off = ~np.eye(len(truth), dtype=np.bool_)
    tied = np.zeros_like(off)
    for arrow in found.arrows:
        tied[arrow.source, arrow.target] = arrow.verdict != "no evidence"
    tied, edges = tied | tied.T, truth | truth.T
    unsure = sum(a.verdict == "direction not identifiable" for a in found.arrows)
    return {
        "arrows": int(claimed.sum()),
        "right": int((claimed & truth).sum()),
        "backwards": int((claimed & ~truth & truth.T).sum()),
        "unsure": int(unsure),
        "true": int(truth.sum()),
        "absent": int((off & ~truth).sum()),
        "tied": int((tied & edges).sum()),
        "edges": int(edges.sum()),
        "tied_absent": int((tied & off & ~edges).sum()),
        "no_edges": int((off & ~edges).sum()),
    }


def _sum(rows: list[dict[str, int]]) -> dict[str, int]:
    return {key: sum(row[key] for row in rows) for key in rows[0]}


def spikes(folder: Path, seed: int, duration_s: float) -> dict[str, Any]:
    """Synapses of a simulated network, all or half of whose neurons are recorded."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(5000 + seed)
    net = networks.spiking_network(rng, n_neurons=20, duration_s=duration_s)
    out: dict[str, Any] = {"rate_hz": float(np.mean([len(t) for t in net.trains]) / duration_s)}
    for seen, part in (("all", net), ("half", net.observed(np.arange(10)))):
        off = ~np.eye(len(part.trains), dtype=np.bool_)
        for way, multivariate in (("pairs", False), ("multivariate", True)):
            found = trains.directed_trains(
                part.trains,
                part.n_bins,
                rng=np.random.default_rng(seed),
                surrogates=20,
                multivariate=multivariate,
            )
            claimed, truth = found.claimed(), part.truth
            right = claimed & truth
            late = np.abs(found.matrix("delay") - part.delays)[right]
            score = found.matrix("estimate") / found.matrix("null_high")
            if multivariate:  # what was explained away ranks last
                score = np.where(found.matrix("q") <= 0.05, score, 1e-3 * score)
            out[f"{seen}/{way}"] = {
                "claimed": int(claimed.sum()),
                "right": int(right.sum()),
                "true": int(truth.sum()),
                "excitatory": int((part.weights > 0).sum()),
                "excitatory_found": int((claimed & (part.weights > 0)).sum()),
                "auc": float(roc_auc_score(truth[off], score[off])) if truth.any() else None,
                "delay_within_2": int((late <= 2).sum()),
            }
    return out


def _experiment(n: int = 200) -> tuple[causal.Model, Floats]:
    """Three regions: a driven one, two that pass it on and back, a context that modulates."""
    u = np.zeros((n, 2))
    u[(np.arange(n) // 10) % 2 == 1, 0] = 1
    u[(np.arange(n) // 30) % 2 == 1, 1] = 1
    a = np.zeros((3, 3), dtype=np.bool_)
    a[1, 0] = a[2, 1] = a[1, 2] = True
    c = np.zeros((3, 2), dtype=np.bool_)
    c[0, 0] = True
    b = np.zeros((2, 3, 3), dtype=np.bool_)
    b[1, 1, 0] = True
    return causal.Model(a, c, b, "true"), u


def dcm(folder: Path, first: int, n: int) -> dict[str, Any]:
    """Coverage of intervals for parameters drawn from the prior, and evidence of wrong models."""
    model, u = _experiment()
    free = np.flatnonzero(model.prior[1] > 0)
    without = causal.Model(model.a, model.c, None, "no modulation")
    turned_a = model.a.copy()
    turned_a[1, 0], turned_a[0, 1] = False, True
    turned_c = np.zeros_like(model.c)
    turned_c[1, 0] = True
    turned = causal.Model(turned_a, turned_c, None, "driven elsewhere")
    rows = []
    for seed in range(first, first + n):
        rng = np.random.default_rng(9000 + seed)
        truth, y = causal.simulated(model, u, rng, interval_s=2.0, noise=0.3)
        found = causal.fit(model, y, u, interval_s=2.0)
        low, high = found.interval(0.9)
        row: dict[str, Any] = {
            "inside": ((low <= truth) & (truth <= high))[free].tolist(),
            "truth": truth[free].tolist(),
            "mean": found.mean[free].tolist(),
        }
        if seed % 2 == 0:  # three fits more: every other experiment is enough to count wins
            strong, z = causal.simulated(model, u, rng, interval_s=2.0, noise=0.3, least=0.15)
            fits = [causal.fit(each, z, u, interval_s=2.0) for each in (model, without, turned)]
            row["energies"] = [each.free_energy for each in fits]
            row["modulation"] = float(strong[model.names.index("b1:10")])
        rows.append(row)
    return {"names": [model.names[at] for at in free], "rows": rows}


def rdcm(folder: Path, seeds: int) -> dict[str, Any]:
    """Connections of a network of 30 regions from one regression per region."""
    from sklearn.metrics import roc_auc_score

    n, n_scans = 30, 1200
    rows = []
    for interval_s in (0.5, 1.0):
        for seed in range(seeds):
            rng = np.random.default_rng(7000 + seed)
            order = rng.permutation(n)
            a = np.zeros((n, n), dtype=np.bool_)
            for at, region in enumerate(order[1:], 1):
                a[region, rng.choice(order[:at], min(at, 2), replace=False)] = True
            weights = np.where(a, rng.choice((-1, 1), a.shape) * rng.uniform(0.1, 0.3, a.shape), 0)
            u = (rng.random((n_scans // 10, n)) < 0.3).repeat(10, axis=0).astype(np.float64)
            y = _linear(weights, u, interval_s)
            y = y + 0.1 * y.std() * rng.standard_normal(y.shape)
            found = regression.fit(y, u, interval_s=interval_s)
            off = ~np.eye(n, dtype=np.bool_)
            claimed = found.arrows().claimed().T
            rows.append(
                {
                    "interval_s": interval_s,
                    "auc": float(roc_auc_score(a[off], np.abs(found.a / found.a_sd)[off])),
                    "correlation": float(np.corrcoef(weights[off], found.a[off])[0, 1]),
                    "claimed": int(claimed.sum()),
                    "right": int((claimed & a).sum()),
                    "true": int(a.sum()),
                    "absent": int((off & ~a).sum()),
                }
            )
    return {"rows": rows}


def _linear(weights: Floats, u: Floats, interval_s: float) -> Floats:
    """Signals of a linear network, integrated finely and seen through a linear response."""
    every = 10
    step = interval_s / every
    dynamics = weights - causal.STABLE_HZ * np.eye(len(weights))
    x, out = np.zeros(len(weights)), []
    for drive in np.repeat(u, every, axis=0):
        x = x + step * (dynamics @ x + 0.04 * drive)
        out.append(x)
    fine = np.asarray(out)
    return regression.seen_through_blood(fine, step)[every - 1 :: every]


def voi(folder: Path) -> dict[str, Any]:
    """Three regions of a person who attends to motion; what drives what is not known."""
    data = np.load(folder / "spm_attention_voi.npz")
    names = ("V1", "V5", "SPC")
    nuisance = data["X0"]
    x = np.stack([data[f"{name}_eigenvariate"] for name in names])
    fitted, *_ = np.linalg.lstsq(nuisance, x.T, rcond=None)
    x = x - (nuisance @ fitted).T
    out = {}
    for way, modality in (("verdict", BOLD), ("plain", SPIKES)):
        found = directed(x, modality, names=names, interval_s=float(data["TR_s"]))
        out[way] = [
            {"source": names[a.source], "target": names[a.target], "q": a.q, "verdict": a.verdict}
            for a in found.arrows
        ]
    return out
