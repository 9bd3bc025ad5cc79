"""Montages: what is shown as one trace, a channel or a difference of channels.

"recorded" shows channels as they are; "average" and "median" take away the mean or median
over all channels at each sample; "bipolar" shows differences of neighbours; "reference NAME"
takes one channel away from all others. Neighbours are the longitudinal chains of the 10-20
system where the channels carry its names (the "double banana"; Acharya et al. 2016, J Clin
Neurophysiol 33:312), else channels that follow each other on one shank.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.data.channels import ChannelTable
from nissl.errors import BadArgumentError

RECORDED = "recorded"
_COMMON = ("average", "median")
_CHAINS = (
    ("Fp1", "F7", "T3", "T5", "O1"),
    ("Fp1", "F3", "C3", "P3", "O1"),
    ("Fz", "Cz", "Pz"),
    ("Fp2", "F4", "C4", "P4", "O2"),
    ("Fp2", "F8", "T4", "T6", "O2"),
)
_OTHER_NAMES = {"T7": "T3", "P7": "T5", "T8": "T4", "P8": "T6"}


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
    minus : tuple of int
        Channel taken away from each, -1 for none.
    common : {"", "average", "median"}
        What is taken away over all channels before.
    """

    name: str
    labels: tuple[str, ...]
    plus: tuple[int, ...]
    minus: tuple[int, ...]
    common: str = ""

    @property
    def n_traces(self) -> int:
        """Number of traces."""
        return len(self.labels)

    @property
    def as_recorded(self) -> bool:
        """Whether every trace is a channel as it was recorded."""
        return not self.common and all(m < 0 for m in self.minus)

    def columns(self, traces: npt.NDArray[np.intp], n_channels: int) -> npt.NDArray[np.intp]:
        """Channels that must be read for some traces, ascending."""
        if self.common:
            return np.arange(n_channels)
        plus, minus = np.asarray(self.plus)[traces], np.asarray(self.minus)[traces]
        return np.unique(np.concatenate([plus, minus[minus >= 0]])).astype(np.intp)

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
        if self.common and samples.size:
            out = out - _middle(samples, self.common)[:, None]
        taken = np.asarray(self.minus, dtype=np.intp)[traces]
        with_minus = np.flatnonzero(taken >= 0)
        if with_minus.size:
            minus = np.searchsorted(columns, taken[with_minus])
            out[:, with_minus] -= samples[:, minus]
        return np.ascontiguousarray(out, dtype=np.float32)


def montage(name: str, channels: ChannelTable) -> Montage:
    """Montage of a name over the channels of a stream.

    Raises
    ------
    BadArgumentError
        A name that is none of `montage_names`, or a reference that is no channel.
    """
    n = len(channels)
    everything, none = tuple(range(n)), (-1,) * n
    if name == RECORDED:
        return Montage(name, channels.ids, everything, none)
    if name in _COMMON:
        return Montage(name, channels.ids, everything, none, name)
    if name == "bipolar" and n > 1:
        return _bipolar(channels)
    if name.startswith("reference ") and name.removeprefix("reference ") in channels.ids:
        reference = channels.ids.index(name.removeprefix("reference "))
        others = tuple(i for i in everything if i != reference)
        labels = tuple(f"{channels.ids[i]}-{channels.ids[reference]}" for i in others)
        return Montage(name, labels, others, (reference,) * len(others))
    raise BadArgumentError(
        f"one of the montages {montage_names(channels)} or 'reference CHANNEL'",
        repr(name)[:100],
        "Choose one of them; the reference must be a channel of the stream.",
    )


def montage_names(channels: ChannelTable) -> list[str]:
    """Montages that a stream can be shown in; "reference CHANNEL" comes on top of them."""
    if len(channels) < 2:
        return [RECORDED]
    return [RECORDED, *_COMMON, "bipolar"]


def _middle(samples: npt.NDArray[np.float32], how: str) -> npt.NDArray[np.float32]:
    """Mean or median over the channels that are there, shape (n_samples,); 0 where none is."""
    missing = np.isnan(samples)
    if not missing.any():
        plain = np.mean if how == "average" else np.median
        return np.asarray(plain(samples, axis=1), dtype=np.float32)
    out = np.zeros(samples.shape[0], dtype=np.float32)
    some = ~missing.all(axis=1)
    tolerant = np.nanmean if how == "average" else np.nanmedian
    out[some] = tolerant(samples[some], axis=1)
    return out


def _bipolar(channels: ChannelTable) -> Montage:
    pairs = _clinical_pairs(channels.ids) or [
        (i, i + 1) for i in range(len(channels) - 1) if channels.shank[i] == channels.shank[i + 1]
    ]
    labels = tuple(f"{channels.ids[a]}-{channels.ids[b]}" for a, b in pairs)
    return Montage("bipolar", labels, tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def _clinical_pairs(ids: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pairs of the longitudinal chains, where most of one chain is there by its names."""
    place: dict[str, int] = {}
    for index, name in enumerate(ids):
        plain = re.sub(r"^EEG[ _]+|[-_. ]+(REF|LE|AVG|A1|A2|M1|M2)?\.*$", "", name, flags=re.I)
        plain = plain.capitalize()
        place.setdefault(_OTHER_NAMES.get(plain, plain), index)
    pairs = []
    for chain in _CHAINS:
        there = [place[name] for name in chain if name in place]
        if len(there) >= len(chain) - 1:
            pairs += list(itertools.pairwise(there))
    return pairs
