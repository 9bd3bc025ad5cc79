"""Coupling loop: windows that it needs, beside random ones and all there are.

    python benchmarks/coupling.py [--quick] [--parts NAMES] [--test DATA] [--out DIR] [--page FILE]

Data: `glue/m1_multiday` in the data folder, and simulated days. The loop learns within the
recordings alone, so that --train is not used. Every seed is kept in the output folder. Writes
results.json, coupling.md and coupling.png.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from _common import arguments, machine, names
from _coupling_page import markdown, plot
from _coupling_work import real_part, simulated_part
from _parts import kept_or_computed, written

VERSION = 1


def run(args: Any) -> dict[str, Any]:
    """Compute the parts that are asked for."""

    def kept(name: str, compute: Callable[[], Any]) -> Any:
        return kept_or_computed(args, name, VERSION, compute)

    wanted = names(args.parts)
    out: dict[str, Any] = {"machine": machine(), "quick": args.quick}
    if "simulated" in wanted:
        out["simulated"] = simulated_part(quick=args.quick, kept=kept)
    if "days" in wanted:
        out["days"] = real_part(args.test, quick=args.quick, kept=kept)
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("coupling", (__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", default="simulated,days", help="a comma list")
    args = parser.parse_args(argv)
    written(run(args), args, "coupling", markdown, plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
