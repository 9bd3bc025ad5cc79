"""Journals lose nothing that was acknowledged, whatever happens to the process."""

import io
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from nissl.errors import CorruptSourceError
from nissl.live import StreamInfo, live_method
from nissl.live.contract import Claim
from nissl.live.recorder import Recorder, mended
from nissl.live.sinks import Journal, Lines, head_of, read_journal
from nissl.live.sources import Chunk

CLAIM = Claim(10, 20, "spindle", 25, 1, 0.75, (0.75, 0.25))
WRITER = """
import sys
from pathlib import Path
from nissl.live.contract import Claim
from nissl.live.sinks import Journal
journal = Journal(Path(sys.argv[1]), {"method": "events/spindles"})
for k in range(10**6):
    journal.write([Claim(k, k + 1, "spindle", k + 2)])
    print(k, flush=True)
"""


def test_a_journal_gives_back_what_was_written(tmp_path):
    method = live_method("events/spindles", StreamInfo.plain(["C3"], 100.0))
    journal = Journal(tmp_path / "live" / "a.jsonl", head_of(method, {"fingerprint": "x"}))
    journal.write([CLAIM, CLAIM])
    journal.gap(30, 0.5)
    journal.close()
    journal.close()
    kept = read_journal(journal.path)
    assert kept.claims == (CLAIM, CLAIM)
    assert kept.gaps == ({"sample": 30, "lost_s": 0.5},)
    assert kept.head["classes"] == ["spindle", "nothing"]


def test_a_cut_line_was_not_acknowledged_and_a_broken_one_is_told(tmp_path):
    journal = Journal(tmp_path / "a.jsonl", {"method": "events/spindles"})
    journal.write([CLAIM])
    journal.close()
    with open(journal.path, "ab") as file:
        file.write(b'{"claims": [{"start": 3')
    assert read_journal(journal.path).claims == (CLAIM,)
    for text in ("", "{}\n", '{"format": 9}\n', '{"format": 1}\n{"claims": [{}]}\n', "[]\n"):
        journal.path.write_text(text)
        with pytest.raises(CorruptSourceError, match=r"a\.jsonl"):
            read_journal(journal.path)


def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path):
    path = tmp_path / "a.jsonl"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    said = [writer.stdout.readline() for _ in range(40)]
    writer.send_signal(signal.SIGKILL)
    said += writer.stdout.readlines()
    writer.wait()
    told = [int(line) for line in said if line.endswith("\n")]
    kept = [claim.start for claim in read_journal(path).claims]
    assert kept[: len(told)] == told
    assert len(kept) - len(told) <= 1


def test_lines_are_json_in_samples_and_seconds():
    out = io.StringIO()
    lines = Lines(out, 10.0)
    lines.write([CLAIM])
    lines.gap(5, 0.25)
    lines.close()
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["start"], first["start_s"], first["label"]) == (10, 1.0, "spindle")
    assert second == {"gap": {"sample": 5, "lost_s": 0.25}}


def test_a_recording_has_the_samples_and_the_gaps(tmp_path):
    import nissl

    x = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)
    recorder = Recorder(tmp_path / "a.raw", StreamInfo.plain(["C3", "C4"], 10.0))
    recorder.add(Chunk(x[:30], 0))
    recorder.add(Chunk(x[30:], 30, 1.5))
    recorder.sync()
    recorder.close()
    with open(recorder.path, "ab") as file:
        file.write(b"abc")
    signal_ = nissl.read(mended(recorder.path, 2))
    assert [s.start for s in signal_.clock.segments] == [0, 30]
    assert signal_.clock.segments[1].t0_s == pytest.approx(4.5)
    assert np.array_equal(signal_.read(0, 30), x[:30])
    assert np.array_equal(signal_.read(30, 50), x[30:])
    assert signal_.channels.ids == ("C3", "C4")
