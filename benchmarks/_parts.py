"""Benchmarks of several parts: each part is kept, and all that is kept becomes one page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from _common import finite, machine, names


def kept_or_computed(args: Any, name: str, version: int, compute: Callable[[], Any]) -> Any:
    """A result that is kept in the output folder, or computed now; None is not kept."""
    path = args.out / "cells" / f"{name}-{version}{'-quick' if args.quick else ''}.json"
    if path.is_file() and not args.fresh:
        return json.loads(path.read_text(encoding="utf-8"))
    print(name, flush=True)
    found = finite(compute())
    if found is not None:  # what lacks data or an interpreter today may have it tomorrow
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, allow_nan=False), encoding="utf-8")
    return found


def computed(parts: Mapping[str, Callable[..., Any]], args: Any, version: int) -> dict[str, Any]:
    """Compute the parts that `args.parts` asks for; gather what is kept of the others."""
    wanted = names(args.parts)
    found: dict[str, Any] = {}
    for name, compute in parts.items():
        kept = args.out / "cells" / f"{name}-{version}{'-quick' if args.quick else ''}.json"
        if name in wanted:
            found[name] = kept_or_computed(
                args, name, version, lambda c=compute: c(quick=args.quick)
            )
        elif kept.is_file():
            found[name] = json.loads(kept.read_text(encoding="utf-8"))
    return {"machine": machine(), "quick": args.quick, **found}


def written(
    results: Mapping[str, Any],
    args: Any,
    name: str,
    markdown: Callable[[Mapping[str, Any], str], str],
    plot: Callable[[Mapping[str, Any], Path], None],
) -> None:
    """Write results.json, the table and the plot, and the page if one is asked for."""
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / f"{name}.png")
    (args.out / f"{name}.md").write_text(markdown(results, f"{name}.png"), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(args.out / f"{name}.md", args.page)
        shutil.copy(args.out / f"{name}.png", args.page.parent / f"{name}.png")
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
