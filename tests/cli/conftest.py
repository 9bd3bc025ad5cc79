"""A study made once by the real command, and a way to call commands as a user does."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    """Commands that run in the test's own process print tables as wide as those of `nissl`."""
    monkeypatch.setenv("COLUMNS", "200")


def _call(
    *arguments: object,
    cwd: Path | None = None,
    timeout: float = 240,
    environment: dict[str, str] | None = None,
) -> SimpleNamespace:
    done = subprocess.run(
        [sys.executable, "-m", "nissl", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"} | (environment or {}),
        stdin=subprocess.DEVNULL,
    )
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture(scope="session")
def nissl():
    """Run `nissl ARGUMENTS` in a process of its own: `.code`, `.out`, `.err`."""
    return _call


@pytest.fixture(scope="session")
def demo(nissl, tmp_path_factory):
    """What `nissl demo spikes` leaves behind, made once."""
    pytest.importorskip("spikeinterface", reason='needs pip install "nissl[ephys]"')
    study = tmp_path_factory.mktemp("demo") / "study"
    result = nissl("demo", "spikes", "--out", study, "--json")
    assert result.code == 0, result.err
    return SimpleNamespace(study=study, result=result)
