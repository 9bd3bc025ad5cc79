"""Bad input through the real command: two lines, the right exit code, nothing half-written."""

import json
import os
import shutil
import sqlite3
import subprocess

import numpy as np
import pytest

RATE_HZ = 30_000
CHANNELS = 4
TRIDESCLOUS = ["--task", "spikes/tridesclous2"]


def probe_json(positions):
    contacts = [[float(x), float(y)] for x, y in positions]
    return json.dumps(
        {
            "specification": "probeinterface",
            "version": "0.2.21",
            "probes": [
                {
                    "ndim": 2,
                    "si_units": "um",
                    "annotations": {},
                    "contact_positions": contacts,
                    "contact_shapes": ["circle"] * len(contacts),
                    "contact_shape_params": [{"radius": 6.0}] * len(contacts),
                    "device_channel_indices": list(range(len(contacts))),
                }
            ],
        }
    )


def noise(seconds=1.0, sd_uv=5.0):
    rng = np.random.default_rng(0)
    return rng.normal(0, sd_uv, (int(seconds * RATE_HZ), CHANNELS)).astype(np.float32)


@pytest.fixture
def rig(tmp_path):
    """A folder with a good recording and its probe."""
    folder = tmp_path / "rig"
    folder.mkdir()
    noise().tofile(folder / "night.bin")
    (folder / "probe.json").write_text(probe_json([(0, 25 * k) for k in range(CHANNELS)]))
    return folder


def options(folder, **changes):
    given = {
        "rate": RATE_HZ,
        "channels": CHANNELS,
        "dtype": "float32",
        "gain-uv": 1.0,
        "probe": folder / "probe.json",
    } | changes
    return [f"--{name}={value}" for name, value in given.items()]


def listing(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def check(result, code, *words):
    assert result.code == code, result.err + result.out
    lines = [line for line in result.err.splitlines() if line.strip()]
    assert len(lines) == 2, result.err
    assert lines[0].startswith("nissl: Expected ")
    assert ", got " in lines[0]
    assert "Traceback" not in result.err
    assert result.out == ""
    for word in words:
        assert word in result.err


def check_project(nissl, folder):
    """It opens, is sound, and holds nothing that was left half-done."""
    assert nissl("verify", folder).code == 0
    names = listing(folder)
    assert not [n for n in names if n.endswith(".partial") or "tmp" in n or n.startswith("work/")]


def truncated(folder):
    data = (folder / "night.bin").read_bytes()
    (folder / "night.bin").write_bytes(data[:-7])


def non_monotonic(folder):
    from nissl.testing.files import write_nwb

    times = np.arange(2000) / 20_000.0
    times[1000] = times[900]
    write_nwb(folder / "back.nwb", np.ones((2000, 2), np.int16), timestamps_s=times)


def duplicate_contacts(folder):
    (folder / "probe.json").write_text(probe_json([(0, 0), (0, 25), (0, 25), (0, 50)]))


BAD_FILES = [
    pytest.param(None, "nothing.bin", {}, 3, "no such file", id="missing"),
    pytest.param(truncated, "night.bin", {}, 3, "night.bin", id="truncated"),
    pytest.param(None, "night.bin", {"channels": 7}, 3, "", id="wrong channel count"),
    pytest.param(duplicate_contacts, "night.bin", {}, 3, "contact", id="duplicate contacts"),
    pytest.param(None, "night.bin", {"rate": -30000}, 3, "rate", id="negative rate"),
    pytest.param(None, "night.bin", {"rate": 0}, 3, "rate", id="zero rate"),
    pytest.param(non_monotonic, "back.nwb", None, 3, "", id="times that go back"),
    pytest.param(
        lambda f: (f / "night.bin").write_bytes(b""), "night.bin", {}, 3, "empty", id="empty"
    ),
]


@pytest.mark.parametrize(("spoil", "name", "changes", "code", "word"), BAD_FILES)
def test_a_file_that_cannot_be_read(nissl, rig, tmp_path, spoil, name, changes, code, word):
    if spoil is not None:
        spoil(rig)
    given = [] if changes is None else options(rig, **changes)
    before = listing(tmp_path)
    check(nissl("add", tmp_path / "study", rig / name, *given), code, word)
    one_shot = ["--out", tmp_path / "study", *TRIDESCLOUS, *given]
    check(nissl("annotate", rig / name, *one_shot), code, word)
    assert listing(tmp_path) == before, "not even an empty project is made"


def test_a_bad_file_among_good_ones_adds_none(nissl, rig, tmp_path):
    shutil.copy(rig / "night.bin", rig / "day.bin")
    assert nissl("add", tmp_path / "study", rig / "day.bin", *options(rig)).code == 0
    paths = [rig / "night.bin", rig / "nothing.bin"]
    check(nissl("add", tmp_path / "study", *paths, *options(rig)), 3, "nothing.bin")
    shown = json.loads(nissl("show", tmp_path / "study", "--json").out)
    assert [row["source"] for row in shown] == ["day"]


def spoil_nan(samples):
    samples[0, 1] = np.nan
    return samples


def spoil_constant(samples):
    return np.full_like(samples, 7.0)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        pytest.param(spoil_nan, "'1'", id="NaN samples"),
        pytest.param(spoil_constant, "constant", id="constant recording"),
        pytest.param(lambda samples: samples, "spikes", id="no spikes at all"),
    ],
)
def test_samples_that_cannot_be_sorted(nissl, rig, tmp_path, make, word):
    pytest.importorskip("spikeinterface", reason='needs pip install "nissl[ephys]"')
    make(noise()).tofile(rig / "night.bin")
    study = tmp_path / "study"
    result = nissl("annotate", rig / "night.bin", "--out", study, *TRIDESCLOUS, *options(rig))
    check(result, 3, word)
    check_project(nissl, study)
    shown = json.loads(nissl("show", study, "--json").out)
    assert [(row["source"], row["task"]) for row in shown] == [("night", None)]


@pytest.fixture
def mount(require):
    """``mount(folder, options)`` mounts a tmpfs, or changes the options of one, until the end."""
    if os.geteuid() != 0:
        require("root", "mounting needs root; run: sudo make test")
    mounted = []

    def mount_(folder, options):
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            require("root", f"mounting is not allowed here: {done.stderr.decode().strip()}")
        if folder not in mounted:
            mounted.append(folder)

    yield mount_
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


WRITING = {
    "add": ["add", "{study}", "{rig}/night.bin"],
    "annotate": ["annotate", "{study}", *TRIDESCLOUS, "--seed", "5"],
    "report": ["report", "{study}"],
    "export": ["export", "{study}", "{medium}/out", "--to", "csv"],
    "head": ["head", "{study}", "simulated-0", "spikes", "--by", "ana"],
}


def commands(medium, rig):
    for name, words in WRITING.items():
        filled = [w.format(study=medium / "study", medium=medium, rig=rig) for w in words]
        yield name, filled + (options(rig) if name == "add" else [])


def test_a_read_only_folder(nissl, demo, rig, tmp_path, mount):
    medium = tmp_path / "medium"
    mount(medium, "size=64m")
    assert nissl("snapshot", demo.study, medium / "study").code == 0
    shutil.rmtree(medium / "study" / "reports", ignore_errors=True)
    mount(medium, "remount,ro,size=64m")
    before = listing(medium)
    assert nissl("show", medium / "study").code == 0, "reading is still possible"
    for _, words in commands(medium, rig):
        check(nissl(*words), 5)
    check(nissl("add", medium / "new", rig / "night.bin", *options(rig)), 5)
    assert listing(medium) == before


def test_a_full_disk(nissl, demo, rig, tmp_path, mount):
    medium = tmp_path / "medium"
    mount(medium, "size=64m")
    assert nissl("snapshot", demo.study, medium / "study").code == 0
    assert nissl("show", medium / "study").code == 0, "the journal has its write-ahead log"
    shutil.rmtree(medium / "study" / "reports", ignore_errors=True)
    free = os.statvfs(medium)
    (medium / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize))
    before = [n for n in listing(medium) if "journal.db-" not in n]
    for name, words in commands(medium, rig):
        check(nissl(*words), 5, "room", "Free some space")
        after = [n for n in listing(medium) if "journal.db-" not in n]
        extra = set(after) - set(before)
        assert extra <= {"out", "study/reports", "study/work"}, (name, extra)
    (medium / "ballast").unlink()
    check_project(nissl, medium / "study")
    assert nissl("report", medium / "study").code == 0


@pytest.fixture
def small(nissl, rig, tmp_path):
    study = tmp_path / "study"
    assert nissl("add", study, rig / "night.bin", *options(rig)).code == 0
    return study


def test_a_project_of_a_newer_version(nissl, small):
    manifest = small / "project.toml"
    manifest.write_text(manifest.read_text().replace("format = 1", "format = 99"))
    before = listing(small)
    for command in ("show", "report"):
        check(nissl(command, small), 5, "99")
    assert listing(small) == before


def test_a_corrupt_journal(nissl, small):
    journal = small / "journal.db"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    before = listing(small)
    for command in ("show", "report"):
        check(nissl(command, small), 5, "journal.db")
    assert set(listing(small)) - set(before) == set()
    journal.write_bytes(whole)
    check_project(nissl, small)
    with sqlite3.connect(journal) as database:
        assert database.execute("SELECT count(*) FROM sources").fetchone() == (1,)
