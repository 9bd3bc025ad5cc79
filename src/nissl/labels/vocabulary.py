"""The classes that the rows of a label set may carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nissl.errors import BadLabelsError


@dataclass(frozen=True)
class Vocabulary:
    """Names of classes; a row's `label` is an index into them.

    Units, tracks and ROIs are items, never classes.

    Parameters
    ----------
    names : tuple of str
        Unique.
    colours : tuple of str, optional
        One "#rrggbb" per name.
    terms : tuple of str, optional
        One term of a standard (ontology id, BIDS or NWB term) per name; "" where none.
    """

    names: tuple[str, ...]
    colours: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = tuple(self.names)
        if not names or len(set(names)) != len(names) or not all(names):
            raise BadLabelsError(
                "at least one class, with unique names that are not empty",
                repr(names),
                "Mend the vocabulary.",
            )
        for what, values in (("colours", self.colours), ("terms", self.terms)):
            if values and len(values) != len(names):
                raise BadLabelsError(
                    f"{len(names)} {what}, one per name", f"{len(values)}", "Give all or none."
                )

    def __len__(self) -> int:
        return len(self.names)

    def code(self, name: str) -> int:
        """Index of a name; `BadLabelsError` when it is not in the vocabulary."""
        try:
            return self.names.index(name)
        except ValueError:
            raise BadLabelsError(
                f"one of the classes {list(self.names)}", repr(name), "Use a class of the set."
            ) from None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "names": list(self.names),
            "colours": list(self.colours),
            "terms": list(self.terms),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Vocabulary:
        """Inverse of `to_json`."""
        return cls(
            tuple(value["names"]), tuple(value.get("colours", ())), tuple(value.get("terms", ()))
        )
