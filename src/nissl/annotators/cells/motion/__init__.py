"""Motion correction: `estimate` finds where each frame lies, `corrected` takes it out, lazily."""

from nissl.annotators.cells.motion.correcting import MovedReader, corrected
from nissl.annotators.cells.motion.estimating import estimate
from nissl.annotators.cells.motion.quality import findings
from nissl.annotators.cells.motion.result import Motion, Quality
from nissl.annotators.cells.motion.settings import MotionSettings

__all__ = [
    "Motion",
    "MotionSettings",
    "MovedReader",
    "Quality",
    "corrected",
    "estimate",
    "findings",
]
