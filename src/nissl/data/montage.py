"""Montages: what is shown as one trace, a channel or a channel against others.

"recorded" shows channels as they are; "average" and "median" take away the mean or median over
all channels at each sample (of an EEG stream over its EEG channels, which alone are changed);
"linked mastoids" takes the mean of both mastoids or earlobes from the EEG channels; "bipolar"
shows differences of neighbours; "laplacian" takes from each electrode the mean of its neighbours
to the left, right, front and back (Hjorth 1975, Electroencephalogr Clin Neurophysiol 39:526);
"reference NAME" takes one channel away from all others. Neighbours are the longitudinal chains of
the 10-20 system where the channels carry its names (the "double banana"), contacts that follow
each other on one depth electrode, else channels that follow each other on one shank.

Channels whose names state different references (Fpz-Cz and C3-A2) have no common one that could
be replaced: only those that share the most frequent reference are changed or compared.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.data.channels import ChannelTable
from nissl.data.electrode_grid import CHAINS, neighbours
from nissl.data.electrodes import Electrode, electrodes
from nissl.errors import BadArgumentError

RECORDED = "recorded"
LINKED = "linked mastoids"
LAPLACIAN = "laplacian"
BIPOLAR = "bipolar"
_COMMON = ("average", "median")


@dataclass(frozen=True)
class Montage:
    """Traces to show, in order.

    Parameters
    ----------
    name : str
    labels : tuple of str
        One per trace.
    plus : tuple of int
        Channel of each trace.
    less : tuple of tuple of int
        Channels whose middle is taken away from each trace; () for none.
    middle : {"mean", "median"}
    """

    name: str
    labels: tuple[str, ...]
    plus: tuple[int, ...]
    less: tuple[tuple[int, ...], ...]
    middle: str = "mean"

    @property
    def n_traces(self) -> int:
        """Number of traces."""
        return len(self.labels)

    @property
    def as_recorded(self) -> bool:
        """Whether every trace is a channel as it was recorded."""
        return not any(self.less)

    def columns(self, traces: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Channels that must be read for some traces, ascending."""
        wanted = {self.plus[trace] for trace in traces.tolist()}
        wanted.update(*{self.less[trace] for trace in traces.tolist()})
        return np.asarray(sorted(wanted), dtype=np.intp)

    def apply(
        self,
        samples: npt.NDArray[np.float32],
        columns: npt.NDArray[np.intp],
        traces: npt.NDArray[np.intp],
    ) -> npt.NDArray[np.float32]:
        """Traces of samples.

        Parameters
        ----------
        samples : ndarray, shape (n_samples, n_columns), float32, uV
        columns : ndarray of intp, shape (n_columns,)
            Which channels they are; what `columns` gave.
        traces : ndarray of intp, shape (n_traces,)

        Returns
        -------
        ndarray, shape (n_samples, n_traces), float32, uV
        """
        plus = np.searchsorted(columns, np.asarray(self.plus, dtype=np.intp)[traces])
        out = samples[:, plus]
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, trace in enumerate(traces.tolist()):
            groups[self.less[trace]].append(place)
        for less, places in groups.items():
            if less and samples.size:
                taken = samples[:, np.searchsorted(columns, np.asarray(less, dtype=np.intp))]
                out[:, places] -= _middle(taken, self.middle)[:, None]
        return np.ascontiguousarray(out, dtype=np.float32)


def montage(name: str, channels: ChannelTable) -> Montage:
    """Montage of a name over the channels of a stream.

    Raises
    ------
    BadArgumentError
        A name that is none of `montage_names`, or a reference that is no channel.
    """
    n = len(channels)
    everything = tuple(range(n))
    if name == RECORDED:
        return Montage(name, channels.ids, everything, ((),) * n)
    if name in _COMMON and n > 1:
        return _common(name, channels)
    if name == BIPOLAR and n > 1:
        return _bipolar(channels)
    if name.startswith("reference ") and name.removeprefix("reference ") in channels.ids:
        reference = channels.ids.index(name.removeprefix("reference "))
        others = tuple(i for i in everything if i != reference)
        labels = tuple(f"{channels.ids[i]}-{channels.ids[reference]}" for i in others)
        return Montage(name, labels, others, ((reference,),) * len(others))
    found = _scalp(channels)
    if name == LINKED and _ears(found):
        ears = _ears(found)
        less = tuple(ears if i in found else () for i in everything)
        labels = tuple(
            f"{found[i].name}-M1M2" if i in found else channels.ids[i] for i in everything
        )
        return Montage(name, _distinct(labels, channels.ids), everything, less)
    around = neighbours({i: e.name for i, e in found.items()}) if name == LAPLACIAN else {}
    if around:
        some = tuple(sorted(around))
        labels = tuple(f"{found[i].name} laplacian" for i in some)
        return Montage(name, labels, some, tuple(around[i] for i in some))
    raise BadArgumentError(
        f"one of the montages {montage_names(channels)} or 'reference CHANNEL'",
        repr(name)[:100],
        "Choose one of them; the reference must be a channel of the stream.",
    )


def montage_names(channels: ChannelTable) -> list[str]:
    """Montages that a stream can be shown in.

    "reference CHANNEL" comes on top of them; that of Cz is listed where Cz is there.
    """
    if len(channels) < 2:
        return [RECORDED]
    found = _scalp(channels)
    names = [RECORDED, *_COMMON, BIPOLAR]
    names += [LINKED] if _ears(found) else []
    names += [LAPLACIAN] if neighbours({i: e.name for i, e in found.items()}) else []
    vertex = [i for i, e in found.items() if e.name == "Cz"]
    return names + [f"reference {channels.ids[i]}" for i in vertex[:1]]


def _scalp(channels: ChannelTable) -> dict[int, Electrode]:
    """EEG channels by index that share the most frequent reference."""
    meant = electrodes(channels.ids, channels.types)
    eeg = {i: e for i, e in enumerate(meant) if e.type == "eeg" and e.known}
    counted = Counter(e.reference for e in eeg.values())
    if not counted:
        return {}
    usual = counted.most_common(1)[0][0]
    return {i: e for i, e in eeg.items() if e.reference == usual}


def _ears(found: dict[int, Electrode]) -> tuple[int, ...]:
    """Channels of both mastoids, or () where one is missing."""
    ears = [next((i for i, e in found.items() if e.name == name), -1) for name in ("M1", "M2")]
    return () if -1 in ears else tuple(ears)


def _common(name: str, channels: ChannelTable) -> Montage:
    everything = tuple(range(len(channels)))
    changed = tuple(_scalp(channels)) if channels.kind == "eeg" else everything
    less = tuple(changed if i in set(changed) else () for i in everything)
    middle = "mean" if name == "average" else "median"
    return Montage(name, channels.ids, everything, less, middle)


def _distinct(labels: tuple[str, ...], ids: tuple[str, ...]) -> tuple[str, ...]:
    """Labels, with the channel's own name where two would be the same."""
    counted = Counter(labels)
    return tuple(a if counted[a] == 1 else f"{a} ({b})" for a, b in zip(labels, ids, strict=True))


def _middle(samples: npt.NDArray[np.float32], how: str) -> npt.NDArray[np.float32]:
    """Mean or median over the channels that are there, shape (n_samples,); 0 where none is."""
    missing = np.isnan(samples)
    if not missing.any():
        plain = np.mean if how == "mean" else np.median
        return np.asarray(plain(samples, axis=1), dtype=np.float32)
    out = np.zeros(samples.shape[0], dtype=np.float32)
    some = ~missing.all(axis=1)
    tolerant = np.nanmean if how == "mean" else np.nanmedian
    out[some] = tolerant(samples[some], axis=1)
    return out


def _bipolar(channels: ChannelTable) -> Montage:
    found = _scalp(channels)
    names = {i: e.name for i, e in found.items()}
    pairs = _clinical_pairs(names)
    if not pairs:
        names = dict(enumerate(channels.ids))
        pairs = _shaft_pairs(channels) or [
            (i, i + 1)
            for i in range(len(channels) - 1)
            if channels.shank[i] == channels.shank[i + 1]
        ]
    labels = tuple(f"{names[a]}-{names[b]}" for a, b in pairs)
    return Montage(BIPOLAR, labels, tuple(a for a, _ in pairs), tuple((b,) for _, b in pairs))


def _clinical_pairs(names: dict[int, str]) -> list[tuple[int, int]]:
    """Pairs of the longitudinal chains, where most of one chain is there by its names."""
    place: dict[str, int] = {}
    for index, name in names.items():
        place.setdefault(name, index)
    pairs = []
    for chain in CHAINS:
        there = [place[name] for name in chain if name in place]
        if len(there) >= len(chain) - 1:
            pairs += list(itertools.pairwise(there))
    return pairs


def _shaft_pairs(channels: ChannelTable) -> list[tuple[int, int]]:
    """Contacts with successive numbers on one depth electrode."""
    meant = electrodes(channels.ids, channels.types)
    contacts: dict[tuple[str, int], int] = {}
    for index, e in enumerate(meant):
        split = re.fullmatch(r"(.*?)(\d+)", e.name) if e.type == "seeg" else None
        if split is not None:
            contacts.setdefault((split.group(1), int(split.group(2))), index)
    return [
        (contacts[letters, number], contacts[letters, number + 1])
        for letters, number in sorted(contacts)
        if (letters, number + 1) in contacts
    ]
