"""Pictures of items one by one: arrays of facts, classes, and regions on their field."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nissl.labels import LabelSet
from nissl.report.span_plots import colours
from nissl.report.theme import BLUE, GRID, MUTED, figure, quiet, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = npt.NDArray[np.floating[Any]]

_WIDE = 11.0
_POINTS = 1200


def classes(labels: LabelSet) -> str:
    """How many items have each class, with their certainty where there is one."""
    code = labels.column("label")
    names = labels.vocabulary.names
    n = np.bincount(code, minlength=len(names))
    with figure(5.2, 0.6 + 0.28 * len(names)) as (made, axes):
        axes.barh(range(len(names)), n, color=colours(labels), height=0.7)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel("items")
        for row, count in enumerate(n.tolist()):
            axes.annotate(
                f" {count}", (count, row), va="center", color=MUTED, annotation_clip=False
            )
        return to_svg(made, "Items of each class")


def picture(name: str, array: Values, unit: str = "") -> str:
    """One array of one item: a line of numbers, or an image."""
    said = name.replace("_", " ")
    square = array.ndim == 2 and array.shape[0] > 4
    with figure(2.2 if square else 3.6, 2.2 if square else 1.3) as (made, axes):
        if square:
            axes.imshow(array, cmap=_map_of(array), interpolation="nearest", **_limits(array))
            quiet(axes)
        else:
            _lines(axes, np.atleast_2d(array))
            axes.set_ylabel(unit)
        axes.set_title(said, fontsize=9, color=MUTED)
        return to_svg(made, said)


def _lines(axes: Axes, rows: Values) -> None:
    for row in rows:
        step = max(1, -(-row.size // _POINTS))
        axes.plot(np.arange(row.size)[::step], row[::step], color=BLUE, linewidth=0.8)
    axes.set_xticks([])


def _signed(array: Values) -> bool:
    known = array[np.isfinite(array)]
    return known.size > 0 and known.min() < 0 < known.max()


def _map_of(array: Values) -> str:
    return "RdBu_r" if _signed(array) else "gray"


def _limits(array: Values) -> dict[str, float]:
    if not _signed(array):
        return {}
    most = float(np.nanmax(np.abs(array)))
    return {"vmin": -most, "vmax": most}


def field(
    labels: LabelSet, pixels: Sequence[npt.NDArray[np.int64]], image: Values, title: str
) -> str:
    """Outlines of regions on an image of their field, in the colours of their classes.

    Parameters
    ----------
    labels : LabelSet
        REGIONS.
    pixels : sequence of ndarray
        Flat indices of each row into `image`.
    image : ndarray, shape (y, x)
        NaN where nothing is known.
    title : str
        What the image is.
    """
    height, width = image.shape
    known = image[np.isfinite(image)]
    low, high = np.percentile(known, [1, 99.5]) if known.size else (0.0, 1.0)
    gray = np.clip((np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-12), 0, 1)
    rgb = np.repeat((255 * gray).astype(np.uint8)[..., None], 3, axis=2)
    own = colours(labels)
    for code, flat in zip(labels.column("label").tolist(), pixels, strict=True):
        rgb.reshape(-1, 3)[_edge(flat, height, width)] = _rgb(own[code])
    text = base64.b64encode(_png(rgb)).decode()
    return (
        f'<svg role="img" aria-label="{title}" viewBox="0 0 {width} {height}" '
        f'style="max-width:min(100%,{max(width, 560)}px)">'
        f'<image href="data:image/png;base64,{text}" width="{width}" height="{height}" '
        'style="image-rendering:pixelated"/></svg>'
    )


def _edge(flat: npt.NDArray[np.int64], height: int, width: int) -> npt.NDArray[np.int64]:
    """Pixels of a region that touch what is outside it."""
    y, x = np.divmod(flat, width)
    top, left = y.min(), x.min()
    box = np.zeros((y.max() - top + 3, x.max() - left + 3), bool)
    box[y - top + 1, x - left + 1] = True
    inner = box[:-2, 1:-1] & box[2:, 1:-1] & box[1:-1, :-2] & box[1:-1, 2:]
    return np.asarray(flat[~inner[y - top, x - left]])


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _png(rgb: npt.NDArray[np.uint8]) -> bytes:
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, rgb, format="png")
    return buffer.getvalue()


def traces(rows: Values, items: Sequence[int]) -> str:
    """Traces of some items below each other.

    Parameters
    ----------
    rows : ndarray, shape (n_items, n_samples)
        In units of each trace's own noise, around 0.
    items : sequence of int
    """
    step = max(float(np.percentile(rows, 99.8)), 1e-12)
    with figure(_WIDE, 0.5 + 0.32 * len(rows)) as (made, axes):
        for place, row in enumerate(rows):
            every = max(1, -(-row.size // _POINTS))
            axes.plot(np.arange(row.size)[::every], row[::every] / step - place, lw=0.7, color=BLUE)
        axes.set_yticks(-np.arange(len(rows)), [str(item) for item in items])
        axes.set_xticks([])
        axes.grid(axis="y", color=GRID, lw=0.4)
        axes.set_ylabel("item")
        return to_svg(made, "Traces in units of their noise")


__all__ = ["classes", "field", "picture", "traces"]
