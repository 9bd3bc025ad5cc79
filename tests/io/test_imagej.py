"""ROIs of ImageJ, and outlines of sets of pixels."""

import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roifile import ROI_TYPE, ImagejRoi, roiread

from nissl.errors import CorruptSourceError
from nissl.io.imagej import IMAGEJ
from nissl.io.outlines import filled, outlines
from nissl.testing.exporters import damage, read_or_refuse
from nissl.testing.regions import RegionExporterContract, example_region_dossier


class TestContract(RegionExporterContract):
    name = "imagej"
    traces = ()


@given(st.integers(0, 10_000), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_any_set_of_pixels_comes_back_from_its_outline(seed, size):
    image = np.random.default_rng(seed).random((size, size)) < 0.5
    image[0, 0] = True
    y, x = np.nonzero(image)
    back = np.zeros_like(image)
    back[filled(outlines(y, x))] = True
    assert np.array_equal(back, image)


def test_a_square_has_four_corners():
    y, x = np.nonzero(np.ones((3, 4)))
    (loop,) = outlines(y, x)
    assert sorted(map(tuple, loop.tolist())) == [(0, 0), (0, 3), (4, 0), (4, 3)]
    assert [v.size for v in filled([])] == [0, 0]


def test_roifile_reads_what_was_written(tmp_path):
    dossier = example_region_dossier()
    path = IMAGEJ.write(dossier, tmp_path / "a.zip")
    rois = [r for r in roiread(path) if isinstance(r, ImagejRoi)]
    assert [int(r.name) for r in rois] == dossier.labels.column("item").tolist()
    assert all(r.roitype == ROI_TYPE.TRACED for r in rois)


def test_regions_with_holes_are_composites(tmp_path):
    from dataclasses import replace

    from nissl.annotators.cells.footprints import Footprints
    from nissl.io.regions import regions

    image = np.zeros((48, 64), int)
    image[2:9, 2:9], image[4:6, 4:6], image[20, 20] = 1, 0, 1
    dossier = example_region_dossier()
    labels = regions(Footprints.from_masks(image), dossier.labels.provenance)
    path = IMAGEJ.write(replace(dossier, labels=labels, items=None), tmp_path / "a.zip")
    IMAGEJ.verify(replace(dossier, labels=labels, items=None), path)
    with zipfile.ZipFile(path) as archive:
        roi = ImagejRoi.frombytes(archive.read("00000.roi"))
    assert len(roi.coordinates(multi=True)) == 3


def test_after_a_change_in_imagej_it_is_a_persons_work(tmp_path):
    path = IMAGEJ.write(example_region_dossier(), tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as archive:
        more = ImagejRoi.frompoints([[1, 1], [4, 1], [4, 4], [1, 4]], name="new")
        archive.writestr("new.roi", more.tobytes())
    (labels,) = IMAGEJ.read(path, reviewer="A").labels
    assert labels.n_rows == 13
    assert labels.provenance.author.name == "A"
    assert labels.provenance.source == "f" * 64


def test_lines_enclose_nothing(tmp_path):
    path = tmp_path / "line.roi"
    roi = ImagejRoi.frompoints([[1, 1], [5, 1]])
    roi.tofile(path)
    with pytest.raises(CorruptSourceError, match="enclose"):
        IMAGEJ.read(path)


def test_damage_never_escapes(tmp_path):
    path = IMAGEJ.write(example_region_dossier(n_rows=3), tmp_path / "a.zip")
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(80):
        path.write_bytes(whole)
        damage(path, rng)
        read_or_refuse(IMAGEJ, path)


def test_a_parameter_named_shape_is_no_shape(tmp_path):
    from dataclasses import replace

    dossier = example_region_dossier()
    made = replace(dossier.labels.provenance, parameters={"shape": True})
    labels = replace(dossier.labels, provenance=made)
    context = {**dossier.items.context, "grid": [1, 48, 64]}
    items = replace(dossier.items, of=labels.digest, context=context)
    other = replace(dossier, labels=labels, items=items)
    path = IMAGEJ.write(other, tmp_path / "a.zip")
    IMAGEJ.verify(other, path)
