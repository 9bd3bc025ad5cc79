"""Runs inside the Python that has Cellpose: ``python cellpose_worker.py JOB.json``.

Stands alone: it imports nothing of nissl. Reads raw frames and a job description, hands the mean
and the maximum of the movie to Cellpose (3 or 4), and writes ``result.npz`` beside the job file.
``--versions`` prints versions as JSON.
"""

import json
import os
import sys
import threading
from importlib import metadata
from pathlib import Path


def versions() -> None:
    """Print the versions of what computes."""
    found = {}
    for name in ("cellpose", "torch", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    sys.stdout.write(json.dumps(found) + "\n")


def main(path: str) -> None:
    """Segment what the job file describes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import numpy as np
    from cellpose import models  # type: ignore[import-not-found]

    job = json.loads(Path(path).read_text(encoding="utf-8"))
    given = job["settings"]
    frames = np.memmap(job["frames"], job["dtype"], "r", shape=tuple(job["shape"]))
    mean, top = np.zeros(frames.shape[1:]), np.full(frames.shape[1:], -np.inf)
    for start in range(0, len(frames), 200):
        block = frames[start : start + 200].astype(np.float64)
        mean, top = mean + block.sum(axis=0), np.maximum(top, block.max(axis=0))
    mean /= len(frames)
    picture = np.stack([mean, top, np.zeros_like(mean)], axis=-1).astype(np.float32)
    masks = models.CellposeModel(gpu=False).eval(
        picture,
        channel_axis=-1,
        diameter=given["diameter"],
        flow_threshold=given["flow_threshold"],
        cellprob_threshold=given["cellprob_threshold"],
    )[0]
    flat = np.asarray(masks).ravel()
    inside = np.flatnonzero(flat)
    order = np.argsort(flat[inside], kind="stable")
    _, lengths = np.unique(flat[inside], return_counts=True)
    part = Path(path).with_name("result.part.npz")
    np.savez(
        part,
        lengths=lengths.astype(np.int64),
        pixels=inside[order].astype(np.int64),
        weights=np.ones(inside.size, np.float32),
        cell=np.ones(lengths.size),
    )
    os.replace(part, Path(path).with_name("result.npz"))


def _end_with_parent() -> None:
    while os.read(0, 1):  # unbuffered: a buffered read would hold a lock at exit
        continue
    os._exit(1)


if __name__ == "__main__":
    if sys.argv[1] == "--versions":
        versions()
    else:
        main(sys.argv[1])
