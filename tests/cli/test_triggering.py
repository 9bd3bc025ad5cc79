"""Options of triggers, and a replayed session that sends them."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from nissl.cli import app
from nissl.cli.triggering import Triggering, chosen_of, socket_source
from nissl.errors import BadArgumentError
from nissl.live.triggers import read_log


def test_labels_and_units_are_told_apart():
    chosen = chosen_of("spike, unit=3,unit=12")
    assert (chosen.labels, chosen.units) == (frozenset({"spike"}), frozenset({3, 12}))
    assert (chosen_of(None).labels, chosen_of("burst").units) == (None, None)
    with pytest.raises(BadArgumentError, match="unit=N"):
        chosen_of("unit=x")


def test_what_is_no_address_is_told(tmp_path):
    assert socket_source("night.edf", wait_s=1, idle_s=1) is None
    assert Triggering(None, None, 0, 1, None, None).sink(tmp_path / "a") is None
    with pytest.raises(BadArgumentError, match="--trigger"):
        Triggering("usb", None, 0, 1, None, None).sink(tmp_path / "a")


@pytest.mark.parametrize("killed", [False, True])
def test_a_replayed_session_sends_triggers_unless_killed(tmp_path, killed):
    pytest.importorskip("zmq")
    x = (20 * np.random.default_rng(0).standard_normal((4000, 2))).astype(np.float32)
    np.savez(tmp_path / "night.npz", data=x, rate=100.0, channels=np.array(["Fpz-Cz", "Pz-Oz"]))
    stop = tmp_path / "stop"
    if killed:
        stop.touch()
    told = ("--task", "sleep", "--set", "epoch_s=5", "--from", tmp_path / "night.npz")
    send = ("--speed", "inf", "--trigger", "zmq:tcp://127.0.0.1:*", "--kill-file", stop)
    arguments = [str(each) for each in ("live", tmp_path / "study", *told, *send)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    starts = [json.loads(line)["start"] for line in result.stdout.splitlines()]
    (log,) = (tmp_path / "study" / "live").glob("*.triggers")
    assert len(starts) == 8
    assert [each.start for each in read_log(log)] == ([] if killed else starts)
