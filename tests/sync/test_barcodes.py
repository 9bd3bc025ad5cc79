import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import AmbiguousClockError, BadArgumentError
from nissl.sync import BarcodeFormat, Barcodes, decode_barcodes, match_barcodes, match_pulses

CODE = BarcodeFormat(bit_s=0.029)


def edges_of(value, start_s, code):
    """Edges of one barcode: start mark of alternating levels, bars, low at the end."""
    levels, times, t = [], [], start_s
    for k, length in enumerate(code.mark_s):
        levels.append(k % 2 == 0)
        times.append(t)
        t += length
    for k in range(code.n_bits):
        place = k if code.least_first else code.n_bits - 1 - k
        levels.append(bool(value >> place & 1))
        times.append(t)
        t += code.bit_s
    levels.append(False)
    times.append(t)
    change = np.diff(np.asarray([False, *levels]).astype(int))
    times = np.asarray(times)
    return times[change > 0], times[change < 0]


def line_of(values, code, rng, *, every_s=5.0, rate=1.0, start_s=1.0):
    both = [edges_of(v, start_s + k * every_s, code) for k, v in enumerate(values)]
    rising, falling = (np.concatenate(x) * rate for x in zip(*both, strict=True))
    return rising + rng.normal(0, 1e-4, rising.size), falling + rng.normal(0, 1e-4, falling.size)


@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5),
    st.booleans(),
    st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_values_and_times_come_back(values, least_first, seed):
    code = BarcodeFormat(bit_s=0.029, least_first=least_first)
    rng = np.random.default_rng(seed)
    rising, falling = line_of(values, code, rng, rate=1 + 1e-3)  # a generator that runs slow
    found = decode_barcodes(rising, falling, code, until_s=100.0)
    assert found.values.tolist() == values
    np.testing.assert_allclose(found.times_s, (1 + 5.0 * np.arange(len(values))) * 1.001, atol=1e-3)
    assert found.rejected_s.size == 0


def test_start_mark_of_three_levels():
    code = BarcodeFormat(bit_s=0.03, mark_s=(0.01, 0.01, 0.01))
    rng = np.random.default_rng(0)
    values = [5, 2**31 + 1, 0xF0F0F0F0]
    rising, falling = line_of(values, code, rng)
    assert decode_barcodes(rising, falling, code, until_s=100.0).values.tolist() == values


def test_cut_and_spoilt_barcodes_are_rejected_not_read():
    rng = np.random.default_rng(1)
    rising, falling = line_of([123456, 99, 7777], CODE, rng)
    cut = (rising > 1.05) & (rising < 3)  # recording begins within the first barcode
    keep_r, keep_f = (rising > 1.05), (falling > 1.05)
    assert cut.any()
    found = decode_barcodes(rising[keep_r], falling[keep_f], CODE, until_s=100.0)
    assert 123456 not in found.values.tolist()
    assert found.values.tolist()[-2:] == [99, 7777]
    assert found.rejected_s.size == 1
    glitch = 6 + 0.04 + 0.5 * CODE.bit_s
    rising, falling = line_of([123456, 96, 7777], CODE, rng)
    spoilt = decode_barcodes(
        np.sort(np.append(rising, glitch)),
        np.sort(np.append(falling, glitch + 1e-3)),
        CODE,
        until_s=100.0,
    )
    assert spoilt.values.tolist() == [123456, 7777]
    assert spoilt.rejected_s.size == 1


def test_a_barcode_that_ends_after_the_recording_is_not_read_as_lows():
    code = BarcodeFormat(bit_s=0.03, mark_s=(0.01, 0.01, 0.01))
    rising, falling = line_of([2**31 + 1, 2**31 + 2], code, np.random.default_rng(3))
    end = 6.5  # within the second barcode, before its highest bit
    found = decode_barcodes(rising[rising < end], falling[falling < end], code, until_s=end)
    assert found.values.tolist() == [2**31 + 1]
    assert found.rejected_s.size == 1
    late = rising > 1.05  # the recording begins within the first one, at the border of a bar
    found = decode_barcodes(rising[late], falling[falling > rising[late][0]], code, until_s=99.0)
    assert found.values.tolist() == [2**31 + 2]
    assert found.rejected_s.size == 1


def test_nothing_on_the_line():
    assert decode_barcodes([], [], CODE, until_s=1.0).values.size == 0


def test_barcodes_of_two_devices_match_by_value():
    a = Barcodes(np.arange(5) * 10.0, np.arange(100, 105), np.empty(0))
    b = Barcodes(np.arange(4) * 10.0 + 3.5, np.asarray([102, 103, 200, 104]), np.empty(0))
    match = match_barcodes(a, b)
    assert match.pairs.tolist() == [[2, 0], [3, 1], [4, 3]]
    assert match.outside_a.tolist() == [0, 1]
    assert match.missing_a.size + match.extra_b.size == 1


def test_repeated_values_are_ambiguous():
    a = Barcodes(np.arange(4) * 10.0, np.asarray([1, 2, 2, 3]), np.empty(0))
    b = Barcodes(np.arange(4) * 10.0, np.asarray([1, 2, 3, 4]), np.empty(0))
    match = match_barcodes(a, b)
    assert match.pairs.tolist() == [[0, 0], [3, 2]]
    assert match.ambiguous_a.tolist() == [1, 2]


@pytest.mark.parametrize("values", [[5, 4, 3], [9, 10, 11], [1, 20, 30]])
def test_barcodes_that_share_nothing_or_another_order_are_refused(values):
    a = Barcodes(np.arange(5) * 10.0, np.asarray([1, 3, 4, 5, 6]), np.empty(0))
    b = Barcodes(np.arange(3) * 10.0, np.asarray(values), np.empty(0))
    with pytest.raises(AmbiguousClockError):
        match_barcodes(a, b)


def test_barcodes_anchor_a_regular_train():
    rng = np.random.default_rng(2)
    train = np.arange(0.0, 600.0) + 0.3
    codes = np.arange(20) * 30.0
    a = Barcodes(codes, np.arange(20) + 7, np.empty(0))
    b = Barcodes(codes * (1 + 50e-6) + 88.8, np.arange(20) + 7, np.empty(0))
    near = match_barcodes(a, b).clock_map()
    kept = rng.random(600) > 0.02
    match = match_pulses(train[kept], train * (1 + 50e-6) + 88.8, near=near, within_s=0.01)
    np.testing.assert_array_equal(match.pairs[:, 1], np.flatnonzero(kept))


def test_impossible_formats():
    for options in ({"n_bits": 0}, {"n_bits": 64}, {"bit_s": 0.0}, {"mark_s": ()}):
        with pytest.raises(BadArgumentError):
            BarcodeFormat(**{"bit_s": 0.03, **options})
    assert BarcodeFormat(bit_s=0.03).length_s == pytest.approx(1.0)
