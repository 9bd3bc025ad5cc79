"""Cells by their shape: a small U-Net on summary images, run from an ONNX file.

Images are brought to a scale on which a soma is `DIAMETER` pixels wide, and each is taken relative
to what surrounds a pixel, so that neither zoom nor brightness nor an uneven field matters. Any
of them may be missing. The network gives, for each pixel, whether it belongs to a cell and how
deep inside one it lies (`nissl.annotators.cells.instances`). The weights that the package brings
were trained on simulated movies alone: ``python -m nissl.annotators.cells.train_network``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.instances import Cut, Found, instances
from nissl.errors import BadArgumentError
from nissl.nets.inference import Network

Image = npt.NDArray[np.float32]

IMAGES = ("mean", "max", "std", "correlation", "peak_to_noise", "active")
"""What the network reads, in this order."""
DIAMETER = 10.0
"""Pixels of a soma on the network's scale."""
KIND = "cells"
TILE, HALO, MULTIPLE = 256, 32, 8
SIZES = (5.0, 6.5, 8.5, 11.0, 14.0, 18.0, 24.0)
"""Diameters that are tried where nobody says one, pixels."""
LOOKED_AT = 320
"""Pixels along each side of the middle of a field in which the diameter is looked for."""
MOST = 4.0


def weights_file(name: str = "somata") -> Path:
    """File of shipped weights: "somata" in movies, or "nuclei" in still images."""
    return Path(__file__).parent / "network_weights" / f"{name}.onnx"


@cache
def shipped(name: str = "somata") -> Network:
    """Network that the package brings."""
    return Network.read(weights_file(name))


def images_of(summary: Any) -> dict[str, Image]:
    """Images of a summary by name; those that it lacks, or that hold no number, are left out.

    Parameters
    ----------
    summary : object or mapping
        With `IMAGES` as attributes or keys, each of shape (y, x).
    """
    known = summary if isinstance(summary, Mapping) else vars(summary)
    found = {name: known[name] for name in IMAGES if known.get(name) is not None}
    kept = {k: np.asarray(v, np.float32) for k, v in found.items() if np.isfinite(v).any()}
    shapes = {image.shape for image in kept.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise BadArgumentError(
            f"at least one image among {IMAGES}, all of one shape (y, x)",
            ", ".join(f"{k} {v.shape}" for k, v in kept.items()) or "none",
            "Give the summary of one plane.",
        )
    return kept


def prepared(images: Mapping[str, Image], diameter_px: float, names: tuple[str, ...]) -> Image:
    """Images as the network reads them, (n_images, h, w) on its own scale; zeros for missing.

    Parameters
    ----------
    images : mapping of str to ndarray, shape (y, x)
    diameter_px : float
    names : tuple of str
        Images in the network's order.
    """
    dark = unlit(images["mean"], diameter_px) if "mean" in images else np.zeros((), bool)
    planes = [
        relative(
            rescaled(np.where(dark, np.nan, _evened(name, images[name])), DIAMETER / diameter_px)
        )
        if name in images
        else None
        for name in names
    ]
    shape = next(plane.shape for plane in planes if plane is not None)
    none = np.zeros(shape, np.float32)
    return np.stack([none if plane is None else plane for plane in planes])


def _evened(name: str, image: Image) -> Image:
    """Brightness on a scale on which noise is about even; NaN stays."""
    if name == "correlation":
        return image
    if name in ("peak_to_noise", "active"):
        return np.asarray(np.log1p(np.maximum(image, 0)), np.float32)
    floor = np.nanpercentile(image, 0.5)
    return np.asarray(np.sqrt(np.maximum(image - floor, 0)), np.float32)


def unlit(mean: Image, diameter_px: float) -> npt.NDArray[np.bool_]:
    """Pixels of a dark edge, (y, x): where a scanner turns, or where motion was taken out.

    They are less than a tenth as bright as is usual, and reach the edge of the image; relative to
    them all that lies beside would seem to shine.
    """
    from scipy.ndimage import gaussian_filter, label

    floor = np.nanpercentile(mean, 0.5)
    filled = np.where(np.isfinite(mean), mean - floor, 0)
    smooth = gaussian_filter(filled, diameter_px / 4)
    parts, n = label(smooth < 0.1 * np.median(smooth))
    edge = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    reaches = np.isin(np.arange(n + 1), edge)
    reaches[0] = False
    out: npt.NDArray[np.bool_] = reaches[parts]
    return out


def rescaled(image: Image, factor: float) -> Image:
    """Image on another scale, smoothed first where it shrinks; each axis at least 1 pixel."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    if abs(factor - 1) < 0.02:
        return image
    shape = tuple(max(1, round(n * factor)) for n in image.shape)
    known = np.isfinite(image)
    filled = np.where(known, image, np.nanmedian(image)).astype(np.float32)
    if factor < 1:
        filled = gaussian_filter(filled, 0.4 * (1 / factor - 0.5 * factor))
    axes = [(np.arange(n) + 0.5) * old / n - 0.5 for n, old in zip(shape, image.shape, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    out = map_coordinates(filled, grid, order=1, mode="nearest")
    if not known.all():
        seen = map_coordinates(known.astype(np.float32), grid, order=1, mode="nearest")
        out[seen < 0.5] = np.nan
    return np.asarray(out, np.float32)


def relative(image: Image) -> Image:
    """Image relative to its surroundings: local mean 0, local spread about 1, within 4.

    Bright cells are cut off before the spread is measured, lest faint ones beside them drown.
    """
    known = np.isfinite(image)
    weight = known.astype(np.float32)
    filled = np.where(known, image, 0).astype(np.float32)

    def local(values: Image, sigma: float) -> Image:
        seen = np.maximum(_blurred(weight, sigma), 1e-3)
        return np.asarray(_blurred(values * weight, sigma) / seen, np.float32)

    away = np.where(known, filled - local(filled, 2 * DIAMETER), 0)
    typical = 1.4826 * float(np.median(np.abs(away[known]))) if known.any() else 0.0
    if typical <= 0:
        return np.zeros(image.shape, np.float32)
    away = np.where(known, away - local(np.clip(away, -2 * typical, 2 * typical), DIAMETER), 0)
    spread = np.sqrt(local(np.minimum(away**2, 9 * typical**2), 2 * DIAMETER))
    out = away / np.maximum(spread, 0.25 * typical)
    return np.clip(np.where(known, out, 0), -MOST, MOST).astype(np.float32)


def _blurred(image: Image, sigma: float) -> Image:
    """Two passes of a running mean, nearly a Gaussian, at a cost that no width changes."""
    from scipy.ndimage import uniform_filter

    side = 2 * round(sigma * np.sqrt(6) / 2) + 1
    once = uniform_filter(image, side, mode="nearest")
    return np.asarray(uniform_filter(once, side, mode="nearest"), np.float32)


def maps(network: Network, x: Image) -> tuple[Image, Image]:
    """Probability of a cell and depth inside it, each (h, w), tile by tile.

    Parameters
    ----------
    network : Network
    x : ndarray, shape (n_images, h, w), float32
        As `prepared` gives it.
    """
    height, width = x.shape[1:]
    out = np.zeros((2, height, width), np.float32)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            y0, x0 = max(top - HALO, 0), max(left - HALO, 0)
            seen = x[:, y0 : top + TILE + HALO, x0 : left + TILE + HALO]
            short = [(-n) % MULTIPLE for n in seen.shape[1:]]
            padded = np.pad(seen, ((0, 0), (0, short[0]), (0, short[1])), mode="edge")
            said = network(padded[None])[0]
            own = out[:, top : top + TILE, left : left + TILE]
            dy, dx = top - y0, left - x0
            own[:] = said[:, dy : dy + own.shape[1], dx : dx + own.shape[2]]
    return _sigmoid(out[0]), _sigmoid(out[1])


def _sigmoid(x: Image) -> Image:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)


def segmented(
    images: Mapping[str, Image],
    diameter_px: float,
    *,
    network: Network,
    cut: Cut | None = None,
) -> tuple[Found, Image]:
    """Instances of one field, and the probability of a cell at each pixel, (y, x).

    Parameters
    ----------
    images : mapping of str to ndarray, shape (y, x)
    diameter_px : float
    network : Network
    cut : Cut, optional
    """
    foreground, depth = mapped(images, diameter_px, network=network)
    rule = cut or cut_of(network)
    return instances(foreground, depth, diameter_px=diameter_px, cut=rule), foreground


def mapped(
    images: Mapping[str, Image], diameter_px: float, *, network: Network
) -> tuple[Image, Image]:
    """Probability of a cell and depth inside it in the pixels of the images, each (y, x)."""
    names = tuple(network.header["images"])
    found = maps(network, prepared(images, diameter_px, names))
    shape = next(iter(images.values())).shape
    return _to(found[0], shape), _to(found[1], shape)


def cut_of(network: Network) -> Cut:
    """When something is a cell, as chosen when the network was trained."""
    return Cut(**network.header.get("cut", {}))


def _to(image: Image, shape: tuple[int, ...]) -> Image:
    """Map in the pixels of the movie again."""
    from scipy.ndimage import map_coordinates

    if image.shape == shape:
        return image
    axes = [(np.arange(n) + 0.5) * old / n - 0.5 for n, old in zip(shape, image.shape, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    return np.asarray(map_coordinates(image, grid, order=1, mode="nearest"), np.float32)


def likely_diameter(images: Mapping[str, Image], network: Network | None = None) -> float:
    """Diameter of the cells of a field, pixels: at which those found explain most of the images.

    Each candidate of `SIZES` is tried on the middle of the field. What cells explain is the
    energy of the means of their middles and of their rims, less twice the logarithm of the
    number of pixels for each of them: many small pieces explain more than they are worth. (Once,
    as in the information criterion of Schwarz (1978, Annals of Statistics 6, 461), did as well on
    simulated fields.) The answer is the median size of the cells found.
    """
    used, best, out = network or shipped(), -np.inf, DIAMETER
    seen = {name: _middle(image) for name, image in images.items()}
    plain = [relative(_evened(name, image)) for name, image in seen.items()]
    for size in SIZES:
        if size * 3 > min(plain[0].shape):
            break
        foreground, depth = mapped(seen, size, network=used)
        found = instances(foreground, depth, diameter_px=size, cut=cut_of(used))
        zones = np.where(found.labels > 0, 2 * found.labels - (depth > 0.5), 0)
        n_zones = np.unique(zones).size - 1
        total = sum(_explained(image, zones) for image in plain)
        total -= 2 * n_zones * np.log(zones.size * len(plain))
        if total > best and found.score.size:
            area = np.bincount(found.labels.ravel())[1:]
            best, out = total, float(np.median(np.sqrt(area * 4 / np.pi)))
    return out


def _explained(image: Image, zones: npt.NDArray[np.integer[Any]]) -> float:
    """Energy of the means of the zones of an image; 0 is no zone."""
    size = np.maximum(np.bincount(zones.ravel()), 1)
    total = np.bincount(zones.ravel(), image.ravel())
    return float((total**2 / size)[1:].sum())


def _middle(image: Image) -> Image:
    """Middle of an image, large enough to tell the size of its cells."""
    starts = [max(0, (n - LOOKED_AT) // 2) for n in image.shape]
    return image[tuple(slice(at, at + LOOKED_AT) for at in starts)]


def detect(
    summary: Any,
    *,
    diameter_px: float | None = None,
    network: Network | None = None,
    cut: Cut | None = None,
) -> Footprints:
    """Find cells by their shape.

    Parameters
    ----------
    summary : object or mapping
        Summary of one plane; see `images_of`.
    diameter_px : float, optional
        Diameter of a soma; looked for by default.
    network : Network, optional
        The shipped one by default.
    cut : Cut, optional

    Returns
    -------
    Footprints
        Of shape (1, y, x), weighted by the probability of each pixel, with scores from 0 to 1.
    """
    used, images = network or shipped(), images_of(summary)
    if used.header.get("kind") != KIND:
        raise BadArgumentError(
            "a network that finds cells",
            f"one of kind {used.header.get('kind')!r}",
            "Train one: python -m nissl.annotators.cells.train_network",
        )
    if diameter_px is not None and not diameter_px > 2:
        raise BadArgumentError(
            "a diameter of more than 2 pixels", f"{diameter_px!r}", "Measure a soma in the image."
        )
    size = likely_diameter(images, used) if diameter_px is None else diameter_px
    found, foreground = segmented(images, size, network=used, cut=cut)
    return as_footprints(found, foreground)


def as_footprints(found: Found, foreground: Image) -> Footprints:
    """Instances as footprints, weighted by the probability of each pixel."""
    volume = found.labels if found.labels.ndim == 3 else found.labels[None]
    bare = Footprints.from_masks(volume)
    flat = np.maximum(foreground.ravel(), 1e-3)
    return Footprints.build(
        bare.shape,
        bare.pixels,
        [flat[pixels] for pixels in bare.pixels],
        score=found.score,
        origin="shape",
    )


__all__ = [
    "DIAMETER",
    "IMAGES",
    "as_footprints",
    "cut_of",
    "detect",
    "images_of",
    "likely_diameter",
]
