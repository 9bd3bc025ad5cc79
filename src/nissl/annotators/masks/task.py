"""The task "masks": which voxels each neuron of a moving animal has, in every volume.

It stands beside `tracks`, which gives points: a task gives one kind of labels, has one score
and one head for each source, and the same neuron has the same item in both.
"""

from __future__ import annotations

from typing import Any

from nissl.annotators.masks.describing import doubts, item_table
from nissl.annotators.masks.masks import Masks
from nissl.annotators.masks.score import match, score
from nissl.annotators.tracks.annotated import channels_of
from nissl.annotators.tracks.checks import of_volumes
from nissl.annotators.tracks.describing import named
from nissl.annotators.tracks.vocabulary import TRACKS
from nissl.data import Recording
from nissl.data.channels import MOVIE
from nissl.errors import BadLabelsError
from nissl.labels import Author, Edit, ItemTable, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Facts of the neurons; names are those that people gave."""
    del context
    volumes = channels_of(inputs.recording, inputs.stream, None)
    masks = Masks.from_labels(labels, volumes.shape)
    return named(item_table(masks, labels, volumes), inputs.items.get("masks"))


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay until the set is described anew."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """What is doubtful: the volumes, masks that overlap, sizes that leap."""
    del items, context
    if inputs is None:
        return []
    volumes = channels_of(inputs.recording, inputs.stream, None)
    found = list(of_volumes(volumes))
    try:
        masks = Masks.from_labels(labels, volumes.shape)
    except BadLabelsError as error:
        return [*found, Finding("masks", "error", f"{error.got}. {error.remedy}")]
    return [*found, *doubts(masks)]


def simulate(seed: int, **settings: Any) -> tuple[Recording, LabelSet]:
    """A simulated worm and the voxels of each of its neurons; settings are those of tracks."""
    from nissl.annotators.tracks.simulate import Worm, simulated
    from nissl.annotators.tracks.simulate import simulate as simulate_tracks

    recording, tracks = simulate_tracks(seed, **settings)
    worm = simulated(Worm(seed=seed, **settings))
    masks = Masks.of_volumes((k, worm.masks(k)) for k in range(worm.worm.n_frames))
    # a worm's masks are numbered by item + 1
    masks = Masks.build(masks.shape, masks.frame, masks.item - 1, masks.voxels)
    made = tracks.provenance
    author = Author("model", "masks/simulate", "1")
    about = Provenance(
        "masks", made.source, author, stream=made.stream, parameters=dict(made.parameters),
        seed=seed,
    )  # fmt: skip
    return recording, masks.to_labels(about)


MASKS = Task(
    name="masks",
    gives=Kind.REGIONS,
    vocabulary=TRACKS,
    needs=(),
    methods=("masks/nissl", "masks/registration"),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=simulate,
    streams=(MOVIE,),
    match=match,
    view="masks",
)

__all__ = ["MASKS", "check", "describe", "simulate", "update"]
