"""Running a sorter on one recording as a job of its own, kept when it is finished."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Recording
from nissl.errors import BadSamplesError, CorruptProjectError, MissingInputError
from nissl.labels import ItemTable, LabelSet
from nissl.labels.atomic import make_folder, write_bytes
from nissl.run.context import Context
from nissl.run.job import JobSpec
from nissl.store.objects import Objects
from nissl.tasks import Annotator, Inputs


@dataclass(frozen=True, eq=False)
class Sorting:
    """What a sorter found.

    Parameters
    ----------
    labels : LabelSet
        EVENTS; without rows where it found nothing.
    items : ItemTable
        Its units, with templates.
    wall_s : float
        Seconds that the job took.
    """

    labels: LabelSet
    items: ItemTable
    wall_s: float

    @property
    def channel(self) -> npt.NDArray[np.int64]:
        """Best channel of each unit, in the order of `labels.items`; shape (n_units,)."""
        rows = np.searchsorted(self.items.items, self.labels.items)
        channel = self.items.table.column("channel").to_numpy()
        return np.asarray(channel[rows], np.int64)


@dataclass(frozen=True)
class Sorter:
    """A method with its parameters, and where its results are kept.

    Parameters
    ----------
    method : Annotator
    parameters : mapping
        Complete.
    folder : Path
        Results of all jobs; the same job is never run again.
    context : Context
        `workdir` is replaced by one for each job.
    """

    method: Annotator
    parameters: Mapping[str, Any] = field(hash=False)
    folder: Path
    context: Context

    def sort(self, recording: Recording, stream: str) -> Sorting:
        """Sort a recording, or give what an earlier call has kept.

        Raises
        ------
        BadSamplesError
            The recording cannot hold spikes.
        MethodFailedError
            The sorter failed; its log is named.
        InterruptedRunError
            Ctrl-C; finished jobs are kept.
        """
        job = JobSpec(
            annotator=self.method.name,
            version=self.method.version,
            parameters=self.parameters,
            seed=self.context.seed,
            inputs=(f"{recording.fingerprint}/{stream}",),
            weights=str(getattr(self.method, "weights", "")),
            packages=dict(self.method.packages()),
        )
        objects, record = self._objects(), self.folder / f"{job.hash}.json"
        kept = _kept(objects, record)
        if kept is not None:
            return kept
        work = make_folder(self.folder / "work" / job.hash[:16])
        context = replace(self.context, workdir=work)
        result = self.method.annotate(Inputs(recording, stream), self.parameters, context)
        if not result.items:
            raise MissingInputError(
                f"units with templates from {self.method.name}",
                "spikes alone",
                "Choose a method that measures its units.",
            )
        labels, items = result.labels[0], result.items[0]
        wall_s = float(result.log.get("wall_s", float("nan")))
        facts = {
            "labels": objects.put_labels(labels),
            "items": objects.put_items(items),
            "wall_s": wall_s if np.isfinite(wall_s) else None,
        }
        write_bytes(record, json.dumps(facts).encode())
        shutil.rmtree(work, ignore_errors=True)
        return Sorting(labels, items, wall_s)

    def _objects(self) -> Objects:
        make_folder(self.folder)
        objects = Objects(self.folder)
        objects.make_folders()
        return objects


def _kept(objects: Objects, record: Path) -> Sorting | None:
    """A finished job's result; None where there is none, or it does not read back."""
    try:
        facts = json.loads(record.read_text(encoding="utf-8"))
        labels = objects.get_labels(facts["labels"])
        items = objects.get_items(facts["items"])
    except (OSError, ValueError, KeyError, CorruptProjectError):
        return None
    wall_s = facts.get("wall_s")
    return Sorting(labels, items, float("nan") if wall_s is None else float(wall_s))


def require_long(duration_s: float, least_s: float) -> None:
    """Raise `BadSamplesError` where a recording is too short to verify a sorting on."""
    if duration_s < least_s:
        raise BadSamplesError(
            f"at least {least_s:g} s of recording to verify a sorting on",
            f"{duration_s:.3g} s",
            "Give a longer recording: units need spikes to be found by.",
        )
