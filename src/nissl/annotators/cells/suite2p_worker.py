"""Runs inside the Python that has Suite2p: ``python suite2p_worker.py JOB.json``.

Stands alone: it imports nothing of nissl. Reads raw frames and a job description, runs Suite2p
(1.0 or later) on one plane, and writes ``result.npz`` beside the job file: outlines, flags,
statistics and traces. ``--versions`` prints versions as JSON.
"""

import json
import os
import sys
import threading
from importlib import metadata
from pathlib import Path
from typing import Any

FACTS = ("npix", "compact", "radius", "aspect_ratio", "skew", "std", "footprint")


def versions() -> None:
    """Print the versions of what computes."""
    found = {}
    for name in ("suite2p", "torch", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    sys.stdout.write(json.dumps(found) + "\n")


def main(path: str) -> None:
    """Segment what the job file describes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import numpy as np
    import suite2p  # type: ignore[import-not-found]
    import torch  # type: ignore[import-not-found,unused-ignore]

    job = json.loads(Path(path).read_text(encoding="utf-8"))
    given = job["settings"]
    frames = np.memmap(job["frames"], job["dtype"], "r+", shape=tuple(job["shape"]))
    settings = suite2p.default_settings()
    settings["fs"], settings["tau"] = job["rate_hz"], given["tau"]
    if given["diameter"]:
        settings["diameter"] = [given["diameter"]] * 2
    answer = suite2p.pipeline(
        job["results"],
        frames,
        run_registration=bool(given["registration"]),
        settings=settings,
        device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
    )
    stat, traces, neuropil, spikes, flags = (answer[k] for k in (2, 3, 4, 7, 8))
    stat = [] if stat is None else list(stat)
    width = job["shape"][2]
    pixels, weights = [], []
    for each in stat:
        flat = each["ypix"].astype(np.int64) * width + each["xpix"].astype(np.int64)
        _, first = np.unique(flat, return_index=True)
        pixels.append(flat[first])
        weights.append(np.maximum(each["lam"][first], 1e-6).astype(np.float32))
    out: dict[str, Any] = {
        "lengths": np.asarray([p.size for p in pixels], np.int64),
        "pixels": np.concatenate(pixels) if pixels else np.zeros(0, np.int64),
        "weights": np.concatenate(weights) if weights else np.zeros(0, np.float32),
        "cell": np.asarray([f[0] for f in flags]) if stat else np.zeros(0),
    }
    if stat:
        out["fact:classifier_probability"] = np.asarray([f[1] for f in flags])
        for name in FACTS:
            if all(name in each for each in stat):
                out[f"fact:{name}"] = np.asarray([float(each[name]) for each in stat])
        out |= {"trace:raw": traces, "trace:neuropil": neuropil, "trace:deconvolved": spikes}
    part = Path(path).with_name("result.part.npz")
    np.savez(part, **out)
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
