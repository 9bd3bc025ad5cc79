"""Hypnograms as text, one stage to a line.

The form of Luna's ``.eannot`` files, and of what YASA and many laboratories keep as ``.txt`` or
``.csv``: the stages of consecutive epochs of 30 s from the start of the recording. Words are
read in any usual spelling. Numbers mean different stages in different laboratories:

==========  ======================================================================
``yasa``    0 W, 1 N1, 2 N2, 3 N3, 4 R, -1 artifact, -2 unscored
``rk``      0 W, 1 to 4 stages 1 to 4, 5 R, 6 movement, 9 unscored
``dreams``  5 W, 4 R, 3 to 0 stages 1 to 4, -1 movement, -2 and -3 unknown (5-s epochs)
==========  ======================================================================

A first line ``[hypnogram]`` is that of DREAMS. Otherwise numbers whose meaning the file leaves
open are refused until the coding is given.

Written are words (W N1 N2 N3 R ?). The export holds stages on a grid of epochs and nothing
else: spans are cut into epochs, and epochs without a stage are "unknown". Where epochs are
not of 30 s a first line says how long they are. Author and confidence are not kept.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nissl.annotators.sleep.stages import STAGES, stage_of
from nissl.errors import BadArgumentError, BadLabelsError, ExportError
from nissl.io.files import read_text
from nissl.io.mark_format import IMPORTED, MarkFormat, Sheet, first_bytes
from nissl.io.marks import Marks
from nissl.io.placing import SLEEP

USUAL_S = 30.0
_GRIDS_S = (30, 20, 15, 10, 8, 5, 4, 2, 1)
_NREM = {1: "N1", 2: "N2", 3: "N3"}
CODINGS: dict[str, dict[int, str]] = {
    "yasa": {0: "W", **_NREM, 4: "R", -1: "unknown", -2: "unknown"},
    "rk": {0: "W", **_NREM, 4: "N3", 5: "R", 6: "unknown", 7: "unknown", 9: "unknown"},
    "dreams": {5: "W", 4: "R", 3: "N1", 2: "N2", 1: "N3", 0: "N3"}
    | {code: "unknown" for code in (-1, -2, -3)},
}
_DREAMS = re.compile(r"\[hypnogram.*\]", re.IGNORECASE)
_EPOCH = re.compile(r"# epoch ([0-9.]+) s")
_SHORT = {"unknown": "?"}
_ARTIFACT = {"art", "artefact", "artifact", "uns"}
_SUFFIXES = (".eannot", ".hyp", ".txt", ".csv")


def _holds(marks: Marks) -> Marks:
    """Epochs from 0 s to the last stage, each with one."""
    if not marks.staging:
        raise ExportError(
            f"stages of sleep ({', '.join(STAGES)})",
            f"the classes {sorted(set(marks.classes or marks.labels))}",
            "Export as bids, which holds every class.",
        )
    times = np.concatenate([marks.start_s, marks.stop_s])
    fits = [g for g in _GRIDS_S if np.all(np.abs(times / g - np.rint(times / g)) < 1e-6)]
    if not np.all(np.isfinite(times)) or not fits or times.min(initial=0) < 0:
        raise ExportError(
            f"stages of epochs of {_GRIDS_S} s from the start of the recording",
            "others",
            "Export as bids or edf-annotations, which hold times.",
        )
    epoch_s = fits[0]
    n = round(float(times.max(initial=0)) / epoch_s)
    stages = ["unknown"] * n
    taken = np.zeros(n, bool)
    for a, b, label in zip(
        marks.start_s / epoch_s, marks.stop_s / epoch_s, marks.labels, strict=True
    ):
        first, last = round(float(a)), round(float(b))
        if taken[first:last].any():
            raise ExportError(
                "one stage to an epoch", f"two at {first * epoch_s} s", "Export as bids."
            )
        taken[first:last] = True
        stages[first:last] = [label] * (last - first)
    return _epochs(stages, float(epoch_s), marks)


def _epochs(stages: list[str], epoch_s: float, like: Marks | None = None) -> Marks:
    edges = np.arange(len(stages) + 1, dtype=np.float64) * epoch_s
    return Marks(
        edges[:-1],
        edges[1:],
        tuple(stages),
        ((),) * len(stages),
        IMPORTED if like is None else like.author,
        classes=STAGES,
        task=SLEEP,
    )


def _write(sheet: Sheet, path: Path) -> None:
    marks = sheet.only
    lines = [_SHORT.get(label, label) for label in marks.labels]
    if len(marks) and marks.stop_s[0] - marks.start_s[0] != USUAL_S:
        lines.insert(0, f"# epoch {marks.stop_s[0] - marks.start_s[0]:g} s")
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _read(path: Path, epoch_s: float | None = None, coding: str | None = None) -> Sheet:
    lines = [line.strip().strip('"') for line in read_text(path).splitlines()]
    stated: float | None = None
    if lines and _DREAMS.fullmatch(lines[0]):
        stated, coding = 5.0, coding or "dreams"
        lines = lines[1:]
    elif lines and (found := _EPOCH.fullmatch(lines[0])):
        stated, lines = float(found[1]), lines[1:]
    while lines and not lines[-1]:
        lines.pop()
    length = epoch_s if epoch_s is not None else (stated or USUAL_S)
    if not np.isfinite(length) or length <= 0:
        raise BadArgumentError("epochs longer than 0 s", f"{length} s", "Give --epoch 30.")
    table = _table(lines, coding)
    wrong = [k + 1 for k, line in enumerate(lines) if line not in table]
    if wrong:
        raise BadLabelsError(
            "a stage of sleep on every line",
            f"{lines[wrong[0] - 1]!r:.40} on line {wrong[0]} ({len(wrong)} such lines)",
            "Mend these lines in a copy, or import the file as another format.",
        )
    note = f"The text gives no times; epochs of {length:g} s from the start were assumed."
    marks = _epochs([table[line] for line in lines], length)
    return Sheet((marks,), notes=() if stated is not None or epoch_s is not None else (note,))


def _table(lines: list[str], coding: str | None) -> dict[str, str]:
    """Stage of every text that names one, numbers by the coding."""
    texts = set(lines)
    table = {text: stage for text in texts if (stage := stage_of(text)) is not None}
    table |= {text: "unknown" for text in texts if text.lower() in _ARTIFACT}
    codes = {text: int(text) for text in texts if re.fullmatch(r"[+-]?\d", text)}
    if codes:
        chosen = CODINGS[_coding(set(codes.values()), coding)]
        table |= {text: chosen[code] for text, code in codes.items() if code in chosen}
    return table


def _coding(codes: set[int], given: str | None) -> str:
    if given is not None:
        if given not in CODINGS:
            raise BadArgumentError(f"a coding among {sorted(CODINGS)}", repr(given), "Use one.")
        return given
    if 5 in codes and codes <= set(CODINGS["rk"]) and not codes & {4}:
        return "rk"  # in yasa's there is no 5, in DREAMS 4 would be REM sleep
    if codes <= {0, 1, 2, 3}:
        return "rk"  # and yasa's: they agree
    raise BadArgumentError(
        "numbers whose meaning is known",
        f"the stages {sorted(codes)}, which laboratories read differently",
        "Say which they are: --coding yasa (4 is REM), rk (5 is REM) or dreams (5 is wake).",
    )


def _looks_like(path: Path) -> bool:
    if path.suffix.lower() not in _SUFFIXES or not path.is_file():
        return False
    if path.suffix.lower() == ".eannot":
        return True
    lines = first_bytes(path, 2000).decode("utf-8").splitlines()
    words = [line.strip().strip('"') for line in lines[:-1] if line.strip()]
    if words and (_DREAMS.fullmatch(words[0]) or _EPOCH.fullmatch(words[0])):
        return True
    small = re.compile(r"[+-]?\d")
    return len(words) > 1 and all(
        stage_of(w) or w.lower() in _ARTIFACT or small.fullmatch(w) for w in words
    )


HYPNOGRAM = MarkFormat(
    "hypnogram",
    ".eannot",
    _write,
    _read,
    _looks_like,
    holds=_holds,
    reading=("epoch_s", "coding"),
)
