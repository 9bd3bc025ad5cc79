"""Reading UnitRefine's files, cards of what is trained on them, and the task's own checks."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.curation import card
from nissl.annotators.curation.features import FEATURES, NAMES
from nissl.annotators.curation.learner import LEARNER, grown
from nissl.annotators.curation.model import VOCABULARY
from nissl.annotators.curation.task import CURATION, check
from nissl.annotators.curation.train import leave_subject_out, main
from nissl.annotators.curation.unitrefine import read_unitrefine
from nissl.errors import BadArgumentError, CorruptSourceError, SourceNotFoundError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import Examples

METRICS = [f.unitrefine for f in FEATURES]
N = 40


def write(folder, name, *, votes=None, drop=(), seed=0, extra=()):
    rng = np.random.default_rng(seed)
    votes = votes or [("good", "mua", "noise")[k % 3] for k in range(N)]
    columns = [m for m in METRICS if m not in drop] + list(extra)
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / name, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["cluster_id", *columns, "majority_vote", "is_noise"])
        for k, vote in enumerate(votes):
            centre = {"good": 3.0, "mua": 0.0, "noise": -3.0}.get(vote, 0.0)
            values = [f"{centre + rng.normal():.4f}" for _ in columns]
            values[0] = "" if k == 0 else values[0]
            values[1] = "inf" if k == 1 else values[1]
            writer.writerow([k, *values, vote, int(vote == "noise")])


@pytest.fixture
def folder(tmp_path):
    for k, name in enumerate(("mouse1a_imec0", "mouse1b_imec0", "mouse3a_imec0", "mouse4_imec0")):
        write(tmp_path / "data", f"{name}.csv.gz", seed=k, extra=("d_prime",) if k else ())
    return tmp_path / "data"


def test_mice_are_subjects_and_recordings_sessions(folder):
    examples = read_unitrefine(folder)
    assert sorted(set(examples.features.subject)) == ["mouse1", "mouse3", "mouse4"]
    assert len(set(examples.features.session)) == 4
    assert examples.features.names == NAMES
    assert np.bincount(examples.label).tolist() == [56, 52, 52]


def test_units_are_converted_and_gaps_and_infinities_are_missing(folder):
    mapped, every = read_unitrefine(folder), read_unitrefine(folder, mapped=False)
    assert np.isnan(mapped.features.values[0, 0])
    assert np.isnan(mapped.features.values[1, 1])
    for k, feature in enumerate(FEATURES):
        theirs = every.features.values[:, every.features.names.index(feature.unitrefine)]
        assert np.allclose(mapped.features.values[:, k], theirs * feature.factor, equal_nan=True)
    assert not {"is_noise", "majority_vote", "cluster_id"} & set(every.features.names)
    only = every.features.values[:N, every.features.names.index("d_prime")]
    assert np.all(np.isnan(only))


def test_files_that_are_not_as_they_should_be(tmp_path):
    with pytest.raises(SourceNotFoundError):
        read_unitrefine(tmp_path)
    write(tmp_path / "a", "mouse1a_imec0.csv.gz", drop=METRICS, extra=("other",) * 2)
    with pytest.raises(CorruptSourceError, match="snr"):
        read_unitrefine(tmp_path / "a")
    write(tmp_path / "b", "mouse1a_imec0.csv.gz", votes=["good", "?", "mua"])
    with pytest.raises(CorruptSourceError, match="votes"):
        read_unitrefine(tmp_path / "b")


def test_files_of_others_may_lack_metrics_and_votes(tmp_path):
    votes = ["Good", "", "mua", "nan", "NOISE"]
    write(tmp_path, "mouse12b_probeA.csv.gz", votes=votes, drop=("snr", "spread"))
    write(tmp_path, "mouse_B7_imec1.csv.gz", votes=["good", "mua"])
    examples = read_unitrefine(tmp_path)
    assert examples.features.subject == ("mouse12",) * 3 + ("mouseB7",) * 2
    assert examples.label.tolist() == [0, 1, 2, 0, 1]
    assert examples.features.items.tolist() == [0, 2, 4, 0, 1]
    assert np.isnan(examples.features.values[:3, NAMES.index("snr")]).all()
    assert np.isfinite(examples.features.values[3:, NAMES.index("snr")]).all()


def test_a_left_out_subject_is_not_learnt_from(folder):
    examples = read_unitrefine(folder)
    first = leave_subject_out(examples, 0)
    wrong = np.where(np.asarray(examples.features.subject) == "mouse1", 2, examples.label)
    other = leave_subject_out(Examples(examples.features, wrong, examples.weight), 0)
    own = np.asarray(examples.features.subject) == "mouse1"
    assert first[own].tobytes() == other[own].tobytes()
    assert first[~own].tobytes() != other[~own].tobytes()


def test_fewer_than_three_subjects_calibrate_nothing(folder):
    examples = read_unitrefine(folder)
    two = examples.take(np.asarray(examples.features.subject) != "mouse1")
    model = grown(two, rng=np.random.default_rng(0))
    assert model.calibration.kind == "identity"
    assert model.calibrated_on.startswith("nothing")


def test_training_writes_the_same_weights_again_and_a_card(folder, tmp_path):
    for name in ("a", "b"):
        main([str(folder), str(tmp_path / name)])
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == sorted(p.name for p in (tmp_path / "b").iterdir())
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert {"model.json", "card.json", "CARD.md"} <= set(files)
    page = (tmp_path / "a" / "CARD.md").read_text()
    assert "| mouse3a_imec0 |" in page
    assert "each subject left out in turn" in page


def test_shipped_page_is_that_of_the_shipped_card():
    folder = Path(card.__file__).parent / "weights"
    assert (folder / "CARD.md").read_text() == card.render(LEARNER.card(), VOCABULARY.names)


def test_groups_are_scored_apart_and_small_ones_not_at_all(folder):
    examples = read_unitrefine(folder).take(np.arange(139))  # 19 units of mouse4
    p = np.full((139, 3), 0.05)
    p[np.arange(139), examples.label] = 0.9
    lab = ["a"] * 100 + ["b"] * 39
    found = card.evaluation(p, examples, attributes={"lab": lab}, rng=np.random.default_rng(0))
    rows = {(row["attribute"], row["name"]): row for row in found["groups"]}
    assert rows["subject", "mouse1"]["accuracy"]["estimate"] == 1.0
    assert rows["subject", "mouse4"]["n"] == 19
    assert rows["subject", "mouse4"]["accuracy"] is None
    assert rows["lab", "b"]["n"] == 39
    assert found["balanced_accuracy"]["estimate"] == 1.0
    shares = [row for row in card.composition(examples, "")["composition"]]
    assert sum(row["share"] for row in shares if row["attribute"] == "subject") == 1.0


def test_examples_must_fit_their_features(folder):
    examples = read_unitrefine(folder)
    with pytest.raises(BadArgumentError):
        Examples(examples.features, examples.label[:-1], examples.weight)
    with pytest.raises(BadArgumentError):
        Examples(examples.features, examples.label, -examples.weight)


def classes(label, confidence):
    n = len(label)
    return LabelSet.build(
        Kind.CLASSES,
        {"target": np.arange(n), "label": label, "confidence": confidence},
        VOCABULARY,
        Provenance("curation", "", Author("model", "curation/nissl")),
    )


def test_checks_tell_of_open_classes_and_of_sortings_without_good_units(tmp_path):
    context = Context(tmp_path)
    sure = classes(np.zeros(30, np.int32), np.full(30, 0.9))
    assert check(sure, None, None, context) == []
    doubtful = classes(np.full(30, 2, np.int32), np.full(30, 0.5))
    found = {f.check: f for f in check(doubtful, None, None, context)}
    assert found["doubtful_classes"].value == 30
    assert found["hardly_any_good"].severity == "warning"


def test_score_is_agreement_over_units():
    truth = classes(np.asarray([0, 0, 1, 2], np.int32), np.ones(4))
    got = CURATION.score(classes(np.asarray([0, 1, 1, 2], np.int32), np.ones(4)), truth)
    assert got["accuracy"] == 0.75
    assert got["balanced_accuracy"] == pytest.approx((0.5 + 1 + 1) / 3)
