"""`tracks/blobs`: blobs of every volume, linked through time, so that one can begin from nothing.

Each volume is registered with the tracks so far, where they were last or where the field has
taken them since; a track that no blob belongs to waits for some volumes. Identity is no more than
these links: annotate by correcting them, then follow with a method that learns.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.annotated import channels_of
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.registering import (
    CHUNK_FRAMES,
    WHOLE,
    identified,
    looked,
    made_by,
    memory_of,
    packages,
    require_sound,
    score_signal,
)
from nissl.annotators.tracks.registration import NOBODY, register
from nissl.annotators.tracks.seen import Looking, Seen
from nissl.annotators.tracks.volumes import Volumes
from nissl.errors import BadSamplesError
from nissl.run.chunks import Chunk, plan_chunks
from nissl.run.context import Context
from nissl.run.execute import resumable, run_chunks
from nissl.run.memory import measure_peak
from nissl.run.results import Arrays, stage_key
from nissl.tasks import Inputs, Promises, Result

LOOKED_AT = 5
AGREEMENT = 0.7
"""Correlation of ranks of brightness between consecutive volumes."""
LIKELY = 0.3
"""Probability from which a blob goes on with a track instead of beginning another."""
REACH = 2.0
"""Diameters that a neuron moves between volumes against what the field expects, at most."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BlobsMethod:
    """Detection in every volume, and links from each volume to the next."""

    name: str = "tracks/blobs"
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Nothing: it computes with NumPy and SciPy."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return packages()

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values.

        `channels`, `spacing_um`, `diameter_um`, `threshold`: as of `tracks/registration`.
        `most`: keep so many of the clearest blobs of a volume; null keeps all that stand out.
        `gap`: volumes for which a track waits. `shortest`: tracks seen in fewer volumes are
        left out, at most a tenth of the movie.
        """
        return {
            "channels": None,
            "spacing_um": None,
            "diameter_um": None,
            "threshold": 5.0,
            "most": None,
            "gap": 10,
            "shortest": 10,
        }

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Find blobs and link them.

        Raises
        ------
        BadArgumentError, BadMetadataError
            A parameter outside its values; a size of a voxel that nobody stated.
        BadSamplesError
            Volumes in which nothing stands out.
        InterruptedRunError
            Ctrl-C; finished chunks are kept.
        """
        began = time.perf_counter()
        given = parameters if parameters["most"] is not None else {**parameters, "most": 1}
        require_sound(given, ("most", 1, 10000), ("gap", 0, 10000), ("shortest", 1, 10**9))
        volumes = channels_of(inputs.recording, inputs.stream, parameters["channels"])
        with measure_peak() as peak:
            frames = np.linspace(0, volumes.n_frames - 1, LOOKED_AT).astype(int)
            looking = looked(volumes, parameters, np.unique(frames).tolist(), parameters["most"])
            seen = detected(volumes, looking, context)
            links = _linked(seen, looking, int(parameters["gap"]), context)
        shortest = min(int(parameters["shortest"]), max(1, volumes.n_frames // 10))
        positions, scores = links.positions(volumes.n_frames, shortest)
        if not positions.items.size:
            raise BadSamplesError(
                "volumes in which nuclei stand out",
                f"no blob in at least {shortest} volumes",
                "Choose the channel that shows nuclei with --set 'channels=[...]', or lower "
                "--set threshold.",
            )
        labels = positions.to_labels(made_by(self, inputs, parameters, context))
        log = {
            "tracks": int(positions.items.size),
            "blobs_per_volume": float(np.mean([len(each.xyz) for each in seen])),
            "diameter_um": looking.diameter_um,
            "spacing_um": list(looking.spacing),
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
        }
        sources = score_signal(scores, positions.items, volumes, positions)
        return Result(labels=(labels,), sources=sources, log=log)


def detected(volumes: Volumes, looking: Looking, context: Context) -> list[Seen]:
    """Blobs of every volume, in chunks that are kept."""
    key = stage_key("blobs", {"version": 1, "of": identified(volumes), "looking": asdict(looking)})
    results = run_chunks(
        _chunk,
        plan_chunks(volumes.channels[0].clock, CHUNK_FRAMES),
        (volumes, looking),
        context,
        key=key,
        memory_per_chunk=memory_of(volumes),
        stage="blobs",
        rate_hz=volumes.channels[0].rate_hz,
    )
    found: list[Seen] = []
    with resumable("blobs"):
        for part in results:
            cuts = np.cumsum(part["n"])[:-1]
            columns = (np.split(part[name], cuts) for name in ("xyz", "light", "score"))
            found += [Seen(*each) for each in zip(*columns, strict=True)]
    return found


def _chunk(shared: tuple[Volumes, Looking], chunk: Chunk) -> Arrays:
    volumes, looking = shared
    seen = [looking.at(volumes[k]) for k in range(chunk.start, chunk.stop)]
    arrays = {
        name: np.concatenate([getattr(each, name) for each in seen])
        for name in ("xyz", "light", "score")
    }
    return {**arrays, "n": np.asarray([len(each.xyz) for each in seen], np.int64)}


@dataclass
class Links:
    """Tracks so far.

    Parameters
    ----------
    rows : list of (frame, track, x, y, z, score)
    here : ndarray, shape (n, 3)
        Where the tracks that still go on are expected, um.
    facts : ndarray, shape (n, n_channels)
        As they were last seen.
    track : ndarray, shape (n,), int64
    unseen : ndarray, shape (n,), int64
        Volumes since each was seen.
    n_tracks : int
    """

    rows: list[tuple[float, ...]] = field(default_factory=list)
    here: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    facts: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    track: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    unseen: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    n_tracks: int = 0

    def add(self, frame: int, seen: Seen, looking: Looking, gap: int) -> None:
        """Go on with the blobs of the next volume."""
        target, facts = seen.in_um(looking.spacing), seen.facts
        index = np.full(self.track.size, NOBODY, np.int64)
        sure = np.zeros(self.track.size)
        if self.track.size and len(target):
            match = register(
                self.here,
                target,
                source_facts=self.facts,
                target_facts=facts,
                agreement=AGREEMENT,
                start=self.here,
            )
            away = np.linalg.norm(match.moved - target[match.index], axis=1)
            good = (match.probability > LIKELY) & (away < REACH * looking.diameter_um)
            index, sure = np.where(good, match.index, NOBODY), match.probability
            self.here = match.moved
        seen_again = index != NOBODY
        self.here[seen_again] = target[index[seen_again]]
        if seen_again.any():
            self.facts[seen_again] = facts[index[seen_again]]
        self.unseen = np.where(seen_again, 0, self.unseen + 1)
        self._note(frame, self.track[seen_again], seen.xyz[index[seen_again]], sure[seen_again])
        self._begin(frame, np.setdiff1d(np.arange(len(target)), index), seen, target, facts)
        alive = self.unseen <= gap
        self.here, self.facts = self.here[alive], self.facts[alive]
        self.track, self.unseen = self.track[alive], self.unseen[alive]

    def _begin(
        self, frame: int, new: npt.NDArray[np.intp], seen: Seen, target: Floats, facts: Floats
    ) -> None:
        tracks = self.n_tracks + np.arange(new.size)
        self._note(frame, tracks, seen.xyz[new], np.full(new.size, LIKELY))
        if not self.facts.shape[1]:
            self.facts = np.zeros((self.track.size, facts.shape[1]))
        self.here = np.concatenate([self.here, target[new]])
        self.facts = np.concatenate([self.facts, facts[new]])
        self.track = np.concatenate([self.track, tracks])
        self.unseen = np.concatenate([self.unseen, np.zeros(new.size, np.int64)])
        self.n_tracks += new.size

    def _note(self, frame: int, track: npt.NDArray[np.int64], xyz: Floats, sure: Floats) -> None:
        self.rows += [
            (frame, int(t), *place, s)
            for t, place, s in zip(track.tolist(), xyz.tolist(), sure.tolist(), strict=True)
        ]

    def positions(self, n_frames: int, shortest: int) -> tuple[Positions, Floats]:
        """Tracks that were seen often enough, the most seen first, and their scores."""
        rows = np.asarray(self.rows, np.float64).reshape(-1, 6)
        frame, track = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64)
        number = np.bincount(track, minlength=self.n_tracks)
        order = np.argsort(-number, kind="stable")
        kept = order[number[order] >= shortest]
        item = np.full(self.n_tracks, NOBODY, np.int64)
        item[kept] = np.arange(kept.size)
        there = item[track] != NOBODY
        xyz = np.full((n_frames, kept.size, 3), np.nan)
        score = np.zeros((n_frames, kept.size))
        xyz[frame[there], item[track[there]]] = rows[there, 2:5]
        score[frame[there], item[track[there]]] = rows[there, 5]
        return Positions.build(np.arange(n_frames), xyz), score


def _linked(seen: list[Seen], looking: Looking, gap: int, context: Context) -> Links:
    links = Links()
    context.progress.start("links", len(seen), "volumes")
    for frame, each in enumerate(seen):
        links.add(frame, each, looking, gap)
        context.progress.advance("links", 1)
    context.progress.finish("links")
    return links


BLOBS = BlobsMethod()
