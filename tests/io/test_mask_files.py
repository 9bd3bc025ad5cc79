"""Masks of volumes in targettrack's files, in folders and in stacks of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.masks.masks import Masks
from nissl.data import Recording
from nissl.data.read import read
from nissl.errors import BadArgumentError, CorruptSourceError
from nissl.io import IMPORTERS, find_importer
from nissl.io.mask_volumes import CTC
from nissl.io.targettrack import TARGETTRACK
from nissl.labels import Author
from nissl.project import open_project
from nissl.testing.files import write_targettrack
from nissl.testing.masks import GRID, MaskExporterContract, example_masks, mask_dossier

h5py = pytest.importorskip("h5py")
tifffile = pytest.importorskip("tifffile")

GREY = "minisblack"


class TestTargettrack(MaskExporterContract):
    name = "targettrack"


class TestCellTrackingChallenge(MaskExporterContract):
    name = "ctc"


def drawn(n_frames: int = 3) -> Masks:
    return example_masks(np.random.default_rng(0), n_frames)


def numbers(masks: Masks, frame: int) -> np.ndarray:
    return np.append(0, masks.items)[masks.volume(frame)].astype(np.uint16)


def movie(n: int = 6) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 200, (n, 2, *GRID)).astype(np.int16)


def test_people_targettrack_and_networks_are_three_authors(tmp_path: Path) -> None:
    path, masks = write_targettrack(tmp_path / "worm.h5", movie()), drawn()
    with h5py.File(path, "r+") as file:
        for t in (0, 2, 4):  # the axes of volumes are (x, y, z)
            file[f"{t}/mask"] = numbers(masks, t).T
        file.attrs["ground_truth"] = [0, 4]
        file["net/small_run1/1/predmask"] = numbers(masks, 2).T
    assert find_importer(path).name == "targettrack"
    found = IMPORTERS.get("targettrack").read(path, reviewer="ada")
    authors = [labels.provenance.author for labels in found.labels]
    assert [each.name for each in authors] == ["ada", "targettrack", "targettrack/small_run1"]
    assert [each.kind for each in authors] == ["person", "model", "model"]
    frames = [np.unique(labels.column("frame")).tolist() for labels in found.labels]
    assert frames == [[0, 4], [2], [1]]
    back = Masks.from_labels(found.labels[0], GRID)
    np.testing.assert_array_equal(numbers(back, 4), numbers(masks, 4))
    assert found.items[0].context["grid"] == list(GRID)


def test_data_sets_that_are_numbered_are_no_volumes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["0"] = np.zeros((3, 4))
    assert not TARGETTRACK.matches(tmp_path / "other.h5")


def test_a_file_may_have_points_and_masks(tmp_path: Path) -> None:
    places = np.random.default_rng(2).uniform(1, 4, (6, 3, 3))
    path = write_targettrack(tmp_path / "worm.h5", movie(), places)
    with h5py.File(path, "r+") as file:
        file["0/mask"] = numbers(drawn(), 0).T
    found = IMPORTERS.get("targettrack").read(path)
    assert [labels.provenance.task for labels in found.labels] == ["tracks", "masks"]
    assert {labels.provenance.source for labels in found.labels} == {found.fingerprint}


def test_masks_travel_with_the_volumes_and_what_was_redrawn_wins(tmp_path: Path) -> None:
    recording: Recording = read(write_targettrack(tmp_path / "a.h5", movie(14)), rate_hz=4.0)
    dossier = replace(mask_dossier(), recording=recording)
    path = TARGETTRACK.write(dossier, tmp_path / "b.h5")
    TARGETTRACK.verify(dossier, path)
    assert read(path, rate_hz=4.0).movies["red"].n_frames == 14
    with h5py.File(path, "r+") as file:
        assert not file.attrs["pointdat"]
        assert file["neuron_presence"].shape == (14, int(file.attrs["N_neurons"]) + 1)
        mask = file["0/mask"]
        volume = mask[()]
        volume[0, 0, 0] = 2
        mask[...] = volume
    found = TARGETTRACK.read(path, reviewer="ada")
    assert found.labels[0].provenance.author.name == "ada"


def test_items_that_no_voxel_can_hold_are_counted_from_1(tmp_path: Path) -> None:
    whole = mask_dossier()
    masks = drawn()
    zero = Masks.build(GRID, masks.frame, masks.item - 2, masks.voxels)
    labels = zero.to_labels(whole.labels.provenance)
    dossier = replace(whole, labels=labels, items=None)
    path = CTC.write(dossier, tmp_path / "out_ctc")
    CTC.verify(dossier, path)
    assert sorted(np.unique(tifffile.imread(path / "mask000.tif"))) == [0, 1, 2, 3, 4]
    assert (path / "res_track.txt").read_text().splitlines()[0] == "1 0 4 0"


def test_folders_of_others_are_read_by_what_their_names_say(tmp_path: Path) -> None:
    masks = drawn()
    for name in ("man_track", "mask"):
        folder = tmp_path / name
        folder.mkdir()
        for frame in masks.frames.tolist():
            tifffile.imwrite(
                folder / f"{name}{frame:03}.tif", numbers(masks, frame), photometric=GREY
            )
        assert find_importer(folder).name == "ctc"
    people = IMPORTERS.get("ctc").read(tmp_path / "man_track").labels[0]
    assert people.provenance.author.kind == "person"
    model = IMPORTERS.get("ctc").read(tmp_path / "mask").labels[0]
    assert model.provenance.author.kind == "model"
    back = Masks.from_labels(people, GRID)
    np.testing.assert_array_equal(numbers(back, 4), numbers(masks, 4))
    tifffile.imwrite(
        tmp_path / "mask" / "mask006.tif", np.zeros((3, 3, 3), np.float32), photometric=GREY
    )
    with pytest.raises(CorruptSourceError, match="float32"):
        IMPORTERS.get("ctc").read(tmp_path / "mask")


def test_one_stack_of_all_volumes(tmp_path: Path) -> None:
    masks = drawn()
    stack = np.stack([numbers(masks, t) if t % 2 == 0 else np.zeros(GRID, np.uint16)
                      for t in range(5)])  # fmt: skip
    path = tmp_path / "worm_masks.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TZYX"})
    assert find_importer(path).name == "mask-stack"
    found = IMPORTERS.get("mask-stack").read(path, reviewer="ada")
    back = Masks.from_labels(found.labels[0], GRID)
    assert back.frames.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(numbers(back, 2), numbers(masks, 2))
    tifffile.imwrite(path, stack[0], photometric=GREY)
    assert find_importer(path).name == "label-image"


def test_masks_are_imported_to_their_movie_and_exported_again(tmp_path: Path) -> None:
    with h5py.File(write_targettrack(tmp_path / "worm.h5", movie()), "r+") as file:
        file["2/mask"] = numbers(drawn(), 2).T
    project = open_project(tmp_path / "study")
    source = project.add(tmp_path / "worm.h5", rate_hz=4.0, spacing_um=(1.5, 0.6, 0.6))
    (own,) = project.store.label_sets(source=source.fingerprint, task="masks")
    assert (own.kind, own.stream, own.author.name) == ("regions", "red", "targettrack user")
    CTC.write(mask_dossier(n_frames=3), tmp_path / "drawn_ctc")
    (tmp_path / "drawn_ctc" / "nissl").rename(tmp_path / "aside")
    (labels,) = project.add_points(source, tmp_path / "drawn_ctc", author="ada")
    assert labels.provenance.author == Author("person", "ada")
    assert labels.provenance.stream == "red"
    out = project.export(source, "targettrack", tmp_path / "back.h5", task="masks", draft=True)
    again = TARGETTRACK.read(out).labels[0]
    assert again.digest == labels.digest
    late = mask_dossier(n_frames=6)
    CTC.write(late, tmp_path / "late_ctc")
    with pytest.raises(BadArgumentError, match="masks in volume"):
        project.add_points(source, tmp_path / "late_ctc")
