"""The same units in two sorted sources of a project, by their waveforms."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nissl.align.waveforms.firing import FiringCheck, autocorrelograms, firing_check
from nissl.align.waveforms.linking import unit_links
from nissl.align.waveforms.matching import Itself, UnitMatches, against_itself, match
from nissl.align.waveforms.templates import FEW, UnitTemplates, templates_of
from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.labels import ItemTable, Kind, LabelSet
from nissl.labels.atomic import make_folder
from nissl.project.adding import keep
from nissl.project.annotating import current
from nissl.project.dossier import gather
from nissl.project.relating.noise import called_noise
from nissl.project.source import Source
from nissl.project.writing import write_facts
from nissl.store import Store
from nissl.tasks import Dossier, Finding

LEAST_FOUND = 0.8
"""Part of a session's units that find themselves in its other half, below which a finding warns."""
FEW_UNITS = 10
FAR_UM = 60.0


@dataclass(frozen=True, eq=False)
class UnitAlignment:
    """What relates the units of two sources.

    Parameters
    ----------
    labels : LabelSet
        LINKS, already kept in the project.
    items : ItemTable
    matches : UnitMatches
    days : tuple of UnitTemplates
        Templates of both sources.
    itself : tuple of Itself
        Each session's halves matched with each other.
    firing : FiringCheck
        Whether matched units fire alike, which was no evidence.
    findings : tuple of Finding
    files : tuple of Path
    """

    labels: LabelSet
    items: ItemTable
    matches: UnitMatches
    days: tuple[UnitTemplates, UnitTemplates]
    itself: tuple[Itself, Itself]
    firing: FiringCheck
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]

    def summary(self) -> dict[str, Any]:
        """Return the figures that a person reads first."""
        same = len(self.matches.chosen)
        told = {
            "same": same,
            "doubtful": self.labels.n_rows - same,
            "expected_wrong": round(self.matches.expected_wrong, 2),
            "moved_um": round(self.matches.drift.largest_um, 1),
            "firing_auc": round(self.firing.auc, 3) if np.isfinite(self.firing.auc) else None,
        }
        return told | {"digest": self.labels.digest[:12]}


def align_units(
    store: Store,
    a: Source,
    b: Source,
    *,
    everything: bool = False,
    out: Path | None = None,
) -> UnitAlignment:
    """Find the same units in two sorted sources; see `nissl.project.Project.align`.

    Raises
    ------
    MissingInputError
        A source has no spikes.
    SourceNotFoundError
        The raw data of a source are gone, or were never there.
    BadArgumentError
        Probes or rates differ, or a session has hardly any units.
    """
    dossiers = [gather(store, source, "spikes", draft=True) for source in (a, b)]
    bases = tuple(str(current(store, source, "spikes")) for source in (a, b))
    sets = [
        _units(dossier, () if everything else called_noise(store, dossier, base))
        for dossier, base in zip(dossiers, bases, strict=True)
    ]
    signals = [_signal(dossier, source) for dossier, source in zip(dossiers, (a, b), strict=True)]
    days = [
        templates_of(signal, labels, name=source.name)
        for signal, labels, source in zip(signals, sets, (a, b), strict=True)
    ]
    found = match(days[0], days[1])
    firing = _firing(found, days, sets)
    itself = against_itself(_known(days[0])), against_itself(_known(days[1]))
    labels, items = unit_links(
        found,
        days[0],
        days[1],
        (sets[0], sets[1]),
        targets=(bases[0], bases[1]),
    )
    findings = (
        *_of_days(days, sets, itself, (a.name, b.name)),
        *_of_matches(found, firing),
    )
    digest = keep(store, labels, items=store.put_items(items))
    store.record_findings(digest, [finding.to_json() for finding in findings])
    folder = store.path / "reports" / f"same-units-{a.name}-{b.name}" if out is None else out
    both = (days[0], days[1])
    made = UnitAlignment(labels, items, found, both, itself, firing, findings, ())
    return replace(made, files=_written(made, folder, (a, b)))


def _units(dossier: Dossier, noise: Collection[int]) -> LabelSet:
    """Spikes as people left them, without units called noise."""
    labels = dossier.labels
    if labels.kind is not Kind.EVENTS:
        raise BadArgumentError("spikes of units", labels.kind.value, "Align by another kind.")
    if not noise:
        return labels
    rows = np.flatnonzero(~np.isin(labels.column("item"), list(noise)))
    names = [name for name in labels.table.column_names if name != "probabilities"]
    columns: dict[str, Any] = {name: labels.table.column(name).take(rows) for name in names}
    return LabelSet.build(Kind.EVENTS, columns, labels.vocabulary, labels.provenance)


def _signal(dossier: Dossier, source: Source) -> Signal:
    """Raw data of a source; where they are gone the error says how to bring them back."""
    recording = source.recording if dossier.recording is None else dossier.recording
    named = dossier.stream
    return recording[named if named in recording.streams else source.stream()]


def _known(day: UnitTemplates) -> UnitTemplates:
    """The session on the channels that were not left out."""
    return day.on(np.flatnonzero(np.isfinite(day.halves).all(axis=(0, 1, 2))))


def _firing(
    found: UnitMatches, days: Sequence[UnitTemplates], sets: Sequence[LabelSet]
) -> FiringCheck:
    curves = []
    for day, labels in zip(days, sets, strict=True):
        sample = labels.column("sample")
        trains = {int(i): np.sort(sample[labels.rows_of(int(i))]) for i in day.items}
        curves.append(autocorrelograms(trains, day.rate_hz, day.items))
    return firing_check(found, curves[0], curves[1])


def _of_days(
    days: Sequence[UnitTemplates],
    sets: Sequence[LabelSet],
    itself: Sequence[Itself],
    names: tuple[str, str],
) -> list[Finding]:
    out = []
    for day, labels, own, name in zip(days, sets, itself, names, strict=True):
        left_out, few = labels.items.size - len(day), int((day.n_spikes < FEW).sum())
        if left_out:
            out.append(
                Finding(
                    "units_left_out",
                    "note",
                    f"{left_out} units of {name} have too few spikes for a waveform and are "
                    "compared with none.",
                    value=float(left_out),
                )
            )
        if few:
            out.append(
                Finding(
                    "few_spikes",
                    "warning",
                    f"{few} units of {name} have fewer than {FEW} spikes; doubt their links.",
                    value=float(few),
                    limit=float(FEW),
                )
            )
        if len(day) < FEW_UNITS:
            out.append(
                Finding(
                    "few_units",
                    "warning",
                    f"{name} has {len(day)} units, of which little can be learnt about how "
                    "different units look; doubt the probabilities.",
                    value=float(len(day)),
                    limit=float(FEW_UNITS),
                )
            )
        if not day.has_geometry:
            out.append(
                Finding(
                    "no_places",
                    "note",
                    f"The contacts of {name} have no places (or there is one): units are compared "
                    "by their waveforms alone, and movement of the probe cannot be undone.",
                )
            )
        if own.found < LEAST_FOUND:
            out.append(
                Finding(
                    "split_halves",
                    "warning",
                    f"Only {own.found:.0%} of the units of {name} find themselves in the other "
                    "half of their own session; days can do no better.",
                    value=own.found,
                    limit=LEAST_FOUND,
                )
            )
    return out


def _of_matches(found: UnitMatches, firing: FiringCheck) -> list[Finding]:
    out = []
    if found.drift.largest_um > FAR_UM:
        out.append(
            Finding(
                "drift",
                "warning",
                f"The probe seems to have moved by up to {found.drift.largest_um:.0f} um; look at "
                "the picture of the movement before you trust the links.",
                value=found.drift.largest_um,
                limit=FAR_UM,
                unit="um",
            )
        )
    outside = int(np.isnan(found.absent_a).sum() + np.isnan(found.absent_b).sum())
    if outside:
        sentence = f"{outside} units lie beyond what the other session's probe reached."
        out.append(Finding("outside", "note", sentence, value=float(outside)))
    if np.isfinite(firing.auc):
        alike = firing.low > 0.5
        out.append(
            Finding(
                "firing",
                "note" if alike else "warning",
                f"Partners' autocorrelograms, which were no evidence, tell them from their "
                f"neighbours with an AUC of {firing.auc:.2f} [{firing.low:.2f}, {firing.high:.2f}]"
                + ("." if alike else ": no better than chance. Doubt the links."),
                value=firing.auc,
                limit=0.5,
            )
        )
    return out


def _written(
    found: UnitAlignment, folder: Path, sources: tuple[Source, Source]
) -> tuple[Path, ...]:
    """Facts and a picture."""
    from nissl.report.unit_match_plots import unit_match_plot

    make_folder(folder)
    told = {
        "sources": [source.name for source in sources],
        "units": [len(day) for day in found.days],
        "summary": found.summary(),
        "split_halves": [vars(each).copy() for each in found.itself],
        "firing": vars(found.firing).copy(),
        "drift_um": found.items.context["drift_um"],
        "findings": [finding.to_json() for finding in found.findings],
    }
    facts = write_facts(_finite(told), folder)
    picture = folder / "same_units.png"
    unit_match_plot(found.matches, found.days, picture)
    return facts, picture


def _finite(value: Any) -> Any:
    """Plain JSON values, NaN as None."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


__all__ = ["UnitAlignment", "align_units"]
