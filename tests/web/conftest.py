"""A small project with units, their classes and spans, and the server over it."""

import importlib.util
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from nissl.project import open_project
from nissl.project.reviewing import open_room
from nissl.web.app import STATIC, create_app
from nissl.web.security import Guard
from nissl.web.sessions import Keys

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
BUILT = Path(os.environ.get("NISSL_STATIC", STATIC))
LEVELS_UV = 130 * np.asarray([[1.0, 0.6, 0.2, 0.0], [0.0, 0.2, 0.6, 1.0], [0.7, 1.0, 0.3, 0.0]])
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _own_database(monkeypatch):
    monkeypatch.delenv("NISSL_DATABASE", raising=False)


@pytest.fixture(scope="module")
def browser(require):
    """Chromium; without it, or without the built front end, the test is skipped or fails."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        require("browser", "no Chromium; run: apt-get install -y chromium")
    if not (BUILT / "index.html").exists():
        require("browser", "the front end is not built; run: python hatch_build.py")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def bench():
    """The module that makes a study and drives a server, shared with the benchmarks."""
    spec = importlib.util.spec_from_file_location("_review", BENCHMARKS / "_review.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["_review"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made(bench, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return bench.make_study(folder, n_units=6, n_spans=20, spikes_per_unit=30)


@pytest.fixture
def study(made, tmp_path):
    """A project of its own for each test."""
    shutil.copytree(made.path.parent, tmp_path, dirs_exist_ok=True)
    return replace(made, path=tmp_path / made.path.name)


class Talk:
    """Client of an application in this process, with the token, as one reader."""

    def __init__(self, client, bench, study, reader="Ana"):
        self.client, self.bench, self.study, self.reader = client, bench, study, reader

    def get(self, path, status=200, **query):
        answer = self.client.get(path, params={"reader": self.reader} | query)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.headers["content-type"] == "application/json" else answer

    def edit(self, kind, base, items=(), **payload):
        return self.bench.edit(kind, base, items, self.reader, **payload)

    def decide(self, *edits, status=200, **more):
        answer = self.client.post("/api/decisions", json={"edits": list(edits)} | more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def states(self, key, **query):
        import pyarrow as pa

        table = pa.ipc.open_stream(self.get(f"/api/desks/{key}/items", **query).content).read_all()
        return {row["item"]: row for row in table.to_pylist()}


@pytest.fixture
def room(study):
    with open_project(study.path, create=False) as project:
        yield open_room(project.store)


@pytest.fixture
def talk(room, bench, study, tmp_path):
    keys = Keys()
    guard = Guard(create_app(room, static=tmp_path / "static"), keys)
    headers = {"Authorization": f"Bearer {keys.token}"}
    address = "http://127.0.0.1:8477"
    with TestClient(guard, address, headers=headers, raise_server_exceptions=False) as client:
        yield Talk(client, bench, study)


@pytest.fixture(scope="session")
def sorted_study(tmp_path_factory):
    """A project with eight seconds of three units on four channels, sorted by `spikes/nissl`."""
    pytest.importorskip("spikeinterface", reason='needs pip install "nissl[ephys]"')
    folder = tmp_path_factory.mktemp("sorted")
    rng, n = np.random.default_rng(7), 8 * 30_000
    x = rng.normal(0, 10, (n, 4))
    t = np.arange(-30, 60) / 30.0
    shape = -np.exp(-0.5 * (t / 0.15) ** 2) + 0.4 * np.exp(-0.5 * ((t - 0.6) / 0.3) ** 2)
    at = np.arange(400, n - 400, 350)
    at = at + rng.integers(0, 150, at.size)
    for a, u in zip(at, rng.integers(0, 6, at.size), strict=True):
        if u < 3:
            x[a - 30 : a + 60] += shape[:, None] * LEVELS_UV[u]
    place = np.stack([np.zeros(4), 25.0 * np.arange(4)], axis=1)
    np.savez(folder / "rec.npz", data=x.astype("f4"), rate_hz=30_000, position_um=place)
    with open_project(folder / "study") as project:
        project.annotate(project.add(folder / "rec.npz"), "spikes/nissl", seed=3)
    return folder / "study"
