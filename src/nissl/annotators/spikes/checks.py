"""Checks of sorted units: metrics against limits that are declared as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nissl.annotators.spikes.recording_checks import check_recording
from nissl.annotators.spikes.units import describe
from nissl.labels import ItemTable, LabelSet
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs


@dataclass(frozen=True)
class Limit:
    """When a metric raises doubt, and in which words.

    Parameters
    ----------
    check : str
        Name of the check.
    column : str
        Of the item table.
    limit : float
    above : bool
        Whether values above the limit are doubtful; else values below.
    severity : {"note", "warning", "error"}
    unit : str
    sentence : str
        Template with ``{value}`` and ``{limit}``.
    source : str
        Where the limit comes from.
    shown : callable
        Value as it stands in the sentence.
    """

    check: str
    column: str
    limit: float
    above: bool
    severity: str
    unit: str
    sentence: str
    source: str = "convention of nissl"
    shown: Callable[[float], str] = "{:.2f}".format


def percent(value: float) -> str:
    """Fraction in per cent."""
    return f"{100 * value:.1f} %"


LIMITS = (
    Limit(
        "snr",
        "snr",
        3.0,
        False,
        "warning",
        "",
        "The mean spike is only {value} times the noise of its best channel (doubtful below "
        "{limit}): spikes are easily missed or confused.",
    ),
    Limit(
        "isi_violations",
        "isi_violations_ratio",
        0.5,
        True,
        "warning",
        "",
        "Intervals below 1.5 ms come {value} times as often as spikes of other neurons would make "
        "them on their own (doubtful above {limit}): probably more than one neuron.",
        "Allen Institute, Neuropixels quality metrics: default filter isi_violations < 0.5",
    ),
    Limit(
        "contamination",
        "rp_contamination",
        0.10,
        True,
        "warning",
        "",
        "At least contaminations below {value} cannot be ruled out from the refractory period "
        "(doubtful above {limit}): spikes of other neurons may be among these.",
        "International Brain Laboratory et al. 2022, single-unit metric at 10 %",
        percent,
    ),
    Limit(
        "presence",
        "presence_ratio",
        0.9,
        False,
        "note",
        "",
        "The unit fires in {value} of the recording (doubtful below {limit}): it may have drifted "
        "away, or be silent for a time.",
        "Allen Institute, Neuropixels quality metrics: default filter presence_ratio > 0.9",
        percent,
    ),
    Limit(
        "amplitude_cutoff",
        "amplitude_cutoff",
        0.1,
        True,
        "warning",
        "",
        "About {value} of the spikes seem too small to have been detected (doubtful above "
        "{limit}): rates are too low.",
        "Allen Institute, Neuropixels quality metrics: default filter amplitude_cutoff < 0.1",
        percent,
    ),
    Limit(
        "drift",
        "drift_um",
        20.0,
        True,
        "note",
        "um",
        "The unit moved {value} um along the probe (doubtful above {limit} um): parts of its "
        "spikes may be missing or given to a neighbour.",
        shown="{:.0f}".format,
    ),
    Limit(
        "isolation",
        "nn_isolation",
        0.85,
        False,
        "warning",
        "",
        "Only {value} of its spikes lie nearest to spikes of the same unit (doubtful below "
        "{limit}): a neighbouring unit may be the same neuron, or they are mixed.",
        shown=percent,
    ),
    Limit(
        "synchrony",
        "sync_8",
        0.01,
        True,
        "warning",
        "",
        "{value} of its spikes fall on the very sample of seven or more other units (doubtful "
        "above {limit}): probably an artefact that all channels see.",
        shown=percent,
    ),
    Limit(
        "few_spikes",
        "n_spikes",
        50,
        False,
        "note",
        "spikes",
        "The unit has {value} spikes (below {limit} most metrics mean little).",
        shown="{:.0f}".format,
    ),
)


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """Doubts about units, and about the recording when it is given.

    Parameters
    ----------
    labels : LabelSet
        EVENTS of the task "spikes".
    items : ItemTable, optional
        Its item table; measured where it is missing and the recording is there.
    inputs : Inputs, optional
        The recording; without it only the units are checked.
    context : Context

    Returns
    -------
    list of Finding
        The recording's first, then by item.
    """
    if items is None and inputs is not None:
        items = describe(labels, inputs, context)
    findings = [] if inputs is None else check_recording(inputs.signal, context)
    if not labels.n_rows:
        findings.append(
            Finding(
                "no_units",
                "warning",
                "The sorter found no units, although there are spikes above the noise: too few, "
                "or too unlike each other, to form one.",
                value=0.0,
                limit=1.0,
                unit="units",
            )
        )
    return findings if items is None else findings + check_units(items)


def check_units(items: ItemTable) -> list[Finding]:
    """Findings of `LIMITS` for every unit, in the order of items; NaN raises none."""
    findings = []
    names = set(items.table.column_names)
    limits = [(k, items.table.column(k.column).to_numpy()) for k in LIMITS if k.column in names]
    for row, item in enumerate(items.items.tolist()):
        findings += [_finding(k, item, float(v[row])) for k, v in limits if _doubtful(k, v[row])]
    return findings


def _doubtful(limit: Limit, value: float) -> bool:
    if np.isnan(value):
        return False
    return bool(value > limit.limit if limit.above else value < limit.limit)


def _finding(limit: Limit, item: int, value: float) -> Finding:
    return Finding(
        limit.check,
        limit.severity,
        limit.sentence.format(value=limit.shown(value), limit=limit.shown(limit.limit)),
        item=item,
        value=value,
        limit=float(limit.limit),
        unit=limit.unit,
    )
