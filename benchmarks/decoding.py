"""Benchmark of the task "decoding": trials of EEG and velocity from spikes, never seen before.

    python benchmarks/decoding.py [--quick] [--train DATA] [--test DATA] [--out DIR] [--page FILE]

Data: `eeg/ssvep_exo` (8 subjects), `eeg/eegmmidb` and `eeg/p300_bci2_iib` (one subject each) and
`ephys/spiketrains/m1_reach_stevenson2011.npz` in the data folder. Where both folders are the same,
subjects, runs or stretches of time are left out in turn; otherwise everything is learnt from
--train. Writes results.json, decoding.md and decoding.png.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _decoding_other as other
from _common import Cell, arguments, finite, machine, one_folder, run_cell, write_result
from _decoding_page import markdown, plot
from _decoding_ssvep import part as ssvep
from _decoding_ssvep import transfer_part

PARTS = {
    "ssvep": ssvep,
    "transfer": transfer_part,
    "hands": other.hands,
    "spelling": other.spelling,
    "live": other.live,
    "reaching": other.reaching,
    "recurrence": other.recurrence,
}
VERSION = 1


def run(args: Any) -> dict[str, Any]:
    """Compute every part in a process of its own; finished ones are kept."""
    same = one_folder(args.train, args.test)
    parts = {}
    for name in PARTS:
        options = [str(args.train), str(args.test), str(int(same)), str(int(args.quick))]
        cell = Cell(
            name,
            {"part": name, "same": same, "quick": args.quick, "version": VERSION},
            (sys.executable, __file__, "--part", name, *options),
        )
        outcome = run_cell(cell, args.out / "cells", timeout_s=args.timeout, fresh=args.fresh)
        print(f"{name}: {outcome['process_s']:.0f} s {outcome.get('error', '')}", flush=True)
        parts[name] = outcome.get("result")
    if parts["reaching"] and parts["recurrence"]:
        parts["reaching"]["methods"] |= parts.pop("recurrence")["methods"]
    return {
        "machine": machine(),
        "quick": args.quick,
        "split": "left out in turn" if same else "other data",
        **parts,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["--part"]:
        name, train, test, same, quick, answer = given[1:]
        found = PARTS[name](Path(train), Path(test), same == "1", quick == "1")
        write_result(Path(answer), found)
        return 0
    args = arguments("decoding", (__doc__ or "").split("\n")[0]).parse_args(given)
    args.out.mkdir(parents=True, exist_ok=True)
    results = finite(run(args))
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "decoding.png")
    (args.out / "decoding.md").write_text(markdown(results, "decoding.png"), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(args.out / "decoding.png", args.page.with_suffix(".png"))
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
        page = markdown(results, args.page.with_suffix(".png").name)
        args.page.write_text(page, encoding="utf-8")
    print(f"{args.out / 'results.json'}, decoding.md, decoding.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
