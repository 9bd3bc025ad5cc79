"""`sleep/nissl` on a stream: a stage at the end of every epoch, from what was before it.

What differs from `nissl annotate --task sleep`, which looks at the whole night: features are
those of `nissl.annotators.sleep.causal` (no later epochs, the scale of the night so far), with
weights trained on them; epochs shorter than 30 s are measured in the 30 s that end with them,
not around them; and samples are resampled epoch by epoch.

A gap cuts the epochs, which begin anew after it, but not the night: its scale and the epochs
before stay, as they do offline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.causal import causal_row, remembered
from nissl.annotators.sleep.derivations import ROLES, derivations
from nissl.annotators.sleep.epochs import LONGEST_S, SHORTEST_S
from nissl.annotators.sleep.model import Model, shipped, to_files
from nissl.annotators.sleep.powers import NAMES, WINDOW_S, measured, resampled
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import FeatureTable, Kind, Vocabulary
from nissl.labels.digest import digest_files
from nissl.live.blocks import Blocks, Mask
from nissl.live.contract import Claim, Samples, StreamInfo

Values = npt.NDArray[np.float64]


class LiveSleep(Blocks):
    """Stages of sleep on a stream.

    Parameters
    ----------
    stream : StreamInfo
    epoch_s : float
    channels : tuple of str
        Names of the frontal and the occipital channel; found by their names by default.
    model : Model, optional
        Trained on causal features; the shipped one by default.

    Raises
    ------
    BadArgumentError
        A length of epochs out of range, or a channel that is not there.
    MissingInputError
        No channel is EEG.
    """

    name = "sleep/nissl"
    version = "1-causal"
    kind = Kind.SPANS

    def __init__(
        self,
        stream: StreamInfo,
        *,
        epoch_s: float = 30.0,
        channels: tuple[str, ...] = (),
        model: Model | None = None,
    ) -> None:
        if not SHORTEST_S <= epoch_s <= LONGEST_S:
            raise BadArgumentError(
                f"epochs of {SHORTEST_S:g} to {LONGEST_S:g} s",
                f"{epoch_s:g} s",
                "People are scored in 30 s, rodents in 4 to 10 s.",
            )
        stream.channels.index(list(channels))
        found = derivations(stream.channels.ids, types=stream.channels.types, chosen=channels)
        if not found:
            raise MissingInputError(
                "a channel of EEG, such as 'EEG Fpz-Cz' or 'C3-M2'",
                f"the channels {list(stream.channels.ids[:12])}",
                "Name the channels: --set channels='[\"my EEG\"]'",
            )
        self.epoch_s = float(epoch_s)
        self.parameters: Mapping[str, Any] = {
            "epoch_s": self.epoch_s,
            "channels": [d.given for d in found],
        }
        self._roles = [d.role for d in found]
        self._model = shipped(causal=True) if model is None else model
        self._names = tuple(f"{role}:{name}" for role in ROLES for name in NAMES)
        self._history = np.empty((0, len(self._names)))
        self._earlier = 0
        self._window = round(max(WINDOW_S, self.epoch_s) * stream.rate_hz)
        super().__init__(stream, [d.column for d in found])
        self.forget()
        self._warm()

    def _warm(self) -> None:
        """Read the trees and what scipy brings now, not at the end of the first epoch."""
        noise = np.random.default_rng(0).standard_normal((self._window, 1))
        measured(resampled(noise, self.stream.rate_hz)[0], self.stream.rate_hz)
        self._said(np.zeros(len(self._names)))
        self._history = self._history[:0]

    @property
    def vocabulary(self) -> Vocabulary:
        """Stages of its model, the last of which is "unknown"."""
        return self._model.vocabulary

    @property
    def weights(self) -> str:
        """Digest of its model."""
        return digest_files(to_files(self._model))

    @property
    def latency_s(self) -> float:
        """An epoch is known with its last sample."""
        return 0.0

    def edge(self, k: int) -> int:
        """Epochs as in `nissl.annotators.sleep.epochs`."""
        return round(k * self.epoch_s * self.stream.rate_hz)

    def forget(self) -> None:
        """Epochs are measured on samples of one segment only."""
        self._recent = np.empty((0, len(self.columns)))

    def step(self, block: Samples, missing: Mask, first: int) -> list[Claim]:
        """Stage of one more epoch."""
        values = np.where(missing, np.nan, block).astype(np.float64)
        self._recent = np.concatenate([self._recent, values])[-self._window :]
        p = self._said(self._numbers())
        stop = first + len(block)
        code = int(p.argmax())
        sure = float(p[code]) if code < len(p) - 1 else float("nan")
        chances = tuple(float(value) for value in p)
        label = self.vocabulary.names[code]
        return [Claim(first, stop, label, stop, None, sure, chances)]

    def _numbers(self) -> Values:
        row = np.full(len(self._names), np.nan)
        for k, role in enumerate(self._roles):
            one = self._recent[:, k : k + 1]
            if np.isfinite(one).all():
                samples, _ = resampled(one, self.stream.rate_hz)
                a = ROLES.index(role) * len(NAMES)
                row[a : a + len(NAMES)] = measured(samples, self.stream.rate_hz)[0]
        return row

    def _said(self, numbers: Values) -> Values:
        self._history = np.concatenate([self._history, numbers[None]])
        extra = len(self._history) - remembered(self.epoch_s)
        if extra > 0:
            self._history, self._earlier = self._history[extra:], self._earlier + extra
        if np.isnan(numbers).all():
            return np.asarray(np.eye(len(self.vocabulary.names))[-1])
        wide, names = causal_row(self._history, self._names, self.epoch_s, earlier=self._earlier)
        table = FeatureTable(
            items=np.zeros(1, np.int64),
            names=names,
            values=wide[None],
            units=("",) * len(names),
            subject=("",),
            session=("",),
        )
        scores = self._model.scores(table).mean(axis=0)
        return np.asarray(np.append(self._model.probabilities(table, scores)[0], 0.0))


__all__ = ["LiveSleep"]
