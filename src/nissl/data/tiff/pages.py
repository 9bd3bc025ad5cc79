"""The chain of pages of a TIFF file, walked by nissl itself.

A movie has as many pages as frames. Walking the chain once gives where each page and its pixels
lie, so that any frame is one read; a page that differs from the others, a chain that runs in a
circle and pixels beyond the end of the file are found before anything is read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadMetadataError, CorruptSourceError

MOST_TAGS = 1024
MOST_PIECES = 1 << 20
"""Strips or tiles of one page."""
MOST_EXPANSION = 2000
"""A page cannot have more bytes than this many times what its compressed form has."""
MOST_TEXT = 1 << 24
_CHUNK = 1024

_TYPES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 11: "f", 12: "d", 13: "I", 16: "Q", 18: "Q"}
_KINDS = {1: "u", 2: "i", 3: "f"}
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION = 254, 256, 257, 258, 259
DESCRIPTION, OFFSETS, SAMPLES, COUNTS, X_RESOLUTION = 270, 273, 277, 279, 282
Y_RESOLUTION, PLANAR, RESOLUTION_UNIT, SOFTWARE, PREDICTOR = 283, 284, 296, 305, 317
TILE_WIDTH, TILE_OFFSETS, TILE_COUNTS, SAMPLE_FORMAT, FILL_ORDER = 322, 324, 325, 339, 266
_NEEDED = frozenset((SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, OFFSETS, SAMPLES, COUNTS))
_NEEDED |= {PLANAR, PREDICTOR, TILE_WIDTH, TILE_OFFSETS, TILE_COUNTS, SAMPLE_FORMAT, FILL_ORDER}
_DESCRIBING = tuple(sorted(_NEEDED - {OFFSETS, TILE_OFFSETS}))
_PLACES = (3, 4, 16)
"""Types of offsets: 16, 32 and 64 bits."""
_ABOUT = (DESCRIPTION, SOFTWARE, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT)


@dataclass(frozen=True)
class Look:
    """What all pages of a movie have in common.

    Parameters
    ----------
    height, width : int
        Pixels.
    dtype : str
        NumPy type string with byte order.
    samples : int
        Values of a pixel; 3 in colour images.
    planar : bool
        The values of a pixel lie apart, image after image.
    compression : int
        Its number; 1 is none.
    """

    height: int
    width: int
    dtype: str
    samples: int
    planar: bool
    compression: int

    @property
    def page_bytes(self) -> int:
        """Bytes of a page that is not compressed."""
        return self.height * self.width * self.samples * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        colours = f" of {self.samples} values" if self.samples > 1 else ""
        name = np.dtype(self.dtype).name
        return f"{self.height} x {self.width} pixels{colours}, {name}"


@dataclass(frozen=True, eq=False)
class Chain:
    """Pages of one file.

    Parameters
    ----------
    path : Path
    look : Look
    ifd : ndarray, shape (n_pages,), int64
        Where each page's header lies.
    data : ndarray, shape (n_pages,), int64
        Where its pixels lie in one piece, uncompressed; -1 where they do not.
    about : mapping of int to object
        Texts and resolutions of the first page, by tag.
    descriptions : tuple of str
        Descriptions of all pages, where they were asked for.
    """

    path: Path
    look: Look
    ifd: npt.NDArray[np.int64]
    data: npt.NDArray[np.int64]
    about: Mapping[int, Any]
    descriptions: tuple[str, ...] = ()

    def text(self, tag: int) -> str:
        """A text of the first page; "" where there is none."""
        return str(self.about.get(tag, ""))


@dataclass(frozen=True)
class Layout:
    """How numbers are written in a file: byte order, and 32 or 64 bits."""

    order: str
    big: bool

    @property
    def entry_bytes(self) -> int:
        """Bytes of an entry of a page's header."""
        return 20 if self.big else 12

    @property
    def word(self) -> str:
        """Format of an offset."""
        return self.order + ("Q" if self.big else "I")

    @property
    def count(self) -> str:
        """Format of the number of entries."""
        return self.order + ("Q" if self.big else "H")


def is_tiff(path: Path) -> bool:
    """Whether a file begins as a TIFF file does."""
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def walk(path: Path, *, descriptions: bool = False, most: int | None = None) -> Chain:
    """Walk the chain of a file's pages; thumbnails are left out.

    Parameters
    ----------
    path : Path
    descriptions : bool
        Read the description of every page.
    most : int, optional
        Stop after so many pages.

    Raises
    ------
    CorruptSourceError
        Not a TIFF file, truncated, a chain that breaks off or runs in a circle.
    BadMetadataError
        Pages that differ in size or type, or that hold no numbers nissl reads.
    """
    with path.open("rb", buffering=0) as file:
        return _Walk(file, path, descriptions).walk(most)


class _Walk:
    def __init__(self, file: FileIO, path: Path, descriptions: bool) -> None:
        self.file, self.path, self.descriptions = file, path, descriptions
        self.size = os.fstat(file.fileno()).st_size
        self.layout, self.first = self._head()
        self.known: dict[Any, Look] = {}

    def walk(self, most: int | None) -> Chain:
        look: Look | None = None
        ifds: list[int] = []
        data: list[int] = []
        texts: list[str] = []
        about: Mapping[int, Any] = {}
        seen: set[int] = set()
        offset, number = self.first, 0
        while offset and (most is None or len(ifds) < most):
            if offset in seen:
                raise self.broken(number, "a chain of pages that runs in a circle")
            seen.add(offset)
            tags, following = self._page(offset, number)
            found, place = self._known(tags) or self._found(tags, number)
            if found is not None:
                if look is None:
                    look = found
                    about = self._values(tags, _ABOUT, number)
                elif found != look:
                    raise self._mixed(number, look, found)
                ifds.append(offset)
                data.append(place)
                if self.descriptions:
                    said = self._values(tags, (DESCRIPTION,), number)
                    texts.append(str(said.get(DESCRIPTION, "")))
            offset, number = following, number + 1
        if look is None:
            raise self.broken(0, "no page")
        where = np.asarray(ifds, np.int64), np.asarray(data, np.int64)
        return Chain(self.path, look, *where, about, tuple(texts))

    def _known(self, tags: Mapping[int, Any]) -> tuple[Look | None, int] | None:
        """Look of a page that is described as an earlier one was, and where its pixels lie.

        Nearly all pages of a movie are such, and nothing but their header is read.
        """
        look = self.known.get(_description(tags))
        entry = tags.get(OFFSETS)
        if look is None or entry is None or entry[1] != 1 or entry[0] not in _PLACES:
            return None
        place = int(struct.unpack_from(self.layout.order + _TYPES[entry[0]], entry[2])[0])
        return (look, place) if place + look.page_bytes <= self.size else None

    def _found(self, raw: Mapping[int, Any], number: int) -> tuple[Look | None, int]:
        """Look of a page, None for a thumbnail, and where its pixels lie in one piece, or -1."""
        tags = self._values(raw, _NEEDED & raw.keys(), number)
        if _one(tags, SUBFILE, 0) & 1:
            return None, -1
        look = self._look(tags, number)
        place = self._data(tags, look, number)
        if place >= 0 and look.samples == 1:
            self.known[_description(raw)] = look
        return look, place

    def broken(self, number: int, got: str) -> CorruptSourceError:
        """Error for a chain that cannot be followed beyond a page."""
        return CorruptSourceError(
            f"a whole TIFF file in {self.path.name}",
            f"{got} after {number} whole page{'' if number == 1 else 's'}",
            "The file is truncated or damaged; restore it from the original.",
        )

    def _mixed(self, number: int, look: Look, found: Look) -> BadMetadataError:
        return BadMetadataError(
            f"pages of one size and type in {self.path.name} ({look}, as the first)",
            f"{found} on page {number + 1}",
            "Save what belongs together as a file of its own.",
        )

    def _bytes(self, offset: int, n: int, number: int) -> bytes:
        if offset < 0 or n < 0 or offset + n > self.size:
            raise self.broken(number, "a page beyond the end of the file")
        return os.pread(self.file.fileno(), n, offset) if _PREAD else self._sought(offset, n)

    def _sought(self, offset: int, n: int) -> bytes:
        self.file.seek(offset)
        return self.file.read(n) or b""

    def _head(self) -> tuple[Layout, int]:
        head = self.file.read(16) or b""
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 8:
            raise CorruptSourceError(
                f"a TIFF file in {self.path.name}",
                f"a file that begins with {head[:4]!r}",
                "Check the path; another --format may be meant.",
            )
        version = struct.unpack(order + "H", head[2:4])[0]
        if version == 43 and len(head) == 16:
            return Layout(order, True), struct.unpack(order + "Q", head[8:16])[0]
        return Layout(order, False), struct.unpack(order + "I", head[4:8])[0]

    def _page(self, offset: int, number: int) -> tuple[dict[int, Any], int]:
        """Entries of a page's header (type, count, value) by tag, and where the next lies."""
        layout = self.layout
        block = self._bytes(offset, min(_CHUNK, max(0, self.size - offset)), number)
        width = struct.calcsize(layout.count)
        if len(block) < width:
            raise self.broken(number, "a page beyond the end of the file")
        n = struct.unpack_from(layout.count, block)[0]
        if not 0 < n <= MOST_TAGS:
            raise self.broken(number, f"a page with {n} entries")
        end = width + n * layout.entry_bytes
        tail = struct.calcsize(layout.word)
        if end + tail > len(block):
            block = self._bytes(offset, end + tail, number)
        entry = layout.order + ("HHQ8s" if layout.big else "HHI4s")
        raw = {}
        for tag, kind, count, value in struct.iter_unpack(entry, block[width:end]):
            raw[tag] = (kind, count, value)
        return raw, struct.unpack_from(layout.word, block, end)[0]

    def _values(self, raw: Mapping[int, Any], tags: Any, number: int) -> dict[int, Any]:
        found = {}
        for tag in tags:
            if tag in raw:
                kind, count, inline = raw[tag]
                found[tag] = self._value(kind, count, inline, number)
        return found

    def _value(self, kind: int, count: int, inline: bytes, number: int) -> Any:
        """Value of an entry: a text, or an array of numbers."""
        code = _TYPES.get(kind)
        if code is None:
            return np.zeros(0)
        one = struct.calcsize(self.layout.order + code)
        if count * one > (MOST_TEXT if code == "s" else MOST_PIECES * 8):
            raise self.broken(number, f"an entry of {count} values")
        data = inline
        if count * one > len(inline):
            where = struct.unpack(self.layout.word, inline)[0]
            data = self._bytes(where, count * one, number)
        if code == "s":
            return data[:count].split(b"\0")[0].decode("utf-8", "replace")
        return np.frombuffer(data, np.dtype(self.layout.order + _NUMPY[code[0]]), count * len(code))

    def _look(self, tags: Mapping[int, Any], number: int) -> Look:
        samples, bits = _one(tags, SAMPLES, 1), _one(tags, BITS, 1)
        kind = _KINDS.get(_one(tags, SAMPLE_FORMAT, 1), "?")
        height, width = _one(tags, HEIGHT, 0), _one(tags, WIDTH, 0)
        every = np.atleast_1d(tags.get(BITS, 1))
        readable = kind != "?" and bits in (8, 16, 32, 64) and bool(np.all(every == bits))
        if not readable or (kind, bits) == ("f", 8) or not 0 < samples <= 16:
            raise BadMetadataError(
                f"whole or floating numbers of 8 to 64 bits in {self.path.name}",
                f"{samples} values of {bits} bits (sample format {_one(tags, SAMPLE_FORMAT, 1)}) "
                f"on page {number + 1}",
                "Save it as int16, uint16 or float32.",
            )
        if height < 1 or width < 1:
            raise self.broken(number, f"a page of {height} x {width} pixels")
        order = "|" if bits == 8 else self.layout.order
        planar = samples > 1 and _one(tags, PLANAR, 1) == 2
        return Look(
            height, width, f"{order}{kind}{bits // 8}", samples, planar, _one(tags, COMPRESSION, 1)
        )

    def _data(self, tags: Mapping[int, Any], look: Look, number: int) -> int:
        """Where the pixels lie in one piece, or -1; checks that they lie in the file."""
        tiled = TILE_OFFSETS in tags
        offsets = np.atleast_1d(tags.get(TILE_OFFSETS if tiled else OFFSETS, ())).astype(np.int64)
        counts = np.atleast_1d(tags.get(TILE_COUNTS if tiled else COUNTS, ())).astype(np.int64)
        if not offsets.size:
            raise self.broken(number, "a page without pixels")
        if counts.size != offsets.size:
            counts = np.full(offsets.size, look.page_bytes if offsets.size == 1 else 0)
        plain = look.compression == 1 and not tiled and _one(tags, FILL_ORDER, 1) == 1
        if plain and offsets.size == 1:
            counts = np.asarray([look.page_bytes], np.int64)
        inside = offsets.min() >= 0 and counts.min() >= 0 and offsets.max() <= self.size
        if not inside or np.any(counts > self.size - offsets):
            raise self.broken(number, "pixels beyond the end of the file")
        if look.compression != 1 and look.page_bytes > MOST_EXPANSION * int(counts.sum()):
            raise self.broken(number, f"{look.page_bytes} bytes of pixels in {int(counts.sum())}")
        joined = bool(np.all(offsets[1:] == offsets[:-1] + counts[:-1]))
        if plain and joined and not look.planar and int(counts.sum()) >= look.page_bytes:
            return int(offsets[0])
        if look.compression == 1 and int(counts.sum()) < look.page_bytes:
            raise self.broken(number, f"{int(counts.sum())} of {look.page_bytes} bytes of pixels")
        return -1


def expanded(chain: Chain, n_pages: int) -> Chain:
    """Chain of a file that has one header for many images, one after the other.

    ImageJ writes stacks of more than 4 GB so, and tifffile stacks that it truncates.
    """
    look, size = chain.look, chain.path.stat().st_size
    first = int(chain.data[0])
    if first < 0 or first + n_pages * look.page_bytes > size:
        there = max(0, size - max(first, 0)) // look.page_bytes
        raise CorruptSourceError(
            f"{n_pages} images in {chain.path.name}, as its header says",
            f"room for {there}",
            "The file is truncated or was changed; restore it from the original.",
        )
    data = first + np.arange(n_pages, dtype=np.int64) * look.page_bytes
    ifd = np.full(n_pages, chain.ifd[0])
    return Chain(chain.path, look, ifd, data, chain.about, chain.descriptions)


def _description(raw: Mapping[int, Any]) -> tuple[Any, ...]:
    """What a page's header says, but for where its pixels lie."""
    return tuple(raw.get(tag) for tag in _DESCRIBING)


def _one(tags: Mapping[int, Any], tag: int, default: int) -> int:
    value = tags.get(tag)
    if value is None or isinstance(value, str) or np.size(value) == 0:
        return default
    return int(np.atleast_1d(value)[0])


_PREAD = hasattr(os, "pread")
_NUMPY = {"B": "u1", "H": "u2", "I": "u4", "f": "f4", "d": "f8", "Q": "u8"}
