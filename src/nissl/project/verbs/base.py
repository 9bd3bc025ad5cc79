"""What every verb stands on: the open folder and its sources."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from nissl.errors import BadArgumentError
from nissl.project import exporting
from nissl.project.source import Source
from nissl.store import Store


class Opened:
    """Sources, labels and decisions in one folder.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self.store.path

    def close(self) -> None:
        """Close the journal."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def sources(self) -> list[Source]:
        """All sources, in the order they were added."""
        return [Source(row, self.store) for row in self.store.sources()]

    def source(self, key: Source | str) -> Source:
        """Source by name, path or beginning of its fingerprint."""
        return key if isinstance(key, Source) else Source(self.store.source(key), self.store)

    def annotated(self, task: str) -> list[Source]:
        """Sources that have labels of a task; `MissingInputError` where there are none."""
        return exporting.annotated(self.store, task)

    @property
    def main_task(self) -> str:
        """Task that is meant where none is named; see `nissl.project.exporting.main_task`."""
        return exporting.main_task(self.store)

    def only_source(self) -> Source:
        """The only source; `BadArgumentError` where there are none or several."""
        rows = self.sources()
        if len(rows) != 1:
            raise BadArgumentError(
                "one source to work on",
                f"the sources {[s.name for s in rows]}",
                f"Name one; add one with: nissl add {self.path} PATH",
            )
        return rows[0]

    def __repr__(self) -> str:
        return f"Project({self.store.name!r}: {len(self.store.sources())} sources, {self.path})"
