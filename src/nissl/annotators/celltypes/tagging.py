"""Classes of units from optotagging: spikes and light pulses in, labels with provenance out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.evoked_waveforms import NO_MATCH, WaveformMatch, waveform_match
from nissl.annotators.celltypes.ground_truth import (
    VERSION,
    GroundTruth,
    class_name,
    class_set,
    item_table,
    require_spikes,
)
from nissl.annotators.celltypes.optotagging import (
    DOUBTFUL,
    NOT_RESPONSIVE,
    Criteria,
    Tagging,
    evoked,
    judged,
    may_be_tagged,
    measure,
    with_waveforms,
)
from nissl.annotators.celltypes.pulses import Pulses, Windows, windows_of
from nissl.annotators.spikes.psth import onset_samples
from nissl.clock import Clock
from nissl.labels import Author, Kind, LabelSet
from nissl.labels.remap import join_pieces
from nissl.sync.intervals import span_seconds
from nissl.tasks import Finding

METHOD = "celltypes/optotagging"
MOST_EVOKED, MOST_SPONTANEOUS = 300, 500
"""Spikes of a unit of which waveforms are read."""

COLUMNS = {
    "latency_ms": "ms",
    "jitter_ms": "ms",
    "first_ms": "ms",
    "first_sd_ms": "ms",
    "reliability": "",
    "answered": "",
    "answered_baseline": "",
    "rate_hz": "Hz",
    "baseline_hz": "Hz",
    "salt_p": "",
    "salt_rank_p": "",
    "salt_divergence": "",
    "more_p": "",
    "late_p": "",
    "q": "",
    "waveform_r": "",
    "waveform_null_r": "",
    "size_ratio": "",
    "n_spikes": "spikes",
    "n_pulses": "pulses",
    "n_dead": "spikes",
}
"""Numbers in the item table and their units; `Tagging` says what they are."""

Samples = npt.NDArray[np.int64]
Waveforms = Callable[[int, Samples], npt.NDArray[np.floating]]
"""From a unit and samples of its spikes (increasing) to their waveforms, (n, n_samples,
n_channels), uV; no spikes where the unit has none to give."""


def pulses_of(labels: LabelSet, clock: Clock, name: str | None = None) -> Pulses:
    """Light pulses of EVENTS (of unknown duration) or SPANS.

    Parameters
    ----------
    labels : LabelSet
    clock : Clock
        Clock of the stream whose samples the labels count.
    name : str, optional
        Only those of this class.
    """
    if name is not None:
        rows = np.flatnonzero(labels.column("label") == labels.vocabulary.code(name))
        labels = replace(labels, table=labels.table.take(rows))
    if labels.kind is Kind.SPANS:
        _, start, stop = join_pieces(labels)
        begin_s, end_s = span_seconds(clock, start, stop)
        order = np.argsort(begin_s, kind="stable")
        return Pulses(begin_s[order], (end_s - begin_s)[order])
    onset_s = clock.to_seconds(onset_samples(labels))
    return Pulses(onset_s, np.full(onset_s.size, np.nan))


def tag_units(
    spikes: LabelSet,
    pulses: Pulses,
    clock: Clock,
    name: str,
    *,
    criteria: Criteria | None = None,
    waveforms: Waveforms | None = None,
    pulses_from: Sequence[str] = (),
    seed: int = 0,
) -> GroundTruth:
    """Label the units that light drives directly; see `nissl.annotators.celltypes.optotagging`.

    Parameters
    ----------
    spikes : LabelSet
        EVENTS; an item is a unit.
    pulses : Pulses
    clock : Clock
        Of the spikes' stream.
    name : str
        Class that carries the opsin.
    criteria : Criteria, optional
    waveforms : callable, optional
        Without it waveforms are not compared, and a finding says so.
    pulses_from : sequence of str
        Digests of the sets that hold the pulses.
    seed : int
        Of the choice of spikes whose waveforms are read, and of the splits of their null.

    Raises
    ------
    BadArgumentError, BadLabelsError, MissingInputError
        No class, no spikes, or pulses that cannot serve (see `windows_of`).
    """
    limits, called = criteria or Criteria(), class_name(name)
    require_spikes(spikes)
    windows = windows_of(
        pulses,
        [[s.t0_s, s.end_s] for s in clock.segments],
        within_s=limits.within_ms / 1e3,
        look_s=limits.look_ms / 1e3,
        dead_s=limits.dead_ms / 1e3,
        recovery_s=limits.recovery_ms / 1e3,
    )
    found = [
        _measured(k, unit, spikes, clock, windows, limits, waveforms, seed)
        for k, unit in enumerate(spikes.items.tolist())
    ]
    verdicts = judged([each for each, _ in found], limits)
    labels = class_set(
        spikes,
        {each.unit: called for each in verdicts if each.tagged},
        Author("model", METHOD, VERSION),
        {"evidence": "optotagging", "criteria": limits.to_json(), "class": called},
        names=(called,),
        made_from=pulses_from,
        seed=seed,
    )
    tested = tuple(each.to_json() for each in verdicts)
    context = {
        "tested": list(tested),
        "criteria": limits.to_json(),
        "pulses_given": windows.n_given,
        "pulses_used": int(windows.onset_s.size),
        "baseline_windows": int(windows.lag_s.size),
    }
    rows = {each.unit: each.to_json() for each in verdicts if each.tagged}
    means = [match.means for (_, match), each in zip(found, verdicts, strict=True) if each.tagged]
    items = item_table(labels, rows, COLUMNS, context, _arrays(means))
    return GroundTruth(labels, items, _findings(verdicts, windows, spikes, called), tested)


def _measured(
    place: int,
    unit: int,
    spikes: LabelSet,
    clock: Clock,
    windows: Windows,
    limits: Criteria,
    waveforms: Waveforms | None,
    seed: int,
) -> tuple[Tagging, WaveformMatch]:
    sample = np.unique(spikes.column("sample")[spikes.rows_of(unit)])
    times = clock.to_seconds(sample)
    found = measure(unit, times, windows)
    if waveforms is None or not may_be_tagged(found, limits):
        return found, NO_MATCH
    rng = np.random.default_rng([seed, place])
    lit, dark = evoked(times, windows), windows.dark(times)
    match = waveform_match(
        waveforms(unit, _some(sample[lit], MOST_EVOKED, rng)),
        waveforms(unit, _some(sample[dark], MOST_SPONTANEOUS, rng)),
        rng,
    )
    return with_waveforms(found, match), match


def _arrays(means: Sequence[npt.NDArray[np.float32] | None]) -> dict[str, npt.NDArray[Any]]:
    """Mean waveforms of tagged units, after light and in the dark; NaN where not read."""
    shape = next((m.shape for m in means if m is not None), None)
    if shape is None:
        return {}
    missing = np.full(shape, np.nan, np.float32)
    return {"light_waveform": np.stack([missing if m is None else m for m in means])}


def _some(sample: Samples, n: int, rng: np.random.Generator) -> Samples:
    if sample.size <= n:
        return sample
    return np.asarray(np.sort(rng.choice(sample, n, replace=False)))


def _findings(
    verdicts: Sequence[Tagging], windows: Windows, spikes: LabelSet, called: str
) -> tuple[Finding, ...]:
    tagged = [each for each in verdicts if each.tagged]
    silent = sum(each.verdict == NOT_RESPONSIVE for each in verdicts)
    found = []
    unseen = sum(bool(np.isnan(each.waveform_r)) for each in tagged)
    if unseen:
        found.append(
            _note(
                "waveform_not_compared",
                f"Of {unseen} of {len(tagged)} tagged units the waveforms after light and in the "
                "dark were not compared: an artefact of the light is not ruled out.",
                value=unseen,
                severity="warning",
            )
        )
    if not tagged:
        found.append(_note("none_tagged", f"No unit was tagged as {called}."))
    if silent:
        found.append(
            _note(
                "not_negative",
                f"{silent} units do not answer to light. They are open, not examples of another "
                f"class than {called}: light and opsin do not reach every cell.",
                value=silent,
            )
        )
    lost = windows.n_given - int(windows.onset_s.size)
    if lost:
        found.append(
            _note(
                "pulses_left_out",
                f"{lost} of {windows.n_given} pulses were left out: not recorded whole, or without "
                "a dark time before them.",
                value=lost,
            )
        )
    doubles = spikes.n_rows - sum(each.n_spikes for each in verdicts)
    if doubles:
        found.append(
            _note(
                "double_spikes",
                f"{doubles} spikes stand at the very sample of another one of their unit; each "
                "counts once.",
                value=doubles,
            )
        )
    for each in verdicts:
        if each.verdict == DOUBTFUL:
            found.append(
                Finding(
                    "doubtful_tagging",
                    "note",
                    f"Unit {each.unit} is not tagged. {each.sentence}",
                    item=each.unit,
                    value=each.q if np.isfinite(each.q) else None,
                )
            )
    return tuple(found)


def _note(check: str, sentence: str, *, value: Any = None, severity: str = "note") -> Finding:
    return Finding(check, severity, sentence, value=None if value is None else float(value))
