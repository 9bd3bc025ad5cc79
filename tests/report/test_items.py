"""Reports of items one by one: regions on their field, classes, facts."""

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.vocabulary import CELLS
from nissl.data import Movie, Recording
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.report import render
from nissl.tasks import Dossier, Finding

SHAPE = (1, 30, 40)
SOURCE = {
    "name": "field1",
    "format": "tiff",
    "streams": {"movie": {"rate_hz": 10.0, "duration_s": 5.0, "shape": list(SHAPE)}},
}


@pytest.fixture
def cells():
    image = np.zeros(SHAPE[1:], int)
    image[3:9, 4:10], image[15:21, 20:28] = 1, 2
    made = Footprints.from_masks(image)
    about = Provenance("cells", "f" * 64, Author("model", "cells/test", "1"), stream="movie")
    labels = made.to_labels(about, probability=np.array([0.9, 0.3]))
    trace = np.random.default_rng(0).random((2, 50)).astype(np.float32)
    table = pa.table({"item": labels.items, "snr": [4.0, 1.0]})
    items = ItemTable(labels.digest, table, {"snr": ""}, {"trace": trace})
    return labels, items


def movie():
    frames = np.random.default_rng(1).integers(0, 200, (50, *SHAPE[1:])).astype(np.uint16)
    return Recording(None, "tiff", {}, movies={"movie": Movie.from_array(frames, 10.0)})


def test_regions_are_drawn_on_their_field_and_doubtful_ones_come_first(cells):
    labels, items = cells
    doubt = Finding("dim", "warning", "It is dim.", item=1)
    html = render(
        Dossier(labels, items, movie(), "movie", findings=(doubt,), source=SOURCE, reviewed=0.5)
    )
    assert "30 × 40" in html
    assert "Cells were outlined by cells/test" in html
    assert 'aria-label="mean of some frames"' in html
    assert html.index("region 1</h3>") < html.index("region 0</h3>")
    assert "It is dim." in html
    assert "not cell (70%)" in html
    assert "spikes" not in html


def test_without_the_movie_outlines_stay(cells):
    labels, items = cells
    html = render(Dossier(labels, items, None, "movie", source=SOURCE))
    assert "outlines alone" in html
    assert "raw recording is not available" in html


def test_classes_links_and_nothing_at_all():
    for kind, columns in (
        (Kind.CLASSES, {"target": [0, 1], "label": [0, 1]}),
        (Kind.LINKS, {"a": [0], "b": [4]}),
        (Kind.REGIONS, {"pixels": pa.array([], pa.list_(pa.int64()))}),
    ):
        about = Provenance("other", "", Author("person", "kim"))
        html = render(Dossier(LabelSet.build(kind, columns, CELLS, about)))
        assert "by kim" in html
        assert "Confidence is not calibrated" not in html


def test_tracks_show_their_confidence_and_motion():
    from dataclasses import replace

    from nissl.testing.points import point_dossier

    dossier = replace(point_dossier(1, n_frames=30), log={})
    html = render(dossier)
    assert "confidence of 5 neurons in 30 volumes" in html
    assert "no two consecutive volumes were tracked" in html
    assert "AVEL" in html
    labels = dossier.labels
    table = labels.table
    columns = {n: table.column(n) for n in ("item", "x", "y", "z", "visible")}
    columns["frame"] = labels.column("frame") // 2
    plain = LabelSet.build(Kind.POINTS, columns, labels.vocabulary, labels.provenance)
    streams = {"red": {"rate_hz": 4.0, "duration_s": 7.5, "spacing_um": [1.5, 0.3, 0.3]}}
    html = render(replace(dossier, labels=plain, source={"name": "worm", "streams": streams}))
    assert "seen (no confidence was calibrated) of 5 neurons in 30 volumes" in html
    assert "mean step (um)" in html
    assert f"<td>neuron</td><td>5</td><td>{labels.n_rows}</td>" in html


def test_key_points_are_no_tracks():
    columns = {"frame": [0, 0], "item": [0, 0], "keypoint": [0, 1], "x": [1.0, 2.0]}
    columns |= {"y": [1.0, 2.0], "visible": [True, True]}
    about = Provenance("pose", "", Author("person", "kim"))
    html = render(Dossier(LabelSet.build(Kind.POINTS, columns, ("mouse",), about)))
    assert "by kim" in html
