"""One registry class for everything pluggable: readers, tasks, annotators, exporters.

Built-in entries are named as ``"module:attribute"`` and imported at first use, so that
importing nissl stays quick. Other packages add entries through the entry-point group
``nissl.<registry name>``; they can add names, never replace a built-in one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar, cast

from nissl.errors import BadArgumentError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to lazily imported objects.

    Parameters
    ----------
    name : str
        Plural noun of what is registered ("readers"); also the entry-point group's suffix.
    builtin : mapping of str to str
        Name to ``"module:attribute"``.
    """

    def __init__(self, name: str, builtin: Mapping[str, str]) -> None:
        self.name = name
        self._targets: dict[str, Any] = dict(builtin)
        self._scanned = False

    def register(self, name: str, target: T) -> None:
        """Add an object under a new name; a taken name raises `BadArgumentError`."""
        if name in self._known():
            raise BadArgumentError(
                f"a name not yet among the {self.name}",
                repr(name),
                "Choose another name; entries are never replaced.",
            )
        self._targets[name] = target

    def names(self) -> list[str]:
        """All names, in order of registration."""
        return list(self._known())

    def get(self, name: str) -> T:
        """Return the object of that name, importing it if needed."""
        known = self._known()
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise BadArgumentError(
                f"one of the {self.name} {sorted(known)}",
                repr(name),
                f"{hint}`nissl tasks` lists what is installed.",
            )
        target = known[name]
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            target = known[name] = getattr(import_module(module), attribute)
        return cast(T, target)

    def _known(self) -> dict[str, Any]:
        if not self._scanned:
            self._scanned = True
            for point in entry_points(group=f"nissl.{self.name}"):
                self._targets.setdefault(point.name, point.value)
        return self._targets

    def __contains__(self, name: object) -> bool:
        return name in self._known()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())
