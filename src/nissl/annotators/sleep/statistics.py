"""Statistics of a scored night, as the AASM manual defines them.

Berry et al., The AASM Manual for the Scoring of Sleep and Associated Events, chapter on the
parameters to be reported. Times are of what was recorded; gaps count as nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nissl.annotators.sleep.vocabulary import UNKNOWN
from nissl.labels import LabelSet

WAKE = "W"
REM = ("R", "REM")


def statistics(labels: LabelSet, rate_hz: float) -> Mapping[str, float]:
    """Sleep statistics, in minutes and per cent.

    Parameters
    ----------
    labels : LabelSet
        SPANS, one per epoch.
    rate_hz : float

    Returns
    -------
    mapping of str to float
        "recorded_min" (from the first to the last epoch, scored or not), "sleep_min" (total
        sleep time), "efficiency_percent" (of what was recorded), "onset_min" (from the start to
        the first epoch of sleep), "rem_latency_min" (from sleep onset), "wake_after_onset_min"
        (between the first and the last epoch of sleep), "awakenings" (runs of wake there),
        "changes_per_h" (changes of stage per hour of sleep); "<stage>_min" and
        "<stage>_percent" (of sleep). NaN where there is no sleep, or no REM.
    """
    order = np.argsort(labels.column("start"), kind="stable")
    names = np.asarray(labels.vocabulary.names)[labels.column("label")[order]]
    minutes = (labels.column("stop") - labels.column("start"))[order] / rate_hz / 60
    since = np.concatenate([[0.0], np.cumsum(minutes)])
    asleep = (names != WAKE) & (names != UNKNOWN)
    total, slept = float(minutes.sum()), float(minutes[asleep].sum())
    rows = np.flatnonzero(asleep)
    out = {
        "recorded_min": total,
        "sleep_min": slept,
        "efficiency_percent": 100 * slept / total if total else np.nan,
        "onset_min": float(since[rows[0]]) if rows.size else np.nan,
    }
    rem = np.flatnonzero(np.isin(names, REM))
    out["rem_latency_min"] = float(since[rem[0]] - since[rows[0]]) if rem.size else np.nan
    within = slice(int(rows[0]), int(rows[-1]) + 1) if rows.size else slice(0, 0)
    woken = names[within] == WAKE
    out["wake_after_onset_min"] = float(minutes[within][woken].sum()) if rows.size else np.nan
    out["awakenings"] = float(np.sum(np.diff(woken.astype(int)) == 1)) if rows.size else np.nan
    changes = int(np.sum(names[within][1:] != names[within][:-1]))
    out["changes_per_h"] = 60 * changes / slept if slept else np.nan
    for name in labels.vocabulary.names[:-1]:
        own = float(minutes[names == name].sum())
        out[f"{name}_min"] = own
        if name != WAKE:
            out[f"{name}_percent"] = 100 * own / slept if slept else np.nan
    return out


__all__ = ["statistics"]
