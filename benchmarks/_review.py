"""What the benchmarks of the review server share: a study, a server to kill, clients, checks."""

from __future__ import annotations

import http.client
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pyarrow as pa

from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.digest import digest_table
from nissl.labels.replay import by_reviewer, replay
from nissl.project import open_project

RATE_HZ = 1_000.0
CLASSES = ("good", "mua", "noise")
STAGES = ("W", "N1", "N2", "N3", "R")
_MAIN = "from nissl.cli import main; main()"


@dataclass(frozen=True)
class Study:
    """A project with a sorting, its classes and spans.

    Parameters
    ----------
    path : Path
    database : str
    units, classes, spans : str
        Digests.
    """

    path: Path
    database: str
    units: str
    classes: str
    spans: str


def make_study(
    folder: Path,
    *,
    database: str = "sqlite",
    n_units: int = 60,
    n_spans: int = 2_000,
    spikes_per_unit: int = 60,
    seed: int = 0,
) -> Study:
    """Make a project of one small recording with everything that is decided on.

    Parameters
    ----------
    folder : Path
    database : str
    n_units, n_spans, spikes_per_unit : int
    seed : int
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    n = int(600 * RATE_HZ)
    raw = folder / "night.bin"
    raw.write_bytes(rng.integers(-99, 99, (n, 2), np.int16).tobytes())
    with open_project(folder / "study", database=database) as study:
        facts = {"rate_hz": RATE_HZ, "n_channels": 2, "dtype": "int16", "gain_uv": 0.5}
        source = study.add(raw, subject="rat1", session="day1", **facts)
        units = _units(rng, source.fingerprint, n, n_units, spikes_per_unit)
        classes = _classes(rng, source.fingerprint, units)
        spans = _spans(rng, source.fingerprint, n, n_spans)
        for labels in (units, classes, spans):
            study.store.put_labels(labels)
            items = study.store.put_items(_items(rng, labels))
            study.store.record_labels(labels.digest, items=items)
        return Study(study.path, database, units.digest, classes.digest, spans.digest)


def _made(task: str, source: str, name: str, targets: tuple[str, ...] = ()) -> Provenance:
    return Provenance(task, source, Author("model", name, "1"), "signal", targets=targets)


def _units(rng: np.random.Generator, source: str, n: int, n_units: int, each: int) -> LabelSet:
    item = np.repeat(np.arange(n_units), each)
    columns = {
        "sample": rng.integers(0, n, item.size),
        "item": rng.permutation(item),
        "amplitude": rng.normal(-80, 9, item.size).astype(np.float32),
    }
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), _made("spikes", source, "spikes/made"))


def _classes(rng: np.random.Generator, source: str, units: LabelSet) -> LabelSet:
    chances = rng.dirichlet(np.ones(len(CLASSES)), units.items.size).astype(np.float32)
    columns = {
        "target": units.items,
        "label": chances.argmax(axis=1).astype(np.int32),
        "confidence": chances.max(axis=1),
        "probabilities": chances,
    }
    made = _made("curation", source, "curation/made", (units.digest,))
    return LabelSet.build(Kind.CLASSES, columns, CLASSES, made)


def _spans(rng: np.random.Generator, source: str, n: int, n_spans: int) -> LabelSet:
    edges = np.unique(rng.integers(0, n, 4 * n_spans))[: n_spans + 1]
    columns = {
        "start": edges[:-1],
        "stop": edges[1:],
        "label": rng.integers(0, len(STAGES), edges.size - 1).astype(np.int32),
        "confidence": rng.uniform(0.3, 1, edges.size - 1).astype(np.float32),
    }
    return LabelSet.build(Kind.SPANS, columns, STAGES, _made("sleep", source, "sleep/made"))


def _items(rng: np.random.Generator, labels: LabelSet) -> ItemTable:
    table = pa.table({"item": labels.items, "snr": rng.uniform(2, 12, labels.items.size)})
    return ItemTable(labels.digest, table, {"snr": ""})


# --- a server that can be killed -------------------------------------------------------------


class Server:
    """`nissl review` in a process of its own.

    Parameters
    ----------
    study : Study
    port : int
        0 for any.
    """

    def __init__(self, study: Study, *, port: int = 0, prefix: Sequence[str] = ()) -> None:
        command = [sys.executable, "-c", _MAIN, "review", str(study.path), "--no-browser"]
        command += ["--port", str(port)] if port else []
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        environment.pop("NISSL_DATABASE", None)
        if study.database != "sqlite":
            environment["NISSL_DATABASE"] = study.database
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [*prefix, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        self.lines: list[str] = []
        self._address: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        found = self._address.get(timeout=120)
        if not found:
            raise RuntimeError("the server did not start:\n" + "".join(self.lines))
        self.port = int(re.search(r":(\d+)/", found)[1])  # type: ignore[index]
        self.token = found.rpartition("token=")[2]
        self.url = found
        self.started_s = time.perf_counter() - began

    def _read(self) -> None:
        for raw in self.process.stdout:  # type: ignore[union-attr]
            line = raw.decode(errors="replace")
            self.lines.append(line)
            found = re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]+", line)
            if found:
                self._address.put(found[0])
        self._address.put("")

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as Ctrl-C does; returns its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def client(self, reader: str) -> Client:
        """Connection of one reader."""
        return Client(self.port, self.token, reader)


@contextmanager
def serving(study: Study, **options: Any) -> Iterator[Server]:
    """Server for the length of a block."""
    server = Server(study, **options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


class Client:
    """One reader's connection, as a script holds it.

    Parameters
    ----------
    port : int
    token, reader : str
    """

    def __init__(self, port: int, token: str, reader: str) -> None:
        self.reader = reader
        self._headers = {"Authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def request(
        self, method: str, path: str, body: Any = None, **query: Any
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of an answer."""
        address = quote(path) + ("?" + urlencode(query) if query else "")
        headers = dict(self._headers)
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        self._connection.request(method, address, content, headers)
        answer = self._connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()

    def get(self, path: str, **query: Any) -> Any:
        """JSON answer of a GET, which must succeed."""
        status, _, body = self.request("GET", path, reader=self.reader, **query)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body[:500]!r}")
        return json.loads(body)

    def decide(self, *edits: Mapping[str, Any], question: str | None = None) -> Any:
        """Send decisions and return the acknowledgement; anything else is an error."""
        body = {"edits": list(edits)} | ({"question": question} if question else {})
        status, _, content = self.request("POST", "/api/decisions", body)
        if status != 200:
            raise RuntimeError(f"POST /api/decisions: {status} {content[:500]!r}")
        return json.loads(content)

    def open_page(self, study: Study) -> None:
        """Ask for what the page asks for when it is opened."""
        self.get("/api/project")
        self.get("/api/queue", limit=50)
        for key in (study.units, study.spans):
            status, _, body = self.request("GET", f"/api/desks/{key}/items", reader=self.reader)
            if status != 200:
                raise RuntimeError(f"the items of {key[:12]}: {status} {body[:300]!r}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def edit(kind: str, base: str, items: Sequence[int], reader: str, **payload: Any) -> dict[str, Any]:
    """A decision as the browser sends it."""
    return {
        "uuid": str(uuid.uuid4()),
        "kind": kind,
        "base": base,
        "items": [int(i) for i in items],
        "reviewer": reader,
        "when_s": time.time(),
        "payload": payload,
        "group": None,
        "role": "reader",
        "parent": None,
        "took_s": 0.8,
    }


@dataclass
class Deciding:
    """A stream of decisions of one reader, each of which applies to what went before.

    Parameters
    ----------
    study : Study
    reader : str
    rng : numpy.random.Generator
    """

    study: Study
    reader: str
    rng: np.random.Generator
    n_units: int = 60
    n_spans: int = 2_000
    _undoable: list[dict[str, Any]] = field(default_factory=list)

    def next(self) -> dict[str, Any]:
        """One decision: a class, a span's stage, "unsure", a note, or an undo."""
        draw = self.rng.random()
        if draw < 0.08 and self._undoable:
            last = self._undoable.pop()
            return edit("undo", last["base"], (), self.reader, target=last["uuid"])
        unit = [int(self.rng.integers(self.n_units))]
        span = [int(self.rng.integers(self.n_spans))]
        if draw < 0.5:
            label = CLASSES[int(self.rng.integers(len(CLASSES)))]
            made = edit("relabel", self.study.classes, unit, self.reader, label=label)
        elif draw < 0.7:
            made = edit("accept", self.study.classes, unit, self.reader)
        elif draw < 0.9:
            stage = STAGES[int(self.rng.integers(len(STAGES)))]
            made = edit("relabel", self.study.spans, span, self.reader, label=stage)
        elif draw < 0.95:
            made = edit("unsure", self.study.spans, span, self.reader)
        else:
            made = edit("note", self.study.spans, span, self.reader, text="look again")
        self._undoable.append(made)
        return made


# --- what must hold ----------------------------------------------------------------------------


def undo_everything(client: Client) -> int:
    """Take back all that a reader decided, newest first; returns how many steps it took."""
    n = 0
    while True:
        stack = client.get("/api/stack")["undo"]
        if not stack:
            return n
        for step in stack:
            group = str(uuid.uuid4())
            client.decide(
                *(
                    edit("undo", base, (), client.reader, target=step["target"]) | {"group": group}
                    for base in step["bases"]
                )
            )
            n += 1


def untouched(study: Study, readers: Sequence[str]) -> list[str]:
    """What is not byte for byte as before the first decision, one sentence each."""
    faults = []
    with open_project(study.path, create=False, database=study.database) as project:
        for name in ("units", "classes", "spans"):
            base = project.store.get_labels(getattr(study, name))
            edits = project.store.edits(base=base.digest)
            for reader in readers:
                mine = [e for e in edits if e.reviewer == reader]
                after = replay(base, mine, resolve=by_reviewer(reader))
                if digest_table(after.labels.table) != digest_table(base.table):
                    faults.append(f"the rows of {name} differ for {reader}")
                if after.decided or after.questions:
                    faults.append(f"{name} holds decisions of {reader} after undoing all")
        faults += project.store.verify()
    return faults
