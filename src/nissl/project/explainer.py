"""Explanations of the units of one sorting, one after another, while people decide about them.

The sorter is fitted once to each shank and stays in memory; then a unit takes seconds.
"""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nissl.data import Signal
from nissl.errors import MissingDependencyError, MissingInputError
from nissl.labels import LabelSet
from nissl.project.annotating import Resources
from nissl.project.explaining import (
    METHOD,
    Asked,
    Told,
    Train,
    channel_of,
    explain_one,
    kept,
    names_of,
    versions,
)
from nissl.run.progress import Progress
from nissl.store import Store
from nissl.tasks import ANNOTATORS

if TYPE_CHECKING:  # numba takes a second to load
    from nissl.annotators.spikes.adapter import Shank
    from nissl.annotators.spikes.own.doubting.cutting import Parted
    from nissl.annotators.spikes.own.sorter import Fitted

REMEMBERED = 40
"""Units whose explanations are remembered."""


@dataclass(frozen=True, eq=False)
class _Ready:
    """A shank with the sorter that was fitted to it, and what the labels call its units."""

    shank: Shank
    fitted: Fitted
    names: Mapping[int, int]


class Explainer:
    """Explains units of a sorting by `spikes/nissl`, as `nissl explain` does.

    Parameters
    ----------
    store : Store
    base : LabelSet
        As the sorter made it.
    signal : callable
        Gives the signal on which it was made; not asked where the labels cannot be explained.

    Raises
    ------
    MissingInputError
        Labels of another method.
    MissingDependencyError
        A package of the sorter is missing.
    """

    def __init__(self, store: Store, base: LabelSet, signal: Callable[[], Signal]) -> None:
        if base.provenance.author.name != METHOD:
            raise MissingInputError(
                f"units that {METHOD} sorted",
                f"units by {base.provenance.author.name}",
                f"Only this sorter can say why: nissl annotate {store.path} --task {METHOD}",
            )
        for package, command in ANNOTATORS.get(METHOD).missing().items():
            raise MissingDependencyError(f"{package} for {METHOD}", "not installed", command)
        self.store, self.base, self.signal = store, base, signal()
        self._ready: list[_Ready] = []
        self._told: OrderedDict[Hashable, dict[str, Any]] = OrderedDict()
        self._cuts: OrderedDict[Hashable, Parted] = OrderedDict()
        self._failure: Exception | None = None
        self._alone = threading.Lock()  # matplotlib draws one picture at a time

    def is_ready(self, column: int) -> bool:
        """Whether units on a channel can be explained without fitting the sorter first."""
        return any(column in each.shank.columns for each in self._ready)

    def prepare(self, column: int, progress: Progress) -> None:
        """Fit the sorter to the shank of a channel; takes as long as looking for units did.

        Parameters
        ----------
        column : int
            Of the signal.
        progress : Progress
        """
        with self._failing():
            if not self.is_ready(column):
                self._ready.append(self._fit(column, progress))

    def prepare_cut(
        self, item: int, column: int, train: Train, state: Hashable, progress: Progress
    ) -> None:
        """Find the cut of a unit, parameters as for `explain` and `prepare`."""
        from nissl.annotators.spikes.own.doubting.cutting import part_unit

        self.prepare(column, progress)
        fitted, stage = self._of(column).fitted, f"cutting unit {item}"
        progress.start(stage, self.signal.n_samples / self.signal.rate_hz, "s of recording")
        with self._failing():
            self._cuts[item, state] = part_unit(
                self.signal,
                fitted,
                train.samples,
                int(self.base.provenance.seed or 0),
                lambda seconds: progress.advance(stage, seconds),
            )
        while len(self._cuts) > REMEMBERED:
            self._cuts.popitem(last=False)
        progress.finish(stage)

    def cut(self, item: int, state: Hashable) -> Parted | None:
        """Which spikes of a unit are of a second one; None before `prepare_cut`."""
        return self._cuts.get((item, state))

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._failure = error
            raise

    def _of(self, column: int) -> _Ready:
        return next(each for each in self._ready if column in each.shank.columns)

    def complain(self) -> None:
        """Raise what was failed of in the background since it was last asked."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _fit(self, column: int, progress: Progress) -> _Ready:
        from nissl.annotators.spikes.own.refitting import refit, shank_of, shanks

        made = self.base.provenance
        with TemporaryDirectory(prefix="nissl-explain-") as scratch:
            context = Resources(progress=progress).context(Path(scratch), int(made.seed or 0))
            shank = shank_of(shanks(self.signal, made.parameters, context), column)
            where = kept(self.store, self.base, shank)
            fitted = refit(self.signal, shank, made.parameters, context, where)
        labels = self.base
        columns = labels.column("channel")
        own = [
            item
            for item in labels.items.tolist()
            if channel_of(columns[labels.rows_of(item)]) in shank.columns
        ]
        return _Ready(shank, fitted, names_of(self.signal, fitted, labels, own))

    def explain(
        self, item: int, column: int, train: Train, images: Mapping[int, int], state: Hashable
    ) -> dict[str, Any]:
        """Words and a picture of a unit, JSON values.

        Parameters
        ----------
        item : int
        column : int
            Channel that most of its spikes stand on; see `prepare`.
        train : Train
            Its spikes as they stand.
        images : mapping of int to int
            What units of the base are called now, where that has changed.
        state : hashable
            Changes with `train` and `images`: the same is not computed twice.
        """
        known = self._told.get((item, state))
        if known is None:
            ready = self._of(column)
            names = {unit: images.get(name, name) for unit, name in ready.names.items()}
            with self._alone:
                known = self._told[item, state] = self._made(item, train, ready, names)
                while len(self._told) > REMEMBERED:
                    self._told.popitem(last=False)
        return known

    def _made(
        self, item: int, train: Train, ready: _Ready, names: Mapping[int, int]
    ) -> dict[str, Any]:
        told = Told()
        with TemporaryDirectory(prefix="nissl-explain-") as folder:
            asked, out = Asked(labels=self.base.digest), Path(folder)
            explain_one(told, self.signal, ready.fitted, train, item, names, asked, out)
            pictures = [_inline(path) for path in told.files if path.suffix == ".png"]
        return {
            "item": item,
            "sentences": told.sentences,
            "warnings": [each.sentence for each in (*versions(self.base), *told.findings)],
            "pictures": pictures,
            "facts": told.units[0] if told.units else None,
        }


def _inline(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
