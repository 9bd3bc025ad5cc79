"""The command line: the verbs of the manual, thin over `nissl.project`.

Exit codes: 0 done · 1 unexpected error · 2 wrong usage · 3 input that cannot be used ·
4 something must exist or be installed first · 5 the project folder · 6 the run failed ·
7 the export failed or differs from what was written · 130 interrupted.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from nissl import __version__
from nissl.cli import (
    adding,
    aligning,
    annotating,
    coupling,
    directing,
    doctor,
    evidencing,
    evoking,
    explaining,
    exporting,
    learning,
    library,
    living,
    mapping,
    measuring,
    reviewing,
    showing,
    tagging,
    translating,
    verifying,
    windowing,
)
from nissl.cli import demo as demonstrating
from nissl.cli.output import say
from nissl.errors import InterruptedRunError, NisslError


class _Commands(TyperGroup):
    """Turns Ctrl-C anywhere into our error; Typer itself would exit without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise InterruptedRunError(
                "the command to finish",
                "an interruption (Ctrl-C)",
                "What is finished was kept; the same command goes on from there.",
            ) from None


app = typer.Typer(
    name="nissl",
    cls=_Commands,
    help="Labels on neural recordings that one can trust.",
    epilog="Exit codes: 0 done, 2 usage, 3 input, 4 missing, 5 project, 6 run, 7 export, "
    "130 interrupted. Manual: docs/ in the repository.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (
    demonstrating,
    adding,
    annotating,
    tagging,
    reviewing,
    exporting,
    learning,
    aligning,
    translating,
    windowing,
    mapping,
    coupling,
    library,
    evoking,
    measuring,
    directing,
    evidencing,
    living,
    verifying,
    explaining,
    showing,
    doctor,
):
    module.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Labels on neural recordings that one can trust."""


def main() -> None:
    """Entry point of the `nissl` command; prints our errors in two lines."""
    warnings.simplefilter("ignore")
    try:
        app()
    except NisslError as error:
        _leave(error)
    except OSError as error:
        from nissl.labels.atomic import refusal

        known = refusal(error)
        if known is None:
            raise
        _leave(known)


def _leave(error: NisslError) -> None:
    say(f"nissl: {error}")
    sys.exit(error.exit_code)
