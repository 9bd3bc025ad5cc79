"""Nuclei in still images, against outlines that people drew."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.matching import agreement
from nissl.annotators.cells.simulate.nuclei import NucleiScene, nuclei
from nissl.annotators.cells.still import found_in

FOLDER = Path("imaging") / "nuclei_sample"
SCENES = {
    "simulated layer": NucleiScene(seed=90_001, shape=(1, 256, 256)),
    "simulated layer, crowded and dim": NucleiScene(
        seed=90_002, shape=(1, 256, 256), crowding=0.5, photons=8.0, background=0.5
    ),
    "simulated volume": NucleiScene(seed=90_003, shape=(32, 64, 64)),
}
"""None of them served to train or to choose anything."""


def still(data: Path, *, quick: bool = False) -> list[dict[str, Any]]:
    """Scores on the sample of the data folder, where it is there, and on simulated truth."""
    rows = []
    folder = data / FOLDER
    if folder.is_dir():
        from tifffile import imread

        for name, ending in (("image with outlines", "2d"), ("volume with outlines", "3d")):
            image, true = (np.asarray(imread(folder / f"{k}{ending}.tif")) for k in ("img", "mask"))
            rows.append(scored(name, image, true))
    for name, scene in list(SCENES.items())[: 1 if quick else None]:
        rows.append(scored(name, *nuclei(scene)))
    return rows


def scored(name: str, image: npt.NDArray[Any], true: npt.NDArray[Any]) -> dict[str, Any]:
    """F1 at an intersection over union of one half: ours, and a threshold with watershed."""
    cells = Footprints.from_masks(true.astype(np.int32))
    began = time.perf_counter()
    found = found_in(image, what="nuclei")
    took = time.perf_counter() - began
    plain = Footprints.from_masks(thresholded(image))
    return {
        "name": name,
        "shape": list(image.shape),
        "n_true": len(cells),
        "n_found": len(found),
        "seconds": took,
        **agreement(found, cells),
        "f1_threshold": agreement(plain, cells)["f1"],
    }


def thresholded(image: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Otsu's threshold and a watershed of the distance to the ground: what everybody tries first.

    Seeds are the highest points within five pixels.
    """
    from scipy import ndimage
    from skimage.filters import threshold_otsu
    from skimage.segmentation import watershed

    smooth = ndimage.gaussian_filter(np.asarray(image, np.float32), 1.0)
    inside = smooth > threshold_otsu(smooth)
    far = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside), 1.0)
    seeds, _ = ndimage.label((ndimage.maximum_filter(far, 11) == far) & inside)
    return np.asarray(watershed(-far, seeds, mask=inside), np.int32)
