"""The checklist of a claim as a page, as Markdown, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nissl import __version__
from nissl.align.evidence.checklist import Checklist, summary
from nissl.align.evidence.item import Item
from nissl.labels.atomic import atomic_write, make_folder, write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS = {"supported": "✔", "not supported": "✘", "not testable": "○"}
_CSS = {"supported": "good", "not supported": "error", "not testable": "note"}
METHODS = (
    "Windows of every condition were split in turn: maps between recordings, and the number of "
    "axes, were fitted on one half and on all conditions but one; skill was measured in the other "
    "half of the condition left out. What conditions have in common was taken away before. Chance "
    "puts conditions in another order. An item that generalises counts the days, individuals or "
    "conditions in which it holds, and is supported where these are significantly more than half "
    "(Allefeld, Goergen and Haynes 2016). P values of all items that could be tested were "
    "adjusted together (Benjamini and Hochberg 1995)."
)


def write_evidence(found: Checklist, made: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Write evidence.html, evidence.md with its figures, and evidence.json.

    Parameters
    ----------
    found : Checklist
    made : mapping
        JSON values: digests, seed, versions.
    folder : Path
    """
    from nissl.report import evidence_plots

    make_folder(folder / "figures")
    pictures: dict[str, str] = {}
    names: dict[str, str] = {}
    for item in found.items:
        with evidence_plots.drawn(item) as figure:
            if figure is None:
                continue
            pictures[item.name] = evidence_plots.inline(figure, item)
            names[item.name] = f"figures/{item.name}.png"
            _save(figure, folder / names[item.name])
    page, text, facts = (folder / f"evidence.{end}" for end in ("html", "md", "json"))
    told = json_of(found, made)
    write_bytes(page, html(found, pictures, told).encode())
    write_bytes(text, markdown(found, names, told).encode())
    write_bytes(facts, (json.dumps(told, indent=2, sort_keys=True) + "\n").encode())
    return page, text, facts


def json_of(found: Checklist, made: Mapping[str, Any]) -> dict[str, Any]:
    """All that is known of a checklist as JSON values; what is not a number is null."""
    told = {
        "claim": found.claim.to_json(),
        "summary": summary(found),
        "items": [vars(item) | {"facts": dict(item.facts)} for item in found.items],
        "windows": found.split,
        "made": dict(made),
    }
    values: dict[str, Any] = plain(told)
    return values


def html(found: Checklist, pictures: Mapping[str, str], told: Mapping[str, Any]) -> str:
    """One self-contained page."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nissl.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("evidence.html.j2").render(
        claim=found.claim,
        summary=summary(found),
        digest=found.claim.digest[:12],
        items=[
            {
                "item": item,
                "numbers": numbers(item),
                "mark": MARKS[item.verdict],
                "css": _CSS[item.verdict],
                "picture": Markup(pictures[item.name]) if item.name in pictures else "",
            }
            for item in found.items
        ],
        tiles=[(found.count(v), v) for v in MARKS] + [(len(found.claim.sources), "recordings")],
        methods=METHODS,
        windows=_windows(found),
        facts=json.dumps({k: told[k] for k in ("claim", "made")}, indent=2, sort_keys=True),
        version=__version__,
    )


def markdown(found: Checklist, figures: Mapping[str, str], told: Mapping[str, Any]) -> str:
    """The checklist as Markdown; figures are named by their files."""
    claim = found.claim
    lines = [
        f"# Evidence: {claim.name}",
        "",
        f"> {claim.says}",
        "",
        summary(found),
        "",
        "| | item | verdict | value | 90 % interval | chance | P | adjusted | independent units |",
        "|:-:|:---|:---|---:|:-:|---:|---:|---:|---:|",
    ]
    for item in found.items:
        value = dict(numbers(item))
        cells = (
            value.get("value", "–"), value.get("90 % interval", "–"), value.get("chance", "–"),
            value.get("P", "–"), value.get("adjusted", "–"),
        )  # fmt: skip
        n = item.units or "–"
        mark = MARKS[item.verdict]
        lines.append(
            f"| {mark} | [{item.name}](#{item.name}) | {item.verdict} | {' | '.join(cells)} | {n} |"
        )
    for item in found.items:
        lines += ["", f"## {item.name}", "", f"*{item.asks}*", ""]
        lines.append(f"{MARKS[item.verdict]} **{item.verdict.capitalize()}.** {item.says}")
        if item.scope:
            lines += ["", f"The verdict is about {item.scope}; the value is: {item.statistic}."]
        if item.needs:
            lines += ["", f"What would help: {item.needs}"]
        if item.name in figures:
            lines += ["", f"![{item.asks}]({figures[item.name]})"]
    lines += ["", "## Methods", "", METHODS, "", "Windows:", ""]
    lines += [f"- {name}: {fit} fitted, {test} tested" for name, fit, test in _windows(found)]
    made = {k: told[k] for k in ("claim", "made")}
    lines += ["", "```json", json.dumps(made, indent=2, sort_keys=True), "```", ""]
    return "\n".join([*lines, f"Written by nissl {__version__}.", ""])


def numbers(item: Item) -> list[tuple[str, str]]:
    """Numbers of an item, those that there are, in words."""
    out = []
    if math.isfinite(item.value):
        out.append(("value", f"{item.value:.3g}"))
    if math.isfinite(item.low):
        out.append(("90 % interval", f"{item.low:.2f} to {item.high:.2f}"))
    if math.isfinite(item.null):
        out.append(("chance", f"{item.null:.2f}"))
    for name, p in (("P", item.p), ("adjusted", item.q)):
        if math.isfinite(p):
            out.append((name, f"{p:.4f}" if p < 0.01 else f"{p:.3f}"))
    if item.n:
        out.append(("n", item.units))
    return out


def _windows(found: Checklist) -> list[tuple[str, int, int]]:
    return [(name, len(s["fit"]), len(s["test"])) for name, s in found.split.items()]


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=130, facecolor="white", transparent=False)


def plain(value: Any) -> Any:
    """JSON values; numbers that JSON does not have (NaN, infinity) become None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


__all__ = ["html", "json_of", "markdown", "plain", "write_evidence"]
