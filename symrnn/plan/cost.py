"""What a plan costs: multiply-adds of its matrix products and numbers on its tape, as polynomials in the sizes.

Reads the records of a plan; returns `Count` values. Leaves out: elementwise work, and time, which is the machine's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import prod

from symrnn.language.system import HIDDEN, INPUT, ONE
from symrnn.plan.routine import Phase, Routine
from symrnn.plan.vocabulary import Extent, Product, Stage


@dataclass(frozen=True)
class Count:
    """A polynomial in size names.

    >>> print(Count.of(("hidden", "hidden"), ("input", "hidden"), ("hidden", "hidden"), ("1",)))
    input*hidden + 2*hidden**2 + 1

    Attributes:
        terms: (size names, repeated for powers; factor) pairs, each product of sizes once.
    """

    terms: tuple[tuple[tuple[str, ...], int], ...] = ()

    @classmethod
    def of(cls, *products: Iterable[str]) -> Count:
        """The sum of the ``products`` of sizes."""
        return cls._collect((tuple(product), 1) for product in products)

    @classmethod
    def _collect(cls, terms: Iterable[tuple[tuple[str, ...], int]]) -> Count:
        found: dict[tuple[str, ...], int] = {}
        for sizes, factor in terms:
            key = tuple(sorted((size for size in sizes if size != ONE), key=_rank))
            found[key] = found.get(key, 0) + factor
        return cls(tuple(sorted(found.items(), key=lambda term: (-len(term[0]), [*map(_rank, term[0])]))))

    def __add__(self, other: Count) -> Count:
        return self._collect((*self.terms, *other.terms))

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        return " + ".join(_term(sizes, factor) for sizes, factor in self.terms) or "0"

    def value(self, sizes: Mapping[str, int]) -> int:
        """The number, given one for each size name."""
        return sum(factor * prod(sizes[size] for size in product) for product, factor in self.terms)


def stage_cost(stage: Stage, routine: Routine) -> Count:
    """Multiply-adds of the linear forms of ``stage`` for one row."""
    forms = [form for accumulator in stage.accumulators for form in accumulator.forms]
    return Count.of(*((stage.size, routine.sizes[form.operand]) for form in forms))


def product_cost(product: Product, routine: Routine) -> Count:
    """Multiply-adds of a deferred ``product`` for one row."""
    right = routine.sizes[product.right]
    return Count.of(*((routine.sizes[left], right) for _, left in product.entries))


def routine_cost(routine: Routine) -> Count:
    """Multiply-adds of all matrix products of ``routine`` for one row of one step.

    Left out: what runs once per parameter set or per sequence.
    """
    total = Count()
    for phase in every_step(routine):
        for stage in phase.stages:
            total += stage_cost(stage, routine)
    for product in routine.products:
        total += product_cost(product, routine)
    return total


def every_step(routine: Routine) -> tuple[Phase, ...]:
    """The phases of ``routine`` whose work grows with the steps."""
    return tuple(phase for phase in routine.phases if phase.direction or phase.rows is Extent.SEQUENCE)


def tape_cost(forward: Routine) -> Count:
    """Numbers that the tape stores for one row of one step, states apart."""
    buffers = [buffer for buffer in forward.buffers if buffer.taped and buffer.extent is Extent.SEQUENCE]
    return Count.of(*((column.size,) for buffer in buffers for column in buffer.columns))


def state_cost(forward: Routine) -> Count:
    """Numbers of all states of one row."""
    return Count.of(*((forward.sizes[next_],) for _, next_ in forward.states))


def _rank(size: str) -> tuple[int, str]:
    """``input`` and ``hidden`` first, as in the surface."""
    known = (INPUT, HIDDEN)
    return (known.index(size) if size in known else len(known)), size


def _term(sizes: tuple[str, ...], factor: int) -> str:
    powers = [(size, len(list(group))) for size, group in groupby(sizes)]
    factors = [size if power == 1 else f"{size}**{power}" for size, power in powers]
    return "*".join([str(factor), *factors] if factor != 1 or not factors else factors)
