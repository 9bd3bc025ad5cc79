"""Runs inside the Python that has CaImAn: ``python caiman_worker.py JOB.json``.

Stands alone: it imports nothing of nissl. Reads raw frames and a job description, runs CaImAn's
CNMF with its quality tests, and writes ``result.npz`` beside the job file. CaImAn counts pixels
down the columns of an image first; what is written counts along the rows. ``--versions`` prints
versions as JSON.
"""

import json
import os
import sys
import threading
from importlib import metadata
from pathlib import Path
from typing import Any


def versions() -> None:
    """Print the versions of what computes."""
    found = {}
    for name in ("caiman", "numpy", "scipy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    sys.stdout.write(json.dumps(found) + "\n")


def main(path: str) -> None:
    """Segment what the job file describes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import numpy as np
    from caiman.source_extraction.cnmf import cnmf, params  # type: ignore[import-not-found]

    job = json.loads(Path(path).read_text(encoding="utf-8"))
    given = job["settings"]
    n, height, width = job["shape"]
    frames = np.fromfile(job["frames"], job["dtype"]).reshape(n, height, width)
    movie = Path(job["results"]) / "movie.npy"
    np.save(movie, frames.astype(np.float32))
    options = {
        "fnames": [str(movie)],
        "fr": job["rate_hz"],
        "decay_time": given["decay_time"],
        "gSig": [given["gSig"]] * 2,
        "K": given["K"] or 100,
        "rf": None,
        "only_init": False,
    }
    model = cnmf.CNMF(1, params=params.CNMFParams(params_dict=options))
    model = model.fit_file(motion_correct=bool(given["motion"]))
    found = model.estimates
    accepted = np.ones(found.A.shape[1])
    if found.idx_components is not None:
        accepted = np.isin(np.arange(found.A.shape[1]), found.idx_components).astype(float)
    matrix = found.A.tocsc()
    pixels, weights = [], []
    for column in range(matrix.shape[1]):
        a, b = matrix.indptr[column], matrix.indptr[column + 1]
        y, x = np.unravel_index(matrix.indices[a:b].astype(np.int64), (height, width), order="F")
        kept = matrix.data[a:b] > 0
        pixels.append((y * width + x)[kept])
        weights.append(matrix.data[a:b][kept].astype(np.float32))
    full = [k for k, p in enumerate(pixels) if p.size]
    out: dict[str, Any] = {
        "lengths": np.asarray([pixels[k].size for k in full], np.int64),
        "pixels": np.concatenate([pixels[k] for k in full]) if full else np.zeros(0, np.int64),
        "weights": np.concatenate([weights[k] for k in full]) if full else np.zeros(0, np.float32),
        "cell": accepted[full],
    }
    if full:
        out["trace:raw"] = (found.C + found.YrA)[full]
        out["trace:deconvolved"] = found.S[full]
        for name in ("SNR_comp", "r_values", "cnn_preds"):
            values = getattr(found, name, None)
            if values is not None and np.size(values) == matrix.shape[1]:
                out[f"fact:{name}"] = np.asarray(values, float).reshape(-1)[full]
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
