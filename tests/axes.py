"""Cells with named axes, and what they compute: in NumPy by hand, or by a small reading of their equations by axis names.

Reads a cell's text; returns a `Along`, with the values of one step of one row. Nothing here is shared with symrnn: the
equations go through Python's ``ast`` alone, and every value is an array with the names of its axes. All of it takes complex
numbers, for complex steps. Leaves out: what the tests compare.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import symrnn
from symrnn.language.cell import Cell
from symrnn.language.size_tables import InputEntry, SizeEntry
from symrnn.language.system import HIDDEN, INPUT

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Mapping[str, Array]
Step = Callable[[Arrays, Array, Arrays], Arrays]
"""Parameters and the inputs beside ``x``, the input of a row and its states, to everything that the step assigns."""

FILES = Path(__file__).parent / "cells" / "axes"


@dataclass(frozen=True, eq=False)
class Along:
    """A cell with named axes, and numbers for its sizes.

    Attributes:
        name: of the cell, or of its file under ``cells/axes``.
        text: its equations; empty where it has a file.
        sizes: ``[sizes]``.
        numbers: of units along each axis.
        output: what it returns.
        by_hand: its step; empty where its text is read.
        inputs: ``[inputs]``.
    """

    name: str
    text: str = ""
    sizes: Mapping[str, SizeEntry] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    output: tuple[str, ...] | None = None
    by_hand: Step | None = None
    inputs: Mapping[str, InputEntry] = field(default_factory=dict)

    @cached_property
    def cell(self) -> Cell:
        if not self.text:
            return symrnn.load(FILES / f"{self.name}.toml")
        return Cell.from_equations(self.text, name=self.name, sizes=self.sizes, output=self.output, inputs=self.inputs)

    @property
    def input(self) -> int:
        return self.numbers.get(INPUT, 3)

    @property
    def hidden(self) -> int:
        return self.numbers.get(HIDDEN, self.input if self.cell.input_is_hidden else 2)

    @property
    def own(self) -> dict[str, int]:
        """The numbers of sizes that the cell names itself, as keywords."""
        return {name: number for name, number in self.numbers.items() if name not in (INPUT, HIDDEN)}

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The array of each name, in units."""
        numbers = {INPUT: self.input, HIDDEN: self.hidden, **self.own, "1": 1}
        shapes = {each.name: "*".join(each.shape).replace("'", "").split("*") for each in self.cell.variables}
        return {name: tuple(numbers[axis] for axis in axes) for name, axes in shapes.items()}

    @cached_property
    def step(self) -> Step:
        return self.by_hand or _Reading(self.cell, self.text, self.shapes).step

    def run(
        self,
        params: Arrays,
        x: Array,
        state: Arrays,
        lengths: Array | None = None,
        reverse: bool = False,
        inputs: Arrays | None = None,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outputs and final states, a row and a step at a time."""
        steps, batch, *_ = x.shape
        others = inputs or {}
        kind = np.result_type(x, *params.values(), *state.values(), *others.values())
        after = dict(zip(self.cell.returned, self.cell.output_values, strict=True))
        outputs = {name: np.zeros((steps, batch, *self.shapes[value]), kind) for name, value in after.items()}
        final = {name: np.array(array, kind) for name, array in state.items()}
        for row in range(batch):
            taken = range(steps if lengths is None else lengths[row])
            for t in reversed(taken) if reverse else taken:
                given = {**params, **{name: array[t, row] for name, array in others.items()}}
                found = self.step(given, x[t, row], {name: array[row].copy() for name, array in final.items()})
                for name, array in final.items():
                    array[row] = found[f"{name}'"]
                for name, value in after.items():
                    outputs[name][t, row] = found[value]
        return outputs, final


class _Value(NamedTuple):
    array: Array
    axes: tuple[str, ...]


def _stood(value: _Value, axes: tuple[str, ...]) -> Array:
    """A value along ``axes``, which are all of its own and more, of one unit where it has none."""
    array = value.array.transpose([value.axes.index(axis) for axis in axes if axis in value.axes])
    own = iter(array.shape)
    return array.reshape([next(own) if axis in value.axes else 1 for axis in axes])


_SUMMED = "+"
"""What the names of axes over which a product sums begin with."""


def _contracted(matrix: _Value, names: tuple[str, ...], value: _Value, of: tuple[str, ...]) -> _Value:
    """A matrix times a value by the names of their axes: what the value keeps, then what the matrix adds."""
    letters = {name: chr(ord("a") + place) for place, name in enumerate(dict.fromkeys((*of, *names)))}
    left = [name for name in letters if not name.startswith(_SUMMED)]
    told = ("".join(letters[name] for name in each) for each in (of, names, left))
    return _Value(np.einsum("{},{}->{}".format(*told), value.array, matrix.array), tuple(left))


def _together(function: Callable[..., Array], *values: _Value) -> _Value:
    """Arithmetic unit by unit, by the names of axes."""
    axes = tuple(dict.fromkeys(axis for value in values for axis in value.axes))
    return _Value(function(*(_stood(value, axes) for value in values)), axes)


def sigmoid(a: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-a)))


def logsigmoid(a: Array) -> Array:
    return np.asarray(-np.log1p(np.exp(-a)))


def softplus(a: Array) -> Array:
    return np.asarray(np.log1p(np.exp(a)))


def maximum(a: Array, b: Array) -> Array:
    return np.where(np.real(a) > np.real(b), a, b)


def absolute(a: Array) -> Array:
    return np.where(np.real(a) < 0, -a, a)


def _largest(a: Array, axis: int) -> Array:
    place = np.expand_dims(np.real(a).argmax(axis), axis)
    return np.take_along_axis(a, place, axis).squeeze(axis)


_FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    "sigmoid": sigmoid,
    "softplus": softplus,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "exp": np.exp,
    "maximum": maximum,
}
_REDUCTIONS: Mapping[str, Callable[[Array, int], Array]] = {
    "sum": lambda a, axis: np.asarray(a.sum(axis)),
    "mean": lambda a, axis: np.asarray(a.mean(axis)),
    "max": _largest,
    "logsumexp": lambda a, axis: np.asarray(np.log(np.exp(a).sum(axis))),
}
_OPERATORS: Mapping[type, Callable[..., Array]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}


class _Reading:
    """The equations of a cell, read by the names of axes; ``@`` stands in parentheses there."""

    def __init__(self, cell: Cell, text: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._equations = [
            (statement.targets[0].id.replace("_after", "'"), statement.value)
            for statement in ast.parse(text.replace("'", "_after")).body
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        ]
        self._shapes = shapes
        self._axes = {
            each.name: tuple(axis for axis in "*".join(each.shape).replace("'", "").split("*") if axis != "1")
            for each in cell.variables
        }

    def step(self, params: Arrays, x: Array, state: Arrays) -> Arrays:
        given = {**params, "x": x, **state}
        values = {name: self._held(name, array) for name, array in given.items()}
        found: dict[str, Array] = {}
        for target, right in self._equations:
            value, axes = self._of(right, values), self._axes[target]
            found[target] = np.broadcast_to(
                _stood(value, axes).reshape(_stood(value, axes).shape or (1,)), self._shapes[target]
            )
            values[target] = self._held(target, found[target])
        before = [name for name in state if name.endswith("_previous")]
        return {**found, **{f"{name}'": given[name.removesuffix("_previous")] for name in before}}

    def _held(self, name: str, array: Array) -> _Value:
        return _Value(array if self._axes[name] else array.reshape(()), self._axes[name])

    def _of(self, node: ast.expr, values: Mapping[str, _Value]) -> _Value:
        match node:
            case ast.Name(name):
                return values[name.replace("_after", "'")]
            case ast.Constant(int() | float() as number):
                return _Value(np.array(number), ())
            case ast.UnaryOp(ast.USub(), operand):
                return _together(np.negative, self._of(operand, values))
            case ast.BinOp(ast.Name(name), ast.MatMult(), operand):
                matrix, value = values[name], self._of(operand, values)
                assert value.axes[-1:] == matrix.axes[-1:]
                return _contracted(matrix, (*matrix.axes[:-1], _SUMMED), value, (*value.axes[:-1], _SUMMED))
            case ast.BinOp(ast.Attribute(ast.Name(name), "T"), ast.MatMult(), operand):
                matrix, value = values[name], self._of(operand, values)
                rows = [f"{_SUMMED}{axis}" for axis in matrix.axes[:-1]]
                assert value.axes[-len(rows) :] == matrix.axes[:-1]
                return _contracted(matrix, (*rows, matrix.axes[-1]), value, (*value.axes[: -len(rows)], *rows))
            case ast.BinOp(left, operator, right):
                return _together(_OPERATORS[type(operator)], self._of(left, values), self._of(right, values))
            case ast.Call(ast.Name(name), [operand, ast.Name(axis)]) if name in _REDUCTIONS:
                value = self._of(operand, values)
                place = value.axes.index(axis)
                left_over = value.axes[:place] + value.axes[place + 1 :]
                return _Value(_REDUCTIONS[name](value.array, place), left_over)
            case ast.Call(ast.Name("softmax"), [operand, ast.Name(axis)]):
                value = self._of(operand, values)
                powers = np.exp(value.array)
                return _Value(powers / powers.sum(value.axes.index(axis), keepdims=True), value.axes)
            case ast.Call(ast.Name(name), [operand]) if name in _REDUCTIONS:
                return _Value(_REDUCTIONS[name](self._of(operand, values).array.ravel(), 0), ())
            case ast.Call(ast.Name("previous"), [ast.Name(name)]):
                return values[f"{name}_previous"]
            case ast.Call(ast.Name(name), arguments):
                return _together(_FUNCTIONS[name], *(self._of(each, values) for each in arguments))
        raise TypeError(ast.dump(node))


def _mamba(p: Arrays, x: Array, state: Arrays) -> Arrays:
    dt, b, c = softplus(p["T"] @ x + p["b"]), p["B"] @ x, p["C"] @ x
    s = np.empty(state["s"].shape, np.result_type(dt, state["s"], p["a"], p["B"]))
    for unit in range(len(x)):
        decay = np.exp(-dt[unit] * np.exp(p["a"][unit]))
        s[unit] = decay * state["s"][unit] + dt[unit] * x[unit] * b
    return {"s'": s, "y": s @ c + p["D"] * x}


def _mlstm(p: Arrays, x: Array, state: Arrays) -> Arrays:
    heads: list[Arrays] = []
    for j in range(len(p["b_i"])):
        q, k, v = (p[f"W_{g}"][j] @ x + p[f"b_{g}"][j] for g in "qkv")
        k = k / 8
        i_tilde, f_tilde = p["W_i"][j] @ x + p["b_i"][j], p["W_f"][j] @ x + p["b_f"][j]
        m = maximum(logsigmoid(f_tilde) + state["m"][j], i_tilde)
        i, f = np.exp(i_tilde - m), np.exp(logsigmoid(f_tilde) + state["m"][j] - m)
        c, n = f * state["C"][j] + i * np.outer(v, k), f * state["n"][j] + i * k
        h = sigmoid(p["W_o"][j] @ x + p["b_o"][j]) * (c @ q) / maximum(absolute(n @ q), np.exp(-m))
        heads.append({"m'": m, "C'": c, "n'": n, "h": h})
    return {name: np.array([head[name] for head in heads]) for name in heads[0]}


def _delta_rule(p: Arrays, x: Array, state: Arrays) -> Arrays:
    k, q, v = p["W_k"] @ x, p["W_q"] @ x, p["W_v"] @ x
    beta, alpha = sigmoid(p["w_beta"] @ x), sigmoid(p["w_alpha"] @ x + p["b_alpha"])
    r = alpha * state["S"]
    after = r + beta * np.outer(v - r @ k, k)
    return {"S'": after, "y": after @ q}


def _lstm_heads(p: Arrays, x: Array, state: Arrays) -> Arrays:
    c, h = (np.empty(state["c"].shape, np.result_type(x, *p.values(), *state.values())) for _ in "ch")
    for j in range(len(h)):
        i, f, z, o = (p[f"W_{g}"][j] @ x + p[f"R_{g}"][j] @ state["h"][j] + p[f"b_{g}"][j] for g in "ifzo")
        c[j] = sigmoid(f) * state["c"][j] + sigmoid(i) * np.tanh(z)
        h[j] = sigmoid(o) * np.tanh(c[j])
    return {"c'": c, "h'": h}


def _rg_lru(p: Arrays, x: Array, state: Arrays) -> Arrays:
    h = np.empty(state["h"].shape, np.result_type(x, *p.values(), *state.values()))
    for j in range(len(h)):
        r, i = (sigmoid(p[f"W_{g}"][j] @ x[j] + p[f"b_{g}"][j]) for g in "ax")
        log_a = -8 * softplus(p["lam"][j]) * r
        h[j] = np.exp(log_a) * state["h"][j] + np.sqrt(1 - np.exp(2 * log_a)) * i * x[j]
    return {"h'": h}


PUBLISHED = (
    Along("mamba_step", numbers={INPUT: 5, "state": 3}, by_hand=_mamba),
    Along("mlstm_heads", numbers={"head": 2, "key": 3, "value": 5}, by_hand=_mlstm),
    Along("gated_deltanet", numbers={"value": 5, "key": 3}, by_hand=_delta_rule),
    Along("lstm_heads", numbers={INPUT: 2, "head": 2, "unit": 3}, by_hand=_lstm_heads),
    Along(
        "rg_lru_blocks",
        "r = sigmoid(W_a @ x + b_a)\n"
        "i = sigmoid(W_x @ x + b_x)\n"
        "log_a = -8 * softplus(lam) * r\n"
        "h' = exp(log_a) * h + sqrt(1 - exp(2 * log_a)) * i * x",
        {**{name: ["block", "unit"] for name in "xh"}, **{f"W_{gate}": ["block", "unit", "unit"] for gate in "ax"}},
        {"block": 3, "unit": 2},
        by_hand=_rg_lru,
    ),
)
"""Published cells, with what they compute written down by hand."""

_VK: Mapping[str, SizeEntry] = {"S": ["value", "key"], "V": ["value", "input"], "K": ["key", "input"]}
_HVK: Mapping[str, SizeEntry] = {"S": ["head", "value", "key"], "K": ["key", "input"], "V": ["value", "input"]}
_TWO, _THREE = {"value": 3, "key": 5}, {"head": 3, "value": 2, "key": 5}

OWN = (
    Along(  # two reductions of one gradient, at different stages
        "held_back",
        "S' = tanh(logsumexp(S) + p + sum(w * x))\ny = sum(S + q, value)",
        {"S": ["value", "key"], "p": 1, "w": "input", "q": ["value", "key"]},
        _TWO,
        output=("y",),
    ),
    Along(
        "state_alone",
        "S' = tanh(a * S + (V @ x) * (K @ x))",
        {**_VK, "a": ["value", "key"]},
        _TWO,
    ),
    Along(
        "two_outputs",
        "S' = sin(a * S + (V @ x) * (K @ x))\ny = sum(S' * q, key) + b",
        {**_VK, "a": "key", "q": "key"},
        _TWO,
        output=("y", "S"),
    ),
    Along(
        "subsets",
        "S' = sin(a_h * a_v * a_k * S + a_hk * a_hv + a_vk * (H @ x) + (K @ x) * (V @ x))\n"
        "y = mean(S' * a_vk, value) + sum(S' * a_hv, value) * a_h",
        {
            **_HVK,
            "H": ["head", "input"],
            **{"a_h": "head", "a_v": "value", "a_k": "key"},
            **{"a_hk": ["head", "key"], "a_hv": ["head", "value"], "a_vk": ["value", "key"]},
        },
        _THREE,
        output=("y",),
    ),
    Along(
        "reductions",
        "top = max(S, head) + mean(S, value) * logsumexp(K @ x)\n"
        "S' = sin(S * (K @ x) + (V @ x) * g + sum(S, key) / 9 - max(S, value) + logsumexp(S, head))\n"
        "y = mean(max(S', key), value) + logsumexp(sum(S', value), key) + sum(mean(S', head), value) * w\n"
        "z = max(logsumexp(S', head), key) + logsumexp(mean(S', key), head) + max(S') + mean(S') * sum(top)",
        {**_HVK, "top": ["head", "value", "key"], "g": "head", "w": 1, "y": ["head", "key"], "z": "value"},
        _THREE,
        output=("y", "z"),
    ),
    Along(
        "form_and_bias",
        "q = (Q @ x) + b\nS' = cos(q * (W @ x) + (V @ x) * S + c * u)\ny = sum(S' * q, key)",
        {
            "S": ["head", "value", "key"],
            "q": ["head", "key"],
            "Q": ["head", "key", "input"],
            "W": ["head", "value", "key", "input"],
            "V": ["value", "input"],
            "b": "head",
            "c": ["value", "key"],
            "u": 1,
        },
        _THREE,
        output=("y",),
    ),
    Along(
        "parameters_alone",
        "A = -exp(a)\nt = softplus(A + b)\nS' = t * S + (V @ x) * exp(A)\ny = max(S' * t, value)",
        {**{name: _VK[name] for name in "SV"}, "a": ["value", "key"], "b": "key"},
        _TWO,
        output=("y",),
    ),
    Along(
        "one_number",
        "n' = sigmoid(sum(w * x) + n)\nS' = n' * S + n * (V @ x) * k + u\ny = max(S', key) * n' + sum(S')",
        {**{name: _VK[name] for name in "SV"}, "n": 1, "k": "key", "u": 1},
        _TWO,
        output=("y",),
    ),
    Along(
        "states_that_are_reductions",
        "S' = sin(a * S + (V @ x) * (K @ x))\nn' = sum(S' * k, key)\nm' = max(S, value)\ny = n' * b + n * sum(S * m, key)",
        {**_VK, "a": "key", "k": "key", "n": "value", "m": "key"},
        _TWO,
        output=("y",),
    ),
    Along(
        "input_is_hidden",
        "h' = tanh(h + x + sum(S * k, key))\nS' = S * a + x * (K @ h')",
        {"S": ["hidden", "key"], "K": ["key", "hidden"], "k": "key", "a": "key"},
        {INPUT: 5, "key": 3},
        output=("h",),
    ),
    Along(
        "one_axis_by_an_equation_below",
        "S' = a * S + x\nT' = sin(T + S * k)\nh' = tanh(h + x + b + sum(T', key))",
        {"S": ["input", "key"], "T": ["hidden", "key"], "k": "key", "a": "key"},
        {INPUT: 5, "key": 3},
        output=("h",),
    ),
    Along(
        "inputs_with_axes",
        "S' = tanh(a * S + k * (V @ x) + v * m)\ny = sum(S' * q, key)\nz = max(k, head) + w * q",
        {"S": ["head", "value", "key"], "V": ["value", "input"], "a": ["head", "value", "key"], "w": "key"},
        _THREE,
        output=("y", "z"),
        inputs={
            "k": ["head", "key"],
            "m": {"size": ["head", "value", "key"], "gradient": False},
            "v": ["head", "value"],
            "q": "key",
        },
    ),
    Along(
        "x_with_axes",
        "p' = p * d + x\nS' = sin(a * S + x * k + b * previous(x) + W @ u)\ny = sum(S' * p', key) + sum(x * b)",
        {"x": ["head", "value"], "S": ["head", "value", "key"], "k": "key", "b": ["head", "value"]},
        _THREE,
        output=("y", "S"),
        inputs={"u": "input"},
    ),
    Along(
        "matrices_of_axes",
        "q = W @ S + (Q @ x) + (W @ k)\n"
        "S' = tanh(a * S + b * (W.T @ (q * q)) + (K @ x) + W.T @ (m * m))\n"
        "y = sum((W @ S') * q, head) + max(R @ S', rank) + R.T @ (R @ S) * n\n"
        "z = P @ sum(W @ (W.T @ q), head)",
        {
            "S": ["head", "key"],
            "W": ["value", "key"],
            "R": ["rank", "value", "key"],
            "Q": ["head", "value", "input"],
            "K": ["head", "key", "input"],
            "P": ["out", "value"],
            "q": ["head", "value"],
            "y": ["head", "value", "key"],
            **{"a": "key", "k": "key", "m": "value", "n": "key", "b": ["head", "key"]},
        },
        {"head": 3, "value": 2, "key": 5, "rank": 2, "out": 3},
        output=("y", "z"),
    ),
    Along(
        "matrices_square_and_apart",
        "q = (W @ S) + (W.T @ (S * a)) * k\n"
        "p = (B @ S) + (B @ k) + (W.T @ k) * sum(a)\n"
        "S' = tanh(a * S + b * (W @ q) + (K @ x) + (W @ k))\n"
        "h' = sin((R @ h) + (R @ m) + (V @ x) + sum(p, value))\n"
        "y = sum((W.T @ (W @ S')) * p, value) + R @ (R @ h')\n"
        "z = Q @ (W @ sum(W.T @ q, head))",
        {
            **{name: ["head", "key"] for name in ("S", "h", "q", "b", "y")},
            "W": ["key", "key"],
            "R": ["head", "key", "key"],
            "B": ["head", "value", "key"],
            "K": ["head", "key", "input"],
            "V": ["head", "key", "input"],
            "Q": ["out", "key"],
            "p": ["head", "value", "key"],
            **{"a": "key", "k": "key", "m": "key"},
        },
        {"head": 3, "value": 2, "key": 4, "out": 3},
        output=("y", "z"),
    ),
    Along(
        "square_matrices_of_the_input",
        "T' = tanh(T + (H @ T) + (V @ x))\nS' = cos((A @ S) * x + (A.T @ x) + sum(H.T @ T'))\ny = mean(A @ (A @ S'), input)",
        {
            "S": ["value", "input"],
            "T": ["value", "hidden"],
            "A": ["input", "input"],
            "H": ["hidden", "hidden"],
            "V": ["value", "hidden", "input"],
        },
        {INPUT: 4, HIDDEN: 3, "value": 2},
        output=("y",),
    ),
    Along(
        "square_matrix_of_several_rows",
        "q = R @ S\nS' = tanh(a * S + (R.T @ (q * q)) + (K @ x) + (R.T @ m))\ny = max(R @ (R.T @ q), rank)",
        {
            "S": ["head", "key"],
            "R": ["rank", "key", "key"],
            "K": ["head", "key", "input"],
            "q": ["head", "rank", "key"],
            "m": ["rank", "key"],
            "a": "key",
        },
        {"head": 3, "rank": 2, "key": 4},
        output=("y",),
    ),
    Along(
        "square_matrix_by_an_equation_below",
        "S' = sin((A @ S) + (A.T @ (S * k)))\nh' = tanh(h + x + sum(S', value))",
        {"S": ["value", "input"], "A": ["hidden", "input"], "k": "value"},
        {INPUT: 4, "value": 3},
        output=("h",),
    ),
    Along(
        "softmax_over_axes",
        "p = softmax(S * k + (K @ x), head)\n"
        "S' = sin(a * S + softmax(p * b + V @ x, key)) + softmax(S, value)\n"
        "y = sum(S' * softmax(k, key), key) + softmax(g * 2, value)",
        {
            **_HVK,
            "p": ["head", "value", "key"],
            "V": ["head", "value", "key", "input"],
            "k": "key",
            "g": ["head", "value"],
        },
        _THREE,
        output=("y",),
    ),
    Along(
        "x_with_the_hidden_size",
        "h' = tanh(b * h + sum(x * w, tap) + U @ h) + sum(x)",
        {"x": ["tap", "hidden"], "w": "tap"},
        {"tap": 3, HIDDEN: 5},
    ),
)
"""Cells of the tests' own: axes in subsets, reductions over every one of them, matrices with axes of rows."""

EVERY = (*PUBLISHED, *OWN)
