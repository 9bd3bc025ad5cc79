"""Regions that other programs and people keep in files: CaImAn, Cellpose, images, Neurofinder."""

import json

import h5py
import numpy as np
import pytest
import tifffile
from scipy.sparse import csc_matrix

import nissl
from nissl.annotators.cells.footprints import Footprints
from nissl.errors import CorruptSourceError, NisslError, SourceNotFoundError
from nissl.io import IMPORTERS, find_importer
from nissl.io.pickled import save
from nissl.io.regions import traces_of
from nissl.testing.exporters import damage, hash_tree, read_or_refuse
from nissl.testing.regions import example_footprints

SHAPE = (1, 30, 50)


@pytest.fixture
def drawn():
    return example_footprints(np.random.default_rng(0), 6, shape=SHAPE)


@pytest.fixture
def caiman(tmp_path, drawn):
    path = tmp_path / "analysis.hdf5"
    dense = np.zeros((30 * 50, 6))
    for k, (pixels, weights) in enumerate(zip(drawn.pixels, drawn.weights, strict=True)):
        image = np.zeros(30 * 50)
        image[pixels] = weights
        dense[:, k] = image.reshape(30, 50).ravel(order="F")
    sparse = csc_matrix(dense)
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file["dims"] = (30, 50)
        file["params/data/fr"] = 12.5
        held = file.create_group("estimates")
        for name in ("data", "indices", "indptr", "shape"):
            held[f"A/{name}"] = getattr(sparse, name)
        for name in ("C", "YrA", "S"):
            held[name] = rng.normal(size=(6, 20))
        held["F_dff"] = "NoneType"
        held["idx_components"] = np.asarray([0, 2, 5])
        held["SNR_comp"] = np.arange(6.0)
    return path


@pytest.fixture
def neurofinder(tmp_path, drawn):
    path = tmp_path / "regions" / "regions.json"
    path.parent.mkdir()
    entries = [
        {"coordinates": np.stack(np.divmod(pixels, 50), axis=1).tolist()} for pixels in drawn.pixels
    ]
    path.write_text(json.dumps(entries))
    (tmp_path / "info.json").write_text('{"dimensions": [30, 50], "rate-hz": 7.5}')
    return path


@pytest.fixture
def cellpose(tmp_path):
    path = tmp_path / "image_seg.npy"
    masks = np.zeros((30, 50), np.uint16)
    masks[2:5, 3:9], masks[10:20, 20:25] = 1, 2
    save(path, {"masks": masks, "filename": "image.tif", "flows": [np.zeros((3, 4)), None]})
    return path


def test_caimans_components_facts_and_traces(caiman, drawn):
    found = IMPORTERS.get("caiman").read(caiman)
    (labels,) = found.labels
    back = Footprints.from_labels(labels, SHAPE)
    assert all(np.array_equal(a, b) for a, b in zip(back.pixels, drawn.pixels, strict=True))
    assert all(np.allclose(a, b) for a, b in zip(back.weights, drawn.weights, strict=True))
    assert labels.column("label").tolist() == [0, 1, 0, 1, 1, 0]
    assert found.items[0].table.column("SNR_comp").to_pylist() == [0, 1, 2, 3, 4, 5]
    assert set(found.signals) == {"raw", "deconvolved"}
    with h5py.File(caiman) as file:
        wanted = file["estimates/C"][()] + file["estimates/YrA"][()]
    assert np.allclose(traces_of(found.signals["raw"], labels.items), wanted, atol=1e-6)
    assert found.signals["raw"].rate_hz == 12.5


def test_neurofinders_regions_are_a_persons(neurofinder, drawn):
    found = IMPORTERS.get("neurofinder").read(neurofinder)
    assert found.labels[0].provenance.author.kind == "person"
    back = Footprints.from_labels(found.labels[0], SHAPE)
    assert all(np.array_equal(a, b) for a, b in zip(back.pixels, drawn.pixels, strict=True))
    (neurofinder.parent.parent / "info.json").unlink()
    alone = IMPORTERS.get("neurofinder").read(neurofinder)
    assert "size of the field" in " ".join(alone.what_is_missing)
    neurofinder.write_text('[{"coordinates": [[1.5, 2]]}]')
    with pytest.raises(CorruptSourceError, match="region 0"):
        IMPORTERS.get("neurofinder").read(neurofinder)


def test_cellposes_masks(cellpose):
    found = IMPORTERS.get("cellpose").read(cellpose)
    assert found.labels[0].provenance.author.name == "cellpose"
    assert [len(p) for p in found.labels[0].table.column("pixels")] == [18, 50]
    by_hand = IMPORTERS.get("cellpose").read(cellpose, reviewer="A")
    assert by_hand.labels[0].provenance.author.kind == "person"
    save(cellpose, {"masks": np.zeros((3, 4))})
    with pytest.raises(CorruptSourceError):
        IMPORTERS.get("cellpose").read(cellpose)


def test_images_of_labels(tmp_path):
    image = np.zeros((2, 20, 30), np.uint16)
    image[0, 2:5, 2:5], image[1, 2:5, 2:5] = 7, 9
    path = tmp_path / "nuclei_masks.tif"
    tifffile.imwrite(path, image)
    found = IMPORTERS.get("label-image").read(path)
    assert found.labels[0].n_rows == 2
    assert found.items[0].context["grid"] == [2, 20, 30]
    tifffile.imwrite(tmp_path / "movie.tif", image)
    assert find_importer(tmp_path / "movie.tif") is None


@pytest.mark.parametrize("name", ["caiman", "neurofinder", "cellpose"])
def test_each_is_found_added_and_survives_damage(name, request, tmp_path):
    path = request.getfixturevalue(name)
    importer = IMPORTERS.get(name)
    assert find_importer(path) is importer
    before = hash_tree(path)
    importer.read(path)
    assert hash_tree(path) == before
    project = nissl.open(tmp_path / "study")
    source = project.add(path)
    assert source.row.format == name
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        path.write_bytes(whole)
        damage(path, rng)
        read_or_refuse(importer, path)
    path.unlink(missing_ok=True)
    with pytest.raises(SourceNotFoundError):
        importer.read(path)
    assert issubclass(SourceNotFoundError, NisslError)
