"""The HTML report: one self-contained file per annotated source."""

from __future__ import annotations

from pathlib import Path

from nissl.labels.atomic import write_bytes
from nissl.tasks import Dossier

__all__ = ["render", "write_report"]


def render(dossier: Dossier) -> str:
    """HTML text of the report of a dossier; the same dossier gives the same text."""
    import jinja2

    from nissl.report.sections import sections

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nissl.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(**sections(dossier))


def write_report(dossier: Dossier, path: Path) -> Path:
    """Write the report of a dossier.

    Parameters
    ----------
    dossier : Dossier
        What is missing from it (raw data, templates, events) is said in the report.
    path : Path
        Target file; replaced as a whole or not at all.

    Returns
    -------
    Path
    """
    write_bytes(path, render(dossier).encode())
    return path
