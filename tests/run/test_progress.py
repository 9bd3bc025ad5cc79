"""Progress is told on standard error, with a rate and the time left."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from nissl.run.progress import Recorder, RichProgress, Silent, Stage, clock_text


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def in_a_log(every_s=5.0):
    clock, out = Clock(), io.StringIO()
    console = Console(file=out, force_terminal=False, width=40)
    return RichProgress(console, every_s=every_s, now=clock), clock, out


def test_lines_in_a_log_every_few_seconds():
    progress, clock, out = in_a_log()
    progress.start("filter", 600.0, "s of recording")
    for _ in range(6):
        clock.now_s += 2
        progress.advance("filter", 50.0)
    clock.now_s += 2
    progress.advance("filter", 300.0)
    progress.finish("filter")
    assert out.getvalue().splitlines() == [
        "filter: 25 % (150 of 600) s of recording, 25x real time, 0:00:18 left",
        "filter: 50 % (300 of 600) s of recording, 25x real time, 0:00:12 left",
        "filter: 100 % (600 of 600) s of recording, 42.9x real time, after 0:00:14",
    ]


def test_what_an_earlier_run_did_is_not_speed():
    progress, clock, out = in_a_log()
    progress.start("sort", 100.0, "chunks")
    progress.advance("sort", 80.0)
    clock.now_s += 10
    progress.advance("sort", 10.0)
    assert out.getvalue() == "sort: 90 % (90 of 100) chunks, 1 chunks/s, 0:00:10 left\n"


def test_an_unknown_total():
    progress, clock, out = in_a_log()
    progress.start("read", None, "files")
    clock.now_s += 6
    progress.advance("read", 12.0)
    assert out.getvalue() == "read: 12 files, 2 files/s\n"


def test_bars_on_a_terminal():
    clock, out = Clock(), io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    with RichProgress(console, now=clock) as progress:
        progress.start("filter", 10.0, "s of recording")
        clock.now_s += 1
        progress.advance("filter", 5.0)
        progress.start("sort", 2.0, "chunks")
        progress.finish("filter")
    shown = out.getvalue()
    assert "filter" in shown
    assert "50%" in shown
    assert "5x real time" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") >= 1  # the cursor is back


def test_unknown_stages_are_no_error():
    for progress in (in_a_log()[0], Recorder(), Silent()):
        progress.advance("never started", 1.0)
        progress.finish("never started")


def test_standard_output_stays_clean():
    code = (
        "from nissl.run.progress import RichProgress\n"
        "p = RichProgress(); p.start('a', 1, 'chunks'); p.advance('a', 1); p.finish('a')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr.startswith("a: 100 % (1 of 1) chunks")


def test_recorder():
    recorder = Recorder()
    recorder.start("a", 3.0, "chunks")
    recorder.advance("a", 1.0)
    recorder.advance("a", 1.5)
    recorder.finish("a")
    assert recorder == Recorder({"a": 3.0}, {"a": 2.5}, {"a": "chunks"}, ["a"])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00"), (59.2, "0:01:00"), (3725, "1:02:05"), (360000, "100:00:00")],
)
def test_durations(seconds, text):
    assert clock_text(seconds) == text


def test_an_empty_stage():
    assert Stage("a", 0.0, "chunks", 0.0).line(1.0) == "a: 100 % (0 of 0) chunks"
