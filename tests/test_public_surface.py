"""The public names, what importing costs, and what it must never bring."""

import json
import subprocess
import sys

import nissl

SLOW = {"pandas", "sklearn", "scipy.stats", "scipy.ndimage", "numba", "lightgbm"}
"""Each takes from a tenth of a second to two seconds to import, at every start of a command."""


def _modules_after(code: str) -> set[str]:
    script = f"import sys, json; {code}; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(out.stdout.splitlines()[-1]))


def test_all_is_sorted_and_resolves():
    assert nissl.__all__ == sorted(nissl.__all__)
    for name in nissl.__all__:
        assert getattr(nissl, name) is not None, name


def test_unknown_names_are_attribute_errors():
    assert not hasattr(nissl, "anotate")


def test_importing_nissl_brings_nothing_heavy():
    loaded = _modules_after("import nissl")
    assert not loaded & {"numpy", "pandas", "torch", "spikeinterface", "matplotlib", "zarr"}


def test_facade_and_command_line_never_import_pytorch():
    loaded = _modules_after("import nissl, nissl.cli, nissl.project; nissl.open, nissl.read")
    assert "torch" not in loaded
    assert not loaded & ({"spikeinterface", "matplotlib", "dask"} | SLOW)


def test_listing_tasks_imports_no_package_that_only_computes():
    asked = "[dict(ANNOTATORS.get(m).missing()) for t in TASKS for m in TASKS.get(t).methods]"
    loaded = _modules_after(f"from nissl.tasks import ANNOTATORS, TASKS; {asked}")
    assert not loaded & SLOW
