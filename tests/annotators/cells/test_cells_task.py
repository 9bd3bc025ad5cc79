from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.cells import checks
from nissl.annotators.cells.features import UNITS, outline_facts, patches, thumbnails
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.method import NISSL, require_sound
from nissl.annotators.cells.simulate import simulate
from nissl.annotators.cells.task import CELLS
from nissl.data import Movie, Recording
from nissl.errors import BadArgumentError
from nissl.labels import Author, ItemTable, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import Inputs, resolve
from nissl.testing.annotators import AnnotatorContract

MADE_BY = Provenance("cells", "f" * 64, Author("person", "someone"), "movie")


@pytest.fixture(scope="module")
def filmed() -> tuple[Inputs, LabelSet]:
    recording, truth = simulate(
        5,
        height=96,
        width=96,
        n_frames=400,
        rate_hz=7.5,
        photons=20.0,
        event_hz=0.2,
        jitter_px=0.0,
        drift_px=0.0,
        jerks_per_min=0.0,
    )
    return Inputs(recording, "movie"), truth


class TestNissl(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):  # type: ignore[no-untyped-def]
        return NISSL

    @pytest.fixture(scope="class")
    def inputs(self, filmed):  # type: ignore[no-untyped-def]
        return filmed[0]

    def test_workers_change_nothing(self, annotator, inputs, parameters, run, tmp_path) -> None:  # type: ignore[no-untyped-def]
        again = annotator.annotate(inputs, parameters, Context(tmp_path, seed=3, workers=2))
        assert again.labels[0].digest == run[0].labels[0].digest
        assert again.items[0].digest == run[0].items[0].digest
        for one, other in zip(run[0].sources, again.sources, strict=True):
            assert one.read().tobytes() == other.read().tobytes()

    def test_finds_most_cells_and_keeps_their_traces(self, run, filmed) -> None:  # type: ignore[no-untyped-def]
        result, truth = run[0], filmed[1]
        scores = CELLS.score(result.labels[0], truth)
        assert scores["f1"] > 0.4
        assert set(scores) == {"f1", "precision", "recall", "iou"}
        names = {signal.name: signal for signal in result.sources}
        assert {"fluorescence", "raw", "neuropil"} <= set(names)
        assert names["fluorescence"].channels.ids == tuple(map(str, result.labels[0].items))
        assert names["fluorescence"].channels.kind == "fluorescence"
        assert names["fluorescence"].n_samples == 400
        assert set(UNITS) <= set(result.items[0].table.column_names)
        assert result.items[0].arrays["patch"].shape[1:] == (41, 41)
        assert result.items[0].context["grid"] == [1, 96, 96]
        assert set(result.images) >= {"mean", "max", "correlation"}
        assert np.isnan(result.labels[0].column("confidence")).all()


def test_the_task_is_registered() -> None:
    task, method = resolve("cells")
    assert task is CELLS
    assert method is NISSL


def test_cells_from_elsewhere_are_described(filmed: tuple, tmp_path: Path) -> None:
    inputs, truth = filmed
    items = CELLS.describe(truth, inputs, Context(tmp_path))
    assert items.of == truth.digest
    snr = items.table.column("snr").to_numpy()
    assert np.isfinite(snr).all()
    assert items.arrays["trace"].shape == (len(truth), 400)


def test_outline_facts_of_a_disc_and_a_rod() -> None:
    y, x = np.mgrid[:40, :40]
    disc = np.flatnonzero(np.hypot(y - 12, x - 12) <= 6)
    rod = np.flatnonzero((abs(y - 32) <= 1) & (abs(x - 20) <= 12))
    cells = Footprints.build((1, 40, 40), [disc, rod])
    facts = outline_facts(cells)
    assert facts["compactness"][0] > 0.97 > 0.6 > facts["compactness"][1]
    assert facts["aspect_ratio"][0] == pytest.approx(1, abs=0.05)
    assert facts["aspect_ratio"][1] > 5
    assert facts["x_px"].tolist() == [12, 20]
    image = np.arange(1600.0).reshape(1, 40, 40)
    cut = patches(cells, image, 17)
    assert cut[0, 8, 8] == image[0, 12, 12]
    assert np.isnan(cut[1, -1]).all()
    assert thumbnails(np.ones((10, 2), np.float32), 4).tolist() == [[1.0] * 4] * 2


def test_findings_tell_of_the_movie() -> None:
    names = lambda movie: {f.check for f in checks.of_movie(movie)}  # noqa: E731
    rng = np.random.default_rng(0)
    good = rng.integers(100, 200, (200, 8, 8)).astype(np.uint16)
    assert names(Movie.from_array(good, 30.0)) == set()
    assert names(Movie.from_array(good, 90_000.0)) == {"frame_rate"}
    assert names(Movie.from_array(good[:1], 30.0)) == {"few_frames"}
    assert names(Movie.from_array(np.zeros_like(good), 30.0)) == {"black"}
    bright = good.copy()
    bright[:, :2] = 4095
    assert names(Movie.from_array(bright, 30.0)) == {"saturated"}
    broken = good.astype(np.float32)
    broken[3:] = np.nan
    assert "not_a_number" in names(Movie.from_array(broken, 30.0))


def test_findings_tell_of_cells() -> None:
    cells = Footprints.build((1, 20, 20), [[1, 2], [399]])
    labels = cells.to_labels(MADE_BY)
    movie = Movie.from_array(np.ones((3, 8, 8), np.uint16), 30.0)
    recording = Recording(None, "test", {}, fingerprint="f" * 64, movies={"movie": movie})
    context = Context(Path("unused"))
    found = CELLS.check(labels, None, Inputs(recording, "movie"), context)
    assert [f.item for f in found if f.check == "outside"] == [1]
    table = pa.table({"item": np.array([0, 1]), "noise": [1.0, 20.0], "baseline": [-3.0, 5.0]})
    items = ItemTable(labels.digest, table)
    found = CELLS.check(labels, items, None, context)
    assert {(f.check, f.item) for f in found} == {("noise", 1), ("baseline", 0)}
    nothing = cells.take(np.zeros(2, bool)).to_labels(MADE_BY)
    assert [f.check for f in CELLS.check(nothing, None, None, context)] == ["no_cells"]


def test_only_what_is_called_a_cell_counts() -> None:
    cells = Footprints.build((1, 20, 20), [[1, 2, 3], [50, 51], [90, 91]])
    truth = cells.to_labels(MADE_BY)
    sure = cells.to_labels(MADE_BY, probability=np.array([0.9, 0.8, 0.1]))
    assert CELLS.score(truth, truth)["f1"] == 1.0
    scores = CELLS.score(sure, truth)
    assert scores["precision"] == 1.0
    assert scores["recall"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"modality": "x"},
        {"diameter_px": 0.5},
        {"diameter_px": "ten"},
        {"coefficient": 1.5},
        {"shape": False, "activity": False},
    ],
)
def test_parameters_outside_their_values_are_refused(wrong: dict) -> None:
    with pytest.raises(BadArgumentError):
        require_sound({**NISSL.defaults(), **wrong})
