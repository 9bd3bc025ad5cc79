"""Pieces of one unit are told from neighbours by where the tissue is when each fires."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding.rejoining import coactive, rejoin
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
N_BLOCKS, BLOCK = 160, 3750
MOVED = 15 * np.sin(np.arange(N_BLOCKS) / 11)


@pytest.mark.parametrize("seed", range(5))
def test_independent_units_fire_at_the_same_displacements(seed):
    rng = np.random.default_rng(seed)
    few, many = rng.poisson(20 / N_BLOCKS, N_BLOCKS), rng.poisson(2.0, N_BLOCKS)
    stay = np.full(N_BLOCKS, 0.25)
    assert coactive(many, rng.poisson(2.0, N_BLOCKS), MOVED, stay) > 0.8
    assert coactive(few, many, MOVED, stay) > 0.7


def test_pieces_do_not():
    rng = np.random.default_rng(0)
    both = rng.poisson(1.0, N_BLOCKS)
    stay = np.full(N_BLOCKS, 0.25)
    assert coactive(both * (MOVED < 3), both * (MOVED >= 3), MOVED, stay) < 0.6


def test_tissue_at_one_place_tells_nothing():
    one, other = np.arange(20.0), np.arange(20.0)[::-1].copy()
    assert coactive(one, other, np.zeros(20), np.full(20, 0.25)) == 1.0


def test_a_jump_separates_two_displacements():
    moved, stay = np.repeat([0.0, 60.0], 20), np.full(40, 0.25)
    assert coactive(1.0 * (moved == 0), 1.0 * (moved > 0), moved, stay) == 0.0
    assert coactive(np.ones(40), np.ones(40), moved, stay) == pytest.approx(1.0)


def test_units_that_fire_together_at_one_displacement_only_are_two():
    moved, stay = np.repeat([0.0, 60.0, 120.0], 20), np.full(60, 0.25)
    assert coactive(1.0 * (moved <= 60), 1.0 * (moved >= 60), moved, stay) == pytest.approx(1.0)


def templates_of(sizes):
    """Units of one shape on four channels, of given sizes on each."""
    windows = Windows.at(RATE_HZ)
    t = np.arange(windows.long) - windows.long_before
    shape = -np.exp(-0.5 * (t / 2.0) ** 2) + 0.4 * np.exp(-0.5 * ((t - 8) / 4.0) ** 2)
    waves = (shape[None, :, None] * np.asarray(sizes)[:, None, :]).astype(np.float32)
    cut = shape[windows.lead : windows.lead + windows.scored]
    basis = (cut / np.linalg.norm(cut))[None].astype(np.float32)
    return Templates(waves, basis, np.full(len(waves), 5.0), windows)


def spikes_of(block_of_units):
    """One spike in the middle of each block that is listed for a unit."""
    unit = np.repeat(np.arange(len(block_of_units)), [len(b) for b in block_of_units])
    at = np.concatenate(block_of_units) * BLOCK + BLOCK // 2
    order = np.argsort(at, kind="stable")
    none = np.zeros(at.size, np.float32)
    return Matched(at[order], none, unit[order], none + 1, none, unit * 0 - 1, none)


SIZES = [[20, 10, 5, 0], [19, 12, 5, 0], [18, 9, 9, 0], [0, 1, 2, 20]]
BLOCKS = np.repeat(np.arange(N_BLOCKS), BLOCK)
EVERYWHERE = np.arange(N_BLOCKS)


def rejoined(sizes, spikes, moved=MOVED, seen=None):
    """Units of templates on four channels that move together."""
    displaced = np.broadcast_to(moved[:, None], (N_BLOCKS, 4))
    seen = np.ones((N_BLOCKS, 4), bool) if seen is None else seen
    return rejoin(templates_of(sizes), spikes_of(spikes), BLOCKS, displaced, seen, RATE_HZ)


def test_only_alike_templates_that_take_turns_are_one_unit():
    low, high = np.flatnonzero(MOVED < 2), np.flatnonzero(MOVED >= 2)
    found = rejoined(SIZES, [low, high, EVERYWHERE, high])
    assert found.tolist() == [0, 0, 1, 2]


def test_templates_of_other_sizes_are_two_units():
    low, high = np.flatnonzero(MOVED < 2), np.flatnonzero(MOVED >= 2)
    assert rejoined([[20, 10, 5, 0], [5, 2.5, 1.2, 0]], [low, high]).tolist() == [0, 1]


def test_what_is_out_of_view_does_not_count():
    jumped = np.repeat([0.0, 60.0], N_BLOCKS // 2)
    low, high = np.flatnonzero(jumped == 0), np.flatnonzero(jumped > 0)
    sizes = [[24, 10, 6, 2], [1, 10, 6, 2]]
    seen = np.ones((N_BLOCKS, 4), bool)
    assert rejoined(sizes, [low, high], jumped, seen).tolist() == [0, 1]
    seen[high, 0] = False
    assert rejoined(sizes, [low, high], jumped, seen).tolist() == [0, 0]


def test_the_best_pair_goes_first():
    jumped = np.repeat([0.0, 60.0], N_BLOCKS // 2)
    low, high = np.flatnonzero(jumped == 0), np.flatnonzero(jumped > 0)
    sizes = [[20, 10, 5, 0], [17, 13, 5, 0], [20, 10, 4.5, 0], [17, 13, 5.5, 0]]
    assert rejoined(sizes, [low, low, high, high], jumped).tolist() == [0, 1, 0, 1]
