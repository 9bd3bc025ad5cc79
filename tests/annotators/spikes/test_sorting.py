"""The sorter's process: results, log, resume, failure, interruption; with stand-in programs."""

import json
import os
import signal as signals
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from nissl.annotators.spikes.sorting import in_files, sort_in_process
from nissl.data import Signal
from nissl.data.spikeinterface import signal_from_json, signal_to_json
from nissl.errors import InterruptedRunError, MethodFailedError
from nissl.run.context import Context

GOOD = """
import json, sys, pathlib, numpy as np
path = pathlib.Path(sys.argv[1])
job = json.loads(path.read_text())
print("found", job["spikes"])
count = path.parent.parent / "runs.txt"
count.write_text(str(int(count.read_text()) + 1 if count.exists() else 1))
sample = np.asarray(job["spikes"])
np.savez(path.parent / "result.npz", sample=sample, unit=np.zeros(sample.size, int))
"""


def program(tmp_path, text):
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(text))
    return [sys.executable, str(path)]


def test_a_finished_job_is_not_run_again(tmp_path):
    command, folder = program(tmp_path, GOOD), tmp_path / "shank-0"
    for _ in range(2):
        found = sort_in_process(command, {"spikes": [3, 9]}, folder, Context(tmp_path), stage="s")
    assert found.sample.tolist() == [3, 9]
    assert (tmp_path / "runs.txt").read_text() == "1"
    assert "found [3, 9]" in (folder / "sorter.log").read_text()
    assert found.wall_s > 0
    assert found.peak_bytes > 0
    other = sort_in_process(command, {"spikes": [4]}, folder, Context(tmp_path), stage="s")
    assert other.sample.tolist() == [4]
    assert (tmp_path / "runs.txt").read_text() == "2"


def test_half_a_result_counts_as_none(tmp_path):
    command, folder = program(tmp_path, GOOD), tmp_path / "shank-0"
    sort_in_process(command, {"spikes": [3]}, folder, Context(tmp_path), stage="s")
    (folder / "finished.json").unlink()
    sort_in_process(command, {"spikes": [3]}, folder, Context(tmp_path), stage="s")
    assert (tmp_path / "runs.txt").read_text() == "2"
    (folder / "result.npz").write_bytes(b"PK broken")
    sort_in_process(command, {"spikes": [3]}, folder, Context(tmp_path), stage="s")
    assert (tmp_path / "runs.txt").read_text() == "3"


def test_a_failure_names_its_log_and_its_reason(tmp_path):
    command = program(tmp_path, "print('hm')\nraise ValueError('no clusters were found')")
    with pytest.raises(MethodFailedError, match="no clusters were found") as caught:
        sort_in_process(command, {}, tmp_path / "x", Context(tmp_path), stage="spikes/s")
    assert "sorter.log" in caught.value.remedy
    silent = program(tmp_path, "pass")
    with pytest.raises(MethodFailedError, match="no such file"):
        sort_in_process(silent, {}, tmp_path / "y", Context(tmp_path), stage="spikes/s")


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_ends_the_program_and_can_be_resumed(tmp_path):
    command = program(
        tmp_path,
        "import os, pathlib, sys, time\n"
        "pathlib.Path(sys.argv[1]).with_name('pid').write_text(str(os.getpid()))\n"
        "time.sleep(60)",
    )
    folder = tmp_path / "shank-0"

    def interrupt():
        until = time.monotonic() + 20
        while not (folder / "pid").exists() and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(os.getpid(), signals.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(InterruptedRunError):
        sort_in_process(command, {}, folder, Context(tmp_path), stage="s")
    thread.join()
    pid = int((folder / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    again = sort_in_process(
        program(tmp_path, GOOD), {"spikes": [1]}, folder, Context(tmp_path), stage="s"
    )
    assert again.sample.tolist() == [1]


@pytest.mark.skipif(os.name == "nt", reason="POSIX process groups")
def test_a_sorter_does_not_outlive_its_parent():
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from nissl.annotators.spikes.sorting_process import end_with_parent\n"
            "import time; end_with_parent(); print('up', flush=True); time.sleep(60)",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout.readline().strip() == b"up"
    child.stdin.close()
    assert child.wait(20) != 0
    child.stdout.close()


@pytest.mark.parametrize("dtype", ["int16", ">i2", "float32"])
def test_samples_in_memory_are_copied_for_the_process(tmp_path, dtype):
    x = np.random.default_rng(0).integers(-500, 500, (3000, 3)).astype(dtype)
    signal = Signal.from_array(x, 1000.0)
    described = signal_to_json(in_files(signal, tmp_path / "samples"))
    again = signal_from_json(json.loads(json.dumps(described)))
    assert np.array_equal(again.read(), signal.read())


def test_contacts_of_unknown_places_are_put_on_a_line():
    from spikeinterface.core import NumpyRecording

    from nissl.annotators.spikes.sorting_process import with_positions

    bare = NumpyRecording([np.zeros((100, 3), np.int16)], 30_000.0)
    placed = with_positions(bare)
    np.testing.assert_allclose(placed.get_channel_locations()[:, 1], [0.0, 20.0, 40.0])
    assert with_positions(placed) is placed
