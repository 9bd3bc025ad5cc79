"""Runs inside the Python that has Kilosort4: ``python kilosort4_worker.py JOB.json``.

Stands alone: it imports nothing of nissl. Reads raw samples and a job description, writes
``result.npz`` (sample, unit) beside the job file. ``--versions`` prints versions as JSON.
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
    for name in ("kilosort", "torch", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    sys.stdout.write(json.dumps(found) + "\n")


def main(path: str) -> None:
    """Sort what the job file describes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import numpy as np
    from kilosort import run_kilosort  # type: ignore[import-not-found]

    job = json.loads(Path(path).read_text(encoding="utf-8"))
    n = job["n_channels"]
    position = np.asarray(job["position_um"], dtype=np.float32)
    probe = {
        "chanMap": np.arange(n),
        "xc": position[:, 0],
        "yc": position[:, 1],
        "kcoords": np.zeros(n),
        "n_chan": n,
    }
    given = dict(job["settings"])
    motion = given.pop("motion")
    given.pop("threads")
    settings = {"fs": job["rate_hz"], "n_chan_bin": n, "nblocks": 1 if motion else 0} | given
    found = run_kilosort(
        settings=settings,
        probe=probe,
        filename=job["samples"],
        results_dir=job["results"],
        data_dtype=job["dtype"],
        do_CAR=n >= 2,
    )
    sample, unit = np.asarray(found[1]), np.asarray(found[2])
    sample = sample[:, 0] if sample.ndim == 2 else sample
    part = Path(path).with_name("result.part.npz")
    np.savez(part, sample=sample.astype(np.int64), unit=unit.astype(np.int64))
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
