"""Benchmark of live methods: time per chunk, equality with offline, memory, and what causal costs.

    python benchmarks/live.py [--quick] [--train DATA] [--test DATA] [--out DIR] [--page FILE]

Speed, equality and memory are measured on simulated EEG of 64 channels at 256 Hz. Accuracy: sleep
stages on `eeg/sleep_edf` (features that look backwards against features that look around, the same
trees, subjects left out in turn where both folders are the same); spindles on the DREAMS excerpt
and on simulations, beside the offline detector and YASA. Thresholds of live detectors were chosen
on other simulations. Writes results.json, live.md and live.png.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from _common import arguments, finite, machine, one_folder, write_result
from _live_page import markdown, plot
from _live_work import accuracy_events, accuracy_sleep, equality, memory, speed


def run(train: Path, test: Path, *, quick: bool) -> dict[str, Any]:
    """Compute everything."""
    return {
        "machine": machine(),
        "quick": quick,
        "speed": speed(quick=quick),
        "equality": equality(quick=quick),
        "memory": memory(minutes=5 if quick else 60),
        "sleep": accuracy_sleep(train, test, one_folder(train, test), quick=quick),
        "events": accuracy_events(test, seeds=1 if quick else 4),
    }


def main() -> None:
    """Run the benchmark."""
    given = arguments("live", (__doc__ or "").split("\n")[0]).parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    results = finite(run(given.train, given.test, quick=given.quick))
    write_result(given.out / "results.json", results)
    plot(results, given.out / "live.png")
    page = markdown(results)
    (given.out / "live.md").write_text(page, encoding="utf-8")
    if given.page:
        given.page.write_text(page, encoding="utf-8")
        shutil.copy(given.out / "live.png", given.page.parent / "live.png")
        write_result(given.page.parent / "live.results.json", results)


if __name__ == "__main__":
    main()
