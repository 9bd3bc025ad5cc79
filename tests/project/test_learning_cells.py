"""Flips in Suite2p teach the classifier of cells, which then judges a folder that nobody saw."""

import uuid

import numpy as np
import pytest

import nissl
from nissl.io.pickled import save
from nissl.labels import Author, Edit, EditKind, Kind, Provenance
from nissl.store import SourceRow
from nissl.testing.regions import example_footprints


@pytest.fixture
def folder(tmp_path):
    """Suite2p folders whose cells have skewed traces; a person disagreed with its classifier."""

    def make(seed, n=60, *, curated=True):
        rng = np.random.default_rng(seed)
        home = tmp_path / f"day{seed}" / "plane0"
        home.mkdir(parents=True)
        drawn = example_footprints(rng, n)
        cell = rng.random(n) < 0.5
        stat = []
        for pixels, yes in zip(drawn.pixels, cell.tolist(), strict=True):
            y, x = np.divmod(pixels, 64)
            skew = rng.normal(3.0 if yes else 0.5, 0.5)
            stat.append(
                {"ypix": y, "xpix": x, "lam": np.ones(y.size), "skew": skew, "compact": 1.1}
            )
        save(home / "stat.npy", stat)
        save(home / "ops.npy", {"Ly": 48, "Lx": 64, "fs": 10.0})
        np.save(home / "F.npy", rng.normal(100, 5, (n, 30)).astype(np.float32))
        chance = rng.uniform(0.1, 0.9, n)
        flag = cell if curated else chance > 0.5
        np.save(home / "iscell.npy", np.stack([flag, chance], axis=1))
        return home, cell

    return make


def test_regions_that_were_removed_teach_unless_another_holds_their_place(tmp_path):
    from nissl.annotators.cells.footprints import Footprints
    from nissl.review.decided import benches

    boxes = [[0, 1, 64, 65], [10, 11, 74, 75], [10, 11, 74, 75, 76], [30, 31, 94, 95]]
    made = Provenance("cells", "f" * 64, Author("model", "cells/example", "1"), "movie")
    labels = Footprints.build((1, 48, 64), [np.array(each) for each in boxes]).to_labels(made)
    store = nissl.open(tmp_path / "study").store
    store.add_source(SourceRow("f" * 64, "film", "film.tif", "tiff"))
    store.record_labels(store.put_labels(labels))

    def edit(n, kind, item):
        return Edit(uuid.UUID(int=n), EditKind(kind), labels.digest, (item,), "ana", 1.7e9 + n, {})

    store.append([edit(1, "remove", 0), edit(2, "remove", 1), edit(3, "accept", 2)])
    (bench,) = benches(store, "cells")
    assert bench.decided() == {0: "not cell", 2: "cell"}


def test_flips_teach(folder, tmp_path):
    project = nissl.open(tmp_path / "study")
    for seed in (1, 2):
        project.add(folder(seed)[0], subject=f"m{seed}")
    path, cell = folder(3, curated=False)
    new = project.add(path, subject="m3")
    learned = project.learn("cells")
    assert learned.card["name"] == "cells/quality"
    assert learned.card["data"]["n"] == 120
    project.use_model("cells", learned.digest, by="A")
    rows = project.store.label_sets(source=new.fingerprint, task="cells")
    judged = project.store.get_labels(rows[-1].digest)
    assert judged.kind is Kind.REGIONS
    assert judged.provenance.author.name == "cells/quality"
    assert np.mean((judged.column("label") == 0) == cell) > 0.9
    assert np.isfinite(judged.column("confidence")).all()
    dossier = project.dossier(new, "cells", draft=True)
    assert set(dossier.signals) == {"raw"}  # traces stay with the regions that were judged anew
