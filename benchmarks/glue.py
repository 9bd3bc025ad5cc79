"""Benchmark of alignment ("glue"): recordings of other days, animals and regions made comparable.

    python benchmarks/glue.py [--quick] [--parts NAMES] [--test DATA] [--out DIR] [--page FILE]

Data: `glue/m1_multiday`, `glue/ca1_multiday`, `glue/ca1_ca3_crossregion`, `glue/meg_eeg` and
`imaging/spike_inference` in the data folder. Maps and decoders are fitted on calibration parts of
the recordings themselves and nothing is learnt across data sets (but in the part "rates", where
each set is read by maps of the others), so that --train is not used. CEBRA runs beside, in a
process of its own, where NISSL_CEBRA_PYTHON names an interpreter that has it. Every part is kept in
the output folder. Writes results.json, glue.md and glue.png.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from _common import arguments
from _glue_ca1 import ca1_part
from _glue_days import days_part, drift_part
from _glue_page import markdown, plot
from _glue_peer import cebra_part
from _glue_regions import reasons_part, regions_part, speed_part
from _glue_translate import carried_part, meg_part, rates_part
from _parts import computed, written

VERSION = 1
PARTS = (
    "days", "cebra", "drift", "ca1", "regions", "speed", "reasons", "carried", "rates", "meg",
)  # fmt: skip


def parts(args: Any) -> dict[str, Callable[..., Any]]:
    """What can be computed, by name."""
    return {
        "days": partial(days_part, args.test),
        "cebra": partial(cebra_part, args.test),
        "drift": drift_part,
        "ca1": partial(ca1_part, args.test),
        "regions": partial(regions_part, args.test),
        "speed": speed_part,
        "reasons": reasons_part,
        "carried": partial(carried_part, args.test),
        "rates": partial(rates_part, args.test, args.out / "rates"),
        "meg": partial(meg_part, args.test),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("glue", (__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS), help="a comma list")
    args = parser.parse_args(argv)
    written(computed(parts(args), args, VERSION), args, "glue", markdown, plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
