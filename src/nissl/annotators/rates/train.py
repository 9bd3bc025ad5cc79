"""Train the shipped weights of `rates/nissl` on simulated traces.

``python -m nissl.annotators.rates.train`` writes them into the package. A laboratory with paired
recordings makes `Paired` traces of them and calls `fitted` with those, which takes minutes;
`benchmarks/rates.py` measures that.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.rates.alignment import OWN, aligned, lags_of
from nissl.annotators.rates.indicators import CELL_TYPES, INDICATORS
from nissl.annotators.rates.model import BINARY, CARD, Ensemble, RateModel, seen_of
from nissl.annotators.rates.network import Shape, Weights
from nissl.annotators.rates.resampling import true_rate
from nissl.annotators.rates.simulate import batch
from nissl.annotators.rates.spread import Values, fit_spread
from nissl.annotators.rates.training import Paired, Recipe, train
from nissl.run.progress import Progress

SIGMA_S = {7.5: 0.2, 30.0: 0.05, 15.0: 0.1, 60.0: 0.025}
"""Frame rates of the shipped networks, with what smooths the truth at each; their order seeds."""
MEMBERS = 2
DURATION_S = 160.0
FAST_HZ, FASTEST_HZ = 12.0, 45.0
"""Rates from which networks reach further in frames, and once more."""
LEVELS = (0.3, 4.0)
"""Noise levels of simulated traces before training adds to them, % per sqrt(Hz)."""


def recipe_for(rate_hz: float) -> Recipe:
    """Longer stretches at higher rates, as many frames a step."""
    if rate_hz < FAST_HZ:
        return Recipe()
    if rate_hz < FASTEST_HZ:
        return Recipe(frames=512, batch=16)
    return Recipe(frames=1024, batch=8)


def shape_for(rate_hz: float) -> Shape:
    """Further reach in frames at higher rates."""
    if rate_hz < FAST_HZ:
        return Shape()
    if rate_hz < FASTEST_HZ:
        return Shape(dilations=(1, 2, 4, 8, 16, 1, 2, 4))
    return Shape(dilations=(1, 2, 4, 8, 16, 32, 1, 2))


def simulated(
    rate_hz: float,
    n_per_indicator: int,
    rng: np.random.Generator,
    duration_s: float = DURATION_S,
    *,
    indicators: Sequence[str] = tuple(INDICATORS),
    cell_types: Sequence[str] = tuple(CELL_TYPES),
) -> list[Paired]:
    """Simulated traces with the rates that they come from; groups are indicators.

    Parameters
    ----------
    rate_hz : float
    n_per_indicator : int
    rng : numpy.random.Generator
    duration_s : float
    indicators, cell_types : sequence of str
        Of `nissl.annotators.rates.indicators`; all by default.
    """
    n_frames = round(duration_s * rate_hz)
    edges = np.arange(n_frames + 1) / rate_hz
    sigma_s = sigma_for(rate_hz)
    out = []
    for name in indicators:
        made = batch(
            rate_hz,
            LEVELS,
            n_per_indicator,
            n_frames,
            rng,
            indicators=(name,),
            cell_types=cell_types,
        )
        for k, spikes in enumerate(made.spikes_s):
            truth = true_rate(spikes, edges, sigma_s).astype(np.float32)
            out.append(Paired(made.dff[k], truth, f"{name} {k}", f"simulated {name}"))
    return out


def sigma_for(rate_hz: float) -> float:
    """Standard deviation of the Gaussian that smooths the truth at a rate, seconds."""
    return SIGMA_S.get(rate_hz, 1.5 / rate_hz)


def fitted(
    known: Sequence[Paired],
    rate_hz: float,
    *,
    rng: np.random.Generator,
    left_out: tuple[Sequence[Values], Sequence[Values]] | None = None,
    members: int = MEMBERS,
    start: Sequence[Weights] = (),
    recipe: Recipe | None = None,
    progress: Progress | None = None,
    own_lag: float = OWN,
) -> Ensemble:
    """Networks for one rate, with what they have seen.

    Parameters
    ----------
    known : sequence of Paired
        On frames of `rate_hz`.
    rate_hz : float
    rng : numpy.random.Generator
    left_out : pair of sequences, optional
        Predictions and truth of sets that no member has seen, by set, for the interval; without
        them there is none.
    members : int
    start : sequence of Weights
        Networks to go on from, each of them again where there are to be more; drawn anew
        without them.
    recipe : Recipe, optional
    progress : Progress, optional
    own_lag : float
        Part of the constant lag of each group's truth that is taken away first, 0 to 1, where
        there are several groups and networks to go on from, which say what it is; see
        `nissl.annotators.rates.alignment`.
    """
    how = recipe or recipe_for(rate_hz)
    several = len({each.group for each in known}) > 1
    if start and several and own_lag:
        first = Ensemble(rate_hz, sigma_for(rate_hz), tuple(start[:1]))
        known = aligned(known, lags_of(known, first, rate_hz), own_lag)
    beginnings = [start[k % len(start)] if start else None for k in range(members)]
    networks = tuple(
        train(
            known,
            rate_hz,
            rng=rng,
            shape=shape_for(rate_hz),
            start=begin,
            recipe=how,
            progress=progress,
        )
        for begin in beginnings
    )
    spread = None if left_out is None else fit_spread(*left_out)
    groups = [each.group for each in known]
    # of one group, nothing is known about how groups differ
    seen = seen_of([each.dff for each in known], groups, rate_hz, rng) if several else None
    return Ensemble(rate_hz, sigma_for(rate_hz), networks, spread, seen)


def by_group(ensemble: Ensemble, known: Sequence[Paired]) -> tuple[list[Values], list[Values]]:
    """Predictions and truth of traces, those of a group after each other."""
    said: dict[str, list[Values]] = {}
    true: dict[str, list[Values]] = {}
    for each in known:
        said.setdefault(each.group, []).append(ensemble(each.dff))
        true.setdefault(each.group, []).append(each.rate.astype(np.float64))
    names = list(said)
    return [np.concatenate(said[n]) for n in names], [np.concatenate(true[n]) for n in names]


def correlation(ensemble: Ensemble, known: Sequence[Paired]) -> float:
    """Median over traces that vary of Pearson's r of rate and truth."""
    r = [
        float(np.corrcoef(ensemble(each.dff), each.rate)[0, 1])
        for each in known
        if each.rate.std() > 0
    ]
    return float(np.nanmedian(r))


def main(argv: Sequence[str] | None = None) -> int:
    """Train for every rate and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--traces", type=int, default=80, help="traces of each indicator")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rates", type=float, nargs="*", help="only these; others are kept")
    parser.add_argument("--intervals", action="store_true", help="keep the networks as they are")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights")
    args = parser.parse_args(argv)
    for k, rate_hz in enumerate(SIGMA_S):
        if args.rates and rate_hz not in args.rates:
            continue
        known = _kept(args.out)
        others = {each.rate_hz: each for each in (() if known is None else known.ensembles)}
        # whatever other rates are trained
        rng, later = (np.random.default_rng([args.seed, k, part]) for part in (0, 1))
        about = {} if known is None else dict(known.about)
        recipes, scores = (dict(about.get(name, {})) for name in ("recipes", "scores"))
        if args.intervals:
            networks = others[rate_hz]
        else:
            made = simulated(rate_hz, args.traces, rng)
            recipe = replace(recipe_for(rate_hz), steps=args.steps)
            networks = fitted(made, rate_hz, rng=rng, recipe=recipe)
            facts = {"steps": recipe.steps, "rate": recipe.rate, "decay": recipe.decay}
            recipes[f"{rate_hz:g} Hz"] = facts
        others[rate_hz], r = with_intervals(networks, max(args.traces // 3, 2), later)
        scores[f"{rate_hz:g} Hz"] = round(r, 4)
        made_by = _about(args.traces, args.seed, scores) | {"recipes": recipes}
        model = RateModel(tuple(others.values()), made_by)
        write(model, args.out)
    return 0


def with_intervals(ensemble: Ensemble, n: int, rng: np.random.Generator) -> tuple[Ensemble, float]:
    """Intervals from `n` fresh simulated traces of each indicator and type of cells.

    Returns
    -------
    Ensemble
    float
        Median correlation on these traces.
    """
    fresh = {name: simulated(ensemble.rate_hz, n, rng, cell_types=(name,)) for name in CELL_TYPES}
    everything = [each for own in fresh.values() for each in own]
    by_type = {name: fit_spread(*by_group(ensemble, own)) for name, own in fresh.items()}
    usual = by_type["pyramidal"]  # what most people image, where nothing is stated
    return replace(ensemble, spread=usual, by_type=by_type), correlation(ensemble, everything)


def _kept(folder: Path) -> RateModel | None:
    if not (folder / CARD).is_file():
        return None
    return RateModel.restored({name: (folder / name).read_bytes() for name in (BINARY, CARD)})


def write(model: RateModel, folder: Path) -> None:
    """Write the files of a model."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in model.files().items():
        (folder / name).write_bytes(content)


def _about(n: int, seed: int, scores: dict[str, float]) -> dict[str, Any]:
    return {
        "trained_on": f"{n} simulated traces of {DURATION_S:g} s of each of {list(INDICATORS)}",
        "simulated": True,
        "scored_on": "fresh traces of the same simulator, median Pearson r",
        "scores": scores,
        "interval": "from fresh simulated traces: it holds for these, not for any preparation",
        "seed": seed,
        "licence": "BSD-3-Clause",
    }


if __name__ == "__main__":
    raise SystemExit(main())
