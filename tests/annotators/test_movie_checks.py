"""What is said of a movie when it is opened."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from nissl.annotators.line_offset import line_offset
from nissl.annotators.movie_checks import check_movie
from nissl.clock import Clock
from nissl.data import Movie

RNG = np.random.default_rng(0)


def cells(n_frames=40, shape=(96, 96), photons=30.0, dtype=np.int16):
    """A few blurred cells under shot noise."""
    rng = np.random.default_rng(1)
    image = np.zeros(shape)
    image[rng.integers(8, shape[0] - 8, 60), rng.integers(8, shape[1] - 8, 60)] = 100.0
    mean = photons * (0.2 + gaussian_filter(image, 2.0))
    return (rng.poisson(mean, (n_frames, *shape)) * 4 + 10).astype(dtype)


def checks(frames, rate_hz=30.0, **options):
    return {f.check: f for f in check_movie(Movie.from_array(frames, rate_hz, **options))}


def test_a_sound_movie_has_no_findings():
    assert checks(cells()) == {}
    assert checks(cells().reshape(20, 2, 96, 96)) == {}


def test_a_black_movie_is_an_error():
    found = checks(np.zeros((40, 16, 16), np.uint16))
    assert found["black_movie"].severity == "error"
    assert checks(np.full((5, 16, 16), np.nan, np.float32))["black_movie"].severity == "error"


def test_saturation():
    frames = cells()
    found = checks(np.minimum(frames, np.quantile(frames, 0.98)).astype(np.int16))
    assert found["saturated"].severity == "warning"
    assert found["saturated"].value == pytest.approx(0.02, abs=0.005)
    found = checks(np.minimum(frames, np.quantile(frames, 0.3)).astype(np.float32))
    assert found["saturated"].severity == "error"
    counts = RNG.poisson(0.5, (40, 32, 32)).astype(np.uint8)  # photon counts have few levels
    assert "saturated" not in checks(counts)


def test_nan_and_negative_pixels_are_counted():
    frames = cells().astype(np.float32)
    frames[:, :48] = np.nan
    assert checks(frames)["not_finite"].value == pytest.approx(0.5)
    found = checks(cells() - 60)
    assert found["negative_pixels"].severity == "note"
    assert 0 < found["negative_pixels"].value < 1


def test_dark_and_repeated_frames():
    frames = cells()
    frames[10:20] = 0
    assert checks(frames)["dark_frames"].value == pytest.approx(0.25)
    twice = np.repeat(cells(20), 2, axis=0)
    assert checks(twice)["repeated_frames"].value > 0.4


def test_time():
    assert checks(cells(1))["single_frame"].severity == "note"
    assert checks(cells(), 1e6)["frame_rate"].value == 1e6
    clock = Clock.from_segments(30.0, [20, 20], [0.0, 2.0])
    found = checks(cells(), clock=clock)["dropped_frames"]
    assert found.value == pytest.approx(40)
    assert "1.33 s" in found.sentence


@pytest.mark.parametrize("px", [-3.0, -1.0, 0.0, 0.5, 2.0, 5.5])
def test_the_offset_of_a_bidirectional_scan_is_measured(px):
    fine = cells(8, (96, 384), photons=100.0).astype(float)
    scan = fine[:, :, ::2].copy()
    moved = np.roll(fine, round(2 * px), axis=2)[:, :, ::2]
    scan[:, 1::2] = moved[:, 1::2]
    assert line_offset(scan.mean(axis=0)[None]).px == pytest.approx(px, abs=0.2)
    found = checks(np.rint(scan).astype(np.int16))
    assert ("line_offset" in found) == (abs(px) > 0.6)


def test_slanted_edges_are_no_offset():
    y, x = np.mgrid[:96, :96]
    stripes = 100 * np.sin((x + 1.5 * y) / 4)
    frames = (200 + stripes + RNG.normal(0, 20, (8, 96, 96))).astype(np.float32)
    assert abs(line_offset(frames.mean(axis=0)[None]).px) < 0.2
    assert "line_offset" not in checks(frames)


def test_noise_and_tiny_images_have_no_offset():
    noise = RNG.normal(100, 10, (40, 64, 64)).astype(np.float32)
    assert "line_offset" not in checks(noise)
    assert line_offset(noise[:, :2]).px == 0
    assert checks(cells(5, (17, 17))[:, :1, :5]).keys() <= {"dark_frames", "repeated_frames"}
