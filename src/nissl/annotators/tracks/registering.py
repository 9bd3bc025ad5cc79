"""`tracks/registration`: neurons of annotated volumes found again in every volume.

No training: blobs of each volume are registered with annotated ones (see
`nissl.annotators.tracks.following`). Volumes do not depend on each other, so that nothing drifts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from nissl.annotators.tracks.annotated import annotated, channels_of, spacing_of
from nissl.annotators.tracks.following import Known, learnt, place
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.seen import Looking, usual_diameter
from nissl.annotators.tracks.volumes import Volumes
from nissl.data import ChannelTable, Signal
from nissl.errors import BadArgumentError
from nissl.labels import Author, Provenance
from nissl.labels.digest import digest_array
from nissl.run.chunks import Chunk, plan_chunks
from nissl.run.context import Context
from nissl.run.execute import resumable, run_chunks
from nissl.run.identity import identity
from nissl.run.memory import measure_peak
from nissl.run.results import Arrays, stage_key
from nissl.tasks import Finding, Inputs, Promises, Result

CHUNK_FRAMES = 20
OFF_UM = 0.5
"""How far, in diameters, places may lie beside their blobs before that is told."""
POOR = 0.5
"""Median score of a volume below which it is told as lost."""
WHOLE = Promises(chunked=True, deterministic=True, memory="measured")


@dataclass(frozen=True)
class RegistrationMethod:
    """Registration of every volume with the annotated ones that lie most as it does."""

    name: str = "tracks/registration"
    version: str = "1"
    promises: Promises = WHOLE
    needs: tuple[str, ...] = ("tracks",)
    from_people: bool = True

    def missing(self) -> Mapping[str, str]:
        """Nothing: it computes with NumPy and SciPy."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return packages()

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values.

        `channels`: names of streams, the first for finding; null takes the annotated stream and
        the next of its shape. `spacing_um`: of a voxel along z, y, x, where the movie does not
        say it. `frames`: the volumes that a person annotated; null takes all of a person's set.
        `diameter_um`: of a nucleus; null looks for it. `threshold`: of blobs, in standard
        deviations of noise. `votes`: how many annotated volumes each volume is registered with.
        `least`: the score from 0 to 1 below which a neuron counts as absent.
        """
        return {
            "channels": None,
            "spacing_um": None,
            "frames": None,
            "diameter_um": None,
            "threshold": 4.0,
            "votes": 3,
            "least": 0.05,
        }

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Find the annotated neurons in every volume.

        Raises
        ------
        BadArgumentError, BadMetadataError
            A parameter outside its values; a size of a voxel that nobody stated.
        BadLabelsError
            Annotations that contradict themselves or the movie.
        InterruptedRunError
            Ctrl-C; finished chunks are kept.
        """
        began = time.perf_counter()
        require_sound(parameters, ("votes", 1, 20), ("least", 0.0, 1.0))
        volumes = channels_of(inputs.recording, inputs.stream, parameters["channels"])
        told = annotated(inputs.labels["tracks"], volumes, parameters["frames"])
        with measure_peak() as peak:
            most = round(1.4 * int(told.seen.sum(axis=1).max())) + 5
            looking = looked(volumes, parameters, told.frames.tolist(), most)
            known = learnt(told, volumes, looking)
            found = _everywhere(volumes, known, parameters, context)
        positions = _kept(found, told, float(parameters["least"]))
        labels = positions.to_labels(made_by(self, inputs, parameters, context))
        scores = score_signal(found["score"], told.items, volumes, positions)
        log = {
            "annotated_volumes": told.frames.tolist(),
            "neurons": int(told.items.size),
            "diameter_um": looking.diameter_um,
            "spacing_um": list(looking.spacing),
            "habit_voxels": known.habit.tolist(),
            "agreement": known.agreement.tolist(),
            "by_a_blob": float(found["blob"].mean()),
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
        }
        findings = (*_doubts(told, known), *_lost(found, volumes))
        return Result(labels=(labels,), sources=scores, log=log, findings=findings)


def looked(
    volumes: Volumes, parameters: Mapping[str, Any], frames: list[int], most: int | None
) -> Looking:
    """How the parameters say that volumes are to be looked at."""
    spacing = spacing_of(volumes, parameters["spacing_um"])
    told = parameters["diameter_um"]
    if told is None:
        diameter = usual_diameter(volumes, frames[:5], spacing)
    elif isinstance(told, (int, float)) and spacing[2] < told < 50 * spacing[2]:
        diameter = float(told)
    else:
        raise BadArgumentError(
            f"diameter_um from {spacing[2]:g} (a pixel) to {50 * spacing[2]:g}, or null",
            repr(told),
            "Measure how wide a nucleus is at half of its brightness.",
        )
    return Looking(spacing, diameter, float(parameters["threshold"]), most)


def require_sound(parameters: Mapping[str, Any], *ranges: tuple[str, float, float]) -> None:
    """Raise `BadArgumentError` for numbers outside their range, and lists that are none."""
    for name, low, high in (("threshold", 0.5, 1000.0), *ranges):
        value = parameters[name]
        if not (isinstance(value, (int, float)) and low <= value <= high):
            raise BadArgumentError(
                f"{name} from {low:g} to {high:g}", repr(value), "Leave it out for the default."
            )
    for name, kind in (("channels", str), ("frames", int)):
        value = parameters.get(name)
        if value is not None and not (
            isinstance(value, (list, tuple)) and value and all(isinstance(k, kind) for k in value)
        ):
            raise BadArgumentError(
                f"{name} as a list, or null", repr(value), f"Write --set '{name}=[...]'."
            )


def packages() -> dict[str, str]:
    """Versions of what computes."""
    return {"numpy": np.__version__, "scipy": scipy.__version__}


def made_by(
    method: Any, inputs: Inputs, parameters: Mapping[str, Any], context: Context
) -> Provenance:
    """Provenance of what a method proposes; its task is the first part of its name."""
    return Provenance(
        task=method.name.partition("/")[0],
        source=inputs.recording.fingerprint,
        stream=inputs.stream,
        author=Author("model", method.name, method.version),
        parameters=dict(parameters),
        seed=context.seed,
        made_from=tuple(each.digest for each in inputs.labels.values()),
        packages=dict(method.packages()),
    )


def identified(volumes: Volumes) -> list[Any]:
    """What identifies volumes to a stage."""
    return [
        [m.name, m.dtype.str, list(m.shape), m.clock.to_json(), identity(m.reader)]
        for m in volumes.channels
    ]


def memory_of(volumes: Volumes) -> int:
    """Bytes that finding in one volume takes: as read, as float32, and some dozen filtered."""
    voxels = volumes.channels[0].n_pixels
    stored = sum(movie.dtype.itemsize for movie in volumes.channels)
    return voxels * (2 * stored + 4 * len(volumes.channels) + 80) + 50 * 10**6


def score_signal(
    score: npt.NDArray[Any],
    items: npt.NDArray[np.int64],
    volumes: Volumes,
    positions: Positions,
) -> tuple[Signal, ...]:
    """The raw score of each neuron in each volume, one channel each, named by its item."""
    values = np.full(score.shape, np.nan, np.float32)
    values[positions.frames] = np.where(positions.seen, score[positions.frames], np.nan)
    table = ChannelTable.plain([str(item) for item in items.tolist()], kind="score")
    clock = volumes.channels[0].clock
    return (
        Signal.from_array(values, clock.rate_hz, name="track_score", channels=table, clock=clock),
    )


def _everywhere(
    volumes: Volumes, known: Known, parameters: Mapping[str, Any], context: Context
) -> Arrays:
    votes = int(parameters["votes"])
    facts = {
        "looking": asdict(known.looking),
        "references": [
            [each.frame, digest_array(each.um), digest_array(each.facts)]
            for each in known.references
        ],
    }
    key = stage_key(
        "registration", {"version": 1, "of": identified(volumes), "votes": votes, **facts}
    )
    chunks = plan_chunks(volumes.channels[0].clock, CHUNK_FRAMES)
    results = run_chunks(
        _chunk,
        chunks,
        (volumes, known, votes),
        context,
        key=key,
        memory_per_chunk=memory_of(volumes),
        stage="registration",
        rate_hz=volumes.channels[0].rate_hz,
    )
    with resumable("registration"):
        parts = list(results)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _chunk(shared: tuple[Volumes, Known, int], chunk: Chunk) -> Arrays:
    volumes, known, votes = shared
    placed = [place(volumes[k], known, n_votes=votes) for k in range(chunk.start, chunk.stop)]
    return {
        "xyz": np.stack([each.xyz for each in placed]).astype(np.float32),
        "score": np.stack([each.score for each in placed]).astype(np.float32),
        "blob": np.stack([each.blob for each in placed]),
        "evidence": np.asarray([each.evidence for each in placed], np.float32),
    }


def _kept(found: Arrays, told: Positions, least: float) -> Positions:
    """Places worth proposing; in annotated volumes those of people."""
    xyz = np.where(found["score"][..., None] >= least, found["xyz"], np.nan)
    xyz[told.frames] = told.xyz
    found["score"][told.frames] = np.where(told.seen, 1.0, 0.0)
    return Positions.build(np.arange(len(xyz)), xyz, items=told.items)


def _doubts(told: Positions, known: Known) -> list[Finding]:
    found = []
    if told.frames.size == 1:
        sentence = (
            "One volume is annotated: nothing tells how steady brightness is, and neurons that "
            "are not in it are followed nowhere. Annotate a second one in another posture."
        )
        found.append(Finding("one_volume", "warning", sentence, value=1.0, limit=2.0))
    spacing = np.asarray(known.looking.spacing[::-1])
    off = float(np.linalg.norm(known.habit * spacing) / known.looking.diameter_um)
    if off > OFF_UM:
        place_ = ", ".join(f"{value:+.1f}" for value in known.habit)
        sentence = (
            f"Annotated places lie ({place_}) voxels along x, y, z from what shines: perhaps they "
            "count from 1, or axes were swapped. What is found follows their habit."
        )
        found.append(Finding("off_centre", "warning", sentence, value=off, limit=OFF_UM))
    return found


def _lost(found: Arrays, volumes: Volumes) -> list[Finding]:
    middle = np.median(found["score"], axis=1)
    poor = np.flatnonzero(middle < POOR)
    if not poor.size:
        return []
    sentence = (
        f"{poor.size} of {volumes.n_frames} volumes look like no annotated one, the worst is "
        f"volume {int(np.argmin(middle))}: annotate it next."
    )
    share = poor.size / volumes.n_frames
    return [Finding("unlike_annotated", "warning", sentence, value=share, limit=0.0)]


REGISTRATION = RegistrationMethod()
