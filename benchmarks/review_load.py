"""Review under load: four readers who decide at once; nothing lost, nothing twice, how soon.

    python benchmarks/review_load.py --out build/benchmarks/review_load
    python benchmarks/review_load.py --seconds 20 --database sqlite

One `nissl review` serves a project. Each reader opens the page (the project, the queue, the items
of every desk), then sends five decisions a second on a fixed schedule (a late answer delays no
later decision's due time, so waiting counts), listens to the server's events, and asks for the
queue after every tenth decision. One decision in twenty is sent twice at once, as after a lost
answer. Afterwards the journal is compared with what was acknowledged. Time is from the moment a
decision was due to its acknowledgement. Beside it a probe forces one page of a file to the same
disk ten times a second: no journal can be faster than that.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import nissl
from _common import anchor_s, machine, names, write_result
from _postgresql import postgresql
from _review import Client, Deciding, Server, Study, make_study, serving
from nissl.project import open_project

READERS = ("Ana", "Ben", "Chloé", "Dāvis")
_RESENT = 0.05
_QUEUE_EVERY = 10


@dataclass
class Told:
    """What one reader sent and heard."""

    acknowledged: list[str] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)
    queue_s: list[float] = field(default_factory=list)
    resent: int = 0
    events: int = 0
    errors: list[str] = field(default_factory=list)


def reader(
    server: Server,
    study: Study,
    name: str,
    args: argparse.Namespace,
    told: Told,
    opened: threading.Event,
) -> None:
    """Decide `args.rate` times a second for `args.seconds`."""
    rng = np.random.default_rng([args.seed, *name.encode()])
    deciding = Deciding(study, name, rng, n_units=args.units, n_spans=args.spans)
    client, twin = server.client(name), server.client(name)
    opened.wait()
    began = time.perf_counter() + rng.uniform(0, 1 / args.rate)
    offset = int(rng.integers(_QUEUE_EVERY))
    for n in range(int(args.seconds * args.rate)):
        due = began + n / args.rate
        time.sleep(max(0.0, due - time.perf_counter()))
        made = deciding.next()
        try:
            second = None
            if rng.random() < _RESENT:
                second = threading.Thread(target=_quietly, args=(twin, made))
                second.start()
                told.resent += 1
            answer = client.decide(made)
            told.waited_s.append(time.perf_counter() - due)
            told.acknowledged += answer["acknowledged"]
            if second is not None:
                second.join()
            if n % _QUEUE_EVERY == offset:
                asked = time.perf_counter()
                client.get("/api/queue", limit=50)
                told.queue_s.append(time.perf_counter() - asked)
        except (RuntimeError, OSError, http.client.HTTPException) as error:
            told.errors.append(f"{made['kind']}: {error}")


def _quietly(client: Client, made: dict[str, Any]) -> None:
    with suppress(RuntimeError, OSError, http.client.HTTPException):
        client.decide(made)


def listen(server: Server, told: Told, over: threading.Event) -> None:
    """Count the events that an open page would hear."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        headers = {"Authorization": f"Bearer {server.token}"}
        connection.request("GET", "/api/events", headers=headers)
        answer = connection.getresponse()
        while not over.is_set():
            told.events += answer.readline().startswith(b"data:")


def probe(folder: Path, forced_s: list[float], over: threading.Event) -> None:
    """Time how long the disk itself takes to force one page, ten times a second."""
    with open(folder / "probe", "wb") as file:
        while not over.wait(0.1):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            forced_s.append(time.perf_counter() - began)


def run(study: Study, args: argparse.Namespace) -> dict[str, Any]:
    """Load one server and compare the journal with what was acknowledged."""
    told = {name: Told() for name in READERS}
    over = threading.Event()
    forced_s: list[float] = []
    disk = threading.Thread(target=probe, args=(study.path.parent, forced_s, over))
    with serving(study) as server:
        listeners = [
            threading.Thread(target=listen, args=(server, t, over), daemon=True)
            for t in told.values()
        ]
        opened = threading.Event()
        readers = [
            threading.Thread(target=reader, args=(server, study, name, args, told[name], opened))
            for name in READERS
        ]
        for thread in (*listeners, *readers):
            thread.start()
        for name in READERS:
            server.client(name).open_page(study)
        opened.set()
        disk.start()
        for thread in readers:
            thread.join()
        time.sleep(1.0)
        over.set()
        disk.join()
        code = server.stop()
    result = {**_checked(study, told), **_summary(told), "exit_code": code}
    return result | {"disk_ms": _percentiles(forced_s)}


def _checked(study: Study, told: dict[str, Told]) -> dict[str, Any]:
    with open_project(study.path, create=False, database=study.database) as project:
        edits = project.store.edits()
        faults = project.store.verify()
    counts = Counter(str(e.uuid) for e in edits)
    acknowledged = {u for t in told.values() for u in t.acknowledged}
    disorder = 0
    for name, t in told.items():
        mine = [str(e.uuid) for e in edits if e.reviewer == name and str(e.uuid) in acknowledged]
        disorder += mine != list(dict.fromkeys(t.acknowledged))
    return {
        "decisions": len(acknowledged),
        "in_journal": len(edits),
        "lost": len(acknowledged - set(counts)),
        "duplicated": sum(n - 1 for n in counts.values()),
        "never_acknowledged": len(set(counts) - acknowledged),
        "readers_out_of_order": disorder,
        "faults": faults,
    }


def _summary(told: dict[str, Told]) -> dict[str, Any]:
    return {
        "resent": sum(t.resent for t in told.values()),
        "events": sum(t.events for t in told.values()),
        "errors": [e for t in told.values() for e in t.errors][:20],
        "n_errors": sum(len(t.errors) for t in told.values()),
        "waited_ms": _percentiles([s for t in told.values() for s in t.waited_s]),
        "queue_ms": _percentiles([s for t in told.values() for s in t.queue_s]),
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles in milliseconds."""
    ranks = {"p50": 50, "p90": 90, "p99": 99, "p999": 99.9, "max": 100}
    ms = 1e3 * np.asarray(seconds or [np.nan])
    return {name: float(np.percentile(ms, rank)) for name, rank in ranks.items()}


def holds(result: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled or refused, and p99 is below 50 ms."""
    nothing = ("lost", "duplicated", "never_acknowledged", "readers_out_of_order", "n_errors")
    return (
        not any(result[k] for k in nothing)
        and not result["faults"]
        and result["waited_ms"]["p99"] < 50.0
    )


def parser() -> argparse.ArgumentParser:
    """Arguments of this benchmark."""
    out = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    out.add_argument("--out", type=Path, default=Path("build/benchmarks/review_load"))
    out.add_argument("--database", type=names, default=("sqlite", "postgresql"))
    out.add_argument("--seconds", type=float, default=600.0)
    out.add_argument("--rate", type=float, default=5.0, help="decisions a second of each reader")
    out.add_argument("--units", type=int, default=300)
    out.add_argument("--spans", type=int, default=2_000)
    out.add_argument("--seed", type=int, default=0)
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Load a server on each database; exit code 1 where something does not hold."""
    args = parser().parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"nissl": nissl.__version__, "machine": machine()}
    results |= {"seconds": args.seconds, "rate": args.rate, "readers": len(READERS), "runs": {}}
    for database in args.database:
        folder = args.out / database
        shutil.rmtree(folder, ignore_errors=True)
        with ExitStack() as stack:
            other = postgresql() if database == "postgresql" else nullcontext("sqlite")
            address = stack.enter_context(other)
            study = make_study(folder, database=address, n_units=args.units, n_spans=args.spans)
            before = anchor_s()
            result = run(study, args)
            result |= {"anchor_s": [before, anchor_s()], "load": os.getloadavg()[1]}
        result["holds"] = holds(result)
        results["runs"][database] = result
        write_result(args.out / "results.json", results)
        print(database, json.dumps(result, indent=1))
    return 0 if all(r["holds"] for r in results["runs"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
