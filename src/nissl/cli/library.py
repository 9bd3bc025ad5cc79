"""`nissl library`: cell types that laboratories share: build, look at, merge, import."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.output import say, show, show_json
from nissl.errors import BadArgumentError

libraries = typer.Typer(
    no_args_is_help=True, help="Cell types to share: build, show, merge, import."
)
Out = Annotated[Path, typer.Argument(help="New folder, or new file that ends in .zip.")]
Licence = Annotated[
    str, typer.Option(help='Terms of use: an SPDX expression ("CC-BY-4.0"), or words.')
]
DISAGREE: dict[str, Callable[[str, str], str] | None] = {
    "error": None,
    "first": lambda first, second: first,
    "last": lambda first, second: second,
    "open": lambda first, second: "",
}


@libraries.command("build")
def build(
    project: ProjectPath,
    out: Out,
    name: Annotated[str, typer.Option(help="Name of the library.")],
    licence: Licence,
    version: Annotated[str, typer.Option("--library-version", help="Its version.")] = "",
    description: Annotated[str, typer.Option(help="What it holds, in a sentence.")] = "",
    citation: Annotated[str, typer.Option(help="What to cite.")] = "",
    by: Annotated[str, typer.Option(help="Who built it.")] = "",
    define: Annotated[
        list[str] | None,
        typer.Option(help="What a class means, PV='Pvalb-Cre, light'; may be repeated."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Take units of unknown type too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build a library from the units of a project whose cell type is known.

    Known are units that were tagged (nissl tag) and units that people decided on in review.
    """
    from nissl.annotators.celltypes.library_files import write_library
    from nissl.project import open_project

    given = {
        "version": version,
        "description": description,
        "citation": citation,
        "built_by": by,
        "classes": _pairs(define, "--define PV='what it means'"),
    }
    card = {key: value for key, value in given.items() if value}
    _free(out)
    with open_project(project, create=False) as study:
        made = study.library(name=name, licence=licence, everything=everything, card=card)
    write_library(out, made)
    _tell(out, made, as_json=as_json)


@libraries.command("show")
def show_library(
    path: Annotated[Path, typer.Argument(help="Folder or .zip of a library.")],
    as_json: AsJson = False,
) -> None:
    """Check a library against its digest, and print its card."""
    from nissl.annotators.celltypes.library_card import page
    from nissl.annotators.celltypes.library_files import read_library, stated

    made = read_library(path)
    if as_json:
        show_json(stated(made))
    else:
        typer.echo(page(stated(made)))


@libraries.command("merge")
def merge(
    paths: Annotated[
        list[Path], typer.Argument(help="Libraries, and at last the new folder or .zip.")
    ],
    name: Annotated[str, typer.Option(help="Name of the new one; that of the file by default.")] = (
        ""
    ),
    alias: Annotated[
        list[str] | None,
        typer.Option(help="SOM=SST, or 'LIBRARY:PV=other name'; may be repeated."),
    ] = None,
    disagree: Annotated[
        str,
        typer.Option(help="Units that two call differently: error, first, last, or open."),
    ] = "error",
    as_json: AsJson = False,
) -> None:
    """Put libraries below each other, each unit once; licences and sources are kept."""
    from nissl.annotators.celltypes.library_files import read_library, write_library
    from nissl.annotators.celltypes.merging import merged

    *parts, out = paths
    if not parts:
        raise BadArgumentError(
            "libraries, and a name for the new one",
            str(out),
            "nissl library merge A B ... OUT",
        )
    if disagree not in DISAGREE:
        raise BadArgumentError(
            f"--disagree among {list(DISAGREE)}", repr(disagree), "Use one of them."
        )
    _free(out)
    made, told = merged(
        [read_library(path) for path in parts],
        name=name or out.stem,
        aliases=_pairs(alias, "--alias SOM=SST"),
        rule=DISAGREE[disagree],
    )
    write_library(out, made)
    for sentence in (*told, *filter(None, [str(made.card.get("terms", ""))])):
        say(sentence)
    _tell(out, made, as_json=as_json)


@libraries.command("import-c4")
def import_c4(
    path: Annotated[Path, typer.Argument(help="A .h5 file of the C4 database, or a folder.")],
    out: Out,
    licence: Licence,
    expert_labels: Annotated[
        bool,
        typer.Option("--expert-labels", help="Take experts' labels where there is no truth."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import the published C4 database of cerebellar units (Beau et al. 2025)."""
    from nissl.annotators.celltypes.c4 import read_c4
    from nissl.annotators.celltypes.library_files import write_library

    _free(out)
    made = read_c4(path, licence=licence, expert_labels=expert_labels)
    write_library(out, made)
    _tell(out, made, as_json=as_json)


@libraries.command("import-cellexplorer")
def import_cellexplorer(
    path: Annotated[Path, typer.Argument(help="Folder with sessions/ and the table of cells.")],
    out: Out,
    as_json: AsJson = False,
) -> None:
    """Import CellExplorer's published ground truth (Petersen et al. 2021)."""
    from nissl.annotators.celltypes.cellexplorer import read_cellexplorer
    from nissl.annotators.celltypes.library_files import write_library

    _free(out)
    made = read_cellexplorer(path)
    write_library(out, made)
    _tell(out, made, as_json=as_json)


def _free(out: Path) -> None:
    """Say that there is something at a path before any work is done."""
    if out.exists():
        raise BadArgumentError(
            "a place where nothing is yet", str(out), "Name another, or remove it."
        )


def _pairs(given: list[str] | None, example: str) -> dict[str, str]:
    """Options NAME=VALUE as a mapping."""
    out: dict[str, str] = {}
    for text in given or []:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise BadArgumentError("NAME=VALUE", repr(text), f"For example {example}")
        if out.setdefault(name, value) != value:
            raise BadArgumentError(
                f"one value for {name!r}", json.dumps([out[name], value]), "Keep one of them."
            )
    return out


def _tell(out: Path, made: Any, *, as_json: bool) -> None:
    from nissl.annotators.celltypes.library_files import counts_of

    counts = counts_of(made)["class"]
    rows = [{"class": name or "–", "units": n} for name, n in counts.items()]
    show("Units by class", rows, as_json=as_json)
    say(f"{made.card['name']} ({made.card['licence']}): {len(made)} units in {out}")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(libraries, name="library")
