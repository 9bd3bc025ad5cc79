"""The task "tracks": where each neuron of a moving, deforming animal is in every volume."""

from __future__ import annotations

from nissl.annotators.tracks.annotated import channels_of
from nissl.annotators.tracks.checks import check as check_tracks
from nissl.annotators.tracks.describing import item_table, named
from nissl.annotators.tracks.score import match, score
from nissl.annotators.tracks.simulate import simulate
from nissl.annotators.tracks.vocabulary import TRACKS as VOCABULARY
from nissl.data.channels import MOVIE
from nissl.labels import Edit, ItemTable, Kind, LabelSet
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Facts of tracks; brightness is read from the movie, names are those that people gave."""
    del context
    volumes = channels_of(inputs.recording, inputs.stream, None)
    return named(item_table(labels, volumes), inputs.items.get("tracks"))


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay until the set is described anew."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """See `nissl.annotators.tracks.checks`."""
    del items, context
    volumes = None if inputs is None else channels_of(inputs.recording, inputs.stream, None)
    return check_tracks(labels, volumes)


TRACKS = Task(
    name="tracks",
    gives=Kind.POINTS,
    vocabulary=VOCABULARY,
    needs=(),
    methods=("tracks/nissl", "tracks/registration", "tracks/blobs", "tracks/masks"),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=simulate,
    streams=(MOVIE,),
    match=match,
)
