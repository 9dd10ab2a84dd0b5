"""Stacking and storage: which operations become one call, in what order columns lie, what is computed in place."""

from __future__ import annotations

import pytest

from symrnn.targets.numpy.ir import SCRATCH, Array, Operation, Position, Products, Stacked, buffer
from symrnn.targets.numpy.stack import Stacker, Storage, arrange, blocks
from symrnn.targets.numpy.storer import Storer

_KEPT, _SAVED, _SCRATCH = buffer("kept"), buffer("saved"), Array(SCRATCH, "0")
SIZES = dict.fromkeys("abcdpqrsuvwxyz", "hidden")


def operation(target: str, function: str, *arguments: str) -> Operation:
    return Operation(function, arguments, target, "hidden", target)


def stacked(operations: list[Operation], storage: dict[str, Storage], order: dict[str, Position]) -> list[Stacked]:
    return Stacker(operations, storage, SIZES, {}).stacked(order, ())


KEPT = {name: Storage(_KEPT, True) for name in "abcd"} | {name: Storage(_SAVED, True) for name in "pqrs"}
ORDER: dict[str, Position] = {name: (_KEPT, i) for i, name in enumerate("abcd")}
ORDER |= {name: (_SAVED, i) for i, name in enumerate("pqrs")}


def test_neighbours_of_one_function_become_one_call() -> None:
    operations = [operation("p", "tanh", "a"), operation("q", "tanh", "b"), operation("r", "exp", "c")]
    assert [(call.function, call.targets) for call in stacked(operations, KEPT, dict(ORDER))] == [
        ("tanh", ("p", "q")),
        ("exp", ("r",)),
    ]


def test_what_does_not_lie_side_by_side_stays_apart() -> None:
    operations = [operation("p", "tanh", "a"), operation("q", "tanh", "c")]
    assert [call.targets for call in stacked(operations, KEPT, dict(ORDER))] == [("p",), ("q",)]


def test_what_depends_on_each_other_stays_apart() -> None:
    operations = [operation("p", "tanh", "a"), operation("q", "tanh", "p")]
    storage = KEPT | {name: Storage(_KEPT, True) for name in "pq"}
    order = dict(ORDER) | {"p": (_KEPT, 1), "q": (_KEPT, 2)}
    assert [call.targets for call in stacked(operations, storage, order)] == [("p",), ("q",)]


def test_an_operand_that_two_operations_share_keeps_them_apart() -> None:
    operations = [operation("p", "multiply", "a", "c"), operation("q", "multiply", "a", "d")]
    assert [call.targets for call in stacked(operations, KEPT, dict(ORDER))] == [("p",), ("q",)]


def test_two_groups_that_would_wait_for_each_other_are_divided() -> None:
    operations = [
        operation("u", "tanh", "a"),
        operation("v", "exp", "u"),
        operation("w", "exp", "b"),
        operation("x", "tanh", "w"),
        operation("p", "add", "v", "c"),
        operation("q", "add", "x", "d"),
    ]
    storage = {**KEPT, "u": Storage(_KEPT, True), "w": Storage(_KEPT, True)}
    order = dict(ORDER) | {"u": (_KEPT, 4), "w": (_KEPT, 5)}
    calls = stacked(operations, storage, order)
    done = set("abcd")
    for call in calls:
        assert all(value in done for argument in call.arguments if isinstance(argument, tuple) for value in argument)
        done.update(call.targets)
    assert done >= set("uvwxpq")


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ([], [["a"], ["b"], ["c"], ["d"]]),
        ([{"a", "c"}], [["a", "c"], ["b"], ["d"]]),
        ([{"a", "c"}, {"c", "d"}], [["a", "c"], ["b"], ["d"]]),
        ([{"a", "c"}, {"a", "c", "d"}], [["a", "c", "d"], ["b"]]),
        ([{"b", "d"}, {"a", "b", "c", "d"}], [["a", "b", "d", "c"]]),
    ],
)
def test_columns_are_arranged_as_far_as_sets_agree(sets: list[set[str]], expected: list[list[str]]) -> None:
    assert blocks("abcd", sets) == expected
    assert arrange("abcd", sets) == [item for block in expected for item in block]


def call(target: str, function: str, *arguments: str) -> Stacked:
    return Stacked(function, tuple((a,) for a in arguments), (target,), ("hidden",), ())


def test_temporaries_that_one_call_reads_are_made_neighbours() -> None:
    operations = [operation("u", "tanh", "a"), operation("v", "tanh", "c")]
    operations += [operation("p", "exp", "u"), operation("q", "exp", "v")]
    order = dict(ORDER)
    assert [each.targets for each in stacked(operations, KEPT, order)] == [("u",), ("v",), ("p", "q")]
    assert order["v"] == (order["u"][0], order["u"][1] + 1)


def test_temporaries_that_are_read_in_two_orders_stay_apart() -> None:
    operations = [operation("u", "tanh", "a"), operation("v", "tanh", "c")]
    operations += [operation("p", "maximum", "u", "v"), operation("q", "maximum", "v", "u")]
    order = dict(ORDER)
    assert [each.targets for each in stacked(operations, KEPT, order)] == [("u",), ("v",), ("p",), ("q",)]
    assert order["u"][0] != order["v"][0]


def test_a_sum_builds_up_in_the_place_of_its_result() -> None:
    nodes = [call("u", "multiply", "a", "b"), call("v", "multiply", "c", "d"), call("p", "add", "u", "v")]
    beside = {"u": (buffer("u"), 0), "v": (buffer("v"), 0)}
    storer = Storer(nodes, ORDER, beside, SIZES, (), ("p",))
    assert storer.at("u") == storer.at("p") == (_SAVED, 0)
    assert list(storer.scratch.values()) == [storer.scratch[_SCRATCH]]
    assert storer.scratch[_SCRATCH].columns == ("v",)


def test_a_value_that_an_equation_names_is_not_written_over() -> None:
    nodes = [call("u", "multiply", "a", "b"), call("p", "tanh", "u")]
    beside = {"u": (buffer("u"), 0)}
    assert Storer(nodes, ORDER, beside, SIZES, (), ("u", "p")).at("u") == (_SCRATCH, 0)
    assert Storer(nodes, ORDER, beside, SIZES, (), ("p",)).at("u") == (_SAVED, 0)


def test_what_is_read_again_is_not_written_over() -> None:
    nodes = [call("u", "multiply", "a", "b"), call("p", "tanh", "u"), call("q", "exp", "u")]
    storer = Storer(nodes, ORDER, {"u": (buffer("u"), 0)}, SIZES, (), ("p", "q"))
    assert storer.at("u") == (_SAVED, 1)
    assert Storer(nodes, ORDER, {"u": (buffer("u"), 0)}, SIZES, ("u",), ()).at("u") == (_SCRATCH, 0)


def test_a_temporary_takes_the_place_of_one_that_dies() -> None:
    sums = Products((), ("u",), "hidden", ())
    nodes: list[Stacked | Products] = [sums, call("v", "add", "u", "a"), call("p", "exp", "v"), call("q", "tanh", "v")]
    storer = Storer(nodes, ORDER, {"u": (buffer("u"), 0), "v": (buffer("v"), 0)}, SIZES, ("v",), ())
    assert storer.at("u") == storer.at("v") == (_SCRATCH, 0)
