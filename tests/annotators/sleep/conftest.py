"""Simulated nights shared by the tests of sleep."""

import pytest

from nissl.annotators.sleep.simulate import simulate_night
from nissl.tasks import Inputs


@pytest.fixture(scope="session")
def night():
    recording, truth = simulate_night(3, hours=1.5)
    return Inputs(recording, "signal"), truth
