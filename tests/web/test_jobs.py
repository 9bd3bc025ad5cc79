"""Work in the background: one run of a task at a time, told as it goes, never lost silently."""

import threading
import time

import pytest

from nissl.errors import DiskFullError, MissingInputError
from nissl.web.jobs import KEPT, Jobs


def ended(jobs, name):
    for _ in range(500):
        run = jobs.run(name)
        if run.state != "running":
            return run
        time.sleep(0.01)
    raise AssertionError("it does not end")


def test_a_run_tells_how_far_it_is_and_what_it_gave():
    jobs, at, go_on = Jobs(), threading.Event(), threading.Event()

    def work(progress):
        progress.start("fit", 4, "trees")
        progress.advance("fit", 1)
        at.set()
        go_on.wait(5)
        progress.finish("fit")
        progress.start("card", None, "")
        return {"digest": "d"}

    name = jobs.start("curation", work).run
    assert at.wait(5)
    run = jobs.run(name)
    assert (run.state, run.stage, run.done, run.ended_s) == ("running", "fit", 0.25, None)
    assert jobs.start("curation", work).run == name  # one at a time
    other = jobs.start("sleep", lambda _progress: {}).run
    go_on.set()
    run = ended(jobs, name)
    assert (run.state, run.result) == ("finished", {"digest": "d"})
    assert run.ended_s >= run.started_s
    assert ended(jobs, other).task == "sleep"
    assert jobs.start("curation", work).run != name


@pytest.mark.parametrize(
    ("error", "word"),
    [(DiskFullError("room", "none", "Free some."), "Free some."), (KeyError("secret"), "report")],
)
def test_a_run_that_fails_says_why(error, word):
    def work(_progress):
        raise error

    jobs = Jobs()
    run = ended(jobs, jobs.start("curation", work).run)
    assert run.state == "failed"
    assert word in run.error["remedy"]
    assert "secret" not in str(run.to_json())


def test_old_runs_are_forgotten():
    jobs = Jobs()
    names = []
    for _ in range(KEPT + 5):
        names.append(jobs.start("curation", lambda _progress: {}).run)
        ended(jobs, names[-1])
    assert len(jobs.runs()) <= KEPT + 1
    with pytest.raises(MissingInputError):
        jobs.run(names[0])
