"""Derived signals that a method returns become sources of the same subject."""

import numpy as np
import pytest

from nissl.data import ChannelTable, Signal
from nissl.errors import BadArgumentError
from nissl.project import open_project
from nissl.tasks import Result


def returning(method, monkeypatch, rate_hz=30.0):
    """Let the quick method also return traces."""
    inner = method.annotate
    traces = np.linspace(0, 1, 40, dtype=np.float32).reshape(20, 2)

    def annotate(inputs, parameters, context):
        result = inner(inputs, parameters, context)
        channels = ChannelTable.plain(["0", "1"], kind="fluorescence")
        signal = Signal.from_array(traces, rate_hz, name="fluorescence", channels=channels)
        return Result(result.labels, result.items, (signal,), result.log)

    monkeypatch.setattr(method, "annotate", annotate)
    return traces


def test_derived_signals_are_sources(project, night, tmp_path, monkeypatch):
    traces = returning(night.method, monkeypatch)
    draft = project.annotate("night0", night.method.name, seed=7)
    assert draft.derived == ("night0.fluorescence",)
    source = project.source("night0.fluorescence")
    assert source.row.subject["id"] == night.source.row.subject["id"]
    assert source.stream(None, ("fluorescence",)) == "fluorescence"
    signal = source.recording.signal
    np.testing.assert_array_equal(signal.read(), traces)
    assert signal.metadata["made_from"]["source"] == night.source.fingerprint
    again = project.annotate("night0", night.method.name, seed=7)
    assert (again.resumed, again.derived) == (True, draft.derived)
    project.close()
    (tmp_path / "study").rename(tmp_path / "moved")
    with open_project(tmp_path / "moved", create=False) as moved:
        np.testing.assert_array_equal(
            moved.source("night0.fluorescence").recording.signal.read(), traces
        )


def test_a_method_may_need_other_labels_than_its_task(project, night, monkeypatch):
    seen = []
    inner = night.method.annotate
    monkeypatch.setattr(night.method, "needs", ("spikes",), raising=False)
    monkeypatch.setattr(
        night.method,
        "annotate",
        lambda inputs, *rest: seen.append(set(inputs.labels)) or inner(inputs, *rest),
    )
    project.annotate("night0", night.method.name, seed=3)
    assert seen == [{"spikes"}]


def test_a_movie_is_no_signal_and_a_signal_no_movie(project, night, tmp_path):
    np.save(tmp_path / "film.npy", np.zeros((5, 8, 8), np.uint16))
    project.add(tmp_path / "film.npy", rate_hz=10.0)
    with pytest.raises(BadArgumentError, match="fluorescence") as caught:
        project.annotate("film", "rates/derivative")
    assert "--task cells" in caught.value.remedy
    with pytest.raises(BadArgumentError, match="movie"):
        project.annotate("night0", "cells")
