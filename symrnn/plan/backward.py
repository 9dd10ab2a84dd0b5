"""The backward function: the adjoint of a step, rotated into a loop; what the loop can do without is deferred.

Reads the normal system of a step and its adjoint system; returns statements by phase, deferred products and sums, and
what the tape stores. The rotation: the adjoint of a state at the end of step ``t`` is the forms ``Σ Wᵀ δ`` of step
``t + 1`` plus an elementwise carry of step ``t + 1`` plus, for the output, the caller's gradient of step ``t``; so the
forms of one step and the elementwise adjoint of the step before it share a stage.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from symrnn.language.functions import FUNCTIONS
from symrnn.language.names import Allocator
from symrnn.language.normalise import has_form
from symrnn.language.system import ONE, Equation, Role, System
from symrnn.language.tree import (
    PRIME,
    Binary,
    Call,
    Expression,
    MatVec,
    Name,
    Outer,
    Reduce,
    integer,
    names,
    walk,
)
from symrnn.plan.forward import Phase
from symrnn.plan.lower import LATER, Term, sum_of, terms_of
from symrnn.plan.program import Product, Statement, Sum

SEED = "dy"
"""The caller's gradient of the output, one row per step."""


@dataclass(frozen=True)
class Carried:
    """One state in the backward loop.

    Attributes:
        state: without prime.
        carry: the value that one iteration hands to the next, under the name by which it is read.
        total: the adjoint at the end of the step without the caller's gradient of the output; what the carry stays
            at in rows beyond their length.
        update: the carry's new value.
        initial: the adjoint at the start of the first step: forms of that step plus the carry.
    """

    state: str
    carry: str
    total: str
    update: str
    initial: str


@dataclass(frozen=True)
class Saved:
    """What the backward function has of the forward function's values: name and reason for each."""

    stored: tuple[tuple[str, str], ...]
    recomputed: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Backward:
    """The statements of the backward function by phase, and what is deferred."""

    loop: tuple[Statement, ...]
    last: tuple[Statement, ...]
    after: tuple[Statement, ...]
    products: tuple[Product, ...]
    sums: tuple[Sum, ...]
    carried: tuple[Carried, ...]
    seed: str
    input_gradients: tuple[tuple[str, str], ...]


def tape(system: System, adjoint: System, phase: Mapping[str, Phase]) -> Saved:
    """Which values of the step its adjoint reads, and whether each is stored or computed again.

    States and inputs are there anyway, values of parameters alone are packed. Of the rest, a value is computed again
    where that takes arithmetic alone on values that are there, and no deferred product reads it.
    """
    read: dict[str, None] = {}
    operands: dict[str, None] = {}
    for equation in adjoint.equations:
        read.update(dict.fromkeys(names(equation.expression)))
        for node in walk(equation.expression):
            if isinstance(node, Outer):
                operands.update({node.left.name: None, node.right.name: None})
    there = {v.name for v in system.variables if v.role in (Role.INPUT, Role.STATE, Role.NEXT, Role.PARAMETER)}
    stored: list[tuple[str, str]] = []
    recomputed: list[tuple[str, str]] = []
    for equation in system.equations:
        name = equation.target
        if name in there or name not in read:
            continue
        if phase[name] is Phase.ONCE:
            there.add(name)
            continue
        reason = _reason_to_store(equation, name in operands, there, system)
        there.add(name)
        if reason:
            stored.append((name, reason))
        else:
            recomputed.append((name, "arithmetic on " + ", ".join(names(equation.expression))))
    return Saved(tuple(stored), tuple(recomputed))


def _reason_to_store(equation: Equation, operand: bool, there: set[str], system: System) -> str:
    """Why the value of ``equation`` is stored; empty where it is cheaper to compute it again."""
    if operand:
        return "operand of a deferred product"
    if has_form(equation.expression):
        return "needs a matrix product"
    if isinstance(equation.expression, Reduce) or system.size(equation.target) == ONE:
        return "a scalar per row"
    calls = [node.function for node in walk(equation.expression) if isinstance(node, Call)]
    costly = [function for function in calls if FUNCTIONS[function].expensive]
    if costly:
        return f"{costly[0]} costs more than a load"
    missing = [name for name in names(equation.expression) if name not in there]
    if missing:
        return f"{missing[0]} is not stored"
    return ""


def backward(
    system: System,
    adjoint: System,
    output: str,
    saved: Saved,
    sizes: MutableMapping[str, str],
    allocator: Allocator,
) -> Backward:
    """The phases of the backward function; new names join ``sizes``."""
    return _Backward(system, adjoint, output, saved, sizes, allocator).run()


class _Backward:
    def __init__(
        self,
        system: System,
        adjoint: System,
        output: str,
        saved: Saved,
        sizes: MutableMapping[str, str],
        allocator: Allocator,
    ) -> None:
        self._system, self._adjoint, self._output = system, adjoint, output
        self._sizes, self._allocator = sizes, allocator
        self._recomputed = {name for name, _ in saved.recomputed}
        self._incoming = {
            v.of: v.name for v in adjoint.variables if v.name in adjoint.inputs and v.role is Role.ADJOINT
        }
        self._outgoing = {adjoint.by_name[name].of: name for name in adjoint.outputs}
        self._rotated: list[str] = []

    def run(self) -> Backward:
        seed = self._fresh(SEED, self._system.size(self._output + PRIME))
        carried, heads, tails, last = [], [], [], []
        for name in self._system.outputs:
            state = name.removesuffix(PRIME)
            item, head, tail, end = self._rotate(state, seed)
            carried.append(item)
            heads += head
            tails.append(tail)
            last.append(end)
        wanted = set(self._rotated) | {name for tail in tails for name in names(tail.expression)}
        inside = self._ancestors(wanted)
        body = [Statement(e.target, e.expression, e.label) for e in self._adjoint.equations if e.target in inside]
        loop = [*heads, *self._again([*heads, *body, *tails]), *body, *tails]
        after, products, sums, inputs = self._deferred(inside)
        after = [*self._again(after), *after]
        return Backward(tuple(loop), tuple(last), tuple(after), products, sums, tuple(carried), seed, inputs)

    def _fresh(self, hint: str, size: str) -> str:
        name = self._allocator.fresh(hint)
        self._sizes[name] = size
        return name

    def _rotate(self, state: str, seed: str) -> tuple[Carried, list[Statement], Statement, Statement]:
        """The state's total adjoint (two statements for the output), its carry's update, its initial gradient."""
        size = self._system.size(state + PRIME)
        carry = self._fresh(f"carry_{state}", size)
        equation = self._adjoint.definition.get(self._outgoing.get(state, ""))
        terms = terms_of(equation.expression) if equation else []
        forms: list[Term] = []
        rest: list[Term] = []
        for sign, term in terms:
            if isinstance(term, MatVec) and isinstance(term.operand, Name):
                self._rotated.append(term.operand.name)
                forms.append((sign, MatVec(term.matrix, term.transposed, Name(term.operand.name + LATER))))
            else:
                rest.append((sign, term))
        label = equation.label if equation else ""
        total = sum_of([*forms, (True, Name(carry))])
        incoming = self._incoming[state + PRIME]
        self._sizes[incoming] = size
        if state == self._output:
            held = self._fresh(f"held_{state}", size)
            heads = [
                Statement(held, total, label),
                Statement(incoming, Binary("+", Name(held), Name(seed)), label),
            ]
        else:
            held = incoming
            heads = [Statement(held, total, label)]
        update = self._fresh(f"carry_{state}_next", size)
        tail = Statement(update, sum_of(rest) if rest else integer(0), label)
        initial = self._fresh(f"d{state}_initial", size)
        end = Statement(initial, total, label)
        return Carried(state, carry, held, update, initial), heads, tail, end

    def _ancestors(self, wanted: set[str]) -> set[str]:
        """The targets of the adjoint that ``wanted`` depend on, themselves included."""
        found: set[str] = set()
        for equation in reversed(self._adjoint.equations):
            if equation.target in wanted:
                found.add(equation.target)
                wanted = wanted | set(names(equation.expression))
        return found

    def _again(self, statements: Sequence[Statement]) -> list[Statement]:
        """The recomputed values that ``statements`` need, in the order of the forward step."""
        wanted = {name for statement in statements for name in names(statement.expression)}
        result: list[Statement] = []
        for equation in reversed(self._system.equations):
            if equation.target in self._recomputed and equation.target in wanted:
                result.append(Statement(equation.target, equation.expression, equation.label))
                wanted.update(names(equation.expression))
        return result[::-1]

    def _deferred(
        self, inside: set[str]
    ) -> tuple[list[Statement], tuple[Product, ...], tuple[Sum, ...], tuple[tuple[str, str], ...]]:
        """Everything outside the loop: statements over all rows, products, sums, gradients of inputs."""
        after: list[Statement] = []
        products: dict[str, list[tuple[str, str, str]]] = {}
        sums: list[Sum] = []
        inputs: list[tuple[str, str]] = []
        for equation in self._adjoint.equations:
            if equation.target in inside:
                continue
            of = self._adjoint.by_name[equation.target].of
            role = self._system.by_name[of].role if of in self._system.by_name else None
            if equation.target not in self._adjoint.outputs or role not in (Role.PARAMETER, Role.INPUT, Role.STATE):
                after.append(Statement(equation.target, equation.expression, equation.label))
            elif role is Role.INPUT:
                after.append(Statement(equation.target, equation.expression, equation.label))
                inputs.append((of, equation.target))
            elif role is Role.PARAMETER:
                rest = self._products(equation, of, products)
                if rest:
                    sums.append(self._sum(of, rest, equation, after))
        groups = tuple(
            Product(
                right, tuple((p, left) for p, left, _ in items), tuple(dict.fromkeys(label for _, _, label in items))
            )
            for right, items in products.items()
        )
        return after, groups, tuple(sums), tuple(inputs)

    def _products(self, equation: Equation, of: str, products: dict[str, list[tuple[str, str, str]]]) -> list[Term]:
        """Collect the outer products of a parameter's gradient; returns its other terms."""
        rest: list[Term] = []
        for sign, term in terms_of(equation.expression):
            if isinstance(term, Outer):
                assert sign
                products.setdefault(term.right.name, []).append((of, term.left.name, equation.label))
            else:
                rest.append((sign, term))
        return rest

    def _sum(self, of: str, rest: list[Term], equation: Equation, after: list[Statement]) -> Sum:
        """The deferred sum of a parameter's gradient, over a value that has a name."""
        expression: Expression = sum_of(rest)
        if not isinstance(expression, Name):
            name = self._fresh(f"{equation.target}_row", self._sizes[equation.target])
            after.append(Statement(name, expression, equation.label))
            expression = Name(name)
        return Sum(of, expression.name, equation.label)
