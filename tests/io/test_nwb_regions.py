"""Segmented cells in NWB files, ours and others'."""

from datetime import UTC, datetime

import numpy as np
import pytest

from nissl.io.nwb import NWB
from nissl.io.regions import traces_of
from nissl.testing.regions import RegionExporterContract, example_footprints, example_region_dossier

pynwb = pytest.importorskip("pynwb")


class TestContract(RegionExporterContract):
    name = "nwb"
    images = ("mean", "max", "correlation")


def test_others_read_masks_labels_and_traces(tmp_path):
    dossier = example_region_dossier()
    path = NWB.write(dossier, tmp_path / "out.nwb")
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        nwbfile = io.read()
        ophys = nwbfile.processing["ophys"]
        table = ophys["ImageSegmentation"]["PlaneSegmentation"].to_dataframe()
        series = ophys["Fluorescence"]["raw"]
        pictures = ophys["SummaryImages"].images
        assert set(pictures) == {"mean", "max", "correlation"}
        assert np.array_equal(pictures["mean"].data[:], dossier.images["mean"][0])
        assert table.index.tolist() == dossier.labels.column("item").tolist()
        assert set(table["label"]) <= {"cell", "not cell"}
        x, y, weight = np.asarray([tuple(r) for r in table["pixel_mask"].iloc[0]]).T
        assert (y * 64 + x).tolist() == dossier.labels.table.column("pixels")[0].as_py()
        assert np.allclose(weight, dossier.labels.table.column("weights")[0].as_py())
        assert series.rate == 7.5
        assert series.data.shape == (40, 12)
        assert "regions" in nwbfile.notes


def test_valid_for_nwbinspector(tmp_path):
    nwbinspector = pytest.importorskip("nwbinspector")
    path = NWB.write(example_region_dossier(), tmp_path / "out.nwb")
    found = list(nwbinspector.inspect_nwbfile(nwbfile_path=str(path)))
    critical = nwbinspector.Importance.CRITICAL
    assert [m.message for m in found if m.importance.value >= critical.value] == []


@pytest.mark.parametrize("masks", ["image_mask", "pixel_mask"])
def test_segmentations_of_others(tmp_path, masks):
    from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries

    drawn = example_footprints(np.random.default_rng(0), 4)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    nwbfile = pynwb.NWBFile("a", "b", start)
    plane = nwbfile.create_imaging_plane(
        name="plane",
        optical_channel=OpticalChannel(name="c", description="c", emission_lambda=520.0),
        description="p",
        device=nwbfile.create_device("m"),
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="V1",
    )
    segmentation = ImageSegmentation()
    table = segmentation.create_plane_segmentation(
        name="rois", description="cells", imaging_plane=plane
    )
    for pixels in drawn.pixels:
        image = np.zeros((48, 64), np.float32)
        image.ravel()[pixels] = 1
        y, x = np.nonzero(image)
        rows = list(zip(x.tolist(), y.tolist(), [1.0] * len(x), strict=True))
        table.add_roi(**{masks: image if masks == "image_mask" else rows})
    traces = np.random.default_rng(1).normal(size=(25, 4)).astype(np.float32)
    regions = table.create_roi_table_region(region=[0, 1, 2, 3], description="all")
    series = RoiResponseSeries(name="F", data=traces, unit="a.u.", rois=regions, rate=9.0)
    module = nwbfile.create_processing_module("ophys", "o")
    module.add(segmentation)
    module.add(Fluorescence(roi_response_series=series))
    path = tmp_path / "other.nwb"
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwbfile)
    assert NWB.matches(path)
    found = NWB.read(path)
    (labels,) = found.labels
    shape = found.items[0].context["grid"]
    assert shape == [1, 48, 64] if masks == "image_mask" else shape[1:] <= [48, 64]
    flat = [np.ravel_multi_index(np.unravel_index(p, (1, 48, 64)), shape) for p in drawn.pixels]
    assert labels.table.column("pixels").to_pylist() == [p.tolist() for p in flat]
    assert np.array_equal(traces_of(found.signals["raw"], labels.items), traces.T)
    assert found.facts["clock"] == [[0, 25, 0.0, 9.0]]
