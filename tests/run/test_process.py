"""Another program as part of a job."""

import sys

import pytest

from nissl.errors import MethodFailedError
from nissl.run.context import Context
from nissl.run.process import run_process

FAILS = "print('first'); raise RuntimeError('no networks')"
SAYS = "import os; print(os.environ['TOLD'])"


def test_output_goes_to_the_log_and_the_cost_is_measured(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", SAYS]
    wall_s, peak = run_process(command, log, Context(tmp_path), "saying", {"TOLD": "so"})
    assert log.read_text() == "so\n"
    assert wall_s > 0
    assert peak >= 0


def test_a_failure_is_told_in_its_last_words(tmp_path):
    log = tmp_path / "log"
    with pytest.raises(MethodFailedError, match="RuntimeError: no networks") as error:
        run_process([sys.executable, "-c", FAILS], log, Context(tmp_path), "failing")
    assert "failing to finish" in str(error.value)
    assert str(log) in str(error.value)
