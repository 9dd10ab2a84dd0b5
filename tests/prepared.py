"""Cells that prepare parameters, for the tests of every stage, and what each prepares, in NumPy by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symrnn.language.cell import Cell

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Prepares:
    """A cell, and what it prepares.

    Attributes:
        name: of the cell.
        text: its equations.
        values: what is prepared, from the parameters.
        options: other arguments of `Cell.from_equations`.
    """

    name: str
    text: str
    values: Callable[[Arrays], dict[str, Array]]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cell(self) -> Cell:
        return Cell.from_equations(self.text, name=self.name, **self.options)


def _weight_norm(p: Arrays) -> dict[str, Array]:
    return {"V": p["g"][:, None] * p["W"] / np.sqrt((p["W"] ** 2).sum(axis=1))[:, None]}


def _norms(p: Arrays) -> dict[str, Array]:
    n = np.sqrt((p["U"] ** 2).sum(axis=1))
    return {"n": n, "V": p["g"][:, None] * p["U"] / n[:, None]}


def _columns(p: Arrays) -> dict[str, Array]:
    n, m = (p["W"] ** 2).sum(axis=0), (p["W"] * p["c"]).mean(axis=1)
    return {"V": p["W"] / n + m[:, None]}


def _skew(p: Arrays) -> dict[str, Array]:
    return {"U_prepared": p["U"] - p["U"].T}


def _made(p: Arrays) -> dict[str, Array]:
    q = p["B"] @ p["v"]
    return {"V": p["W"] * q[:, None] + np.eye(len(q))}


PREPARED = (
    Prepares("weight_norm", "V = g * W / sqrt(sum(W**2, input))\nh' = tanh(V @ x + U @ h + b)", _weight_norm),
    Prepares(
        "frobenius",
        "V = k * W / sqrt(mean(W**2))\nh' = tanh(V @ x + U @ h + b)",
        lambda p: {"V": p["k"] * p["W"] / np.sqrt((p["W"] ** 2).mean())},
        {"sizes": {"k": 1}},
    ),
    Prepares(
        "masked",
        "V = M * tanh(W + b)\nh' = tanh(V @ x + U @ h + b)",
        lambda p: {"V": p["M"] * np.tanh(p["W"] + p["b"][:, None])},
    ),
    Prepares(
        "low_rank",
        "V = A.T @ B\nh' = tanh(V @ x + U @ h + b)",
        lambda p: {"V": p["A"].T @ p["B"]},
        {"sizes": {"A": ["rank", "hidden"]}},
    ),
    Prepares(
        "antisymmetric",
        "A = U - U.T - gamma * eye\nh' = h + 0.1 * tanh(V @ x + A @ h + b)",
        lambda p: {"A": p["U"] - p["U"].T - 0.25 * np.eye(len(p["U"]))},
        {"constants": {"gamma": 0.25}},
    ),
    Prepares("unnamed", "h' = h + 0.1 * tanh(V @ x + (U - U.T) @ h + (U - U.T).T @ h**2)", _skew),
    Prepares("norms", "n = sqrt(sum(U**2, columns))\nV = g * U / n\nh' = tanh(n * (W @ x) + V @ h + g)", _norms),
    Prepares(
        "both_axes",
        "n = sum(W**2, rows)\nm = mean(W * c, columns)\nV = W / n + m\nh' = tanh(V @ x + U @ h)",
        _columns,
        {"sizes": {"c": "input"}},
    ),
    Prepares("partly_fixed", "q = B @ v\nV = W * q + eye\nh' = tanh(V @ h + C @ x)", _made, {"fixed": ["B"]}),
    Prepares("two_of_one", "V = A + B\nh' = tanh(V @ x + U @ h)", lambda p: {"V": p["A"] + p["B"]}),
)
"""One for each rule: vectors along rows and columns, reductions over each axis and all, products, transposes, the identity."""
