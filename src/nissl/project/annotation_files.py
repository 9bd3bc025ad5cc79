"""Files of annotations (a hypnogram, a list of events in EDF+) for a recording."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from nissl.data.edf.clock import HOUR_S
from nissl.errors import BadLabelsError
from nissl.io.annotations import Claims, annotation_labels, file_annotations, main_stream
from nissl.project.source import Source
from nissl.tasks import Finding

SUFFIXES = (".edf", ".bdf")


def read_annotation_file(
    source: Source, path: Path, *, author: str | None = None, stream: str | None = None
) -> Claims:
    """Annotations of an EDF+ or BDF+ file as labels on the clock of a source.

    Both files state when they start; where the starts differ the annotations are placed by
    them, and a finding says so. Where one does not, both are taken to start together, and a
    finding says that too.

    Raises
    ------
    BadLabelsError
        No annotation lies within the recording.
    """
    recording = source.recording
    signal = recording[main_stream(recording) if stream is None else source.stream(stream)]
    annotations, start = file_annotations(path)
    shift_s, findings = _shift(start, signal.metadata.get("start"))
    claims = annotation_labels(
        annotations,
        signal,
        source=source.fingerprint,
        author=author or f"annotations of {path.name}",
        shift_s=shift_s,
        keep_texts=bool(source.row.options.get("keep_identifiers")),
        parameters={"start": start},
    )
    if not claims.labels:
        raise BadLabelsError(
            f"annotations within the recording {source.name!r}",
            f"{len(annotations)} in {path.name}, all of them outside or none at all"
            f" (it starts at {start}, the recording at {signal.metadata.get('start')})",
            "Check that the two files belong together and that their dates are right.",
        )
    return Claims(claims.labels, (*findings, *claims.findings))


def _shift(of_file: str | None, of_recording: Any) -> tuple[float, list[Finding]]:
    """Seconds of the recording at second 0 of the file."""
    if of_file is None or not of_recording:
        which = "The file of annotations" if of_file is None else "The recording"
        sentence = f"{which} states no start; both are taken to start together."
        return 0.0, [Finding("start", "warning", sentence)]
    later = datetime.fromisoformat(of_file) - datetime.fromisoformat(str(of_recording))
    shift_s = later.total_seconds()
    if not shift_s:
        return 0.0, []
    sentence = (
        f"The annotations start {abs(shift_s):.0f} s {'after' if shift_s > 0 else 'before'} the "
        "recording, by the starts that both files state, and are placed accordingly."
    )
    severity = "note"
    if abs(abs(shift_s) - HOUR_S) < 1:
        sentence += (
            " That is one hour: perhaps one of the two clocks was changed (daylight saving)."
        )
        severity = "warning"
    return shift_s, [Finding("start", severity, sentence, value=shift_s, limit=0.0, unit="s")]
