"""`nissl learn` and `nissl models` as a user calls them."""

import json
from uuid import uuid4

import numpy as np
import pytest
from typer.testing import CliRunner

from nissl.annotators.curation.learner import LEARNER
from nissl.annotators.spikes.units import SCHEMA, to_arrow
from nissl.cli import app
from nissl.labels import Author, Edit, EditKind, ItemTable, Kind, LabelSet, Provenance
from nissl.store import SourceRow, Store

N_UNITS = 24


def call(*arguments):
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)
    return done.exit_code, done.stdout, done.exception


@pytest.fixture
def study(tmp_path):
    """A project whose units ana has decided on; written without running a sorter."""
    rng = np.random.default_rng(0)
    with Store.open(tmp_path / "study") as store:
        store.add_source(SourceRow("f0", "night", "/raw/0.bin", "raw", subject={"id": "m0"}))
        units = LabelSet.build(
            Kind.EVENTS,
            {
                "item": np.repeat(np.arange(N_UNITS), 20),
                "sample": rng.integers(0, 300_000, 20 * N_UNITS),
            },
            ("unit",),
            Provenance("spikes", "f0", Author("model", "spikes/fake", "1"), "ap"),
        )
        columns = {c.name: np.zeros(N_UNITS) for c in SCHEMA}
        columns |= {"item": np.arange(N_UNITS), "snr": rng.uniform(1, 12, N_UNITS)}
        items = ItemTable(
            units.digest, to_arrow(columns), context={"rate_hz": 30_000.0, "duration_s": 10.0}
        )
        store.put_labels(units)
        store.record_labels(units.digest, items=store.put_items(items))
        classes = LEARNER.propose(units, LEARNER.featurise(units, items))
        store.put_labels(classes)
        store.record_labels(classes.digest)
        store.append(
            [
                Edit(
                    uuid4(),
                    EditKind.RELABEL,
                    classes.digest,
                    (i,),
                    "ana",
                    1.0,
                    {"label": ("good", "mua", "noise")[i % 3]},
                )
                for i in range(N_UNITS)
            ]
        )
    return tmp_path / "study"


def test_learn_use_and_roll_back(study):
    code, out, _ = call("learn", study, "--json")
    assert code == 0
    learned = json.loads(out)
    assert learned["card"]["data"]["n"] == N_UNITS
    digest = learned["digest"]
    rows = json.loads(call("models", study, "--json")[1])
    assert [row["model"] for row in rows] == ["shipped", digest[:12]]
    assert [row["in_use"] for row in rows] == [True, False]
    code, out, _ = call("models", study, "--card", digest[:12])
    assert code == 0
    assert out.startswith("# Model card: curation/nissl")
    assert call("models", study, "--use", digest[:12], "--by", "ana")[0] == 0
    assert json.loads(call("models", study, "--json")[1])[1]["in_use"]
    assert call("models", study, "--rollback", "--by", "ana")[0] == 0
    assert json.loads(call("models", study, "--json")[1])[0]["in_use"]


def test_learn_prints_both_models_and_may_use_at_once(study):
    code, out, _ = call("learn", study, "--use", "--by", "ana")
    assert code == 0
    assert "shipped weights" in out
    assert "new model" in out
    assert "judged with" in out
    assert json.loads(call("models", study, "--json")[1])[1]["in_use"]
    assert call("learn", study, "--reader", "nobody")[0] != 0


def test_what_cannot_be_done_says_so(study):
    _, _, error = call("models", study, "--card", "used", "--rollback")
    assert "one of --card, --use and --rollback" in str(error)
    _, _, error = call("models", study, "--use", "ffff")
    assert error.exit_code == 4
    _, _, error = call("learn", study, "--task", "spikes")
    assert error.exit_code == 3
