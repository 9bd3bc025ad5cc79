"""Benchmark of the task "names": neurons named in animals that the atlas has not seen.

    python benchmarks/names.py [--quick] [--train DATA] [--test DATA] [--out DIR] [--page FILE]

Data: named neurons of worms with place and colour, `imaging/worm_neuropal_id` in the data folder.
Where both folders are the same, each worm is left out in turn; otherwise the atlas is made of
those of --train. `names/nissl` is trained once for each of three folds of worms. Every worm is
moved by random affine maps before it is named, for the authors have aligned them. Writes
results.json, names.md and names.png; stages are kept in --out, and --fresh computes them again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _common import arguments, finite, machine, one_folder
from _names_page import markdown, plot
from _names_work import PARTS, learned_worms, matched, named_worms, template


def run(train: Path, test: Path, out: Path, *, quick: bool, fresh: bool) -> dict[str, Any]:
    """Compute everything that is not kept in `out` from before."""
    same = one_folder(train, test)
    facts = {"train": str(train.name), "test": str(test.name), "same": same, "quick": quick}

    def stage(name: str, compute: Callable[[], Any]) -> Any:
        return _kept(out / f"{name}.stage.json", facts, compute, fresh=fresh)

    parts, network = {}, {}
    for part in PARTS:
        parts[part] = stage(
            part, lambda part=part: named_worms(train, test, part, same=same, quick=quick)
        )
        network[part] = stage(
            f"{part}-network",
            lambda part=part: learned_worms(train, test, part, same=same, quick=quick),
        )
        for method, each in (("atlas", parts[part]), ("nissl", network[part])):
            for how, told in each["by"].items():
                print(f"{part}, {how}, {method}: {told['accuracy']['estimate']:.3f}", flush=True)
    return {
        "machine": machine(),
        "quick": quick,
        "split": "each worm left out in turn" if same else "other data",
        "parts": parts,
        "network": network,
        "template": template(train, test),
        "matching": matched(test),
    }


def _kept(file: Path, facts: dict[str, Any], compute: Callable[[], Any], *, fresh: bool) -> Any:
    """What a stage computed, now or before with the same data and sizes."""
    if file.is_file() and not fresh:
        known = json.loads(file.read_text(encoding="utf-8"))
        if known["of"] == facts:
            return known["result"]
    result = finite(compute())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"of": facts, "result": result}), encoding="utf-8")
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    args = arguments("names", (__doc__ or "").split("\n")[0]).parse_args(argv)
    found = run(args.train, args.test, args.out, quick=args.quick, fresh=args.fresh)
    results = finite(found)
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "names.png")
    (args.out / "names.md").write_text(markdown(results, "names.png"), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(args.out / "names.png", args.page.with_suffix(".png"))
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
        page = markdown(results, args.page.with_suffix(".png").name)
        args.page.write_text(page, encoding="utf-8")
    print(f"{args.out / 'results.json'}, names.md, names.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
