"""project.toml: what makes a folder a project."""

from __future__ import annotations

import json
import os
import secrets
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from nissl.errors import CorruptProjectError, ProjectTooNewError, StoreError
from nissl.labels.atomic import fsync_folder, store_error, write_bytes
from nissl.store.faults import damaged

FORMAT = 1
"""Version of the folder's layout; newer ones are refused."""

FILE = "project.toml"
JOURNALS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Manifest:
    """Content of project.toml.

    Parameters
    ----------
    id : UUID
        Of the project; its rows in a shared journal carry it.
    name : str
    journal : {"sqlite", "postgresql"}
        Where its journal is kept: in the folder, or in the database of NISSL_DATABASE.
    """

    id: UUID
    name: str
    journal: str

    def to_toml(self) -> bytes:
        """Bytes of the file."""
        name = json.dumps(self.name, ensure_ascii=False).replace("\x7f", "\\u007f")
        return (
            "# A project of nissl. Its labels and decisions are in this folder; raw data are not.\n"
            f'format = {FORMAT}\nname = {name}\nid = "{self.id}"\njournal = "{self.journal}"\n'
        ).encode()


def read_manifest(folder: Path) -> Manifest | None:
    """Read project.toml; None where there is none.

    Raises
    ------
    CorruptProjectError, ProjectTooNewError, StoreError
    """
    path = folder / FILE
    try:
        text = path.read_bytes().decode()
        values = tomllib.loads(text)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"to read {path}", error.strerror or str(error), "Check its permissions."
        ) from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"text that is not TOML ({error})") from error
    return _parse(path, values)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write project.toml unless another process was first; returns the one that stands.

    Raises
    ------
    DiskFullError, ReadOnlyError, StoreError
    """
    path = folder / FILE
    partial = folder / f".{FILE}.{secrets.token_hex(8)}.partial"
    try:
        write_bytes(partial, manifest.to_toml())
        try:
            os.link(partial, path)  # unlike a rename it never replaces
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            os.rename(partial, path)
        fsync_folder(folder)
    except OSError as error:
        raise error if isinstance(error, StoreError) else store_error(error, path) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    standing = read_manifest(folder)
    if standing is None:
        raise damaged(path, "no file right after it was written")
    return standing


def _parse(path: Path, values: dict[str, object]) -> Manifest:
    version = values.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _bad(path, f"format = {version!r:.100}")
    if version > FORMAT:
        raise ProjectTooNewError(
            f"a project of format {FORMAT} or older at {path.parent}",
            f"format {version}",
            "Update nissl: pip install --upgrade nissl",
        )
    name, identity, journal = (values.get(key) for key in ("name", "id", "journal"))
    if not isinstance(name, str) or not isinstance(identity, str) or journal not in JOURNALS:
        raise _bad(
            path, f"name = {name!r:.100}, id = {identity!r:.100}, journal = {journal!r:.100}"
        )
    try:
        return Manifest(UUID(identity), name, str(journal))
    except ValueError:
        raise _bad(path, f"id = {identity!r:.100}") from None


def _bad(path: Path, got: str) -> CorruptProjectError:
    return damaged(path, got)
