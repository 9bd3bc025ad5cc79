"""The report of masks: those of one volume, not all volumes on one another."""

from __future__ import annotations

import numpy as np

from nissl.data import Movie, Recording
from nissl.report.item_sections import _field
from nissl.tasks import Dossier
from nissl.testing.masks import GRID, mask_dossier


def test_masks_are_shown_in_the_volume_that_has_most_of_them():
    whole = mask_dossier()
    volumes = np.zeros((12, *GRID), np.uint16)
    movie = Movie.from_array(volumes, 4.0, name="red", spacing_um=(1.5, 0.5, 0.5))
    recording = Recording(None, "array", {}, fingerprint="f" * 64, movies={"red": movie})
    streams = {"red": {"shape": list(GRID)}}
    drawn = _field(Dossier(whole.labels, recording=recording, stream="red",
                           source={"streams": streams}))  # fmt: skip
    assert drawn is not None
    assert "masks of volume 0, on its brightest along z" in drawn
