"""Measurements of a gradient's way back through one run: plain arrays of logarithms.

Leaves out: how they are computed and what they offer a person (`symrnn.flow.flow`), text and figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symrnn.derive.evaluate import Array
from symrnn.flow.bounds import Bound, Direct
from symrnn.language.cell import Cell


@dataclass(frozen=True)
class PathFlow:
    """The gradient that one term of the step Jacobian carries, ``termᵀ g``.

    Attributes:
        output: the state whose next value the path ends in.
        input: the state that it starts from.
        text: the term in plain text: ``diag(f)``.
        latex: the term.
        direct: whether no matrix and no reduction crosses it.
        log: ln of the length of ``termᵀ ∂L/∂output``, ``(T, B)``: entry t is the step from t to t + 1.
        share: that length among those of all terms of the step, which add up to 1; nan where all are zero.
    """

    output: str
    input: str
    text: str
    latex: str
    direct: bool
    log: Array
    share: Array


@dataclass(frozen=True)
class Measured:
    """Gradient flow of one run of T steps and B rows. Logarithms are natural; that of zero is -inf.

    Attributes:
        cell: its name.
        sizes: the number behind each size name.
        steps: T.
        batch: B.
        log_gradient: ln ‖∂L/∂s_t‖ of all states together, ``(T + 1, B)``; entry t belongs to the states after step t, so
            entry T - d to the distance d.
        log_gradients: the same for each state separately.
        paths: for each term of each block of the step Jacobian, the gradient that it carries.
        gradients: the gradient by each parameter.
        log_sigma: ln of the largest singular value of the step Jacobian of each step, ``(T, B)``.
        distances: of the products, ``(D,)``, in steps before the end.
        log_sigma_product: ln of the largest singular value of the product of the last ``d`` step Jacobians, ``(D, B)``.
        lyapunov: the largest Lyapunov exponents of the run, per step, ``(B, k)``, the largest first.
        bounds: upper bounds on the norms of the blocks of the step Jacobian.
        log_bound: ln of an upper bound on the norm of the whole step Jacobian, ``(T, B)``.
        direct: the paths straight through time.
        spectrum: ln of all singular values of each step Jacobian, ``(T, B, n)``; None if not requested.
        spectrum_product: ln of all singular values of the products, ``(D, B, n)``; None if not requested.
    """

    cell: Cell
    sizes: Mapping[str, int]
    steps: int
    batch: int
    log_gradient: Array = field(repr=False)
    log_gradients: Mapping[str, Array] = field(repr=False)
    paths: tuple[PathFlow, ...] = field(repr=False)
    gradients: Mapping[str, Array] = field(repr=False)
    log_sigma: Array = field(repr=False)
    distances: Array = field(repr=False)
    log_sigma_product: Array = field(repr=False)
    lyapunov: Array = field(repr=False)
    bounds: tuple[Bound, ...] = field(repr=False)
    log_bound: Array = field(repr=False)
    direct: tuple[Direct, ...] = field(repr=False)
    spectrum: Array | None = field(default=None, repr=False)
    spectrum_product: Array | None = field(default=None, repr=False)
