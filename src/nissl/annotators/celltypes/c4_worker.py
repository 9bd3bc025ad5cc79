"""Runs inside the Python that has NeuroPyxels: ``python c4_worker.py JOB.json``.

Stands alone: it imports nothing of nissl. Hands the units that the job file names to C4's
classifier, and writes ``result.json`` beside it: ids, classes and probabilities. ``--versions``
prints versions as JSON.
"""

import csv
import json
import os
import sys
import threading
from importlib import metadata
from pathlib import Path


def versions() -> None:
    """Print the versions of what computes."""
    found = {}
    for name in ("npyx", "torch", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    sys.stdout.write(json.dumps(found) + "\n")


def main(path: str) -> None:
    """Classify the units of a job file; all of them, for the threshold is applied by the caller."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("MPLBACKEND", "Agg")
    from npyx.c4.predict_cell_types import (  # type: ignore[import-not-found]
        run_cell_types_classifier,
    )

    job = json.loads(Path(path).read_text(encoding="utf-8"))
    units = Path(job["units"])
    run_cell_types_classifier(
        data_path=str(units),
        quality="all",
        threshold=0.0,
        parallel=False,
        layer=bool(job["layer"]),
    )
    result = read(units.with_suffix(""))
    part = Path(path).with_name("result.part.json")
    part.write_text(json.dumps(result), encoding="utf-8")
    os.replace(part, Path(path).with_name("result.json"))


def read(folder: Path) -> "dict[str, object]":
    """What the classifier left in its folder.

    ``cluster_predicted_cell_type.tsv`` holds units and classes; a matrix beside it probabilities
    by unit, class and model, whose classes ``label_correspondence.tsv`` names.
    """
    import numpy as np

    rows = _table(folder / "cluster_predicted_cell_type.tsv")
    beside = folder / "cell_type_classification"
    models = np.load(
        beside / "ensemble_predictions_ncells_nclasses_nmodels.npy", allow_pickle=False
    )
    mean = models.mean(axis=2)
    named = _table(beside / "label_correspondence.tsv")[0]
    classes = [named[str(k)] for k in range(mean.shape[1])]
    if len(rows) != len(mean):
        raise ValueError(f"{len(rows)} units, but probabilities of {len(mean)}")
    return {
        "units": [row["cluster_id"] for row in rows],
        "predicted": [row["predicted_cell_type"] for row in rows],
        "classes": classes,
        "probabilities": mean.tolist(),
        "n_models": int(models.shape[2]),
    }


def _table(path: Path) -> "list[dict[str, str]]":
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _end_with_parent() -> None:
    while os.read(0, 1):  # unbuffered: a buffered read would hold a lock at exit
        continue
    os._exit(1)


if __name__ == "__main__":
    if sys.argv[1] == "--versions":
        versions()
    else:
        main(sys.argv[1])
