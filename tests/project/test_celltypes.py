"""Cell types through the project's verbs: propose, learn from a library, use, propose again."""

import numpy as np
import pytest

from nissl.annotators.celltypes.features import featurise_units
from nissl.annotators.celltypes.library import Library
from nissl.annotators.celltypes.library_files import write_library
from nissl.annotators.celltypes.simulate import simulate_units
from nissl.annotators.celltypes.vocabulary import CEREBELLAR_NAMES, UNKNOWN
from nissl.annotators.spikes.units import SCHEMA, to_arrow
from nissl.errors import BadArgumentError
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.project import open_project

N_UNITS, RATE_HZ, DURATION_S = 20, 30_000.0, 120.0


@pytest.fixture(scope="module")
def cells():
    return simulate_units(31, n_units=N_UNITS, duration_s=DURATION_S, n_channels=8)


@pytest.fixture
def study(tmp_path, cells):
    """A project with a sorting of simulated cells; the raw file is noise."""
    noise = np.random.default_rng(0).integers(-50, 50, (int(RATE_HZ), 8)).astype("<i2")
    (tmp_path / "night.bin").write_bytes(noise.tobytes())
    with open_project(tmp_path / "study") as project:
        source = project.add(
            tmp_path / "night.bin",
            rate_hz=RATE_HZ,
            n_channels=8,
            dtype="int16",
            gain_uv=1.0,
            subject="m1",
        )
        sample = [np.round(u.spikes_s * RATE_HZ).astype(np.int64) for u in cells.units]
        item = np.repeat(np.arange(N_UNITS), [s.size for s in sample])
        order = np.argsort(np.concatenate(sample), kind="stable")
        units = LabelSet.build(
            Kind.EVENTS,
            {"item": item[order], "sample": np.concatenate(sample)[order]},
            ("unit",),
            Provenance(
                "spikes", source.fingerprint, Author("model", "spikes/other"), source.stream()
            ),
        )
        table = {c.name: np.zeros(N_UNITS) for c in SCHEMA} | {"item": np.arange(N_UNITS)}
        items = ItemTable(
            units.digest,
            to_arrow(table),
            units={"template": "uV"},
            arrays={"template": np.stack(cells.waveforms).astype(np.float32)},
            context={
                "rate_hz": RATE_HZ,
                "duration_s": DURATION_S,
                "position_um": np.asarray(cells.units[0].position_um).tolist(),
            },
        )
        project.store.put_labels(units)
        project.store.record_labels(units.digest, items=project.store.put_items(items))
        yield project, source


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    made = simulate_units(7, n_units=60, duration_s=200.0)
    animals = [f"a{k // 15}" for k in range(60)]
    table = featurise_units(made.units, subject=animals, session=animals)
    own = Library(
        table, made.kind, ("expert",) * 60, {}, {"name": "simulated", "licence": "CC0-1.0"}
    )
    return write_library(tmp_path_factory.mktemp("libraries") / "simulated.zip", own)


def test_a_library_teaches_and_annotate_uses_the_model_in_use(study, library, cells):
    project, source = study
    before = project.annotate(source, "celltypes")
    assert before.labels.vocabulary.names[-1] == UNKNOWN
    assert np.all(before.labels.column("label") == len(before.labels.vocabulary) - 1)
    assert any(f.check == "mostly_unknown" for f in before.findings)
    assert before.items.arrays["waveform"].shape == (N_UNITS, 61)
    learned = project.learn("celltypes", libraries=[library])
    assert set(learned.card["classes"]) == {*set(cells.kind), UNKNOWN}
    assert len(learned.card["data"]["features"]) < 100  # curves count as one
    used = project.use_model("celltypes", learned.digest, by="ana")
    proposed = project.store.get_labels(used.labels[0])
    assert set(proposed.vocabulary.names) == {*set(cells.kind), UNKNOWN}
    row = next(r for r in project.store.label_sets() if r.digest == used.labels[0])
    assert row.items is not None  # the view has its curves
    again = project.annotate(source, "celltypes", seed=1)
    assert again.labels.provenance.author.weights == proposed.provenance.author.weights
    told = np.asarray(again.labels.vocabulary.names)[again.labels.column("label")]
    claimed = told != UNKNOWN
    assert claimed.sum() >= 5
    assert np.mean(told[claimed] == np.asarray(cells.kind)[claimed]) >= 0.6
    assert project.rollback_model("celltypes", by="ana").digest == ""
    back = project.annotate(source, "celltypes", seed=2)
    assert back.labels.provenance.author.weights == before.labels.provenance.author.weights


def test_measured_labels_teach_a_class_of_ones_own(study, library):
    project, source = study
    bench = next(iter(project.store.label_sets(task="spikes")))
    units = np.arange(0, N_UNITS, 5)
    project.store.record_labels(
        project.store.put_labels(
            LabelSet.build(
                Kind.CLASSES,
                {"id": units, "item": units, "target": units, "label": np.zeros(4, np.int32)},
                ("my type",),
                Provenance(
                    "celltypes",
                    source.fingerprint,
                    Author("model", "celltypes/optotagging", "1"),
                    source.stream(),
                    targets=(bench.digest,),
                ),
            )
        )
    )
    learned = project.learn("celltypes", libraries=[library], extend=True)
    assert "my type" in learned.card["classes"]
    assert learned.card["data"]["n"] == 64


def test_the_cerebellum_is_another_vocabulary(study, tmp_path):
    project, source = study
    made = simulate_units(9, n_units=50, duration_s=100.0)
    names = dict(zip(sorted(set(made.kind)), CEREBELLAR_NAMES, strict=True))
    table = featurise_units(made.units, subject=[f"a{k // 10}" for k in range(50)], session="s")
    values = table.values.copy()
    values[:, table.names.index("layer")] = 1.0 + np.arange(50) % 3
    own = Library(
        type(table)(table.items, table.names, values, table.units, table.subject, table.session),
        tuple(names[kind] for kind in made.kind),
        ("optotagging",) * 50,
        {"layer": ("molecular",) * 50},
        {"name": "cerebellum", "licence": "CC0-1.0"},
    )
    path = write_library(tmp_path / "cerebellum", own)
    learned = project.learn("celltypes", libraries=[path])
    project.use_model("celltypes", learned.digest, by="ana")
    labels = project.annotate(source, "celltypes").labels
    assert set(labels.vocabulary.names) == {*CEREBELLAR_NAMES, UNKNOWN}


def test_a_library_is_for_cell_types_only(study, library):
    project, _ = study
    with pytest.raises(BadArgumentError, match="task celltypes"):
        project.learn("curation", libraries=[library])
    with pytest.raises(BadArgumentError, match="open vocabulary to extend"):
        project.learn("curation", extend=True)
