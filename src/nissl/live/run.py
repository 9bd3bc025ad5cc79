"""The loop: take a chunk, say what is known, hand it on; end cleanly when told to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from nissl.live.contract import Claim, LiveMethod, check_fits
from nissl.live.recorder import Recorder
from nissl.live.sinks import Prompt, Sink
from nissl.live.sources import Chunk, Source


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Parameters
    ----------
    samples : int
        That arrived.
    claims : int
    gaps : int
    interrupted : bool
        Whether it was told to end before the stream did.
    """

    samples: int
    claims: int
    gaps: int
    interrupted: bool


def run(
    source: Source,
    method: LiveMethod,
    sinks: Sequence[Sink],
    *,
    recorder: Recorder | None = None,
    announced: Callable[[], Iterable[int]] | None = None,
    samples: int | None = None,
) -> Outcome:
    """Push a stream through a method until it ends, or Ctrl-C.

    Parameters
    ----------
    source : Source
    method : LiveMethod
        Set up for the stream.
    sinks : sequence of Sink
        Each is given claims when the one before it has acknowledged them, so what the second
        tells the first has kept. Those that are `Prompt` come before all others, and before
        the disk: they are shown each chunk, and told what it says at once.
    recorder : Recorder, optional
    announced : callable, optional
        Onsets of trials, asked for before each chunk; the method takes them by `onset`.
    samples : int, optional
        End after so many.

    Raises
    ------
    BadMetadataError
        The stream is not the one that the method was set up for.
    """
    check_fits(method, source.info)
    prompt = [each for each in sinks if isinstance(each, Prompt)]
    ordered = sorted(sinks, key=lambda each: not isinstance(each, Prompt))
    calm = ordered[len(prompt) :]
    n_claims = n_gaps = seen = 0
    with _told_to_end() as ending, ExitStack() as closing:
        for each in (recorder, *reversed(sinks), source):
            if each is not None:
                closing.callback(each.close)
        for chunk in source.chunks():
            n_gaps += _gap(chunk, method, sinks)
            for onset in announced() if announced is not None else ():
                method.onset(onset)  # type: ignore[attr-defined]  # of decoders alone
            for each in prompt:
                each.arrived(chunk)
            claims = method.push(chunk.samples, chunk.first_sample)
            if claims:
                _hand_on(claims, ordered[: len(prompt)], None)
            if recorder is not None:
                recorder.add(chunk)
            if claims:
                _hand_on(claims, calm, recorder)
            n_claims += len(claims)
            seen = chunk.first_sample + len(chunk.samples)
            if ending.is_set() or (samples is not None and seen >= samples):
                break
    return Outcome(seen, n_claims, n_gaps, ending.is_set())


def _gap(chunk: Chunk, method: LiveMethod, sinks: Sequence[Sink]) -> int:
    if chunk.lost_s is None:
        return 0
    method.reset(chunk.first_sample)
    for sink in sinks:
        sink.gap(chunk.first_sample, chunk.lost_s)
    return 1


def _hand_on(claims: list[Claim], sinks: Sequence[Sink], recorder: Recorder | None) -> None:
    if recorder is not None:
        recorder.sync()
    for sink in sinks:
        sink.write(claims)


@contextmanager
def _told_to_end() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM end the loop after the chunk at hand; a second Ctrl-C ends it at once."""
    ending = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return

    def told(number: int, frame: Any) -> None:
        del number, frame
        if ending.is_set():
            raise KeyboardInterrupt
        ending.set()

    before = {each: signal.signal(each, told) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


__all__ = ["Outcome", "run"]
