from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from nissl.store import Store
from nissl.testing.stateful import StoreMachine

QUICK = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_store_agrees_with_a_model_in_memory(kind, request):
    address = "sqlite" if kind == "sqlite" else request.getfixturevalue("postgresql")

    class Machine(StoreMachine):
        def open_store(self, path):
            return Store.open(path, database=address)

    examples = 25 if kind == "sqlite" else 6
    run_state_machine_as_test(Machine, settings=settings(QUICK, max_examples=examples))
