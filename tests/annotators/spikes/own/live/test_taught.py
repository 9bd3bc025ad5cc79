"""A taught sorter on the disk: it comes back as it was, and what is no such file is refused."""

from dataclasses import replace

import numpy as np
import pytest
from tests.annotators.spikes.own.planted import taught, usual

from nissl.annotators.spikes.own.live.taught import load_taught, save_taught
from nissl.errors import BadMetadataError, CorruptSourceError, SourceNotFoundError
from nissl.nets.checkpoint import load, save


def known():
    """The planted sorter, with what is usual for its units, and where it stands."""
    (shank,) = taught().shanks
    place, moved = np.arange(12.0).reshape(6, 2), np.full(6, 3.0)
    full = replace(shank, usual=usual(), place_um=place, moved_um=moved)
    return replace(taught(), shanks=(full,))


@pytest.fixture
def path(tmp_path):
    save_taught(tmp_path / "sorter.npz", known())
    return tmp_path / "sorter.npz"


def test_it_comes_back_to_the_last_bit(path):
    one, other = known(), load_taught(path)
    assert other.digest == one.digest
    assert (other.rate_hz, other.channels, other.origin) == (one.rate_hz, one.channels, one.origin)
    (a,), (b,) = one.shanks, other.shanks
    np.testing.assert_array_equal(a.templates.waveforms, b.templates.waveforms)
    np.testing.assert_array_equal(a.templates.echoes, b.templates.echoes)
    assert (a.front.columns, a.front.delay) == (b.front.columns, b.front.delay)
    assert a.templates.windows == b.templates.windows
    for name, array in a.usual.arrays().items():
        np.testing.assert_array_equal(array, b.usual.arrays()[name])
    for name in ("place_um", "moved_um"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert other.n_units == 3
    assert not list(path.parent.glob(".*"))  # nothing half-written is left


def test_the_digest_tells_sorters_apart(path):
    arrays, header = load(path)
    arrays["0.waveforms"][0, 0, 0] += 1e-3
    save(path, arrays, header)
    assert load_taught(path).digest != known().digest


def test_a_file_of_the_first_format_is_read_and_says_nothing_of_what_is_usual(path):
    arrays, header = load(path)
    new = (".usual_", ".place_um", ".moved_um")
    old = {name: array for name, array in arrays.items() if not any(n in name for n in new)}
    save(path, old, header | {"format": 1})
    other = load_taught(path)
    assert other.shanks[0].usual is other.shanks[0].place_um is other.shanks[0].moved_um is None
    np.testing.assert_array_equal(other.shanks[0].number, taught().shanks[0].number)


def test_what_is_no_taught_sorter_is_refused(path, tmp_path):
    with pytest.raises(SourceNotFoundError, match="--teach"):
        load_taught(tmp_path / "nothing.npz")
    arrays, header = load(path)
    changes = {
        "other": (arrays, header | {"kind": "weights"}),
        "lacking": ({k: v for k, v in arrays.items() if k != "0.matrix"}, header),
        "shape": (arrays | {"0.shift": arrays["0.shift"][:-1]}, header),
        "length": (arrays | {"0.waveforms": arrays["0.waveforms"][:, 1:]}, header),
        "nan": (arrays | {"0.basis": arrays["0.basis"] * np.nan}, header),
        "columns": (arrays | {"0.columns": arrays["0.columns"] + 3}, header),
        "usual": (arrays | {"0.usual_columns": arrays["0.usual_columns"][1:]}, header),
        "unusual": ({k: v for k, v in arrays.items() if k != "0.usual_share"}, header),
        "moved": (arrays | {"0.moved_um": arrays["0.moved_um"][1:]}, header),
        "header": (arrays, {k: v for k, v in header.items() if k != "origin"}),
    }
    for name, (some, head) in changes.items():
        save(tmp_path / name, some, head)
        with pytest.raises(CorruptSourceError, match="taught sorter"):
            load_taught(tmp_path / name)
    save(tmp_path / "new", arrays, header | {"format": 3})
    with pytest.raises(BadMetadataError, match="format 3"):
        load_taught(tmp_path / "new")
    half = path.read_bytes()
    path.write_bytes(half[: len(half) // 2])
    with pytest.raises(CorruptSourceError):
        load_taught(path)
