"""Benchmark of evidence: how often claims are supported that are false, and that are true.

    python benchmarks/evidence.py [--quick] [--parts NAMES] [--test DATA] [--out DIR] [--page FILE]

Simulated recordings whose claims are true or false by construction; and of the data folder
`glue/m1_multiday` and `glue/ca1_ca3_crossregion`. Nothing is learnt, so that --train is not used.
Every part is kept in the output folder. Writes results.json, evidence.md and evidence.png.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from _common import arguments
from _evidence_page import markdown, plot
from _evidence_work import (
    drives_part,
    interventions_part,
    motor_part,
    places_part,
    simulated_part,
)
from _parts import computed, written

VERSION = 1
PARTS = "simulated,interventions,drives,motor,places"


def parts(args: Any) -> dict[str, Callable[..., Any]]:
    """What can be computed, by name."""
    return {
        "simulated": simulated_part,
        "interventions": interventions_part,
        "drives": drives_part,
        "motor": partial(motor_part, args.test),
        "places": partial(places_part, args.test),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("evidence", (__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", default=PARTS, help="a comma list")
    args = parser.parse_args(argv)
    written(computed(parts(args), args, VERSION), args, "evidence", markdown, plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
