"""Windows around events against plain indexing."""

import numpy as np

from nissl.annotators.spikes.own.screen.vicinity import LENGTH, N_NEAR, RATE_HZ, nearest, vicinities

HALF = LENGTH // 2


def line(n, pitch_um=20.0):
    return np.stack([np.zeros(n), pitch_um * np.arange(n)], axis=1)


def test_the_nearest_channels_come_first_and_itself_before_all():
    near = nearest(line(12))
    assert near.shape == (12, N_NEAR)
    assert near[:, 0].tolist() == list(range(12))
    assert set(near[5, :3].tolist()) == {4, 5, 6}
    assert set(near[0].tolist()) == set(range(N_NEAR))


def test_contacts_at_one_place_keep_their_own_channel_first():
    near = nearest(np.zeros((3, 2)))
    assert near[:, 0].tolist() == [0, 1, 2]
    assert near[1].tolist()[3:] == [-1] * (N_NEAR - 3)


def test_without_places_the_order_of_channels_counts():
    near = nearest(np.full((10, 2), np.nan))
    assert set(near[4, :3].tolist()) == {3, 4, 5}


def test_windows_are_samples_and_the_level_of_all_farther_channels():
    z = np.random.default_rng(0).standard_normal((200, 12)).astype(np.float32) * 30
    near = nearest(line(12))
    at, channel = np.asarray([60, 100]), np.asarray([3, 11])
    got = np.sinh(vicinities(z, at, channel, near, RATE_HZ))
    for i in range(2):
        rows = slice(at[i] - HALF, at[i] + HALF + 1)
        np.testing.assert_allclose(got[i, :N_NEAR], z[rows, near[channel[i]]].T, rtol=1e-3)
        far = np.setdiff1d(np.arange(12), near[channel[i]])
        level = np.sqrt(np.mean(z[rows, far] ** 2, axis=1))
        np.testing.assert_allclose(got[i, N_NEAR], level, rtol=1e-2)


def test_windows_of_events_that_overlap_are_those_of_each_alone():
    z = np.random.default_rng(1).standard_normal((200, 12)).astype(np.float32) * 30
    near = nearest(line(12))
    at, channel = np.asarray([60, 60, 71, 150]), np.asarray([3, 9, 11, 0])
    for rate_hz in (RATE_HZ, 1.3 * RATE_HZ):
        alone = [vicinities(z, at[[i]], channel[[i]], near, rate_hz)[0] for i in range(4)]
        np.testing.assert_array_equal(vicinities(z, at, channel, near, rate_hz), np.stack(alone))


def test_beyond_the_ends_and_for_channels_that_are_not_there_are_zeros():
    z = np.ones((40, 3), np.float32)
    got = vicinities(z, np.asarray([2, 39]), np.asarray([0, 2]), nearest(line(3)), RATE_HZ)
    assert not got[0, :, : HALF - 2].any()
    assert got[0, :3, HALF - 2].all()
    assert not got[1, :, HALF + 1 :].any()
    assert not got[:, 3:].any()


def test_other_rates_are_brought_to_one():
    def at_rate(rate_hz):
        t = np.arange(round(0.02 * rate_hz)) / rate_hz - 0.01
        wave = 20 * np.exp(-0.5 * (t / 0.4e-3) ** 2)
        z = np.repeat(wave[:, None], 4, axis=1).astype(np.float32)
        peak = np.asarray([int(np.argmax(wave))])
        return vicinities(z, peak, np.asarray([1]), nearest(line(4)), rate_hz)

    np.testing.assert_allclose(at_rate(25_000.0), at_rate(15_000.0), atol=0.1)
    assert not np.allclose(at_rate(25_000.0)[0, 0, 10:20], 0)
