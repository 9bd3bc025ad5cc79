from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nissl.labels import Author, Edit, EditKind, ItemTable, Kind, LabelSet, Provenance
from nissl.store import Store


@pytest.fixture(autouse=True)
def _own_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NISSL_DATABASE", raising=False)


@pytest.fixture(scope="session")
def postgresql(require: Callable[[str, str], None]) -> Iterator[str]:
    """Address of a PostgreSQL server of Debian's package, in a folder of its own."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        require("postgresql", "no PostgreSQL server; run: apt-get install -y postgresql")
    binaries = found[-1].parent
    # a short path: the socket's name has a limit; the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="nissl-pg-"))
    prefix: list[str] = []
    if os.geteuid() == 0:
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def command(*arguments: str) -> None:
        done = subprocess.run(
            [*prefix, *arguments], cwd=folder, stdout=log, stderr=log, timeout=120, check=False
        )
        assert done.returncode == 0, Path(log.name).read_text()

    with open(folder / "log", "w") as log:
        data = str(folder / "data")
        command(str(binaries / "initdb"), "-D", data, "-U", "nissl", "-A", "trust", "-N")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        control = [str(binaries / "pg_ctl"), "-D", data, "-w", "-o", options]
        command(*control, "-l", str(folder / "data" / "server.log"), "start")
        try:
            yield f"postgresql://nissl@127.0.0.1:{port}/postgres"
        finally:
            command(*control, "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    return "sqlite" if request.param == "sqlite" else request.getfixturevalue("postgresql")


@pytest.fixture
def store(tmp_path: Path, database: str) -> Iterator[Store]:
    clock = iter(range(1_000, 10**9))
    with Store.open(tmp_path / "study", database=database, now=lambda: float(next(clock))) as s:
        yield s


@pytest.fixture
def make_labels() -> Callable[..., LabelSet]:
    def make(
        seed: int = 0, *, task: str = "spikes", source: str = "f1", targets: tuple[str, ...] = ()
    ) -> LabelSet:
        author = Author("model", "spikes/test", "1")
        provenance = Provenance(task, source, author, stream="ap", seed=seed, targets=targets)
        if targets:
            return LabelSet.build(Kind.CLASSES, {"target": [0, 1]}, ("good", "mua"), provenance)
        rng = np.random.default_rng(seed)
        columns = {
            "sample": np.sort(rng.integers(0, 10_000, 40)),
            "item": rng.integers(0, 3, 40),
            "amplitude": rng.normal(-80, 9, 40).astype(np.float32),
        }
        return LabelSet.build(Kind.EVENTS, columns, ("unit",), provenance)

    return make


@pytest.fixture
def make_items() -> Callable[..., ItemTable]:
    import pyarrow as pa

    def make(labels: LabelSet, snr: float = 5.0) -> ItemTable:
        table = pa.table({"item": labels.items, "snr": np.full(labels.items.size, snr)})
        template = np.full((labels.items.size, 4, 2), snr, np.float32)
        return ItemTable(labels.digest, table, {"snr": ""}, {"template": template}, {"n": 1})

    return make


@pytest.fixture
def make_edit() -> Callable[..., Edit]:
    def make(n: int = 0, base: str = "b" * 64, **changes: object) -> Edit:
        values: dict[str, object] = {
            "uuid": uuid.UUID(int=n),
            "kind": EditKind.RELABEL,
            "base": base,
            "items": (n, 2**60),
            "reviewer": "anna µ",
            "when_s": 1.7e9 + n / 3,
            "payload": {"label": "good", "z": [1.5, None, {"deep": "\u0000"}]},
            "group": uuid.UUID(int=n // 2 + 1),
            "role": "reader",
            "parent": None,
            "took_s": 0.1 + n,
        }
        return Edit(**(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def mount(require: Callable[[str, str], None]) -> Iterator[Callable[..., None]]:
    """``mount(folder, options)`` mounts a tmpfs, or changes the options of one, until the end."""
    if os.geteuid() != 0:
        require("root", "mounting needs root; run: sudo make test")
    mounted: list[Path] = []

    def mount_(folder: Path, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            require("root", f"mounting is not allowed here: {done.stderr.decode().strip()}")
        if folder not in mounted:
            mounted.append(folder)

    yield mount_
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
