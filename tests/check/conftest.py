"""A hand-written layer with the public surface, right or with one fault: oracles must pass it, or catch the fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from symrnn.language.cell import Cell
from symrnn.language.system import Equation, Role, Variable
from symrnn.language.tree import Binary, Call, Expression, MatVec, Name, Number

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Mapping[str, Array]


def _sum(*terms: Expression) -> Expression:
    total = terms[0]
    for term in terms[1:]:
        total = Binary("+", total, term)
    return total


@pytest.fixture(scope="session")
def tiny_cell() -> Cell:
    """``h' = tanh(W_xh @ x + W_hh @ h + b_h)`` as the parser would return it."""
    terms = (MatVec("W_xh", False, Name("x")), MatVec("W_hh", False, Name("h")), Name("b_h"))
    variables = (
        Variable("x", Role.INPUT, ("input",)),
        Variable("h", Role.STATE, ("hidden",)),
        Variable("W_xh", Role.PARAMETER, ("hidden", "input")),
        Variable("W_hh", Role.PARAMETER, ("hidden", "hidden")),
        Variable("b_h", Role.PARAMETER, ("hidden",)),
        Variable("h'", Role.NEXT, ("hidden",)),
    )
    return Cell(
        inputs=("x", "h", "W_xh", "W_hh", "b_h"),
        outputs=("h'",),
        equations=(Equation("1", "h'", Call("tanh", (_sum(*terms),)), "1"),),
        variables=variables,
        name="tiny",
        returned=("h",),
    )


@pytest.fixture(scope="session")
def kinked_cell(tiny_cell: Cell) -> Cell:
    """The same inside ``maximum(…, -2)``: not smooth, though it never meets a kink."""
    (equation,) = tiny_cell.equations
    expression = Call("maximum", (equation.expression, Number(Fraction(-2), "-2")))
    return Cell(
        inputs=tiny_cell.inputs,
        outputs=tiny_cell.outputs,
        equations=(Equation("1", "h'", expression, "1"),),
        variables=tiny_cell.variables,
        name="kinked",
        returned=("h",),
    )


@dataclass(frozen=True)
class Tape:
    """The tape of the hand-written backward pass."""

    x: Array
    before: Array
    after: Array
    active: Array
    index: Array
    states: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class TinyKernels:
    """The layer of `tiny_cell` by hand; ``fault`` names the one thing that is wrong with it."""

    fault: str = ""

    def param_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        rows = hidden_size + (self.fault == "shapes")
        return {"W_xh": (rows, input_size), "W_hh": (hidden_size, hidden_size), "b_h": (hidden_size,)}

    def pack(self, params: Arrays) -> Arrays:
        return dict(params)

    def forward(
        self, params: Arrays, x: Array, state: Arrays | None = None, lengths: Array | None = None, reverse: bool = False
    ) -> tuple[Array, Arrays, Tape]:
        steps, batch = x.shape[:2]
        kind = np.result_type(x, *params.values())
        h = np.zeros((batch, len(params["b_h"])), kind) if state is None else state["h"].astype(kind)
        limit = np.full(batch, steps) if lengths is None else lengths
        y = np.zeros((steps, *h.shape), kind)
        active = np.arange(steps)[:, np.newaxis] < limit
        x = np.where(active[..., np.newaxis], x, 0)
        index = np.arange(steps)[:, np.newaxis] + np.zeros(batch, int)
        if reverse and self.fault != "reverse":
            index = np.where(active, limit - 1 - index, index)
        rows, before, after = np.arange(batch), np.zeros_like(y), np.zeros_like(y)
        for k in range(steps):
            before[k] = h
            new = np.tanh(x[index[k], rows] @ params["W_xh"].T + h @ params["W_hh"].T + params["b_h"])
            new = new * (1 + 1e-9) if self.fault == "forward" else new
            new = new.astype(np.float16).astype(kind) if self.fault == "half" and kind == np.float32 else new
            after[k] = new
            keep = active[k][:, np.newaxis]
            h = np.where(keep, new, h)
            y[index[k], rows] = new if self.fault == "padding" else np.where(keep, new, 0)
        over_time = np.concatenate([before, h[np.newaxis]])
        return y, {"h": h}, Tape(x, before, after, active, index, {"h": over_time})

    def backward(self, params: Arrays, tape: Tape, dy: Array, dstate: Arrays | None = None) -> SimpleNamespace:
        use_final = dstate is not None and self.fault != "final"
        dh = dstate["h"] if use_final and dstate is not None else np.zeros_like(tape.states["h"][0])
        grads = {name: np.zeros_like(value) for name, value in params.items()}
        dx, rows = np.zeros_like(tape.x), np.arange(tape.x.shape[1])
        for k in reversed(range(len(dy))):
            keep = tape.active[k][:, np.newaxis] | (self.fault == "lengths")
            slope = 1 - tape.after[k] if self.fault == "slope" else 1 - tape.after[k] ** 2
            da = np.where(keep, (dh + dy[tape.index[k], rows]) * slope, 0)
            dx[tape.index[k], rows] += da @ params["W_xh"]
            grads["W_xh"] += da.T @ tape.x[tape.index[k], rows]
            grads["W_hh"] += da.T @ tape.before[k]
            grads["b_h"] += da.sum(0)
            dh = np.where(keep, da @ (params["W_hh"].T if self.fault == "transpose" else params["W_hh"]), dh)
        grads["W_hh"] *= -1 if self.fault == "sign" else 1
        if self.fault == "missing":
            del grads["b_h"]
        if self.fault == "wide":
            grads["b_h"] = grads["b_h"].astype(np.float64)
        if self.fault == "flat":
            grads["W_xh"] = grads["W_xh"].ravel()
        if self.fault == "nan" and dx.size:
            dx[0, 0] = np.nan
        return SimpleNamespace(params=grads, x=dx, state={"h": dh})

    def infer(
        self, params: Arrays, x: Array, state: Arrays | None = None, lengths: Array | None = None, reverse: bool = False
    ) -> tuple[Array, Arrays]:
        y, final, _ = self.forward(params, x, None if self.fault == "infer" else state, lengths, reverse)
        return y, final

    def jvp(
        self, params: Arrays, x: Array, state: Arrays | None, dparams: Arrays, dx: Array, dstate: Arrays
    ) -> tuple[Array, Arrays]:
        _, _, tape = self.forward(params, x, state)
        dh, dy = dstate["h"], np.zeros_like(tape.after)
        for k in range(len(x)):
            da = dx[k] @ params["W_xh"].T + x[k] @ dparams["W_xh"].T + dparams["b_h"] + dh @ params["W_hh"].T
            if self.fault != "tangent":
                da += tape.before[k] @ dparams["W_hh"].T
            dh = dy[k] = da * (1 - tape.after[k] ** 2)
        return dy, {"h": dh}

    def step(self, params: Arrays, x_t: Array, state: Arrays | None = None) -> tuple[Array, Arrays]:
        y, final, _ = self.forward(params, x_t[np.newaxis], None if self.fault == "step" else state)
        return y[0], final

    def stream(self, packed: Arrays, batch: int = 1) -> TinyStream:
        return TinyStream(self, packed, batch)


class TinyStream:
    """The layer of `tiny_cell` step by step."""

    def __init__(self, kernels: TinyKernels, packed: Arrays, batch: int) -> None:
        self._kernels = kernels
        self._packed = packed
        h = np.zeros((batch, len(packed["b_h"])), packed["b_h"].dtype)
        self.state: Arrays = {"h": h}

    def __call__(self, x_t: Array) -> Array:
        y_t, self.state = self._kernels.step(self._packed, x_t, None if self._kernels.fault == "stream" else self.state)
        return y_t


@pytest.fixture(scope="session")
def tiny_kernels() -> Callable[..., TinyKernels]:
    """The hand-written layer with the named fault, or without one."""
    return TinyKernels
