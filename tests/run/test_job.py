"""A job's hash stands for all that determines its result, and for nothing else."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.run.job import JobSpec

JOB = JobSpec(
    "spikes/lupin",
    "1",
    parameters={"threshold": 5.5, "bands": [300, 6000]},
    seed=3,
    inputs=("aa", "bb"),
    packages={"numpy": "2.0"},
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_hash_is_the_same_in_every_version_and_on_every_machine():
    assert JOB.hash == "004833bd2d2ef937b1995baf9a9eb484d34313e64c6206b193f57a1fa65826e6"


@pytest.mark.parametrize(
    "change",
    [
        {"annotator": "spikes/other"},
        {"version": "2"},
        {"parameters": {"threshold": 5.5}},
        {"seed": 4},
        {"inputs": ("bb", "aa")},
        {"weights": "cc"},
        {"packages": {"numpy": "2.1"}},
    ],
)
def test_every_part_counts(change):
    assert replace(JOB, **change).hash != JOB.hash


@given(st.dictionaries(st.text(), values, max_size=4), st.lists(st.text(), max_size=3))
def test_json_and_pickle_round_trip(parameters, inputs):
    job = JobSpec("a/b", "1", parameters=parameters, inputs=tuple(inputs), weights="w")
    for copy in (JobSpec.from_json(job.to_json()), pickle.loads(pickle.dumps(job))):
        assert copy == job
        assert copy.hash == job.hash
        assert hash(copy) == hash(job)


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_parameters_does_not_count(names):
    job = JobSpec("a/b", "1", parameters={name: name for name in names})
    assert job.hash == JobSpec("a/b", "1", parameters={name: name for name in "abcd"}).hash


def test_later_changes_do_not_reach_in():
    parameters = {"bands": [1, 2]}
    job = JobSpec("a/b", "1", parameters=parameters)
    before = job.hash
    parameters["bands"].append(3)
    job.to_json()["parameters"]["bands"].append(4)
    assert job.hash == before


@pytest.mark.parametrize("value", [np.zeros(2), float("nan"), object(), {1, 2}])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(BadArgumentError, match="JSON values"):
        JobSpec("a/b", "1", parameters={"x": value})
