"""`Report`: the largest error of every oracle for every array, as records, as a table and as JSON-ready values.

Reads the deviations that `symrnn.check.check` measured; returns text. Leaves out: measuring.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from symrnn.check.measure import (
    ADJOINT,
    BACKENDS,
    CENTRAL,
    COMPLEX_STEP,
    EXPANSION,
    INTERPRETER,
    PLAN,
    PLANNED,
    PRECISIONS,
)
from symrnn.check.numpy_build import NumPyBuild
from symrnn.derive.compared import DIGITS
from symrnn.targets import registry

REFERENCE = registry.title(registry.DEFAULT)
DTYPES = ("float64", "float32")
HEADINGS = {
    INTERPRETER: "interpreter",
    COMPLEX_STEP: "complex",
    CENTRAL: "central",
    ADJOINT: "adjoint",
    BACKENDS: f"to {REFERENCE}",
    PRECISIONS: "to float64",
    PLAN: "to plan",
}
"""The oracles in the heading of a table, short enough for a terminal."""
ROUNDINGS = 100
"""Rounding explains an error of at most this many times the effect of a change in the last place of every input."""
_REMEDY = """No kernel can meet the bound there. This error says nothing about the kernels, but the check still fails. The cell
amplifies rounding, at weights drawn from ±1/√fan_in: over many steps if it is chaotic, or in one step if it divides by
a number near 0, such as the spread of a few units. `symrnn flow CELL --steps T --input I --hidden H` gives the largest
Lyapunov exponent; a cell is chaotic if it is above 0. If you do not want this, bound the state, scale the recurrent
matrices down, or add a larger constant to the spread."""
_LEGEND = (
    ("error", "max|a - b| / max(max|b|, floor): a by the kernels, b by the oracle, floor a scale of the data"),
    ("interpreter", "b by the author's equations, evaluated step by step in float64"),
    ("complex, central", "gradients along directions; b by numerical derivatives of the forward pass"),
    ("adjoint", "<Jᵀ v, u> of the backward pass, b = <v, J u> by the tangent kernel (Jacobian times direction)"),
    (f"to {REFERENCE}, to float64", f"b by the {REFERENCE} kernels in the same precision, or in float64"),
    ("plan", "a by the plan of the kernels, run from its records in float64: a mistake here is in every kernel"),
    ("to plan", "b by the plan: if only kernels are wrong, the fault is in their backend"),
    ("tape S, tangent S", "state S at every step as the tape holds it; J u in S, b by the complex step"),
    (
        EXPANSION,
        f"derived Jacobian equal to SymPy's of the cell in scalars: by algebra, or in {DIGITS} digits",
    ),
)


@dataclass(frozen=True)
class Deviation:
    """The largest error of one oracle for one array.

    Attributes:
        cell: name of the cell.
        backend: the name of a target; ``sympy`` for the scalar expansion, ``plan`` for the plan itself.
        dtype: ``float64`` or ``float32``; ``exact`` for the scalar expansion.
        oracle: one of `symrnn.check.measure.ORACLES`.
        array: ``y``, ``state c``, ``tape c``, ``grad W_xi``, ``tangent y``, …
        error: the largest, from 0; infinite where shapes or types were wrong or a number was not finite.
        bound: the largest allowed.
        case: the shapes and the entry point where it occurred.
        rounding: for an error that misses its bound, how far the array moves if every given number changes in its last
            place. For central differences, the error that their step makes, if that is larger. Infinite if it is as large
            as the array.
    """

    cell: str
    backend: str
    dtype: str
    oracle: str
    array: str
    error: float
    bound: float
    case: str
    rounding: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the error is within its bound."""
        return self.error <= self.bound

    @property
    def rounded(self) -> bool:
        """Whether it misses its bound, but rounding alone explains that."""
        return not self.passed and math.isfinite(self.error) and self.error <= ROUNDINGS * self.rounding

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """The subject of the deviation."""
        return (self.cell, self.backend, self.dtype, self.oracle, self.array)


@dataclass(frozen=True)
class NotRun:
    """Something that could not be checked here, and why.

    Attributes:
        cell: its name.
        what: for people.
        reason: why.
        backend: the backend whose kernels could not run at all; else empty.
    """

    cell: str
    what: str
    reason: str
    backend: str = ""


@dataclass(frozen=True)
class Points:
    """How many cases of a cell ran on which draws.

    Attributes:
        cell: its name.
        cases: how many there are.
        dense: ran on dense draws of both signs.
        start: ran near the cell's start: parameters near ``[init]``, states that it reaches from zeros.
    """

    cell: str
    cases: int
    dense: int
    start: int

    def __str__(self) -> str:
        near = "near [init], with states that the cell reaches from its start"
        return f"{self.cell}: {self.dense} of {self.cases} cases on dense draws, {self.start} on points {near}"


@dataclass(frozen=True)
class Report:
    """The result of a check.

    Attributes:
        deviations: one per cell, backend, dtype, oracle and array, in order of first appearance.
        not_run: what could not be checked here (without a compiler, the C kernels).
        points: which draws the cases of each cell ran on.
        numpy: the NumPy that ran the kernels and derivatives.
    """

    deviations: tuple[Deviation, ...]
    not_run: tuple[NotRun, ...] = ()
    points: tuple[Points, ...] = ()
    numpy: NumPyBuild | None = None

    @property
    def passed(self) -> bool:
        """Whether something was measured and every error is within its bound."""
        return bool(self.deviations) and not self.failures

    @property
    def failures(self) -> tuple[Deviation, ...]:
        """The deviations that miss their bounds."""
        return tuple(deviation for deviation in self.deviations if not deviation.passed)

    def table(self) -> str:
        """One aligned table per cell and precision: a line per array, a column per oracle and backend; then a legend."""
        blocks = []
        for cell in dict.fromkeys(deviation.cell for deviation in self.deviations):
            deviations = [deviation for deviation in self.deviations if deviation.cell == cell]
            blocks += [_block(f"{cell} plan", [deviation for deviation in deviations if deviation.backend == PLANNED])]
            kernels = [deviation for deviation in deviations if deviation.backend != PLANNED]
            blocks += [
                _block(f"{cell} {dtype}", [deviation for deviation in kernels if deviation.dtype == dtype])
                for dtype in DTYPES
            ]
            blocks += [_expansion(cell, [deviation for deviation in deviations if deviation.oracle == EXPANSION])]
        blocks += [_legend()] if blocks else []
        blocks += [str(self.numpy)] if self.numpy else []
        blocks += [str(each) for each in self.points]
        blocks += [f"{each.cell}: {each.what} not run: {each.reason}" for each in self.not_run]
        blocks += [_failure(deviation) for deviation in self.failures if not deviation.rounded]
        blocks += list(_rounded([deviation for deviation in self.failures if deviation.rounded]))
        return "\n".join([*(block for block in blocks if block), self._summary()])

    def to_json(self) -> dict[str, object]:
        """The report in values that `json.dumps` takes; an infinite number is None."""
        deviations = [
            asdict(deviation)
            | {"error": _finite(deviation.error), "rounding": _finite(deviation.rounding), "passed": deviation.passed}
            for deviation in self.deviations
        ]
        return {
            "passed": self.passed,
            "numpy": asdict(self.numpy) if self.numpy else None,
            "points": [asdict(each) for each in self.points],
            "deviations": deviations,
            "not_run": [asdict(each) for each in self.not_run],
        }

    def _summary(self) -> str:
        if not self.deviations:
            return "nothing was checked"
        lacking = tuple(dict.fromkeys(registry.title(each.backend) for each in self.not_run if each.backend))
        without = f"; {registry.listed(lacking, 'and')} not checked" if lacking else ""
        if self.failures:
            rounded = sum(deviation.rounded for deviation in self.failures)
            share = {0: "", len(self.failures): ", because of rounding"}.get(
                rounded, f", {rounded} because of rounding"
            )
            return f"{len(self.failures)} of {len(self.deviations)} errors miss their bounds (marked !){share}{without}"
        return f"all {len(self.deviations)} errors are within their bounds{without}"


def worst(deviations: Iterable[Deviation]) -> tuple[Deviation, ...]:
    """For each subject, the deviation with the largest error, in order of first appearance.

    An error that rounding does not explain counts more than any that it explains.
    """
    largest: dict[tuple[str, str, str, str, str], Deviation] = {}
    for deviation in deviations:
        if deviation.key not in largest or _weight(deviation) > _weight(largest[deviation.key]):
            largest[deviation.key] = deviation
    return tuple(largest.values())


def _weight(deviation: Deviation) -> tuple[bool, float]:
    return (not deviation.passed and not deviation.rounded, deviation.error)


def _block(title: str, deviations: Sequence[Deviation]) -> str:
    """The table of a cell's plan, or of its kernels in one precision."""
    if not deviations:
        return ""
    found = {(deviation.array, deviation.oracle, deviation.backend): deviation for deviation in deviations}
    backends = sorted(dict.fromkeys(deviation.backend for deviation in deviations), key=_place)
    columns = [
        (oracle, backend)
        for oracle in HEADINGS
        for backend in backends
        if any(k[1:] == (oracle, backend) for k in found)
    ]
    arrays = tuple(dict.fromkeys(deviation.array for deviation in deviations))
    head = [[title, *(HEADINGS[oracle] for oracle, _ in columns)]]
    head += [["", *(registry.title(backend) for _, backend in columns)]]
    body = [[array, *(_entry(found.get((array, *column))) for column in columns)] for array in arrays]
    bounds = {deviation.oracle: deviation.bound for deviation in deviations}
    foot = [["bound", *(_number(bounds[oracle]) for oracle, _ in columns)]]
    return _aligned([*head, *body, *foot]) + "\n"


def _place(backend: str) -> int:
    """The position of a backend's columns among others."""
    known = registry.names()
    return known.index(backend) if backend in known else len(known)


def _expansion(cell: str, deviations: Sequence[Deviation]) -> str:
    if not deviations:
        return ""
    equal = sum(deviation.passed for deviation in deviations)
    cases = "; ".join(dict.fromkeys(deviation.case for deviation in deviations))
    return f"{cell} {EXPANSION}: {equal} of {len(deviations)} Jacobian blocks equal, {cases}\n"


def _legend() -> str:
    width = max(len(term) for term, _ in _LEGEND)
    return "\n".join(f"{term:{width}}  {meaning}" for term, meaning in _LEGEND) + "\n"


def _failure(deviation: Deviation) -> str:
    kernels = f"{registry.title(deviation.backend)} {deviation.dtype}"
    sizes = f"error {_number(deviation.error)}, bound {_number(deviation.bound)}"
    return f"{deviation.cell}: {deviation.array} misses its bound: {deviation.oracle}, {kernels}, {sizes}, at {deviation.case}"


def _rounded(deviations: Sequence[Deviation]) -> Iterator[str]:
    """For each cell, case and precision, why rounding makes errors miss the bound, and what to do."""
    cases = dict.fromkeys(
        (deviation.cell, deviation.case.partition(",")[0], deviation.dtype) for deviation in deviations
    )
    for cell, case, dtype in cases:
        here = [
            deviation
            for deviation in deviations
            if (deviation.cell, deviation.case.partition(",")[0], deviation.dtype) == (cell, case, dtype)
        ]
        for by_step in (False, True):
            some = [deviation for deviation in here if (deviation.oracle == CENTRAL) == by_step]
            if some:
                yield _by_step(cell, case, dtype, some) if by_step else _by_rounding(cell, case, dtype, some)
    if deviations:
        yield _REMEDY


def _by_rounding(cell: str, case: str, dtype: str, deviations: Sequence[Deviation]) -> str:
    most_moved = max(deviations, key=lambda deviation: deviation.rounding)
    return (
        f"{cell}: {_missed(deviations, f' in {dtype}')} at {case} by rounding alone: changing every input by\n"
        f"  at most {_number(float(np.finfo(dtype).eps))} of itself changes {most_moved.array} "
        f"{_how_far(most_moved.rounding)}; the largest error is {_number(max(deviation.error for deviation in deviations))}"
    )


def _how_far(rounding: float) -> str:
    return f"by {_number(rounding)}" if math.isfinite(rounding) else "by its whole size"


def _missed(deviations: Sequence[Deviation], which: str) -> str:
    return (
        f"{len(deviations)} errors{which} miss their bounds"
        if len(deviations) > 1
        else f"1 error{which} misses its bound"
    )


def _by_step(cell: str, case: str, dtype: str, deviations: Sequence[Deviation]) -> str:
    most_moved = max(deviations, key=lambda deviation: deviation.rounding)
    return (
        f"{cell}: {_missed(deviations, f' of {CENTRAL} in {dtype}')} at {case} by their step or by rounding:\n"
        f"  over that step {most_moved.array} changes so much that they are off {_how_far(most_moved.rounding)};"
        f" the largest is {_number(max(deviation.error for deviation in deviations))}"
    )


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest entry, the first to the left and the others to the right."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join("  ".join(_padded(line, widths)).rstrip() for line in lines)


def _padded(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for place, (text, width) in enumerate(zip(line, widths, strict=True)):
        yield text.rjust(width) if place else text.ljust(width)


def _entry(deviation: Deviation | None) -> str:
    return "-" if deviation is None else _number(deviation.error) + ("" if deviation.passed else " !")


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
