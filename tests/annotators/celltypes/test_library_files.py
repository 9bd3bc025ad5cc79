"""Library files: what is written comes back, and what was changed is told."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from nissl.annotators.celltypes.axes import ACG, ACG3, ISI, WAVE
from nissl.annotators.celltypes.library_files import read_library, write_library
from nissl.errors import (
    BadArgumentError,
    CorruptSourceError,
    NisslError,
    SourceNotFoundError,
    UnknownFormatError,
)

from .libraries import libraries, library

CURVES = (*WAVE, *ACG, *ISI, *ACG3)


def same(a, b):
    assert a.digest == b.digest
    assert (a.label, a.evidence, dict(a.facts), a.card) == (
        b.label,
        b.evidence,
        dict(b.facts),
        b.card,
    )
    assert a.features.subject == b.features.subject
    assert a.features.session == b.features.session
    assert np.array_equal(a.features.items, b.features.items)
    for name in a.features.names:
        left = a.features.values[:, a.features.names.index(name)]
        right = b.features.values[:, b.features.names.index(name)]
        left = left.astype(np.float32) if name in CURVES else left
        assert np.array_equal(left, right, equal_nan=True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(libraries())
def test_what_is_written_comes_back(tmp_path_factory, made):
    folder = tmp_path_factory.mktemp("libraries")
    read = read_library(write_library(folder / "a", made))
    same(made, read)
    same(read, read_library(write_library(folder / "b.zip", read)))
    assert sorted(p.name for p in folder.iterdir()) == ["a", "b.zip"]


@pytest.fixture
def written(tmp_path):
    return write_library(tmp_path / "ours", library())


def test_the_folder_holds_what_is_promised(written):
    assert sorted(p.name for p in written.iterdir()) == [
        "CARD.md",
        "arrays.zarr",
        "card.json",
        "units.parquet",
    ]
    card = json.loads((written / "card.json").read_text())
    assert card["licence"] == "CC-BY-4.0"
    assert card["counts"]["class"] == {"": 1, "PV": 1, "SST": 1, "VIP": 1}
    page = (written / "CARD.md").read_text()
    assert "Licence: CC-BY-4.0" in page
    assert "| PV | 1 |" in page
    assert not list(written.rglob("*.pkl"))


def test_a_change_of_content_is_told(written):
    """Bits of every file of data, a few hundred of them: the same content, or our error."""
    digest = read_library(written).digest
    rng = np.random.default_rng(0)
    unseen = []
    for path in sorted(p for p in written.rglob("*") if p.is_file() and p.suffix != ".md"):
        whole = path.read_bytes()
        for at in rng.permutation(len(whole))[:60].tolist():
            changed = bytearray(whole)
            changed[at] ^= 1 << int(rng.integers(8))
            path.write_bytes(bytes(changed))
            try:
                if read_library(written).digest != digest:
                    unseen.append((path.name, at))
            except NisslError:
                pass
        path.write_bytes(whole)
    assert not unseen
    assert read_library(written).digest == digest


def test_another_number_name_or_count_is_another_content(written):
    head = written / "card.json"
    whole = head.read_text()
    for old, new in (
        ('"CC-BY-4.0"', '"CC0-1.0"'),
        ('"units":4', '"units":5'),
        ('"PV":1', '"PV":2'),
    ):
        assert old in whole
        head.write_text(whole.replace(old, new))
        with pytest.raises(CorruptSourceError, match="another content"):
            read_library(written)


def test_a_missing_part_is_told(written):
    shutil.rmtree(written / "arrays.zarr" / "acg")
    with pytest.raises(CorruptSourceError):
        read_library(written)
    (written / "units.parquet").unlink()
    with pytest.raises(CorruptSourceError):
        read_library(written)
    (written / "card.json").unlink()
    with pytest.raises(UnknownFormatError, match="nissl library build"):
        read_library(written)


def test_a_later_version_is_not_guessed(written):
    head = written / "card.json"
    card = json.loads(head.read_text())
    for version in (2, "1", 0, None, True):
        head.write_text(json.dumps(card | {"format_version": version}))
        with pytest.raises(UnknownFormatError, match="version 1 or earlier"):
            read_library(written)


def test_another_axis_is_not_taken_for_ours(written):
    attributes = written / "arrays.zarr" / "acg" / ".zattrs"
    told = json.loads(attributes.read_text())
    told["axis"][3] *= 1.01
    attributes.write_text(json.dumps(told))
    with pytest.raises(CorruptSourceError, match="another axis"):
        read_library(written)


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path, monkeypatch):
    write_library(tmp_path / "ours", library())
    with pytest.raises(BadArgumentError, match="nothing is yet"):
        write_library(tmp_path / "ours", library())
    import nissl.annotators.celltypes.library_files as files

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_bytes", full)
    with pytest.raises(NisslError, match="room to write"):
        write_library(tmp_path / "more", library())
    assert [p.name for p in tmp_path.iterdir()] == ["ours"]


def test_what_is_no_library(tmp_path):
    with pytest.raises(SourceNotFoundError):
        read_library(tmp_path / "nothing")
    (tmp_path / "text.txt").write_text("units")
    with pytest.raises(UnknownFormatError):
        read_library(tmp_path / "text.txt")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(CorruptSourceError, match="a whole"):
        read_library(tmp_path / "cut.zip")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnknownFormatError):
        read_library(tmp_path / "folder")


def test_a_zip_of_the_folder_itself_is_read_and_a_hostile_one_is_not(written, tmp_path):
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "ours")
    same(read_library(written), read_library(tmp_path / "packed.zip"))
    with zipfile.ZipFile(tmp_path / "hostile.zip", "w") as out:
        out.writestr("../../outside", "x")
    with pytest.raises(CorruptSourceError, match="Do not trust"):
        read_library(tmp_path / "hostile.zip")


def test_an_older_library_with_other_columns_still_teaches(tmp_path):
    made = library(names=("older", *WAVE), units=("ms", *([""] * len(WAVE))))
    read = read_library(write_library(tmp_path / "older", made))
    assert read.features.names[0] == "older"
    assert read.features.units[0] == "ms"
    table = read.examples(names=("newer", "older", "wave_000")).features
    assert np.isnan(table.values[:, 0]).all()
    assert np.isfinite(table.values[:, 1]).any()
