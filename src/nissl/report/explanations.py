"""Explained spikes and units in sentences, as JSON, and as pictures in files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nissl import __version__
from nissl.labels.atomic import atomic_write, make_folder, write_bytes
from nissl.report import explanation_plots
from nissl.report.evidence import plain

if TYPE_CHECKING:
    from nissl.annotators.spikes.own.explaining.spikes import Explained
    from nissl.annotators.spikes.own.explaining.units import Rival, UnitExplained

SURE = (
    "Odds are by the sorter's own model of noise, which is surer than it should be; they are not "
    "a calibrated confidence."
)


def rival_name(unit: int, items: Mapping[int, int]) -> str:
    """How the labels call a unit of the fitted sorter.

    Parameters
    ----------
    unit : int
        Of the fitted sorter.
    items : mapping of int to int
        Items of the labels by unit of the fitted sorter.
    """
    return f"unit {items[unit]}" if unit in items else f"template {unit}, none of the labels"


def unit_json(
    item: int, told: UnitExplained, items: Mapping[int, int], channels: Mapping[int, str]
) -> dict[str, Any]:
    """All that is known of a unit but its spikes' samples, JSON values.

    Parameters
    ----------
    item : int
        In the labels.
    told : UnitExplained
    items : mapping of int to int
        Items of the labels by unit of the fitted sorter.
    channels : mapping of int to str
        Name of each channel.
    """
    five, middle, most = told.margin.tolist()
    facts = {
        "unit": item,
        "n_spikes": told.n_spikes,
        "n_looked_at": told.n_looked_at,
        "n_explained": told.n_explained,
        "energy_before": told.energy_before,
        "energy_after": told.energy_after,
        "margin": {"p05": five, "p50": middle, "p95": most},
        "without_runner_up": told.no_rival,
        "runners_up": [_rival(rival, items, channels) for rival in told.rivals],
        "confusion": told.confusion,
        "chance": told.chance,
        "false_positives": told.expected.false_positives,
        "below_threshold": told.expected.below_threshold,
        "least_amplitude": told.least_amplitude,
        "nissl": __version__,
    }
    return dict(plain(facts))


def _rival(rival: Rival, items: Mapping[int, int], channels: Mapping[int, str]) -> dict[str, Any]:
    return {
        "unit": items.get(rival.unit),
        "name": rival_name(rival.unit, items),
        "share": rival.share,
        "confusion": rival.confusion,
        "apart_sd": rival.apart_sd,
        "channels": [channels[c] for c in rival.deciding],
    }


def spike_json(
    item: int, spike: Explained, items: Mapping[int, int], channels: Mapping[int, str]
) -> dict[str, Any]:
    """All that is known of a spike but its samples, JSON values; parameters as for `unit_json`."""
    own, other, nothing = spike.odds.tolist()
    held = spike.llr != 0
    facts = {
        "unit": item,
        "sample": spike.sample,
        "amplitude": spike.amplitude,
        "gain": spike.gain,
        "runner_up": None if spike.rival < 0 else rival_name(spike.rival, items),
        "runner_up_gain": None if spike.rival < 0 else spike.rival_gain,
        "odds": {"unit": own, "runner_up": other, "no_spike": nothing},
        "energy_before": spike.energy_before,
        "energy_after": spike.energy_after,
        "channels": [channels[c] for c in spike.deciding],
        "log_likelihood_ratio": {
            channels[c]: float(v)
            for c, v, kept in zip(spike.columns, spike.llr, held, strict=True)
            if kept
        },
    }
    return dict(plain(facts))


def unit_sentences(facts: Mapping[str, Any]) -> list[str]:
    """A unit in words, from `unit_json`."""
    said = [
        f"Unit {facts['unit']}: {facts['n_explained']} of {facts['n_looked_at']} spikes looked at "
        f"were found again (it has {facts['n_spikes']}).",
        f"Around them there is {facts['energy_before']:.2f} times the energy of the noise, "
        f"{facts['energy_after']:.2f} times when they are subtracted.",
    ]
    for rival in facts["runners_up"][:3]:
        said.append(
            f"Runner-up of {_percent(rival['share'])}: {rival['name']}. "
            f"Channels that decided: {_list(rival['channels'])}. "
            f"Templates {rival['apart_sd']:.1f} noise SDs apart, "
            f"expected confusion {_percent(rival['confusion'])}."
        )
    if facts["without_runner_up"] > 0:
        said.append(
            f"{_percent(facts['without_runner_up'])} have no runner-up: no other unit explains "
            "anything there."
        )
    lost = facts["below_threshold"]
    if lost is None:
        missed = "too few spikes to say how many are too small to be found"
    elif lost > 0.49:
        missed = "half or more of its spikes too small to be found"
    else:
        missed = f"{_percent(lost)} of its spikes too small to be found"
    false = facts["false_positives"]
    wrong = "nobody knows how many false" if false is None else f"{_percent(false)} false"
    said.append(f"Expected: {wrong}, {missed}.")
    return said


def spike_sentences(facts: Mapping[str, Any], at_s: float) -> list[str]:
    """A spike in words, from `spike_json`."""
    rival = facts["runner_up"]
    against = "no spike" if rival is None else rival
    return [
        f"Spike of unit {facts['unit']} at {at_s:.4f} s (sample {facts['sample']}), "
        f"{facts['amplitude']:.2f} of its template: gain {facts['gain']:.1f}, "
        + (
            "no other unit explains anything there."
            if rival is None
            else f"runner-up {rival} with {facts['runner_up_gain']:.1f}."
        ),
        f"Channels that decided against {against}: {_list(facts['channels'])}. "
        f"Energy {facts['energy_before']:.2f} times that of the noise, "
        f"{facts['energy_after']:.2f} times when it is subtracted.",
    ]


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _percent(share: float) -> str:
    percent = 100 * share
    if percent < 0.1:
        return "<0.1 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %"


def write_picture(
    spikes: Sequence[Explained],
    channels: Mapping[int, str],
    item: int,
    items: Mapping[int, int],
    path: Path,
) -> Path:
    """Draw explained spikes of one unit into a PNG file.

    Parameters
    ----------
    spikes : sequence of Explained
    channels : mapping of int to str
    item : int
    items : mapping of int to int
    path : Path
    """
    make_folder(path.parent)
    names = {spike.rival: rival_name(spike.rival, items) for spike in spikes}
    with (
        explanation_plots.drawn(spikes, channels, str(item), names) as made,
        atomic_write(path) as file,
    ):
        made.savefig(file, format="png", dpi=150, facecolor="white", transparent=False)
    return path


def write_json(facts: Mapping[str, Any], path: Path) -> Path:
    """Write facts as a JSON file."""
    make_folder(path.parent)
    write_bytes(path, (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode())
    return path
