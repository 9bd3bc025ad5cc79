"""Registration of two pictures of one field."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from nissl.align.cells.fields import phase_shift, register, resampled, rotation
from nissl.align.cells.simulate import two_days
from nissl.errors import BadArgumentError


def texture(seed=0, size=160):
    rng = np.random.default_rng(seed)
    return gaussian_filter(rng.normal(size=(size, size)), 2)


@pytest.mark.parametrize("shift", [(0, 0), (5, -7), (2.5, 3.25)])
def test_phase_correlation_finds_shifts_to_a_fraction_of_a_pixel(shift):
    from scipy.ndimage import shift as move

    a = texture()
    found, peak = phase_shift(a, move(a, shift, order=3, mode="wrap"))
    assert np.allclose(found, shift, atol=0.25)
    assert peak > 0.1


def test_rotation_scale_and_shift_are_undone():
    a = texture(1, 200)
    matrix = rotation(4.0) * 1.01
    middle = np.array([99.5, 99.5])
    offset = middle - matrix @ middle + [6.0, -9.0]
    b = affine_transform(a, matrix, offset, order=3, mode="reflect")  # b(p) = a(matrix p + offset)
    found = register(b, a, patch_px=0)
    grid = np.stack(np.mgrid[40:160:20, 40:160:20]).reshape(2, -1)
    wanted = matrix @ grid + offset[:, None]
    assert np.abs(found.places[:, grid[0], grid[1]] - wanted).max() < 0.7
    assert found.correlation > 0.9 > found.before
    assert np.nanmean((resampled(a, found) - b)[20:-20, 20:-20] ** 2) < 0.05 * a.var()


def test_a_bent_field_is_laid_straight():
    days = two_days(np.random.default_rng(3), size_px=256, n_cells=150)
    found = register(*days.images)
    here = days.cells[0].centres()[days.pairs[:, 0], 1:]
    there = days.cells[1].centres()[days.pairs[:, 1], 1:]
    y, x = np.rint(here).astype(int).T
    after = np.hypot(*(found.places[:, y, x].T - there).T)
    assert np.median(after) < 2.0 < np.median(np.hypot(*(here - there).T))


def test_pictures_of_two_sizes_and_nonsense():
    a = texture(2, 120)
    found = register(a, np.pad(a, ((10, 20), (5, 5))))
    assert np.median(np.abs(found.places - np.stack(np.mgrid[:120, :120]) - [[[10]], [[5]]])) < 0.5
    for bad in (np.zeros((64, 64)), np.zeros(10), np.full((64, 64), np.nan)):
        with pytest.raises(BadArgumentError, match="picture"):
            register(a, bad)


def test_unrelated_pictures_stay_unlike():
    assert register(texture(3), texture(4)).correlation < 0.3
