import numpy as np

from autopeft.optimiser.grid import Grid
from autopeft.optimiser.moves import Moves
from tests import toy_problem

RANKS = toy_problem.expanded(toy_problem.RANKS)
SWITCHES = toy_problem.expanded(toy_problem.SWITCHES)
TINY = toy_problem.expanded(toy_problem.TINY)


def changed(a, b):
    return [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]


def many(move, point, count=200):
    rng = np.random.default_rng(0)
    row = np.array(point, dtype=np.int16)
    found = [tuple(move(row, rng).tolist()) for _ in range(count)]
    assert tuple(row.tolist()) == point
    return found


def middle(space):
    return tuple(len(d.values) // 2 for d in space.dimensions)


def test_neighbours_are_points_of_the_space():
    for space in (RANKS, SWITCHES, TINY):
        for found in many(Moves(Grid(space)).neighbour, middle(space)):
            assert all(0 <= i < len(d.values) for i, d in zip(found, space.dimensions, strict=True))


def test_an_exchange_changes_one_dimension_and_reaches_every_one():
    start = middle(RANKS)
    found = [changed(start, p) for p in many(Moves(Grid(RANKS)).exchange, start, 400)]
    assert max(map(len, found)) == 1
    assert {i for c in found for i in c} == set(range(len(start)))


def test_a_transfer_keeps_the_sum_of_steps():
    start = middle(RANKS)
    for found in many(Moves(Grid(RANKS)).transfer, start):
        assert sum(found) == sum(start)
        assert found[RANKS.learning_rate] == start[RANKS.learning_rate]


def test_nothing_can_be_moved_from_nowhere():
    start = tuple(0 for _ in RANKS.dimensions)
    assert set(many(Moves(Grid(RANKS)).transfer, start, 20)) == {start}


def test_a_block_shift_moves_neighbouring_layers_together():
    start, moves = middle(RANKS), Moves(Grid(RANKS))
    for found in many(moves.shift_block, start):
        steps = {found[i] - start[i] for i in changed(start, found)}
        layers = {moves.layers[i][0] for i in changed(start, found)}
        assert steps in ({1}, {-1})
        assert layers == set(range(min(layers), max(layers) + 1))


def test_a_cut_switches_off_all_layers_below_and_none_above():
    start = tuple(len(d.values) - 1 for d in SWITCHES.dimensions)
    switches = [i for i, d in enumerate(SWITCHES.dimensions) if d.name.startswith("active")]
    seen = set()
    for found in many(Moves(Grid(SWITCHES)).cut_below, start):
        pattern = [found[i] for i in switches]
        assert pattern == sorted(pattern)
        assert set(changed(start, found)) <= set(switches)
        seen.add(sum(pattern))
    assert seen == {1, 2, 3, 4}


def test_a_space_without_layers_has_no_block_moves():
    assert Moves(Grid(TINY)).families == []


def test_only_values_that_mean_nothing_switch_off():
    names = [d.name for d in TINY.dimensions]
    named = dict(zip(names, Grid(TINY).switchable.tolist(), strict=True))
    assert named == {"lora.rank": True, "learning_rate": False}
