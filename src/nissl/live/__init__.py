"""Streams: the same models, chunk by chunk.

A `LiveMethod` takes chunks of samples and gives `Claim`s, each with the sample at which it became
known. Whatever a claim says follows from samples up to that one, and from nothing else: filters
run forwards only, scales are those of the stream so far. So there is no second, offline version
of a live method. `offline` pushes the samples of a file through the same code, and what it says
equals what was said live, bit for bit, however the chunks fell.
"""

from nissl.live.contract import Claim, LiveMethod, StreamInfo, offline
from nissl.live.methods import LIVE, live_method
from nissl.live.run import Outcome, run

__all__ = ["LIVE", "Claim", "LiveMethod", "Outcome", "StreamInfo", "live_method", "offline", "run"]
