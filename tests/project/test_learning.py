"""Classes proposed, decided and learnt through the project's own verbs."""

from uuid import uuid4

import numpy as np
import pytest

from nissl.annotators.curation.model import VOCABULARY
from nissl.annotators.spikes.units import SCHEMA, to_arrow
from nissl.errors import MissingInputError
from nissl.labels import Author, Edit, EditKind, ItemTable, Kind, LabelSet, Provenance
from nissl.project import open_project

N_UNITS = 24
TRUE = np.arange(N_UNITS) % 3


@pytest.fixture
def night(tmp_path):
    """A raw file, two seconds of noise."""
    rng = np.random.default_rng(0)
    path = tmp_path / "night.bin"
    path.write_bytes(rng.integers(-50, 50, (60_000, 4)).astype("<i2").tobytes())
    return path


def add(project, path):
    return project.add(
        path, rate_hz=30_000.0, n_channels=4, dtype="int16", gain_uv=1.0, subject="m1"
    )


@pytest.fixture
def study(night, tmp_path):
    """A project with units that some sorter found."""
    rng = np.random.default_rng(1)
    with open_project(tmp_path / "study") as project:
        source = add(project, night)
        units = LabelSet.build(
            Kind.EVENTS,
            {
                "item": np.repeat(np.arange(N_UNITS), 20),
                "sample": rng.integers(0, 60_000, 20 * N_UNITS),
            },
            ("unit",),
            Provenance(
                "spikes", source.fingerprint, Author("model", "spikes/other"), source.stream()
            ),
        )
        columns = {c.name: np.zeros(N_UNITS) for c in SCHEMA}
        columns |= {"item": np.arange(N_UNITS), "snr": np.asarray([9.0, 4.0, 2.0])[TRUE]}
        items = ItemTable(
            units.digest, to_arrow(columns), context={"rate_hz": 30_000.0, "duration_s": 2.0}
        )
        project.store.put_labels(units)
        project.store.record_labels(units.digest, items=project.store.put_items(items))
        yield project, source


def test_annotate_decide_learn_use_and_go_back(study):
    project, source = study
    draft = project.annotate(source, "curation")
    assert draft.labels.provenance.targets == (project.labels(source, "spikes").digest,)
    assert project.annotate(source, "curation").resumed
    project.decide(
        Edit(
            uuid4(),
            EditKind.RELABEL,
            draft.labels.digest,
            (item,),
            "ana",
            1.0,
            {"label": VOCABULARY.names[TRUE[item]]},
        )
        for item in range(N_UNITS)
    )
    learned = project.learn("curation", seed=1)
    assert [m.in_use for m in project.models("curation")] == [True, False]
    used = project.use_model("curation", learned.digest[:10], by="ana")
    assert used.carried == N_UNITS
    assert project.model("curation").digest == learned.digest
    for _ in range(2):
        reviewed = project.reviewed(source, "curation")
        assert reviewed.labels.column("label").tolist() == TRUE.tolist()
        assert len(reviewed.decided) == N_UNITS
        assert project.rollback_model("curation", by="ana").digest in ("", learned.digest)
    assert [move.by for move in project.store.model_head_history("curation")] == ["ana"] * 3


def test_curation_without_spikes_says_what_to_do(night, tmp_path):
    with open_project(tmp_path / "empty") as project:
        source = add(project, night)
        with pytest.raises(MissingInputError, match="spikes"):
            project.annotate(source, "curation")
