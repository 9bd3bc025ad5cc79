"""Benchmark of the task "events": spindles, seizures, and bursts of known truth.

    python benchmarks/events.py [--quick] [--train DATA] [--test DATA] [--out DIR] [--page FILE]

Data: the DREAMS excerpt (`eeg/dreams_spindles`), clips of one dog (`eeg/ieeg_dog_seizures`) and
Bonn's segments (`eeg/bonn_seizure`). Where both folders are the same, seizures are left out whole
and other material by stretches of time; otherwise everything is learnt from --train. Writes
results.json, events.md and events.png.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nissl.annotators.events as events_package
from _common import arguments, finite, machine, one_folder
from _events_page import markdown, plot
from _events_robust import robustness
from _events_seizures import bonn, seizures
from _events_simulated import simulated
from _events_spindles import spindles


def run(train: Path, test: Path, keep: Path, *, quick: bool, fresh: bool) -> dict[str, Any]:
    """Compute everything; parts that nothing has changed since are taken from `keep`."""
    same = one_folder(train, test)
    parts: dict[str, Callable[[], Any]] = {
        "spindles": lambda: spindles(train, test, same, seeds=3 if quick else 20),
        "seizures": lambda: seizures(train, test, same, quick=quick),
        "bonn": lambda: bonn(train, test, same, seeds=1 if quick else 5),
        "robustness": lambda: robustness(duration_s=300.0 if quick else 900.0),
        "simulated": lambda: simulated(seeds=1 if quick else 5),
    }
    key = _key(str(train.resolve()), str(test.resolve()), quick)
    out: dict[str, Any] = {"machine": machine(), "quick": quick, "same_folder": same}
    for name, compute in parts.items():
        file = keep / f"{name}-{key}.json"
        if fresh or not file.is_file():
            keep.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(finite(compute()), allow_nan=False), encoding="utf-8")
        out[name] = json.loads(file.read_text(encoding="utf-8"))
        print(f"{name} done", flush=True)
    return out


def _key(*facts: Any) -> str:
    """Digest of what defines the parts: the folders, this benchmark and the methods' code."""
    hashed = hashlib.sha256(repr(facts).encode())
    own = Path(events_package.__file__).parent
    for path in sorted([*Path(__file__).parent.glob("*events*.py"), *own.rglob("*.[pj]*")]):
        if path.suffix in (".py", ".json"):
            hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    args = arguments("events", (__doc__ or "").split("\n")[0]).parse_args(argv)
    results = run(args.train, args.test, args.out / "parts", quick=args.quick, fresh=args.fresh)
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "events.png")
    (args.out / "events.md").write_text(markdown(results, "events.png"), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(args.out / "events.png", args.page.with_suffix(".png"))
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
        page = markdown(results, args.page.with_suffix(".png").name)
        args.page.write_text(page, encoding="utf-8")
    print(f"{args.out / 'results.json'}, events.md, events.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
