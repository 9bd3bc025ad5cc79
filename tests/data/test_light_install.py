"""What works without the [ephys] extra, and what says how to get it."""

import subprocess
import sys

import numpy as np
import pytest

from nissl.testing.files import write_spikeglx

BLOCKED = """
import sys

class Missing:
    names = {"spikeinterface", "neo", "probeinterface", "pynwb", "hdmf", "h5py"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ImportError(f"No module named {name!r}", name=name.split(".")[0])

sys.meta_path.insert(0, Missing())
"""


def run(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_plain_files_need_nothing_more(tmp_path):
    samples = np.arange(80, dtype=np.int16).reshape(20, 4)
    np.savez(tmp_path / "x.npz", data=samples, fs=1e4, gain_uv=0.5)
    samples.tofile(tmp_path / "x.bin")
    (tmp_path / "p.json").write_text('{"contact_positions": [[0, 0], [0, 1], [0, 2], [0, 3]]}')
    code = BLOCKED + (
        "from nissl.data.read import read\n"
        "print(read(sys.argv[1]).read().sum())\n"
        "signal = read(sys.argv[2], rate_hz=1e4, gain_uv=0.5, probe=sys.argv[3]).signal\n"
        "print(signal.read().sum(), signal.channels.has_geometry)\n"
    ).replace("\\\n", "\n")
    out = run(code, tmp_path / "x.npz", tmp_path / "x.bin", tmp_path / "p.json")
    assert out.split() == ["1580.0", "1580.0", "True"]


def test_the_others_say_what_to_install(tmp_path):
    path = write_spikeglx(tmp_path, np.zeros((10, 4), np.int16))
    code = BLOCKED + (
        "from nissl.data.read import read\n"
        "from nissl.errors import MissingDependencyError\n"
        "try:\n    read(sys.argv[1])\n"
        "except MissingDependencyError as error:\n    print(error)\n"
    ).replace("\\\n", "\n")
    assert "probeinterface" in (out := run(code, path))
    assert "pip install 'nissl[ephys]'" in out


@pytest.mark.parametrize("module", ["nissl.data", "nissl.data.read", "nissl.data.spikeinterface"])
def test_importing_is_light(module):
    code = (
        f"import sys, {module}; heavy = {{'spikeinterface', 'neo', 'probeinterface', 'pynwb',"
        " 'h5py', 'zarr', 'torch', 'matplotlib', 'pandas', 'scipy'};"
        " print(sorted(heavy & set(sys.modules)))"
    )
    assert run(code).strip() == "[]"
