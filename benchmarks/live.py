"""Benchmark of live methods: time per chunk, equality with offline, memory, and what causal costs.

    python benchmarks/live.py [--quick] [--train DATA] [--test DATA] [--out DIR] [--page FILE]
                              [--only-sorter]

Speed, equality and memory are measured on simulated EEG of 64 channels at 256 Hz. Accuracy: sleep
stages on `eeg/sleep_edf` (features that look backwards against features that look around, the same
trees, subjects left out in turn where both folders are the same); spindles on the DREAMS excerpt
and on simulations, beside the offline detector and YASA. Thresholds of live detectors were chosen
on other simulations. The sorter is played at real speed, from samples to triggers; `--only-sorter`
measures it alone, and takes all other results from those beside the page. Writes results.json,
live.md and live.png.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from _common import arguments, finite, machine, one_folder, write_result
from _live_page import markdown, plot
from _live_sorter import latency
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
        "sorter": latency(quick=quick),
    }


def sorter_alone(page: Path, *, quick: bool) -> dict[str, Any]:
    """The sorter measured, the rest as it stands beside the page."""
    kept = json.loads((page.parent / "live.results.json").read_text(encoding="utf-8"))
    return {**kept, "sorter": latency(quick=quick)}


def main() -> None:
    """Run the benchmark."""
    parser = arguments("live", (__doc__ or "").split("\n")[0])
    parser.add_argument("--only-sorter", action="store_true", help="the sorter alone; needs --page")
    given = parser.parse_args()
    if given.only_sorter and given.page is None:
        parser.error("--only-sorter needs --page, beside which the other results lie")
    given.out.mkdir(parents=True, exist_ok=True)
    if given.only_sorter:
        results = finite(sorter_alone(given.page, quick=given.quick))
    else:
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
