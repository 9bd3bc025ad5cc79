"""The facade: `open_project` and `Project`, whose methods stand in `nissl.project.verbs`."""

from __future__ import annotations

from pathlib import Path

from nissl.project.annotating import Draft, Resources
from nissl.project.source import Source
from nissl.project.verbs.adding import Adding
from nissl.project.verbs.judging import Judging
from nissl.project.verbs.learning import Learning
from nissl.project.verbs.measuring import Measuring
from nissl.project.verbs.relating import Relating
from nissl.project.verbs.reviewing import Reviewing
from nissl.project.verbs.showing import Showing
from nissl.project.verbs.tagging import Tagging
from nissl.project.verbs.windowing import Windowing
from nissl.store import Store

__all__ = ["Draft", "Project", "Resources", "Source", "open_project"]


def open_project(path: str | Path, *, create: bool = True, database: str | None = None) -> Project:
    """Open a project folder; created when absent.

    Parameters
    ----------
    path : str or Path
    create : bool
        Whether a folder without a project becomes one.
    database : str, optional
        ``postgresql://...`` for a journal that a lab shares; by default NISSL_DATABASE, else
        SQLite inside the folder.

    Raises
    ------
    StoreError
        The folder cannot be used: missing, read-only, corrupt, or written by a newer nissl.
    """
    return Project(Store.open(Path(path), create=create, database=database))


class Project(
    Adding, Reviewing, Learning, Relating, Tagging, Measuring, Judging, Windowing, Showing
):
    """Sources, labels and decisions in one folder.

    Parameters
    ----------
    store : Store
    """
