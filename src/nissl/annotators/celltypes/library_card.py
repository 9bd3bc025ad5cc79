"""The card of a library as a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def page(card: Mapping[str, Any]) -> str:
    """Card of a library as Markdown."""
    version = f", version {card['version']}" if card.get("version") else ""
    lines = [f"# {card['name']}{version}", "", f"Licence: {card['licence']}", ""]
    if card.get("terms"):
        lines += [str(card["terms"]), ""]
    if card.get("description"):
        lines += [str(card["description"]), ""]
    lines += [f"{card.get('units', '?')} units.", ""]
    for what, counts in dict(card.get("counts", {})).items():
        lines += [f"## By {what}", "", f"| {what} | units |", "|:---|---:|"]
        lines += [f"| {_cell(name)} | {n} |" for name, n in counts.items()] + [""]
    if card.get("classes"):
        lines += ["## Classes", ""]
        lines += [f"- **{name}**: {text}" for name, text in dict(card["classes"]).items()] + [""]
    for title, key in (("Sources", "sources"), ("Merged from", "made_from")):
        if card.get(key):
            lines += [f"## {title}", ""]
            lines += [f"- {_told(entry)}" for entry in card[key]] + [""]
    if card.get("digest"):
        lines += [f"Content digest: `{card['digest']}`, written by nissl {card['nissl']}.", ""]
    return "\n".join(lines)


def _cell(name: str) -> str:
    return name.replace("|", "\\|") if name else "(not known)"


def _told(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    rest = ", ".join(f"{key}: {_words(v)}" for key, v in entry.items() if key != "name" and v)
    return f"{entry.get('name', '(no name)')}: {rest}" if rest else str(entry.get("name"))


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


__all__ = ["page"]
