"""What is doubtful about a night: the recording itself, and the hypnogram."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.statistics import REM, WAKE, statistics
from nissl.annotators.sleep.vocabulary import UNKNOWN
from nissl.annotators.unlike import NOVELTY
from nissl.data import Signal
from nissl.labels import ItemTable, LabelSet
from nissl.tasks import Finding

DOUBTFUL = 0.6
QUIETEST_UV, LOUDEST_UV = 3.0, 200.0
"""Range of the median standard deviation of scalp EEG in 30 s, uV: beyond it units are wrong."""
FLAT_SHARE = 0.05
MAINS_RATIO = 30.0
"""Power at 50 or 60 Hz over that of its neighbours from which mains interference is told."""
_MAINS_HZ = (50.0, 60.0)
_JUMPS = frozenset({("W", "N3"), ("R", "N3"), ("N3", "R"), ("N1", "N3")})
"""Changes from one epoch to the next that experts hardly ever score: in the 14 nights of Sleep-EDF
that nissl was trained on, 3 of 13,542 (R to N3 never)."""
_LOOKS = 12
_WHERE = {"front": "frontal", "back": "occipital"}


def check(labels: LabelSet, items: ItemTable | None, signal: Signal | None) -> list[Finding]:
    """Findings about a night; those called "novelty" stop automatic acceptance.

    Parameters
    ----------
    labels : LabelSet
    items : ItemTable, optional
        Numbers of the epochs.
    signal : Signal, optional
    """
    found = _hypnogram(labels)
    if items is not None and "derivations" in items.context:
        found += _derivations(items)
    if signal is not None and items is not None:
        found += _mains(signal, items)
    return found


def _hypnogram(labels: LabelSet) -> list[Finding]:
    n = labels.n_rows
    found = []
    confidence = labels.column("confidence")
    open_ = int(np.sum(confidence < DOUBTFUL))
    if open_:
        found.append(
            Finding(
                "doubtful_epochs",
                "note",
                f"{open_} of {n} epochs have no stage that is likelier than {DOUBTFUL:.0%}; "
                "review asks about them first.",
                value=float(open_),
                limit=0.0,
            )
        )
    names = labels.vocabulary.names
    told = np.asarray(names)[labels.column("label")]
    if n and np.all(np.isin(told, [WAKE, UNKNOWN])):
        found.append(Finding("no_sleep", "warning", "No epoch is scored as sleep."))
    found += _jumps(labels, told)
    rem = [name for name in names if name in REM]
    facts = statistics(labels, 1.0)  # in samples: only which comes first is read
    if rem and facts["rem_latency_min"] == 0:
        found.append(
            Finding(
                "rem_at_onset",
                "note",
                "Sleep begins with REM, which is rare outside narcolepsy and shift work: look "
                "at the first epochs.",
            )
        )
    return found


def _jumps(labels: LabelSet, told: npt.NDArray[Any]) -> list[Finding]:
    """Epochs whose stage hardly ever follows that of the epoch before; see `_JUMPS`."""
    order = np.argsort(labels.column("start"), kind="stable")
    adjacent = labels.column("stop")[order][:-1] == labels.column("start")[order][1:]
    found = []
    for k in np.flatnonzero(adjacent).tolist():
        before, after = str(told[order[k]]), str(told[order[k + 1]])
        if (before, after) in _JUMPS:
            sentence = f"{after} directly after {before}, which is rare: look at both epochs."
            item = int(labels.column("item")[order[k + 1]])
            found.append(Finding("rare_change", "note", sentence, item=item))
    return found


def _derivations(items: ItemTable) -> list[Finding]:
    found = []
    for told in items.context["derivations"]:
        values = items.table.column(f"{told['role']}:log10_var").to_numpy().astype(float)
        mute = np.isnan(values)
        share = float(mute.mean()) if values.size else 0.0
        if share > FLAT_SHARE:
            found.append(
                Finding(
                    NOVELTY,
                    "warning",
                    f"{told['channel']} carries no signal in {share:.0%} of the epochs: "
                    "automatic acceptance off.",
                    value=share,
                    limit=FLAT_SHARE,
                )
            )
        if mute.all():
            continue
        spread = float(10 ** (np.nanmedian(values) / 2))
        if not QUIETEST_UV <= spread <= LOUDEST_UV:
            found.append(
                Finding(
                    NOVELTY,
                    "warning",
                    f"{told['channel']} has a median standard deviation of {spread:.3g} uV in "
                    f"30 s; scalp EEG has {QUIETEST_UV:g} to {LOUDEST_UV:g}. Are the units of "
                    "the file right? Automatic acceptance off.",
                    value=spread,
                    limit=LOUDEST_UV if spread > LOUDEST_UV else QUIETEST_UV,
                    unit="uV",
                )
            )
        if not told["trained"]:
            where = _WHERE[told["role"]]
            found.append(
                Finding(
                    "stand_in",
                    "note",
                    f"{told['channel']} stands in for the {where} derivation that the model "
                    "learnt from; compare with sleep/yasa, and review some epochs.",
                )
            )
    return found


def _mains(signal: Signal, items: ItemTable) -> list[Finding]:
    """Mains interference within the bands that are read, from a dozen stretches of the night."""
    found = []
    for told in items.context["derivations"]:
        column = signal.channels.ids.index(told["channel"])
        for hz in _MAINS_HZ:
            if hz * 1.05 >= signal.rate_hz / 2:
                continue
            ratio = _ratio_at(signal, column, hz)
            if ratio > MAINS_RATIO:
                found.append(
                    Finding(
                        NOVELTY,
                        "warning",
                        f"{told['channel']} has {ratio:.0f} times the power at {hz:g} Hz of "
                        "that beside it: mains interference. Automatic acceptance off; filter "
                        "it, or mend the electrode.",
                        value=ratio,
                        limit=MAINS_RATIO,
                    )
                )
    return found


def _ratio_at(signal: Signal, column: int, hz: float) -> float:
    from scipy.signal import welch

    length = int(4 * signal.rate_hz)
    spectra = []
    for segment in signal.clock.segments[:_LOOKS]:
        starts = np.linspace(segment.start, max(segment.stop - 4 * length, segment.start), _LOOKS)
        for start in np.unique(starts.astype(np.int64)).tolist():
            stop = min(start + 4 * length, segment.stop)
            x = signal.read(start, stop, [column])[:, 0].astype(np.float64)
            if x.size >= length and np.isfinite(x).all() and x.var() > 0:
                spectra.append(welch(x, signal.rate_hz, nperseg=length)[1])
    if not spectra:
        return 0.0
    frequency = np.fft.rfftfreq(length, 1 / signal.rate_hz)
    mean: npt.NDArray[Any] = np.median(spectra, axis=0)
    at = np.abs(frequency - hz) <= 0.5
    beside = (np.abs(frequency - hz) > 1.0) & (np.abs(frequency - hz) <= 3.0)
    return float(mean[at].max() / max(float(np.median(mean[beside])), 1e-30))


__all__ = ["check"]
