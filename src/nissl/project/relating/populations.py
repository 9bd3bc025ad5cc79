"""Populations of a project's sources as fragments: what units did in windows that come again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nissl.align.binning import averaged, bins_of, counted, width_of
from nissl.align.fragments import About, Floats, Fragment, Ints
from nissl.annotators.rates.traces import HIGH, LOW
from nissl.clock import Clock
from nissl.data import Signal
from nissl.data.channels import BRAIN, MOVIE, SPIKING
from nissl.data.recording import UNKNOWN
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Kind
from nissl.labels.replay import Rule
from nissl.project.annotating import current
from nissl.project.dossier import gather
from nissl.project.relating.noise import called_noise
from nissl.project.source import Source
from nissl.project.stimulating import find_stimuli
from nissl.store import Store

SPIKES = "spikes"
MOST_VALUES = 1 << 28
"""Samples of all units of a signal that are held at once (2 GB)."""


@dataclass(frozen=True, eq=False)
class Population:
    """Units of a source, and what bins of them are made from.

    Parameters
    ----------
    source : Source
    stream : str
    clock : Clock
    units : ndarray of int, shape (n_units,)
    labels : str
        Digest of the spikes, empty for signals.
    events : tuple of ndarray, optional
        Samples and units of spikes.
    values : ndarray, shape (n_samples, n_units), optional
        Of signals.
    left_out : int
        Units that are called noise.
    modality : str
        "spikes", "signal" (traces and rates), or the kind of a slow signal ("eeg", "lfp", ...).
    scale : ndarray, shape (n_units,), optional
        Of slow signals: what a channel was divided by, its standard deviation.
    """

    source: Source
    stream: str
    clock: Clock
    units: Ints
    labels: str
    events: tuple[Ints, Ints] | None = None
    values: Floats | None = None
    left_out: int = 0
    modality: str = "spikes"
    scale: Floats | None = None

    def binned(self, left: Ints, width: int) -> Floats:
        """Spikes per bin, or the mean of the signal, shape (n_bins, n_units)."""
        if self.events is not None:
            return counted(*self.events, self.units, left, width)
        return averaged(np.asarray(self.values, float), left, width)


@dataclass(frozen=True, eq=False)
class Binned:
    """Where the bins of a fragment lie.

    Parameters
    ----------
    left : ndarray of int, shape (n_bins,)
        First sample of each.
    width : int
        Samples.
    """

    left: Ints
    width: int


@dataclass(frozen=True, eq=False)
class Populations:
    """Fragments of several sources over the same kinds of windows.

    Parameters
    ----------
    fragments : tuple of Fragment
    conditions : tuple of str
        Names that the fragments' conditions are indices of.
    populations : tuple of Population
    labels : tuple of tuple of str
        Digests of the sets that each fragment was made from.
    bins : tuple of Binned
        Of each fragment.
    """

    fragments: tuple[Fragment, ...]
    conditions: tuple[str, ...]
    populations: tuple[Population, ...]
    labels: tuple[tuple[str, ...], ...]
    bins: tuple[Binned, ...] = ()

    @property
    def left_out(self) -> dict[str, int]:
        """Units of each source that are called noise and left out."""
        return {p.source.name: p.left_out for p in self.populations}


def populations(
    store: Store,
    sources: Sequence[Source],
    windows: Sequence[str | Path],
    *,
    bin_s: float,
    duration_s: float | None = None,
    resolve: Rule | None = None,
    everything: bool = False,
    found: Sequence[Population] | None = None,
) -> Populations:
    """Fragments of sources with spikes or traces, over windows that are named.

    Parameters
    ----------
    store : Store
    sources : sequence of Source
        Recordings with labels of the task "spikes", taken as people left them, or derived
        traces and rates.
    windows : sequence of str or Path
        One for all sources, or one each: a table (.csv, .tsv) with onset, duration and stimulus, or
        the name of a set of spans.
    bin_s : float
    duration_s : float, optional
        Of windows whose end is not told.
    resolve : callable, optional
        How several readers' decisions are combined.
    everything : bool
        Also units that people call noise (in classes of the task "curation").
    found : sequence of Population, optional
        Of the sources, where they are known already.

    Raises
    ------
    BadArgumentError
        Another number of windows than of sources; windows shorter than two bins.
    MissingInputError
        A source without spikes and without traces.
    """
    if len(windows) not in (1, len(sources)):
        raise BadArgumentError(
            f"windows for all, or for each of {len(sources)} sources",
            f"{len(windows)}",
            "Name a set of spans that all have, or one table each: --windows A.csv --windows B.csv",
        )
    each = list(windows) * (len(sources) if len(windows) == 1 else 1)
    if found is None:
        found = [population(store, s, resolve=resolve, everything=everything) for s in sources]
    told = [
        find_stimuli(store, p.source, p.stream, w, duration_s=duration_s, resolve=resolve)
        for p, w in zip(found, each, strict=True)
    ]
    names = tuple(sorted({name for t in told for name in t.stimuli.names}))
    fragments, bins = [], []
    for one, t in zip(found, told, strict=True):
        width = width_of(one.clock, bin_s)
        left, window = bins_of(t.stimuli.start, t.stimuli.stop, width)
        if len(left) < 2:
            raise BadArgumentError(
                f"windows of {one.source.name!r} that last a few bins of {bin_s * 1e3:g} ms",
                f"{len(t.stimuli.start)} windows of {len(left)} bins in all",
                "Ask for shorter bins, or state how long windows last: --duration 1",
            )
        bins.append(Binned(left, width))
        index = np.array([names.index(name) for name in t.stimuli.names], np.int64)
        condition = index[t.stimuli.which[window]] if len(names) > 1 else None
        fragments.append(
            Fragment(
                one.source.name,
                one.binned(left, width),
                bin_s,
                window,
                condition,
                units=one.units,
                about=about(one.source),
            )
        )
    labels = tuple(
        tuple(d for d in (p.labels, *t.labels) if d) for p, t in zip(found, told, strict=True)
    )
    return Populations(tuple(fragments), names, tuple(found), labels, tuple(bins))


def population(
    store: Store,
    source: Source,
    *,
    resolve: Rule | None = None,
    everything: bool = False,
    stream: str | None = None,
    band: str | None = None,
) -> Population:
    """Units of a source: spikes as people left them, else channels of traces or slow signals.

    Parameters
    ----------
    store : Store
    source : Source
    resolve : callable, optional
    everything : bool
        Also units that are called noise.
    stream : str, optional
        Signals of this stream, although there may be spikes.
    band : str, optional
        Of slow signals: the envelope of a band ("8-12", Hz) instead of the signal itself.
    """
    if stream is not None or band is not None:
        return slow(source, source.stream(stream, BRAIN), band)
    base = current(store, source, SPIKES)
    if base is not None:
        day = gather(store, source, SPIKES, draft=True, resolve=resolve)
        if day.labels.kind is Kind.EVENTS:
            sample = day.labels.column("sample").astype(np.int64)
            unit = day.labels.column("item").astype(np.int64)
            units = np.unique(unit)
            noise = () if everything else called_noise(store, day, base, resolve=resolve)
            kept = units[~np.isin(units, list(noise))]
            if not len(kept):
                raise MissingInputError(
                    f"a unit of {source.name!r} that is not called noise",
                    f"{len(units)} that all are",
                    "Review them: nissl review; or take all: --all",
                )
            heard = np.isin(unit, kept)
            return Population(
                source,
                day.stream,
                source.clock(day.stream),
                kept,
                day.labels.digest,
                (sample[heard], unit[heard]),
                left_out=len(units) - len(kept),
            )
    kinds = {name: str(facts.get("kind")) for name, facts in source.row.streams.items()}
    fitting = [name for name, kind in kinds.items() if kind not in (*SPIKING, *BRAIN, MOVIE)]
    slower = [name for name, kind in kinds.items() if kind in BRAIN]
    if not fitting and len(slower) == 1:
        return slow(source, slower[0], None)
    if len(fitting) != 1:
        raise MissingInputError(
            f"spikes of {source.name!r}, or traces or rates with a channel for each unit",
            f"streams {kinds} and no spikes",
            f"Sort it: nissl annotate {store.path} {source.name} --task spikes; "
            f"or make traces: nissl traces {store.path} {source.name}",
        )
    signal = source.recording[fitting[0]]
    own = [k for k, name in enumerate(signal.channels.ids) if not name.endswith((LOW, HIGH))]
    values = np.concatenate(_parts(source, signal, own))
    units = np.arange(len(own), dtype=np.int64)
    return Population(
        source, signal.name, signal.clock, units, "", values=values, modality="signal"
    )


def slow(source: Source, stream: str, band: str | None) -> Population:
    """Channels of EEG, MEG or field potentials, each in its own standard deviations.

    Bins hold the mean of the signal, or of the envelope of a band (Butterworth of the third order,
    forwards and backwards, and the size of the analytic signal), within segments.
    """
    from scipy.signal import butter, hilbert, sosfiltfilt

    signal = source.recording[stream]
    parts = _parts(source, signal, list(range(signal.n_channels)))
    if band is not None:
        edges = _band(band, signal.clock.rate_hz)
        sos = butter(3, edges, "bandpass", fs=signal.clock.rate_hz, output="sos")
        parts = [np.abs(hilbert(sosfiltfilt(sos, p, axis=0), axis=0)) for p in parts]
    values = np.concatenate(parts)
    spread = values.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    units = np.arange(signal.n_channels, dtype=np.int64)
    kind = str(source.row.streams[stream].get("kind"))
    return Population(
        source, stream, signal.clock, units, "", values=values / scale, modality=kind, scale=scale
    )


def _band(text: str, rate_hz: float) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split("-"))
    except ValueError:
        low, high = 0.0, 0.0
    if not 0 < low < high < rate_hz / 2:
        raise BadArgumentError(
            f"a band in Hz below {rate_hz / 2:g}, as 8-12", repr(text), "Write --read-band 8-12"
        )
    return low, high


def _parts(source: Source, signal: Signal, own: list[int]) -> list[Floats]:
    """Samples of some channels, a segment each; refused where they cannot be held at once."""
    if signal.n_samples * len(own) > MOST_VALUES:
        raise BadArgumentError(
            f"at most {MOST_VALUES:,} samples of all units",
            f"{signal.n_samples * len(own):,} of {source.name!r}",
            "Cut the recording into sessions.",
        )
    return [
        np.asarray(signal.read(s.start, s.stop, own), np.float64) for s in signal.clock.segments
    ]


def about(source: Source) -> About:
    """What the project knows of a source that matters for comparing."""

    def known(facts: Mapping[str, Any], name: str) -> str:
        value = str(facts.get(name) or "")
        return "" if value == UNKNOWN else value

    subject, session = source.row.subject, source.row.session
    return About(
        species=known(subject, "species"),
        subject=known(subject, "id"),
        session=known(session, "id"),
        region=known(subject, "region"),
        modality="signal" if source.row.format == "derived" else "spikes",
    )
