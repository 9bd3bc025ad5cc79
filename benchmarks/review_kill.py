"""Review under `kill -9`: of the server and of the browser, at random moments.

    python benchmarks/review_kill.py --out build/benchmarks/review_kill
    python benchmarks/review_kill.py --server 20 --browser 0

Half of the kills end `nissl review` while two readers send decisions as fast as they are
acknowledged; half end a real Chromium, with all its processes, while keys are pressed in the
page. After each kill everything that had been acknowledged must be in the journal, and what
was under way is sent again (by the readers, and by the browser from what it kept), once.
After the last kill each reader takes back everything, and every label set, and every answer
of the server about it, must be byte for byte what it was at the start.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import nissl
from _browser import Page, stop
from _common import machine, write_result
from _review import (
    Client,
    Deciding,
    Server,
    Study,
    make_study,
    serving,
    undo_everything,
    untouched,
)
from nissl.project import open_project

READERS = ("Ana", "Ben")
BROWSER_READER = "Chloé"
_KEYS = ("Space", "1", "2", "3", "u", "Space", "2", "Shift+Space", "Control+z")


class Deciders:
    """Readers that decide until the server is gone.

    Parameters
    ----------
    study : Study
    rng : numpy.random.Generator
    args : argparse.Namespace
    """

    def __init__(self, study: Study, rng: np.random.Generator, args: argparse.Namespace) -> None:
        streams = rng.spawn(len(READERS))
        self.deciding = {
            name: Deciding(study, name, stream, n_units=args.units, n_spans=args.spans)
            for name, stream in zip(READERS, streams, strict=True)
        }
        self.under_way: dict[str, dict[str, Any] | None] = dict.fromkeys(READERS)
        self.acknowledged: set[str] = set()
        self.refused: list[str] = []

    def until_gone(self, server: Server) -> list[threading.Thread]:
        """Start a thread per reader, which ends with the server."""
        threads = [threading.Thread(target=self._decide, args=(server, n)) for n in READERS]
        for thread in threads:
            thread.start()
        return threads

    def _decide(self, server: Server, name: str) -> None:
        client = server.client(name)
        while True:
            # what was under way when the server went comes first, under the same uuid
            made = self.under_way[name] or self.deciding[name].next()
            self.under_way[name] = made
            try:
                self.acknowledged |= set(client.decide(made)["acknowledged"])
            except (OSError, http.client.HTTPException):
                return
            except (RuntimeError, ValueError) as error:  # refused, or an answer cut short
                if server.process.poll() is not None:
                    return
                self.refused.append(str(error))
            self.under_way[name] = None


def kill_servers(
    study: Study, args: argparse.Namespace, rng: np.random.Generator
) -> dict[str, Any]:
    """Kill the server again and again while readers decide."""
    deciders = Deciders(study, rng, args)
    lost: set[str] = set()
    starts = []
    for n in range(args.server):
        server = Server(study)
        starts.append(server.started_s)
        threads = deciders.until_gone(server)
        time.sleep(rng.uniform(0.0, args.longest))
        server.kill()
        for thread in threads:
            thread.join()
        lost |= deciders.acknowledged - _in_journal(study)
        if n % 20 == 19:
            print(f"server killed {n + 1} times, {len(deciders.acknowledged)} acknowledged")
    return {
        "kills": args.server,
        "acknowledged": len(deciders.acknowledged),
        "lost": len(lost),
        "refused": deciders.refused[:10],
        "n_refused": len(deciders.refused),
        "start_s": [float(np.median(starts)), float(np.max(starts))] if starts else [],
    }


def kill_browsers(
    study: Study, args: argparse.Namespace, rng: np.random.Generator
) -> dict[str, Any]:
    """Kill the browser again and again while keys are pressed in its page."""
    acknowledged: set[str] = set()
    sent: set[str] = set()
    lost: set[str] = set()
    faults: list[str] = []
    profile = args.out / "profile"
    server = Server(study)
    try:
        for n in range(args.browser):
            page = Page(server.url, profile, reader=BROWSER_READER, desk=study.units)
            keys = rng.choice(_KEYS, size=400)
            end = time.perf_counter() + rng.uniform(0.2, args.longest)
            for key in keys:
                if time.perf_counter() > end:
                    break
                page.press(str(key))
            page.kill()
            acknowledged |= page.acknowledged
            sent |= page.sent
            faults += page.faults
            lost |= acknowledged - _in_journal(study)
            if n % 20 == 19:
                print(f"browser killed {n + 1} times, {len(acknowledged)} acknowledged")
        # a last visit, so that the page sends what it had kept
        if args.browser:
            page = Page(server.url, profile, reader=BROWSER_READER, desk=study.units)
            page.settle()
            page.kill()
            acknowledged |= page.acknowledged
            sent |= page.sent
        # never acknowledged, so no promise is broken; the page may not have kept it in time
        left = sent - _in_journal(study)
    finally:
        server.kill()
    return {
        "kills": args.browser,
        "acknowledged": len(acknowledged),
        "sent": len(sent),
        "lost": len(lost),
        "sent_but_never_recorded": len(left) if args.browser else 0,
        "faults": faults[:10],
    }


def _in_journal(study: Study) -> set[str]:
    with open_project(study.path, create=False, database=study.database) as project:
        return {str(edit.uuid) for edit in project.store.edits()}


def answers(study: Study, client: Client) -> dict[str, str]:
    """Digests of what the server says about every desk."""
    found = {}
    for name in (study.units, study.spans):
        status, _, body = client.request("GET", f"/api/desks/{name}/items", reader=client.reader)
        found[name] = f"{status} {hashlib.sha256(body).hexdigest()}"
    return found


Kill = Callable[[Study, argparse.Namespace, np.random.Generator], dict[str, Any]]


def prove(
    study: Study, args: argparse.Namespace, readers: Sequence[str], kill: Kill
) -> dict[str, Any]:
    """Kill, restart, take back everything, and compare with the start."""
    with serving(study) as server:
        start = {name: answers(study, server.client(name)) for name in readers}
        server.stop()
    result = kill(study, args, np.random.default_rng(args.seed))
    with serving(study) as server:
        began = time.perf_counter()
        undone = sum(undo_everything(server.client(name)) for name in readers)
        result |= {"undos": undone, "undo_s": time.perf_counter() - began}
        after = {name: answers(study, server.client(name)) for name in readers}
        result["exit_code"] = server.stop()
    faults = untouched(study, readers)
    faults += [f"the server's answers differ for {n}" for n in readers if after[n] != start[n]]
    return result | {"faults_after_undo": faults}


def holds(result: dict[str, Any]) -> bool:
    """Whether nothing acknowledged was lost and undo led back to the start."""
    wrong = ("lost", "n_refused", "faults_after_undo", "exit_code")
    return not any(result.get(name) for name in wrong)


def parser() -> argparse.ArgumentParser:
    """Arguments of this benchmark."""
    out = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    out.add_argument("--out", type=Path, default=Path("build/benchmarks/review_kill"))
    out.add_argument("--server", type=int, default=100, help="kills of the server")
    out.add_argument("--browser", type=int, default=100, help="kills of the browser")
    out.add_argument("--longest", type=float, default=1.5, help="seconds until a kill, at most")
    out.add_argument("--units", type=int, default=60)
    out.add_argument("--spans", type=int, default=500)
    out.add_argument("--seed", type=int, default=0)
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill as often as asked; exit code 1 where something was lost."""
    args = parser().parse_args(arguments)
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    result: dict[str, Any] = {"nissl": nissl.__version__, "machine": machine()}
    sizes = {"n_units": args.units, "n_spans": args.spans}
    if args.server:
        study = make_study(args.out / "server", **sizes)
        result["server"] = prove(study, args, READERS, kill_servers)
        write_result(args.out / "results.json", result)
    if args.browser:
        # more units, so that the queue never runs dry
        study = make_study(args.out / "browser", **sizes | {"n_units": 25 * args.browser})
        try:
            result["browser"] = prove(study, args, [BROWSER_READER], kill_browsers)
        finally:
            stop()
    result["holds"] = all(holds(result[part]) for part in ("server", "browser") if part in result)
    write_result(args.out / "results.json", result)
    print(json.dumps(result, indent=1))
    return 0 if result["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
