"""The task "tracks": where each neuron of a moving, deforming animal is in every volume."""

from __future__ import annotations

from typing import Any

from nissl.annotators.tracks.annotated import channels_of
from nissl.annotators.tracks.checks import check as check_tracks
from nissl.annotators.tracks.describing import item_table
from nissl.annotators.tracks.score import match, score
from nissl.annotators.tracks.vocabulary import TRACKS as VOCABULARY
from nissl.data import Recording
from nissl.data.channels import MOVIE
from nissl.labels import Author, Edit, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.digest import digest_json
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Facts of tracks; brightness is read from the movie."""
    del context
    return item_table(labels, channels_of(inputs.recording, inputs.stream, None))


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


def simulate(seed: int, **settings: Any) -> tuple[Recording, LabelSet]:
    """Return a recording of a simulated worm, and its neurons as POINTS.

    Parameters
    ----------
    seed : int
    **settings
        Of `nissl.annotators.tracks.simulate.simulate_worm`: ``n_neurons=20, n_frames=30``.
    """
    import numpy as np

    from nissl.annotators.tracks.simulate import simulate_worm

    made = simulate_worm(np.random.default_rng(seed), **settings)
    facts = {name: repr(value) for name, value in sorted(settings.items())}
    source = digest_json({"simulated": "tracks", "seed": seed, **facts})
    movies = {movie.name: movie for movie in made.volumes.channels}
    recording = Recording(None, "simulated", {}, fingerprint=source, movies=movies)
    author = Author("model", "tracks/simulate", "1")
    stream = made.volumes.channels[0].name
    made_by = Provenance("tracks", source, author, stream=stream, parameters=facts, seed=seed)
    return recording, made.positions.to_labels(made_by)


TRACKS = Task(
    name="tracks",
    gives=Kind.POINTS,
    vocabulary=VOCABULARY,
    needs=(),
    methods=(),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=simulate,
    streams=(MOVIE,),
    match=match,
)
