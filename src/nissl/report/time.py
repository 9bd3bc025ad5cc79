"""How long was recorded, and what is missing from any report."""

from __future__ import annotations

import numpy as np

from nissl.labels import Kind
from nissl.tasks import Dossier

_LAST = {Kind.EVENTS: "sample", Kind.SPANS: "stop"}


def time_of(dossier: Dossier) -> tuple[float, float]:
    """Samples (frames) per second, and seconds of the recording; NaN where unknown."""
    stream = dossier.source.get("streams", {}).get(dossier.stream, {})
    if "duration_s" in stream:
        return float(stream["rate_hz"]), float(stream["duration_s"])
    context = dossier.items.context if dossier.items is not None else {}
    rate_hz = float(context.get("rate_hz", np.nan))
    if dossier.labels.kind not in _LAST:
        return rate_hz, float("nan")
    last = dossier.labels.column(_LAST[dossier.labels.kind])
    return rate_hz, (float(last.max()) if last.size else 0.0) / rate_hz


def clock_face(seconds: float) -> str:
    """Hours, minutes and seconds, as "7:05:30"."""
    if not np.isfinite(seconds):
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def missing(dossier: Dossier) -> list[str]:
    """What was said to be missing, and that confidence is, where a method has none."""
    said = [f.sentence for f in dossier.findings if f.check == "missing"]
    if dossier.recording is None:
        said.append("The raw recording is not available: raw data cannot be shown.")
    author = dossier.made_by.author
    if author.kind == "model" and np.all(np.isnan(dossier.labels.column("confidence"))):
        said.append(
            "Confidence is not calibrated yet for this method; nissl shows none rather than a "
            "number that cannot be trusted."
        )
    return said


__all__ = ["clock_face", "missing", "time_of"]
