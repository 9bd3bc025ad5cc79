"""What was recorded, read lazily."""

from nissl.data.channels import ChannelTable
from nissl.data.lines import Line
from nissl.data.movie import FrameReader, Movie
from nissl.data.recording import Recording, Session, Subject
from nissl.data.signal import ArrayReader, SampleReader, Signal

__all__ = [
    "ArrayReader",
    "ChannelTable",
    "FrameReader",
    "Line",
    "Movie",
    "Recording",
    "SampleReader",
    "Session",
    "Signal",
    "Subject",
]
