"""An animal that rests and runs, with its speed, the spikes of its units, and the truth."""

from __future__ import annotations

import numpy as np

from nissl.annotators.windows.vocabulary import MOVEMENT, REST, VOCABULARY
from nissl.data import ChannelTable, Recording, Signal, Subject
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.digest import digest_array


def simulate(
    seed: int,
    *,
    duration_s: float = 900.0,
    rate_hz: float = 50.0,
    bout_s: float = 40.0,
    apart: float = 2.5,
) -> tuple[Recording, LabelSet]:
    """Simulate a recording of running speed with known bouts of rest and movement.

    Parameters
    ----------
    seed : int
    duration_s, rate_hz : float
    bout_s : float
        Mean length of a bout, s; gamma distributed, of shape 4.
    apart : float
        Logarithm of the ratio of speeds; both vary by 0.5 (standard deviation of logarithms).
    """
    rng = np.random.default_rng(seed)
    start, stop, label, at, moves = [], [], [], 0, bool(rng.integers(2))
    n = round(duration_s * rate_hz)
    while at < n:
        end = min(at + max(round(rng.gamma(4.0, bout_s / 4) * rate_hz), 1), n)
        start.append(at)
        stop.append(end)
        label.append(VOCABULARY.code(MOVEMENT if moves else REST))
        at, moves = end, not moves
    moving = np.repeat([VOCABULARY.names[k] == MOVEMENT for k in label], np.subtract(stop, start))
    # Speed wanders within half a second rather than from sample to sample.
    slow = np.repeat(rng.standard_normal(n // max(round(rate_hz / 2), 1) + 1), round(rate_hz / 2))
    logarithm = apart * moving + 0.5 * slow[:n]
    samples = np.exp(logarithm)[:, None].astype(np.float32)
    table = ChannelTable.plain(["speed"], kind="aux")
    signal = Signal.from_array(samples, rate_hz, name="behaviour", channels=table)
    fingerprint = digest_array(samples)
    recording = Recording(
        path=None,
        format="simulated",
        streams={"behaviour": signal},
        subject=Subject("simulated"),
        fingerprint=fingerprint,
    )
    provenance = Provenance(
        "windows", fingerprint, Author("person", "truth"), "behaviour", {"seed": seed}
    )
    columns = {"start": start, "stop": stop, "label": np.array(label, np.int32)}
    return recording, LabelSet.build(Kind.SPANS, columns, VOCABULARY, provenance)
