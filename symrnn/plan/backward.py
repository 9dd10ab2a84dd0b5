"""The backward routine: the adjoint of a step, rotated into a loop. What the loop does not need is deferred.

Reads the normal system of a step, its adjoint system and what the tape holds; returns statements by phase, deferred
products and sums. The adjoint of a state at the end of step ``t`` has three terms: the forms ``Σ Wᵀ δ`` of step
``t + 1``, an elementwise carry of step ``t + 1``, and for the output the caller's gradient of step ``t``. So the loop is
rotated: the forms of one step and the elementwise adjoint of the step before it share a stage. What reads or makes values
with several axes is not deferred: it would keep them for all steps, which takes more memory and time than what it computes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace

from symrnn.language.axes import has_axes
from symrnn.language.identifiers import Allocator
from symrnn.language.normalise import has_form
from symrnn.language.system import Equation, Role, System
from symrnn.language.tree import (
    PRIME,
    Binary,
    Call,
    Expression,
    MatVec,
    Name,
    Outer,
    integer,
    is_next,
    names,
    transform,
)
from symrnn.plan.forward import Known
from symrnn.plan.lower import LATER, Term, live, sum_of, terms_of
from symrnn.plan.tape import Saved
from symrnn.plan.vocabulary import Product, Statement, Sum

SEED = "dy"
"""The caller's gradient of the output, one row per step; of several outputs, ``d`` before the name of each."""


def seed_arrays(returned: Sequence[str]) -> dict[str, str]:
    """The name of the caller's gradient of each output."""
    return {name: SEED if len(returned) == 1 else f"d{name}" for name in returned}


@dataclass(frozen=True)
class LoopState:
    """One state in the backward loop.

    Attributes:
        state: without prime.
        carry: the value that one iteration passes to the next, under the name that the next one reads.
        total: the adjoint at the end of the step without the caller's gradient of the output. A row beyond its
            length carries this value.
        update: the carry's new value.
        initial: the adjoint at the start of the first step: forms of that step plus the carry.
    """

    state: str
    carry: str
    total: str
    update: str
    initial: str


@dataclass(frozen=True)
class Backward:
    """The statements of the backward routine by phase, and what is deferred.

    Attributes:
        loop: one step; names that end in ``[t+1]`` are values of the loop's previous iteration.
        last: the gradients of the initial states.
        after: what deferred products, sums and the input's gradient need, row by row.
        products: gradients of matrices.
        sums: gradients of vectors.
        states: each in the loop.
        seeds: the value of the caller's gradient of each output, by the name of the array.
        input_gradients: (input, value) pairs.
        outside: the values of the loop that are stored for every step: later iterations or deferred work read them.
    """

    loop: tuple[Statement, ...]
    last: tuple[Statement, ...]
    after: tuple[Statement, ...]
    products: tuple[Product, ...]
    sums: tuple[Sum, ...]
    states: tuple[LoopState, ...]
    seeds: Mapping[str, str]
    input_gradients: tuple[tuple[str, str], ...]
    outside: tuple[str, ...]


def read_once(adjoint: System, system: System, known: Mapping[str, Known]) -> System:
    """``adjoint`` where it reads what the step has computed once, of parameters alone, in place of calling that function again.

    The derivative of a sine is a cosine, whatever else of the step is that cosine too.
    """
    made = {e.expression: Name(e.target) for e in system.equations if known[e.target] is Known.ONCE}

    def read(node: Expression) -> Expression:
        return made.get(node, node) if isinstance(node, Call) else node

    equations = [replace(each, expression=transform(each.expression, read)) for each in adjoint.equations]
    return replace(adjoint, equations=tuple(equations))


def backward(
    system: System,
    adjoint: System,
    returned: Sequence[str],
    saved: Saved,
    sizes: MutableMapping[str, str],
    allocator: Allocator,
) -> Backward:
    """The phases of the backward routine; new names join ``sizes``. The layer's outputs are ``returned``."""
    return _Backward(system, adjoint, returned, saved, sizes, allocator).run()


@dataclass(frozen=True)
class _Chain:
    """The adjoint of a state at the start of a step: linear forms, and elementwise terms."""

    state: str
    label: str
    forms: tuple[tuple[bool, MatVec, str], ...]
    rest: tuple[Term, ...]


@dataclass(frozen=True)
class _Rotated:
    """The statements of one state: its total at the head of a step, its carry at the tail, its initial gradient."""

    state: LoopState
    heads: tuple[Statement, ...]
    tail: Statement
    end: Statement


@dataclass(frozen=True)
class _Deferred:
    """What the states' own loop does not need.

    Attributes:
        near: what the loop runs all the same, since to defer it would keep it for all steps.
        after: statements over all rows.
        products: gradients of matrices.
        sums: gradients of vectors.
        inputs: (input, value) pairs.
    """

    near: tuple[Statement, ...]
    after: tuple[Statement, ...]
    products: tuple[Product, ...]
    sums: tuple[Sum, ...]
    inputs: tuple[tuple[str, str], ...]

    @property
    def reads(self) -> dict[str, None]:
        """Every name that deferred work reads and does not compute itself, in order."""
        found: dict[str, None] = {}
        for product in self.products:
            found.update((name, None) for _, left in product.entries for name in (left, product.right))
        found.update((item.value, None) for item in self.sums)
        for statement in self.after:
            found.update(dict.fromkeys(names(statement.expression)))
        own = {statement.target for statement in self.after}
        return {name: None for name in found if name not in own}


class _Backward:
    def __init__(
        self,
        system: System,
        adjoint: System,
        returned: Sequence[str],
        saved: Saved,
        sizes: MutableMapping[str, str],
        allocator: Allocator,
    ) -> None:
        self._system, self._adjoint, self._returned = system, adjoint, returned
        self._sizes, self._allocator = sizes, allocator
        self._recomputed = {name for name, _ in saved.recomputed}
        self._incoming = {
            v.of: v.name for v in adjoint.variables if v.name in adjoint.inputs and v.role is Role.ADJOINT
        }
        self._outgoing = {adjoint.by_name[name].of: name for name in adjoint.outputs}

    def run(self) -> Backward:
        chains = [self._chain(name.removesuffix(PRIME)) for name in self._system.outputs if is_next(name)]
        later = [operand for chain in chains for _, _, operand in chain.forms]
        inside = self._ancestors({*later, *(name for c in chains for _, term in c.rest for name in names(term))})
        deferred = self._deferred(inside)
        outside = dict.fromkeys(later) | deferred.reads
        seeds = self._seeds()
        rotated = [self._rotate(chain, seeds.get(chain.state, ""), outside) for chain in chains]
        heads = [statement for item in rotated for statement in item.heads]
        tails = [item.tail for item in rotated]
        body = [_statement(equation) for equation in self._adjoint.equations if equation.target in inside]
        body += deferred.near
        loop = [*heads, *self._again([*heads, *body, *tails]), *body, *tails]
        states = tuple(item.state for item in rotated)
        roots = [name for item in states for name in (item.update, item.total)]
        loop = live(loop, [*roots, *outside])
        targets = {statement.target for statement in loop}
        return Backward(
            loop=tuple(loop),
            last=tuple(item.end for item in rotated),
            after=self._apart(deferred.after, targets),
            products=deferred.products,
            sums=deferred.sums,
            states=states,
            seeds={array: seeds[name] for name, array in seed_arrays(self._returned).items()},
            input_gradients=deferred.inputs,
            outside=tuple(name for name in outside if name in targets),
        )

    def _fresh(self, hint: str, size: str) -> str:
        name = self._allocator.fresh(hint)
        self._sizes[name] = size
        return name

    def _seeds(self) -> dict[str, str]:
        """The value of the caller's gradient of each output: the whole adjoint of one that is no state."""
        return {
            name: self._incoming.get(name) or self._fresh(array, self._system.size(name + PRIME))
            for name, array in seed_arrays(self._returned).items()
        }

    def _chain(self, state: str) -> _Chain:
        """The expression that the adjoint system returns for ``state``; None if no equation reads the state."""
        equation = self._adjoint.definition.get(self._outgoing.get(state, ""))
        if equation is None:
            return _Chain(state, "", (), ())
        forms: list[tuple[bool, MatVec, str]] = []
        rest: list[Term] = []
        for sign, term in terms_of(equation.expression):
            if isinstance(term, MatVec) and isinstance(term.operand, Name):
                forms.append((sign, term, term.operand.name))
            else:
                rest.append((sign, term))
        return _Chain(state, equation.label, tuple(forms), tuple(rest))

    def _rotate(self, chain: _Chain, seed: str, outside: Collection[str]) -> _Rotated:
        """The total adjoint of a state from the forms of step t + 1 and its carry; the carry's next value.

        Where the state is an output, ``seed`` is the caller's gradient. A row beyond its length holds its total until
        its last step comes. To sums over steps it contributes nothing. So the total has two names where forms or deferred
        work read it too.
        """
        state = chain.state
        size = self._system.size(state + PRIME)
        carry = self._fresh(f"carry_{state}", size)
        incoming = self._incoming[state + PRIME]
        self._sizes[incoming] = size
        forms: list[Term] = [
            (sign, MatVec(form.matrix, form.transposed, Name(operand + LATER))) for sign, form, operand in chain.forms
        ]
        total = sum_of([*forms, (True, Name(carry))])
        held, heads = incoming, []
        if seed or incoming in outside:
            held = self._fresh(f"held_{state}", size)
            whole = Binary("+", Name(held), Name(seed)) if seed else Name(held)
            heads = [Statement(incoming, whole, chain.label)]
        update = self._fresh(f"carry_{state}_next", size)
        initial = self._fresh(f"d{state}_initial", size)
        return _Rotated(
            LoopState(state, carry, held, update, initial),
            (Statement(held, total, chain.label), *heads),
            Statement(update, sum_of(chain.rest) if chain.rest else integer(0), chain.label),
            Statement(initial, total, chain.label),
        )

    def _ancestors(self, wanted: set[str]) -> set[str]:
        """The targets of the adjoint that ``wanted`` depend on, themselves included."""
        statements = [_statement(equation) for equation in self._adjoint.equations]
        return {statement.target for statement in live(statements, wanted)}

    def _again(self, statements: Sequence[Statement]) -> list[Statement]:
        """The recomputed values that ``statements`` need, in the order of the forward step."""
        known = [_statement(e) for e in self._system.equations if e.target in self._recomputed]
        return live(known, {name for statement in statements for name in names(statement.expression)})

    def _deferred(self, inside: set[str]) -> _Deferred:
        after: list[Statement] = []
        products: dict[str, list[tuple[str, str, str]]] = {}
        sums: list[Sum] = []
        inputs: list[tuple[str, str]] = []
        for equation in self._adjoint.equations:
            if equation.target in inside:
                continue
            of = self._adjoint.by_name[equation.target].of
            role = self._system.by_name[of].role if equation.target in self._adjoint.outputs else None
            if role is Role.PARAMETER:
                rest = self._products(equation, of, products)
                if rest:
                    sums.append(self._sum(of, rest, equation, after))
            else:
                after.append(_statement(equation))
            if role is Role.INPUT:
                inputs.append((of, equation.target))
        if inputs:
            inputs += [
                self._no_gradient(v.name, after) for v in self._system.of_role(Role.INPUT) if v.name not in dict(inputs)
            ]
        stacked = tuple(_stack(right, items) for right, items in products.items())
        wanted = [name for product in stacked for _, left in product.entries for name in (left, product.right)]
        wanted += [*(item.value for item in sums), *(value for _, value in inputs)]
        near = self._near(live(after, wanted), {value for _, value in inputs})
        after = [statement for statement in after if statement not in near]
        return _Deferred(near, tuple(live([*self._again(after), *after], wanted)), stacked, tuple(sums), tuple(inputs))

    def _near(self, after: Sequence[Statement], given: Collection[str]) -> tuple[Statement, ...]:
        """Those of ``after`` that the loop runs: what has to do with several axes, and what it is made of.

        Products of all rows stay outside, and so do the gradients of inputs, ``given`` to the caller.
        """
        near: dict[str, Statement] = {}
        for statement in after:
            read = [name for name in names(statement.expression) if name in self._sizes]  # a matrix has two
            if not any(has_axes(self._sizes[name]) for name in (statement.target, *read)):
                continue
            made_of = live(after, [statement.target])
            if not any(has_form(each.expression) or each.target in given for each in made_of):
                near.update((each.target, each) for each in made_of)
        return tuple(statement for statement in after if statement.target in near)

    def _no_gradient(self, of: str, after: list[Statement]) -> tuple[str, str]:
        """The gradient of an input that reaches no output, beside those of others: zero."""
        name = self._fresh(f"d{of}", self._system.size(of))
        after.append(Statement(name, integer(0)))
        return of, name

    def _apart(self, after: Sequence[Statement], inside: Collection[str]) -> tuple[Statement, ...]:
        """``after`` with new names for values that the loop computes too, since a name has one place."""
        twice = [statement.target for statement in after if statement.target in inside]
        new = {name: Name(self._fresh(name, self._sizes[name])) for name in twice}

        def rename(node: Expression) -> Expression:
            return new.get(node.name, node) if isinstance(node, Name) else node

        return tuple(
            Statement(new[s.target].name if s.target in new else s.target, transform(s.expression, rename), s.label)
            for s in after
        )

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
        """The deferred sum of a parameter's gradient, over a value that has a name and the parameter's size."""
        expression: Expression = sum_of(rest)
        # If a parameter is read through a sum over its units, all its units have the same gradient.
        if not isinstance(expression, Name) or self._sizes[expression.name] != self._sizes[equation.target]:
            name = self._fresh(f"{equation.target}_row", self._sizes[equation.target])
            after.append(Statement(name, expression, equation.label))
            expression = Name(name)
        return Sum(of, expression.name, equation.label)


def _statement(equation: Equation) -> Statement:
    return Statement(equation.target, equation.expression, equation.label)


def _stack(right: str, items: Sequence[tuple[str, str, str]]) -> Product:
    """The products of one right side, stacked; ``items`` are (parameter, left, label)."""
    entries = tuple((parameter, left) for parameter, left, _ in items)
    return Product(right, entries, tuple(dict.fromkeys(label for _, _, label in items)))
