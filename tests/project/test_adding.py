"""Sources: one per content, wherever it lies; paths that move with the project."""

import shutil

import numpy as np
import pytest

from nissl.errors import (
    BadArgumentError,
    CorruptSourceError,
    MissingInputError,
    NisslError,
    SourceNotFoundError,
    UnknownFormatError,
)
from nissl.project import open_project
from nissl.project.adding import relocate
from nissl.project.verifying import verify


def only(project):
    (source,) = project.sources()
    return source


def test_open_makes_a_project_only_when_asked(tmp_path):
    with pytest.raises(NisslError, match="project"):
        open_project(tmp_path / "nothing", create=False)
    assert not (tmp_path / "nothing").exists()
    with open_project(tmp_path / "new") as made:
        assert made.sources() == []
    with open_project(tmp_path / "new", create=False) as again:
        assert again.path == tmp_path / "new"


def test_a_source_says_what_it_is(project, raw):
    made = raw()
    source = project.add(made.path, subject="M1", session="day1", **made.options)
    assert (source.name, source.row.format) == ("night0", "raw")
    assert source.row.subject["id"] == "M1"
    assert source.row.session["id"] == "day1"
    facts = source.row.streams[source.stream()]
    assert facts["n_samples"] == 60_000
    assert facts["channels"]["position_um"][2] == [0.0, 50.0]
    assert only(project).fingerprint == source.fingerprint
    assert project.source(source.fingerprint[:10]).name == "night0"
    assert project.source(str(made.path)).name == "night0"


def test_the_same_content_is_one_source_wherever_it_lies(project, raw, tmp_path):
    made = raw()
    first = project.add(made.path, **made.options)
    again = project.add(made.path, **made.options)
    elsewhere = tmp_path / "backup" / "copy.bin"
    elsewhere.parent.mkdir()
    shutil.copy(made.path, elsewhere)
    copy = project.add(elsewhere, **made.options)
    assert first.fingerprint == again.fingerprint == copy.fingerprint
    assert [s.name for s in project.sources()] == ["night0"]
    assert only(project).path == made.path, "the first path is still good"


def test_adding_a_moved_file_again_finds_it_and_a_given_subject_is_set(project, raw, tmp_path):
    made = raw()
    project.add(made.path, **made.options)
    moved = tmp_path / "moved.bin"
    made.path.rename(moved)
    source = project.add(moved, subject="M7", **made.options)
    assert source.path == moved
    assert only(project).row.subject["id"] == "M7"
    assert only(project).recording.fingerprint == source.fingerprint


def test_other_content_or_meaning_is_another_source(project, raw):
    a, b = raw(0), raw(1)
    one = project.add(a.path, **a.options)
    two = project.add(b.path, **b.options)
    louder = project.add(a.path, **(a.options | {"gain_uv": 0.5}))
    assert len({one.fingerprint, two.fingerprint, louder.fingerprint}) == 3
    assert [s.name for s in project.sources()] == ["night0", "night1", "night0-2"]
    with pytest.raises(BadArgumentError, match="one source"):
        project.source(str(a.path))


def test_a_project_moves_with_the_recordings_around_it(tmp_path, raw, monkeypatch):
    made = raw(folder="lab")
    monkeypatch.chdir(tmp_path / "lab")
    with open_project("study") as project:
        options = made.options | {"probe": "probe.json"}  # relative to where the user stands
        before = project.add("night0.bin", **options).recording.read(10, 20)
    shutil.move(tmp_path / "lab", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    with open_project(tmp_path / "elsewhere" / "study", create=False) as project:
        source = only(project)
        assert source.path == tmp_path / "elsewhere" / "night0.bin"
        np.testing.assert_array_equal(source.recording.read(10, 20), before)
        assert source.recording.signal.channels.has_geometry


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda made: made.path.unlink(), SourceNotFoundError),
        (lambda made: made.path.write_bytes(b""), CorruptSourceError),
        (lambda made: made.path.write_bytes(b"x" * 999_999), CorruptSourceError),
        (lambda made: made.probe.write_text("{"), NisslError),
        (lambda made: made.options.update(rate_hz=-1.0), NisslError),
    ],
)
def test_what_cannot_be_read_is_not_added(project, raw, make, error):
    made = raw()
    make(made)
    with pytest.raises(error):
        project.add(made.path, **made.options)
    assert project.sources() == []


def test_what_nobody_knows_is_not_added(project, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UnknownFormatError):
        project.add(tmp_path / "notes.txt")
    with pytest.raises(MissingInputError, match="nissl add"):
        project.source("notes")


def test_relocate_takes_the_same_content_only(project, raw, tmp_path):
    made, other = raw(0), raw(1)
    source = project.add(made.path, **made.options)
    moved = tmp_path / "moved.bin"
    made.path.rename(moved)
    gone = project.source("night0")
    assert not gone.has_raw
    with pytest.raises(SourceNotFoundError, match="nissl relocate"):
        _ = gone.recording
    with pytest.raises(CorruptSourceError, match="other content"):
        relocate(project.store, gone, other.path)
    assert project.source("night0").path == made.path
    relocate(project.store, gone, moved)
    assert project.source("night0").recording.fingerprint == source.fingerprint


def test_a_replaced_file_is_never_taken_for_the_old_one(project, raw):
    made, other = raw(0), raw(1)
    project.add(made.path, **made.options)
    shutil.copy(other.path, made.path)
    with pytest.raises(CorruptSourceError, match="other content"):
        _ = project.source("night0").recording
    assert [row["state"] for row in verify(project.store, full=False)] == ["differs"]


def test_full_verify_sees_one_byte_between_the_sampled_blocks(project, tmp_path):
    path = tmp_path / "long.bin"
    samples = np.random.default_rng(0).integers(-99, 99, (1 << 22, 1), dtype=np.int16)
    samples.tofile(path)
    options = {"rate_hz": 30_000.0, "n_channels": 1, "dtype": "int16", "gain_uv": 1.0}
    project.add(path, **options)
    (first,) = verify(project.store, full=True)
    assert first["state"] == "good"
    assert "taken now" in first["detail"]
    (again,) = verify(project.store, full=True)
    assert (again["state"], "taken now" in again["detail"]) == ("good", False)
    with path.open("r+b") as file:
        file.seek((1 << 16) + 1000)  # right behind the head that the fingerprint reads
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    (quick,) = verify(project.store, full=False)
    (full,) = verify(project.store, full=True)
    assert (quick["state"], full["state"]) == ("good", "differs")
    assert "was" in full["detail"]
