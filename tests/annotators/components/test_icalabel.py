"""Independent components keep all seven probabilities of ICLabel."""

from pathlib import Path

import numpy as np
import pytest

import nissl
from nissl.annotators.components.icalabel import CLASSES
from nissl.annotators.components.pictures import maps
from nissl.annotators.components.simulate import ELECTRODES, simulate
from nissl.annotators.components.task import COMPONENTS, score
from nissl.annotators.events.simulate import simulate as background
from nissl.errors import EvaluationError, MissingInputError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.review.desk import find_desks

pytest.importorskip("mne_icalabel")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("components")
    recording, _ = simulate(1, duration_s=30.0)
    signal = recording.signal
    np.savez(
        folder / "rest.npz",
        data=signal.read(),
        rate_hz=signal.rate_hz,
        channel_names=np.asarray(signal.channels.ids),
    )
    with nissl.open(folder / "study") as project:
        source = project.add(folder / "rest.npz")
        yield project, source, project.annotate(source, "components")


def test_components_have_seven_probabilities_and_find_eyes_and_mains(study):
    _, _, draft = study
    p = np.stack(draft.labels.table.column("probabilities").to_pylist())
    assert p.shape == (15, 7)
    assert np.allclose(p.sum(axis=1), 1, atol=1e-4)
    drawn = draft.items.arrays["map"]
    frontal = np.nanmean(np.abs(drawn[:, :8]), axis=(1, 2)) / np.nanmean(np.abs(drawn), axis=(1, 2))
    assert p[int(frontal.argmax()), CLASSES.index("eye")] > 0.5
    hz = np.asarray(draft.items.context["spectrum_hz"])
    beside = np.median(draft.items.arrays["spectrum"][:, (hz > 44) & (hz < 56)], axis=1)
    mains = draft.items.arrays["spectrum"][:, np.argmin(np.abs(hz - 50))] - beside
    assert mains.max() > 15


def test_activations_are_a_source_and_a_desk_shows_the_pictures(study):
    project, source, draft = study
    assert draft.derived == ("rest.components",)
    activations = project.source("rest.components").recording.signal
    assert activations.n_channels == 15
    assert activations.n_samples == source.recording.signal.n_samples
    (desk,) = find_desks(project.store, lambda _: source.recording)
    assert (desk.row.task, desk.view, desk.vocabulary.names) == ("components", "classes", CLASSES)
    assert set(desk.items.arrays) == {"map", "spectrum", "course"}


def test_the_report_shows_components_and_speaks_of_no_spikes(study):
    project, source, _ = study
    html = Path(project.report(source, "components")).read_text()
    assert "15 components" in html
    assert "Independent components were classified by components/icalabel" in html
    assert "Pion-Tonachini" in html
    assert html.count('aria-label="map"') == 15
    assert "spikes" not in html


def test_a_map_is_strongest_where_the_electrode_is():
    places = np.array([(x, y, 0.3) for x, y in ELECTRODES.values()])
    names = list(ELECTRODES)
    drawn = maps(np.eye(len(names))[:, [names.index("O1"), names.index("F8")]], places)
    for picture, (below, right) in zip(drawn, ((True, False), (False, True)), strict=True):
        row, column = np.unravel_index(np.nanargmax(picture), picture.shape)
        assert bool(row > 20) is below
        assert bool(column > 20) is right
    assert np.isnan(drawn[0, 0, 0])


def test_doubtful_classes_are_told_and_scores_need_the_same_components(study):
    _, _, draft = study
    doubtful = {f.item for f in draft.findings if f.check == "doubtful_component"}
    assert doubtful == set(np.flatnonzero(draft.labels.column("confidence") < 0.5).tolist())
    assert score(draft.labels, draft.labels) == {"accuracy": 1.0, "balanced_accuracy": 1.0}
    fewer = LabelSet.build(
        Kind.CLASSES,
        {"target": [0], "item": [0], "label": [0]},
        COMPONENTS.vocabulary,
        Provenance("components", "", Author("person", "kim")),
    )
    with pytest.raises(EvaluationError):
        score(draft.labels, fewer)


def test_without_electrodes_it_says_so(tmp_path):
    recording, _ = background(1, kinds={}, duration_s=20.0)
    np.save(tmp_path / "x.npy", recording.signal.read())
    with nissl.open(tmp_path / "study") as project:
        source = project.add(tmp_path / "x.npy", rate_hz=recording.signal.rate_hz)
        with pytest.raises(MissingInputError, match="at least 4 electrodes"):
            project.annotate(source, "components")
