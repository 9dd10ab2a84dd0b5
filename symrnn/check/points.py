"""Typical points of a cell: parameters near ``[init]``, and states that it reaches from its own start.

Reads a cell and a case; returns a `Problem`. `symrnn.check.cases.draw` makes dense draws of both signs. Many cells are not
meant for those: a cell that takes the logarithm of a sum of exponentials needs a positive state. The interpreter computes the
states, so they are the same on every machine. Leaves out: which points count (`symrnn.check.suite`).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from symrnn.check.cases import POINTS, START, Case, Problem, draw, drawn_in, uniform
from symrnn.check.interpreter import Interpreted, interpret
from symrnn.check.measure import Array
from symrnn.errors import CheckError
from symrnn.language.cell import Cell
from symrnn.language.starts import DEFAULT, DOMAINS, kind_of, number_of, options_of

WARM_STEPS = 5
"""Steps from the start to the state that a case begins with."""
SPREAD = 0.25
"""The largest distance of a parameter from its number in ``[init]``, relative to that number."""
_EVIDENCE = Case(8, 4, 5, 6)
"""The run that shows which states keep one sign."""


def near_start(cell: Cell, case: Case) -> Problem:
    """The problem of ``case`` at parameters near ``[init]`` and, unless it is at rest, states that the cell reaches.

    A parameter that ``[init]`` does not mention is drawn as in every case. The cell starts from zeros, or if it cannot,
    from states between 1/2 and 3/2.

    Raises:
        CheckError: values are not finite from either start.
    """
    problem = draw(cell, case)
    rng = np.random.default_rng(zlib.crc32(f"{case.title} {START}".encode()))
    params = {name: _parameter(rng, cell, name, array) for name, array in problem.params.items()}
    problem = replace(problem, params=params, drawn=START)
    if problem.state is None:
        return problem
    states = _warmed_up(cell, problem, rng).state
    if case.others:  # few rows differ, as in the dense draw
        chosen = np.arange(case.batch) % POINTS
        states = {name: array[chosen] for name, array in states.items()}
        if problem.lengths is None:  # a row of its own length has its own inputs
            inputs = {name: array[:, chosen] for name, array in problem.inputs.items()}
            problem = replace(problem, x=problem.x[:, chosen], inputs=inputs)
    return replace(problem, state={name: _single(array) for name, array in states.items()})


def one_signed(cell: Cell) -> Mapping[str, float]:
    """The states that keep one sign, 1 or -1, when the cell runs from its start; none where it cannot."""
    problem = draw(cell, _EVIDENCE)
    rng = np.random.default_rng(zlib.crc32(START.encode()))
    params = {name: _parameter(rng, cell, name, array) for name, array in problem.params.items()}
    try:
        run = _warmed_up(cell, replace(problem, params=params), rng)
    except CheckError:
        return {}
    reached = {name: array[1:] for name, array in run.states.items()}
    return {
        name: float(sign)
        for name, array in reached.items()
        for sign in (1, -1)
        if np.all(sign * array >= 0) and np.any(array)
    }


def outside(cell: Cell, problem: Problem, signs: Mapping[str, float]) -> tuple[str, ...]:
    """The names whose values in ``problem`` have a sign that ``[init]``, or a run from the start, does not give them."""
    states = [name for name, sign in signs.items() if problem.state and np.any(sign * problem.state[name] < 0)]
    given = {name: number_of(cell.init.get(name, DEFAULT)) for name in problem.params}
    params = [name for name, start in given.items() if start and np.any(start * problem.params[name] < 0)]
    return (*states, *params)


def _warmed_up(cell: Cell, problem: Problem, rng: np.random.Generator) -> Interpreted:
    """A few steps from a start, all values finite."""
    batch = problem.x.shape[1]
    x = uniform(rng, (WARM_STEPS, *problem.x.shape[1:]))
    beside = {name: uniform(rng, (WARM_STEPS, *array.shape[1:])) for name, array in problem.inputs.items()}
    above_zero = {name: uniform(rng, (batch, *width), 0.5) + 1 for name, width in problem.widths.items()}
    refused: CheckError | None = None
    for state in (None, above_zero):
        try:
            run = interpret(cell, problem.sizes, problem.params, x, state, inputs=beside)
        except CheckError as error:
            refused = refused or error
            continue
        if all(np.all(np.isfinite(array)) for array in run.states.values()):
            return run
    raise refused or CheckError(f"cell {cell.name!r}: a state is not finite {WARM_STEPS} steps after its start")


def _parameter(rng: np.random.Generator, cell: Cell, name: str, dense: Array) -> Array:
    """A parameter near its number in ``[init]``, in the range that this gives, or as drawn if it has neither."""
    start, offset = cell.init.get(name, DEFAULT), uniform(rng, dense.shape)
    number, kind = number_of(start), kind_of(start)
    if number:
        near = number * (1 + SPREAD * offset)
        # Halfway to the bounds of the domain at most.
        return _single(np.clip(near, number / 2, (1 + number) / 2) if cell.domain.get(name) == "unit" else near)
    if kind in DOMAINS:
        return drawn_in(kind, rng, dense.shape, 1)
    near, options = SPREAD * dense, options_of(start)
    if kind in ("identity", "orthogonal"):  # of each matrix, where it is one for each unit of its first axes
        apart = dense.shape[: cell.by_name[name].apart]
        size = math.prod(dense.shape[len(apart) : -1]), dense.shape[-1]
        each = [np.eye(*size) if kind == "identity" else _orthogonal(rng, size) for _ in range(math.prod(apart))]
        return _single(np.stack(each).reshape(dense.shape) + near)
    if options and number is None:
        return _single(_spread(kind, options, offset))
    return _single(near) if number == 0 else dense


def _orthogonal(rng: np.random.Generator, size: tuple[int, int]) -> Array:
    """Orthogonal columns, or rows where these are fewer."""
    q, _ = np.linalg.qr(rng.normal(size=(max(size), min(size))))
    return q if size[0] >= size[1] else q.T


def _spread(kind: str, options: tuple[float, ...], offset: Array) -> Array:
    """Numbers as spread as those of an initialiser with these options; ``offset`` is uniform in ±1."""
    if kind == "normal":
        return options[0] * math.sqrt(3) * offset
    low, high = np.log(options) if kind == "log_uniform" else options
    even: Array = low + (high - low) * (1 + offset) / 2
    return np.clip(np.exp(even), options[0], options[1]) if kind == "log_uniform" else even


def _single(array: Array) -> Array:
    """At the precision of float32, held in float64."""
    return array.astype(np.float32).astype(np.float64)
