"""`curation/thresholds`: unit quality by limits that a project can state, as Bombcell does.

Fabre et al. 2023, Bombcell (Zenodo 8172821): first what is no neuron, then what is no soma, then
what is no single unit; a unit that passes all limits is good. Limits follow Bombcell's defaults
where nissl has the same quantity. A rule whose number is missing is not applied, and that is told.
A rule has no confidence.

What "good" has to mean depends on what for: short lags of cross-correlograms are ruined by a
contamination that a peri-stimulus histogram does not show. Presets move the limits, and any limit
can be stated by itself; all of them stand in the labels' provenance.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.curation.features import FEATURES, featurise
from nissl.annotators.curation.model import VOCABULARY
from nissl.errors import BadArgumentError
from nissl.labels import Author, FeatureTable, ItemTable, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Finding, Inputs, Promises, Result

Values = npt.NDArray[np.float64]

PRESETS = ("default", "ccg", "psth")
WHOLE = Promises(chunked=False, deterministic=True, memory="measured")


@dataclass(frozen=True)
class Rule:
    """A limit that a unit of a better class keeps.

    Parameters
    ----------
    name : str
        Of the parameter.
    feature : str
        Of `FEATURES`, or of `SHAPE`.
    fails : {"noise", "non-somatic", "mua"}
        Class of a unit that does not keep it.
    least : bool
        Whether the limit is a least value; otherwise a largest.
    limits : tuple of float
        By preset, in the order of `PRESETS`.
    """

    name: str
    feature: str
    fails: str
    least: bool
    limits: tuple[float, float, float]


RULES = (
    Rule("max_positive_peaks", "positive_peaks", "noise", False, (2, 2, 2)),
    Rule("max_negative_peaks", "negative_peaks", "noise", False, (1, 1, 1)),
    Rule("min_trough_to_peak_ms", "trough_to_peak_ms", "noise", True, (0.1, 0.1, 0.1)),
    Rule("max_trough_to_peak_ms", "trough_to_peak_ms", "noise", False, (1.15, 1.15, 1.15)),
    Rule("max_decay_per_um", "decay_per_um", "noise", False, (0.1, 0.1, 0.1)),
    Rule("max_upward", "upward", "non-somatic", False, (0.8, 0.8, 0.8)),
    Rule("max_before_to_after", "before_to_after", "non-somatic", False, (3, 3, 3)),
    Rule("min_amplitude_uv", "amplitude_uv", "mua", True, (30, 40, 20)),
    Rule("min_snr", "snr", "mua", True, (5, 5, 3)),
    Rule("max_amplitude_cutoff", "amplitude_cutoff", "mua", False, (0.2, 0.1, 0.3)),
    Rule("max_rp_contamination", "rp_contamination", "mua", False, (0.1, 0.02, 0.2)),
    Rule("min_presence_ratio", "presence_ratio", "mua", True, (0.7, 0.7, 0.5)),
    Rule("min_spikes", "n_spikes", "mua", True, (300, 1000, 100)),
)
"""In the order in which they are applied."""

SHOWING = ("snr", "positive_peaks", "rp_contamination")
"""A unit of which none of these is known is not called good."""

SHAPE = {
    "upward": ("", "largest upward deflection {:.2f} of the downward one"),
    "before_to_after": ("", "peak before the trough {:.1f} times the one after it"),
    "n_spikes": ("", "{:.0f} spikes"),
}
"""Unit and words of what is read off templates and trains here."""

_SAYS = {f.name: (f.unit, f.says) for f in FEATURES} | SHAPE


@dataclass(frozen=True)
class Thresholds:
    """The rules as a method."""

    name: str = "curation/thresholds"
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("numpy", "scipy")}

    def defaults(self) -> Mapping[str, Any]:
        """A preset; a limit that is null is the preset's."""
        return {"preset": "default"} | {rule.name: None for rule in RULES}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a class for every unit of the current sorting."""
        begun = time.perf_counter()
        limits = limits_of(parameters)
        units, items = inputs.labels["spikes"], inputs.items.get("spikes")
        context.progress.start("classify units", float(units.items.size), "units")
        with measure_peak() as peak:
            values = measured(units, items)
            code, failed = judged(values, limits)
        context.progress.advance("classify units", float(units.items.size))
        context.progress.finish("classify units")
        made = units.provenance
        labels = LabelSet.build(
            Kind.CLASSES,
            {"id": units.items, "item": units.items, "target": units.items, "label": code},
            VOCABULARY,
            Provenance(
                task="curation",
                source=made.source,
                stream=made.stream,
                author=Author("model", self.name, self.version),
                parameters=dict(parameters),
                seed=context.seed,
                made_from=(units.digest,),
                targets=(units.digest,),
                packages=dict(self.packages()),
            ),
        )
        log = {
            "wall_s": time.perf_counter() - begun,
            "peak_memory_bytes": peak.bytes,
            "limits": {rule.name: limits[rule.name] for rule in RULES},
        }
        findings = (*_unapplied(values, units.items.size), *_failures(units, failed, limits))
        return Result((labels,), log=log, findings=findings)


def limits_of(parameters: Mapping[str, Any]) -> dict[str, float]:
    """Limit of every rule: the preset's, or the one that is stated.

    Raises
    ------
    BadArgumentError
        An unknown preset, or a limit that is no number.
    """
    preset = parameters["preset"]
    if preset not in PRESETS:
        raise BadArgumentError(f"a preset among {PRESETS}", repr(preset), "Choose one of them.")
    out = {}
    for rule in RULES:
        given = parameters[rule.name]
        if given is None:
            given = rule.limits[PRESETS.index(preset)]
        if isinstance(given, bool) or not isinstance(given, int | float) or not np.isfinite(given):
            raise BadArgumentError(
                f"a number for {rule.name}, or null for the preset's",
                repr(given),
                f"For example --set {rule.name}={rule.limits[0]:g}",
            )
        out[rule.name] = float(given)
    return out


def measured(units: LabelSet, items: ItemTable | None) -> dict[str, Values]:
    """Every number that a rule needs, (n_units,) each; NaN where it is missing."""
    table = featurise(units, items)
    out = {name: table.values[:, k] for k, name in enumerate(table.names)}
    counts = np.bincount(np.searchsorted(units.items, units.column("item")))
    out["n_spikes"] = np.zeros(units.items.size)
    out["n_spikes"][: counts.size] = counts
    return out | _shapes(table, items)


def judged(
    values: Mapping[str, Values], limits: Mapping[str, float]
) -> tuple[npt.NDArray[np.int32], list[list[tuple[Rule, float]]]]:
    """Class of every unit, and the rules that it does not keep, with its values.

    Parameters
    ----------
    values : mapping of str to ndarray, shape (n_units,), float64
    limits : mapping of str to float

    Returns
    -------
    code : ndarray, shape (n_units,), int32
        Of `VOCABULARY`.
    failed : list of list of (Rule, float), one per unit
    """
    n = len(values["n_spikes"])
    known = np.any([np.isfinite(values[name]) for name in SHOWING], axis=0)
    code = np.where(known, VOCABULARY.code("good"), VOCABULARY.code("mua")).astype(np.int32)
    failed: list[list[tuple[Rule, float]]] = [[] for _ in range(n)]
    for fails in ("mua", "non-somatic", "noise"):  # what comes later overrules
        for rule in (r for r in RULES if r.fails == fails):
            own, limit = values[rule.feature], limits[rule.name]
            wrong = np.isfinite(own) & ((own < limit) if rule.least else (own > limit))
            code[wrong] = VOCABULARY.code(fails)
            for k in np.flatnonzero(wrong).tolist():
                failed[k].append((rule, float(own[k])))
    return code, failed


def _shapes(table: FeatureTable, items: ItemTable | None) -> dict[str, Values]:
    """What templates tell of axons and of far ends of cells, on the main channel."""
    upward, before = (np.full(len(table.items), np.nan) for _ in range(2))
    given = None if items is None else items.arrays.get("template")
    if items is not None and given is not None and 0 not in given.shape:
        for k, unit in enumerate(table.items.tolist()):
            if np.isin(unit, items.items):
                own = np.nan_to_num(given[items.row_of(unit)].astype(np.float64))
                wave = own[:, np.abs(own).max(axis=0).argmax()]
                trough = int(wave.argmin())
                if wave[trough] < 0:
                    upward[k] = max(wave.max(), 0.0) / -wave[trough]
                    after = max(wave[trough:].max(), 0.02 * -wave[trough])
                    before[k] = max(wave[: trough + 1].max(), 0.0) / after
                elif wave.max() > 0:
                    upward[k] = np.inf
    upward[np.isposinf(upward)] = 1e6  # nothing goes down at all
    return {"upward": upward, "before_to_after": before}


def _unapplied(values: Mapping[str, Values], n_units: int) -> list[Finding]:
    lacking = [rule.name for rule in RULES if n_units and np.isnan(values[rule.feature]).all()]
    if not lacking:
        return []
    return [
        Finding(
            "rules_not_applied",
            "note",
            f"Not applied, for the numbers are missing: {', '.join(lacking)}.",
            value=float(len(lacking)),
            limit=0.0,
        )
    ]


def _failures(
    units: LabelSet, failed: list[list[tuple[Rule, float]]], limits: Mapping[str, float]
) -> list[Finding]:
    out = []
    for item, rules in zip(units.items.tolist(), failed, strict=True):
        for rule, value in rules:
            unit, says = _SAYS[rule.feature]
            out.append(
                Finding(
                    rule.name,
                    "note",
                    f"{says.format(value)}: {'at least' if rule.least else 'at most'} "
                    f"{limits[rule.name]:g} is asked, else {rule.fails}",
                    item=item,
                    value=value,
                    limit=limits[rule.name],
                    unit=unit,
                )
            )
    return out


THRESHOLDS = Thresholds()
