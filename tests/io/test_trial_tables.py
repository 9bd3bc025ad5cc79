from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.errors import (
    BadArgumentError,
    BadLabelsError,
    BadMetadataError,
    CorruptSourceError,
    NisslError,
    SourceNotFoundError,
)
from nissl.io.trial_nwb import add_nwb_trials, read_nwb_trials
from nissl.io.trial_tables import (
    Columns,
    TrialTable,
    from_frame,
    read_bids_events,
    read_csv,
    write_bids_events,
    write_csv,
)
from nissl.io.trials import read_table

times = st.floats(-10, 1e5, allow_nan=False)
rows = st.lists(
    st.tuples(
        times, st.one_of(st.none(), st.floats(1e-3, 1e4)), st.sampled_from(["go", "no go", "µ,x"])
    ),
    min_size=1,
    max_size=20,
)


def table_of(values):
    values = sorted(values, key=lambda r: r[0])
    start = np.asarray([r[0] for r in values])
    stop = np.asarray([np.nan if r[1] is None else r[0] + r[1] for r in values])
    extra = pd.DataFrame({"contrast": [0.1 * k for k in range(len(values))]})
    return TrialTable(start, stop, tuple(r[2] for r in values), extra)


@given(values=rows)
@settings(max_examples=40, deadline=None)
def test_csv_comes_back_to_the_bit(tmp_path_factory, values):
    trials = table_of(values)
    path = tmp_path_factory.mktemp("csv") / "trials.csv"
    write_csv(trials, path)
    back = read_csv(path)
    np.testing.assert_array_equal(back.start_s, trials.start_s)
    np.testing.assert_array_equal(back.stop_s, trials.stop_s)
    assert back.labels == trials.labels
    pd.testing.assert_frame_equal(back.extra, trials.extra)


@given(values=rows)
@settings(max_examples=40, deadline=None)
def test_bids_events_come_back(tmp_path_factory, values):
    trials = table_of(values)
    path = tmp_path_factory.mktemp("bids") / "sub-1_events.tsv"
    write_bids_events(trials, path)
    back = read_bids_events(path)
    np.testing.assert_array_equal(back.start_s, trials.start_s)
    np.testing.assert_allclose(back.stop_s, trials.stop_s, rtol=1e-15, atol=1e-9)
    np.testing.assert_array_equal(back.lasting, trials.lasting)
    assert back.labels == trials.labels


def test_bids_unknown_durations_are_events(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_text(
        "onset\tduration\ttrial_type\tresponse\n1.5\tn/a\tgo\t3\n2\t0\tstop\tn/a\n4\t1\tgo\t5\n"
    )
    trials = read_bids_events(path)
    assert trials.lasting.tolist() == [False, False, True]
    assert trials.stop_s[2] == 5
    assert list(trials.extra.columns) == ["response"]
    assert "1 spans and 2 events" in repr(trials)


def test_frames_with_the_last_one_included():
    frame = pd.DataFrame({"from": [0, 10], "to": [4, 10], "what": ["groom", "rear"]})
    columns = Columns("from", "to", label="what", unit="samples", last_included=True)
    trials = from_frame(frame, columns, clock=Clock.regular(10.0, 100, t0_s=1.0))
    np.testing.assert_allclose(trials.start_s, [1.0, 2.0])
    np.testing.assert_allclose(trials.stop_s, [1.5, 2.1])


@pytest.mark.parametrize(("unit", "scale"), [("s", 1.0), ("ms", 1e-3), ("us", 1e-6)])
def test_units(unit, scale):
    frame = pd.DataFrame({"t": [1.0, 2.0], "d": [0.5, 3.0]})
    trials = from_frame(frame, Columns("t", duration="d", unit=unit))
    np.testing.assert_allclose(trials.start_s, [scale, 2 * scale])
    np.testing.assert_allclose(trials.stop_s, [1.5 * scale, 5 * scale])
    assert trials.labels == ("trial", "trial")


@pytest.mark.parametrize(
    ("names", "n_lasting"),
    [
        (["start_s", "stop_s"], 2),
        (["start_time", "stop_time"], 2),
        (["onset", "duration"], 2),
        (["start_frame", "stop_frame"], 2),
        (["time_s"], 0),
    ],
)
def test_known_columns_tell_their_unit(names, n_lasting):
    frame = pd.DataFrame(
        {names[0]: [1, 5]} | {n: [2, 9] for n in names[1:]} | {"label": ["a", "b"]}
    )
    trials = from_frame(frame, clock=Clock.regular(1.0, 100))
    assert trials.start_s.tolist() == [1, 5]
    assert int(trials.lasting.sum()) == n_lasting


def test_nwb_trials_come_back(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    from datetime import UTC, datetime

    trials = table_of([(1.0, 0.5, "go"), (2.0, 0.25, "no go"), (2.1, 1.0, "go")])
    nwbfile = pynwb.NWBFile("test", "id", datetime(2020, 1, 1, tzinfo=UTC))
    add_nwb_trials(nwbfile, trials)
    add_nwb_trials(nwbfile, trials, name="behaviour")
    path = tmp_path / "trials.nwb"
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwbfile)
    for name in ("trials", "behaviour"):
        back = read_nwb_trials(path, name, label="label")
        np.testing.assert_array_equal(back.start_s, trials.start_s)
        np.testing.assert_array_equal(back.stop_s, trials.stop_s)
        assert back.labels == trials.labels
        assert back.extra["contrast"].tolist() == trials.extra["contrast"].tolist()
    with pytest.raises(BadMetadataError, match="behaviour"):
        read_nwb_trials(path, "epochs")


def test_nwb_lists_and_tables_without_labels(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    from datetime import UTC, datetime

    nwbfile = pynwb.NWBFile("test", "id", datetime(2020, 1, 1, tzinfo=UTC))
    nwbfile.add_trial_column("licks", "times of licks", index=True)
    nwbfile.add_trial(start_time=0.0, stop_time=1.0, licks=[0.1, 0.2], tags=["x"])
    nwbfile.add_trial(start_time=2.0, stop_time=3.0, licks=[2.5], tags=["x", "y"])
    path = tmp_path / "trials.nwb"
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwbfile)
    trials = read_nwb_trials(path)
    assert trials.labels == ("trial", "trial")
    assert trials.extra["licks"].tolist() == ["[0.1, 0.2]", "[2.5]"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("start_s,stop_s\n0,1\n5,4\n6,5\n", r"negative durations: rows \[2, 3\]"),
        ("start_s,stop_s\n0,1\n,2\n3,4\n", r"rows \[2\]"),
        ("start_s,stop_s\n0,1\nnan,2\n3,4\n", r"rows \[2\]"),
        ("start_s,stop_s\n0,1\nten,20\n30,40\n", r"rows \[2\]: 'ten'"),
        ("start_s,stop_s\n0,1\n1,two\n", r"stop_s.*rows \[2\]: 'two'"),
        ("start_s,stop_s\n0,1\n1,inf\n", r"stop_s.*rows \[2\]"),
        ("start_s,stop_s\n5,6\n4,7\n9,10\n1,2\n", r"row above: rows \[2, 4\]"),
    ],
)
def test_rows_that_cannot_be_right_are_listed(tmp_path, text, rows):
    path = tmp_path / "trials.csv"
    path.write_text(text)
    with pytest.raises(BadLabelsError, match=rows):
        read_csv(path)


def test_frames_must_be_whole():
    frame = pd.DataFrame({"start_frame": [1, 2.5, 3], "stop_frame": [2, 4, 1e300]})
    with pytest.raises(BadLabelsError, match=r"rows \[2, 3\]"):
        from_frame(frame, clock=Clock.regular(30.0, 100))


def test_overlapping_rows_are_allowed(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("start_s,stop_s\n0,10\n1,3\n1,2\n")
    assert len(read_csv(path)) == 3


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(SourceNotFoundError):
        read_csv(tmp_path / "none.csv")
    for read in (read_csv, read_bids_events):
        empty = tmp_path / "empty"
        empty.write_bytes(b"")
        with pytest.raises(CorruptSourceError):
            read(empty)
    broken = tmp_path / "broken.nwb"
    broken.write_bytes(b"not hdf5" * 10)
    pytest.importorskip("pynwb")
    with pytest.raises(CorruptSourceError):
        read_nwb_trials(broken)


def test_columns_that_are_missing_or_cannot_be_told():
    frame = pd.DataFrame({"begin": [1.0], "end": [2.0]})
    with pytest.raises(BadMetadataError, match="begin"):
        from_frame(frame)
    with pytest.raises(BadMetadataError, match="without"):
        from_frame(frame, Columns("begin", "finish"))
    with pytest.raises(BadArgumentError):
        Columns("begin", "end", duration="d")
    with pytest.raises(BadArgumentError):
        Columns("begin", "end", unit="minutes")
    with pytest.raises(BadArgumentError):
        Columns("begin", "end", last_included=True)
    with pytest.raises(BadArgumentError, match="the clock"):
        from_frame(frame, Columns("begin", "end", unit="samples"))
    with pytest.raises(BadLabelsError):
        TrialTable(np.zeros(2), np.ones(2), ("a",), pd.DataFrame(index=range(2)))


def test_a_column_named_as_ours_is_not_written_twice(tmp_path):
    trials = TrialTable(np.zeros(1), np.ones(1), ("a",), pd.DataFrame({"label": [3]}))
    with pytest.raises(BadArgumentError, match="twice"):
        write_csv(trials, tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


cells = st.one_of(
    st.integers(-5, 9).map(str),
    st.floats().map(str),
    st.sampled_from(
        ["", "n/a", "nan", "true", "1e400", "-1e300", '"', "a,b", "9" * 30, "2020-01-01"]
    ),
    st.text(max_size=4),
)
headers = st.sampled_from(
    [
        "start_s,stop_s",
        "start_frame,stop_frame",
        "onset,duration",
        "time_s",
        "start_s,start_s",
        "a,b",
        "onset,duration,onset",
    ]
)


@given(header=headers, body=st.lists(st.lists(cells, max_size=4), max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_table_or_our_error(tmp_path_factory, header, body):
    path = tmp_path_factory.mktemp("fuzz") / "t.csv"
    text = "\n".join([header, *(",".join(row) for row in body)])
    path.write_text(text, errors="replace")
    for read in (
        lambda: read_csv(path, clock=Clock.regular(30.0, 1000)),
        lambda: read_bids_events(path),
        lambda: read_table(path, clock=Clock.regular(30.0, 1000)),
    ):
        with suppress(NisslError):
            assert len(read()) >= 0


@given(content=st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_bytes_are_a_table_or_our_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "t.tsv"
    path.write_bytes(content)
    for read in (read_csv, read_bids_events):
        with suppress(NisslError):
            assert len(read(path)) >= 0


def test_epochs_have_their_own_place_in_nwb(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    from datetime import UTC, datetime

    nwbfile = pynwb.NWBFile("test", "id", datetime(2020, 1, 1, tzinfo=UTC))
    add_nwb_trials(nwbfile, table_of([(0.0, 5.0, "rest")]), name="epochs")
    assert nwbfile.epochs is not None
    path = tmp_path / "epochs.nwb"
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwbfile)
    assert read_nwb_trials(path, "epochs", label="label").labels == ("rest",)
