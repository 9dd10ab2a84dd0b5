r"""Bounds on the norm of a step Jacobian in symbols, and the paths that no matrix crosses.

Reads the paths of a run; returns bounds as text, as LaTeX and as numbers. Each term of a Jacobian is a product, so the
product of its factors' norms bounds it: the largest entry of a diagonal, the largest singular value of a matrix. Terms
that are diagonals alone are added up first. For ``tanh(W x + U h + b)`` the bound is ``max|1 - h'²| σ_max(U)``. Leaves
out: tighter bounds that a particular cell may have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from symrnn.derive.evaluate import Array, evaluate, floats
from symrnn.derive.factors import Diag, Factor, Identity, Linear, Matrix, Ones, OnesRow, Ref, Repeat, Term, is_direct
from symrnn.derive.factors import to_latex as sum_latex
from symrnn.derive.jacobian import Jacobian
from symrnn.flow.gradient import log
from symrnn.flow.paths import StepPaths
from symrnn.flow.trajectory import Trajectory
from symrnn.language.text import to_text
from symrnn.language.tree import Binary, Expression, integer
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.symbols import size_latex
from symrnn.language.vectors import VECTORS


@dataclass(frozen=True)
class Bound:
    """An upper bound on the spectral norm of one Jacobian within a step.

    Attributes:
        output: a next state, or a value that several paths share.
        input: a state.
        text: the bound in plain text; ``|J[a, b]|`` is another bound's Jacobian.
        latex: the inequality.
        log: ln of the bound at every step, ``(T, B)``.
    """

    output: str
    input: str
    text: str
    latex: str
    log: Array


@dataclass(frozen=True)
class Direct:
    """The path of one state straight through time: from each unit to itself, without any matrix.

    Attributes:
        state: its name.
        text: the diagonal of one step in plain text.
        latex: the product over steps.
        diagonal: the diagonal at every step, ``(T, B, size)``.
        log: ln of the largest entry of the product of the steps after t, ``(T + 1, B)``: the gradient's way along this
            path alone, from the end of the run back to the state after step t.
    """

    state: str
    text: str
    latex: str
    diagonal: Array
    log: Array


def bounds_of(paths: StepPaths) -> tuple[Bound, ...]:
    """The bounds of every block of the step Jacobian, each after those that it reads."""
    norms = _Norms(paths.trajectory)
    found: dict[tuple[str, str], Bound] = {}
    for jacobian in paths.jacobians.values():
        for each in (*jacobian.parts, jacobian):
            key = (each.output, each.input)
            if key not in found:
                found[key] = norms.bound(each, found)
    return tuple(found.values())


def bound_of_step(paths: StepPaths, bounds: tuple[Bound, ...]) -> Array:
    """Ln of a bound on the norm of the whole step Jacobian: the norm of the matrix of its blocks' bounds."""
    trajectory = paths.trajectory
    places = {state: place for place, state in enumerate(trajectory.cell.states)}
    blocks = np.full((trajectory.steps, trajectory.batch, len(places), len(places)), -np.inf)
    by_pair = {(bound.output, bound.input): bound.log for bound in bounds}
    for (after, before), jacobian in paths.jacobians.items():
        blocks[..., places[after], places[before]] = by_pair[jacobian.output, jacobian.input]
    largest = blocks.max(axis=(-2, -1))
    scale = np.where(np.isfinite(largest), largest, 0.0)
    return log(np.linalg.norm(np.exp(blocks - scale[..., np.newaxis, np.newaxis]), 2, axis=(-2, -1))) + scale


def direct_of(paths: StepPaths) -> tuple[Direct, ...]:
    """The direct path of every state that has one from itself to itself."""
    found = []
    for (after, before), jacobian in paths.jacobians.items():
        if after == before and jacobian.direct:
            found.append(_direct(paths.trajectory, before, jacobian))
    return tuple(found)


def _direct(trajectory: Trajectory, state: str, jacobian: Jacobian) -> Direct:
    total = _diagonal(jacobian.direct)
    value = evaluate(total, trajectory.known, trajectory.sizes, floats())
    diagonal = np.broadcast_to(value, (trajectory.steps, trajectory.batch, trajectory.width(state)))
    logs = log(np.abs(diagonal))
    summed = np.zeros((trajectory.steps + 1, *diagonal.shape[1:]))
    summed[:-1] = np.cumsum(logs[::-1], axis=0)[::-1]
    latex = rf"\prod_t \left( {sum_latex(jacobian.direct, '', jacobian.notation)} \right)"
    return Direct(state, to_text(total), latex, diagonal, summed.max(axis=-1))


def _diagonal(terms: tuple[Term, ...]) -> Expression:
    """The sum of terms that are diagonals, as one expression."""
    total: Expression | None = None
    for term in terms:
        product: Expression = integer(1)
        for factor in term:
            if isinstance(factor, Diag):
                product = factor.expression if product == integer(1) else Binary("*", product, factor.expression)
        total = product if total is None else Binary("+", total, product)
    assert total is not None
    return total


@dataclass(frozen=True)
class _Norm:
    """A factor's norm: text, LaTeX, and ln of the number, which may differ from step to step."""

    text: str
    latex: str
    log: Array


class _Norms:
    """Norms of factors on a run; those of matrices are computed once."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._values = trajectory.known
        self._sigma: dict[str, float] = {}

    def bound(self, jacobian: Jacobian, known: Mapping[tuple[str, str], Bound]) -> Bound:
        """The sum over terms of the products of norms; all direct terms count as one diagonal."""
        notation = jacobian.notation
        terms: list[list[_Norm]] = []
        direct = [term for term in jacobian.terms if is_direct(term)]
        if direct:
            terms.append([self._entry(_diagonal(tuple(direct)), notation)])
        for term in jacobian.terms:
            if not is_direct(term):
                terms.append([self._norm(factor, jacobian, known) for factor in term])
        shape = (self._trajectory.steps, self._trajectory.batch)
        total = np.full(shape, -np.inf)
        for norms in terms:
            total = np.logaddexp(total, np.broadcast_to(sum(norm.log for norm in norms), shape))
        latex = rf"\left\| {jacobian.left()} \right\| \le " + _joined(terms, lambda norm: norm.latex, r" \, ")
        return Bound(jacobian.output, jacobian.input, _joined(terms, lambda norm: norm.text, " * "), latex, total)

    def _norm(self, factor: Factor, jacobian: Jacobian, known: Mapping[tuple[str, str], Bound]) -> _Norm:
        notation = jacobian.notation
        match factor:
            case Diag(expression):
                return self._entry(expression, notation)
            case Matrix(name, _):
                if name not in self._sigma:
                    self._sigma[name] = float(np.linalg.norm(self._trajectory.params[name], 2))
                latex = rf"\sigma_{{\max}}({notation.matrix(name, False)})"
                return _Norm(f"sigma_max({name})", latex, log(np.array(self._sigma[name])))
            case OnesRow(size, True):
                root = math.sqrt(self._trajectory.sizes[size])
                return _Norm(f"1/sqrt({size})", rf"{size_latex(size)}^{{-1/2}}", np.array(-math.log(root)))
            case OnesRow(size) | Ones(size):
                root = math.sqrt(self._trajectory.sizes[size])
                return _Norm(f"sqrt({size})", rf"{size_latex(size)}^{{1/2}}", np.array(math.log(root)))
            case Repeat(averages=averages):
                size, sign = factor.along, -1 if averages else 1
                root = math.sqrt(self._trajectory.sizes[size])
                text = f"1/sqrt({size})" if averages else f"sqrt({size})"
                return _Norm(text, rf"{size_latex(size)}^{{{'-' * averages}1/2}}", np.array(sign * math.log(root)))
            case Linear(kind, size):
                # Of a triangle of ones; that of its transpose is the same.
                sigma = 1 / (2 * math.sin(math.pi / (4 * self._trajectory.sizes[size] + 2)))
                word = VECTORS[kind].matrix
                latex = rf"\sigma_{{\max}}(\operatorname{{{word}}}(\mathbf{{1}} \mathbf{{1}}^{{\top}}))"
                return _Norm(f"sigma_max({word}(ones))", latex, log(np.array(sigma)))
            case Ref(output):
                other = known[output, jacobian.input]
                latex = rf"\left\| {sum_latex(((factor,),), notation.name(jacobian.input), notation)} \right\|"
                return _Norm(f"|J[{output}, {jacobian.input}]|", latex, other.log)
            case Identity():
                return _Norm("1", "1", np.array(0.0))
            case _:
                raise AssertionError(f"{factor} is not a map between states")

    def _entry(self, expression: Expression, notation: Notation) -> _Norm:
        """The largest entry of a diagonal."""
        value = np.abs(evaluate(expression, self._values, self._trajectory.sizes, floats())).max(axis=-1)
        if expression == integer(1):
            return _Norm("1", "1", log(value))
        return _Norm(f"max|{to_text(expression)}|", rf"\max \left| {notation(expression)} \right|", log(value))


def _joined(terms: list[list[_Norm]], text: Callable[[_Norm], str], times: str) -> str:
    return " + ".join(times.join(text(norm) for norm in norms) for norms in terms)
