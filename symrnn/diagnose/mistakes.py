"""Every mistake that is tried: a slip in one equation, the same slip in several, or a slip in the chain around them.

Reads a `Model`, which may have a mistake in it already, and the sizes of a sample; returns `Mistake` records. Leaves
out: whether one explains anything (`symrnn.diagnose.search`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from itertools import combinations, permutations

from symrnn.diagnose.chain import chain_slips
from symrnn.diagnose.model import Edit, Model, Setting
from symrnn.diagnose.rules import RANK, Alternatives, Rewrite, SlipKind, replaced, rewrites, sum_rewrites
from symrnn.diagnose.sample import EARLIER, FIRST, LAST, LATER, MIRRORED, WRAPPED, Sample
from symrnn.diagnose.slopes import Slope, slope_rewrites, slopes_of
from symrnn.diagnose.terms import is_sum
from symrnn.language.system import Equation, Role
from symrnn.language.tree import PRIME, Binary, Call, Expression, MatVec, Name, names, transform, walk

SlipKey = tuple[str, ...]
"""Identifies the same slip in different places."""

LIKEWISE = "; likewise in "
"""Follows the sentence of a slip that is made in several places."""

_MOST_PERMUTED = 4
"""Of at most this many values, every order is tried; of more, every pair and every three."""


@dataclass(frozen=True)
class Mistake:
    """One mistake that a person may have made.

    Attributes:
        kind: what went wrong.
        detail: a sentence about it.
        edits: right sides replaced.
        settings: choices in the chain.
        places: the number of places where the slip was made.
        doubt: how much less likely it is than others of its kind.
        keys: identify the same slip in different places.
    """

    kind: SlipKind
    detail: str
    edits: tuple[Edit, ...] = ()
    settings: tuple[Setting, ...] = ()
    places: int = 1
    doubt: int = 0
    keys: frozenset[SlipKey] = frozenset()

    @property
    def labels(self) -> tuple[str, ...]:
        """The equations that it changes."""
        return tuple(edit.label for edit in self.edits)

    @property
    def cost(self) -> tuple[bool, int, int, int, int]:
        """How unlikely it is; of mistakes that explain equally well, the likeliest is reported first."""
        changed = len(self.edits) + len(self.settings)
        return (
            self.places > 1,
            RANK[self.kind],
            self.doubt,
            changed,
            sum(len(str(edit.expression)) for edit in self.edits),
        )


@dataclass(frozen=True)
class _Slip:
    """A rewrite of one equation, and the mistake that it makes."""

    equation: Equation
    rewrite: Rewrite
    mistake: Mistake

    @classmethod
    def of(cls, equation: Equation, rewrite: Rewrite, new: Expression) -> _Slip:
        """The slip that turns the right side of ``equation`` into ``new``."""
        edits = (Edit(equation.label, new),)
        keys = frozenset(rewrite.keys)
        return cls(equation, rewrite, Mistake(rewrite.kind, rewrite.detail, edits, doubt=rewrite.doubt, keys=keys))


class Slips(Enum):
    """Which mistakes are tried."""

    ALL = auto()
    BETWEEN = auto()
    """Only mistakes that a sequence of one step does not show: values of other steps, and the chain of steps."""


class Catalogue:
    """Every possible mistake in a model."""

    def __init__(self, sample: Sample, slips: Slips = Slips.ALL) -> None:
        """Makes the mistakes to try.

        Args:
            sample: its sizes and number of steps determine what can be confused.
            slips: which mistakes to try.
        """
        self._sample, self._slips = sample, slips
        self._known: dict[tuple[str, Expression], tuple[_Slip, ...]] = {}

    def mistakes(self, model: Model, wrong: frozenset[str], returned: frozenset[str]) -> tuple[Mistake, ...]:
        """Every mistake in ``model`` that changes only gradients of ``wrong`` among those of ``returned``."""
        return tuple(_Mistakes(model, self._sample, wrong, returned, self._slips, self._known).run())


class _Mistakes:
    def __init__(
        self,
        model: Model,
        sample: Sample,
        wrong: frozenset[str],
        returned: frozenset[str],
        slips: Slips,
        known: dict[tuple[str, Expression], tuple[_Slip, ...]],
    ) -> None:
        self._model, self._sizes, self._whole = model, sample.rows.sizes, sample.whole
        self._neighbours, self._wrong = len(sample.steps) > 1, wrong
        self._between, self._known = slips is Slips.BETWEEN, known
        labels = [equation.label for equation in model.adjoint.equations]
        reach = {label: model.reach((label,), self._neighbours) & returned for label in labels}
        self._possible = frozenset(label for label, reached in reach.items() if reached and reached <= wrong)
        self._slopes: tuple[Slope, ...] = slopes_of(model.cell.normal)
        self._shapes = {variable.name: variable.shape for variable in model.adjoint.variables}
        self._values = [
            name
            for name in (*model.cell.normal.inputs, *(each.target for each in model.cell.normal.equations))
            if model.cell.normal.by_name[name].role is not Role.PARAMETER
        ]

    def run(self) -> Iterator[Mistake]:
        found: list[_Slip] = []
        at_hand = [*self._values, *self._model.arrives.values()]
        for equation in self._model.adjoint.equations:
            found += self._slips(equation, tuple(at_hand)) if equation.label in self._possible else ()
            if equation.target not in self._model.adjoint.outputs:
                at_hand.append(equation.target)
        yield from (slip.mistake for slip in found)
        yield from self._groups(found)
        orders = self._orders() if not self._between else ()
        yield from {mistake.edits: mistake for mistake in orders}.values()
        for kind, detail, settings in chain_slips(self._model, self._whole, self._wrong):
            yield Mistake(kind, detail, settings=settings, places=1 if len(settings) == 1 else 2)

    def _slips(self, equation: Equation, at_hand: Sequence[str]) -> tuple[_Slip, ...]:
        """The slips in one equation, each result once. They are kept, since models share most equations."""
        key = (equation.label, equation.expression)
        if key not in self._known:
            alternatives = self._alternatives(equation, at_hand)
            found: dict[Expression, _Slip] = {}
            for rewrite in (
                *slope_rewrites(equation.expression, self._slopes),
                *rewrites(equation.expression, alternatives),
            ):
                if not self._between or rewrite.kind is SlipKind.TIME:
                    new = replaced(equation.expression, rewrite.path, rewrite.after)
                    found.setdefault(new, _Slip.of(equation, rewrite, new))
            self._known[key] = tuple(found.values())
        return self._known[key]

    def _alternatives(self, equation: Equation, at_hand: Sequence[str]) -> Alternatives:
        parameters = [each.name for each in self._model.cell.parameters]
        shape = self._numbers(equation.target)

        def alike(name: str) -> list[str]:
            pool = parameters if name in parameters else at_hand
            moments = self._moments(name)
            return [each for each in pool if self._alike(each, name) and each != name and each not in moments]

        return Alternatives(
            alike=alike,
            moments=self._moments,
            matrices=lambda name: [each for each in parameters if self._alike(each, name) and each != name],
            square=lambda name: len({self._sizes[size] for size in self._shapes[name]}) == 1,
            wrongly=self._wrongly,
            is_parameter=lambda name: name in parameters,
            extra=[name for name in at_hand if self._numbers(name) == shape],
        )

    def _alike(self, one: str, other: str) -> bool:
        return self._numbers(one) == self._numbers(other)

    def _numbers(self, name: str) -> tuple[int, ...]:
        """The shape of a name in numbers; None for a value of another step, which is not confused further."""
        return tuple(self._sizes[size] for size in self._shapes.get(name, ()))

    def _wrongly(self, name: str) -> list[tuple[Expression, str]]:
        """A value that was computed again from its equation, with a slip in its sum or in a function's argument."""
        equation = self._model.cell.normal.definition.get(name)
        text = f"`{name}` was computed again, and wrongly"
        match equation.expression if equation else None:
            case Call(function, (argument,)):
                again = Call(function, (Name(name),))
                found: list[tuple[Expression, str]] = [(again, f"{function} is applied to `{name}` once more")]
                for read in names(argument) if self._values.count(name) else ():
                    for other in self._moments(read)[:1]:
                        moved = Call(function, (_with_name(argument, read, other),))
                        found.append((moved, f"{text}: `{other}` stands where `{read}` belongs"))
                return found
            case Binary() as node if is_sum(node):
                return [(each.after, f"{text}: {each.detail}") for each in sum_rewrites(node, ())]
            case _:
                return []

    def _moments(self, name: str) -> list[str]:
        if name not in self._values:
            return []
        role = self._model.cell.normal.by_name[name].role
        far = [WRAPPED, FIRST, LAST, MIRRORED] if self._neighbours else []
        near = [EARLIER, LATER] if self._whole else []
        own = [name + moment for moment in (*near, *far)]
        if role is Role.STATE:
            after = name + PRIME
            return [after, *own, *(after + moment for moment in (*near, *far))]
        return [name.removesuffix(PRIME), *own] if role is Role.NEXT else own

    def _groups(self, found: Sequence[_Slip]) -> Iterator[Mistake]:
        """The same slip in several places: in all equations, in those of one sort, or in all terms of one."""
        by_key: dict[SlipKey, list[_Slip]] = {}
        for slip in found:
            sort = "gradient" if slip.equation.target in self._model.of_parameters else "step"
            for key in slip.rewrite.keys:
                for where in ("", sort, slip.equation.label):
                    by_key.setdefault((where, *key), []).append(slip)
        # Several keys can give the same members.
        groups = {tuple(map(id, members)): members for members in by_key.values() if len(members) > 1}
        for members in groups.values():
            edits = _joined(members)
            if edits:
                rewrite = members[0].rewrite
                details = {slip.rewrite.detail for slip in members}
                more = f"{LIKEWISE}{len(members) - 1} more place{'s'[: len(members) > 2]}" if len(details) > 1 else ""
                keys = frozenset.intersection(*(slip.mistake.keys for slip in members))
                yield Mistake(
                    rewrite.kind,
                    rewrite.detail + more,
                    edits,
                    places=len(members),
                    doubt=rewrite.doubt,
                    keys=keys,
                )

    def _orders(self) -> Iterator[Mistake]:
        """Swapped values: operands of matrices and outer products, and values of the step."""
        possible = [each for each in self._model.adjoint.equations if each.label in self._possible]
        outputs = [each for each in possible if each.target in self._model.adjoint.outputs]
        gradients = [each for each in outputs if each.target in self._model.of_parameters]
        others = [each for each in outputs if each.target not in self._model.of_parameters]
        for equations in (*([each] for each in others), others, outputs, gradients):
            for group in self._same_size(dict.fromkeys(name for each in equations for name in self._given(each))):
                for mapping in _mappings(group):
                    yield from self._reordered(equations, mapping, everywhere=False)
        steps = [name for name in self._values if self._model.cell.normal.by_name[name].role is Role.INTERMEDIATE]
        for equation in possible:
            for group in self._same_size(names(equation.expression)):
                for one, other in combinations(group, 2):
                    yield from self._reordered([equation], {one: other, other: one}, everywhere=True)
        for group in self._same_size(steps):
            for one, other in combinations(group, 2):
                yield from self._reordered(possible, {one: other, other: one}, everywhere=True)

    def _given(self, equation: Equation) -> Iterator[str]:
        """The adjoints that the linear forms and outer products of ``equation`` read, or all that a gradient reads."""
        for node in walk(equation.expression):
            match node:
                case MatVec(_, _, Name(name)):
                    yield name
                case Name(name) if equation.target in self._model.of_parameters and name in self._adjoints:
                    yield name
                case _:
                    pass

    @cached_property
    def _adjoints(self) -> frozenset[str]:
        return frozenset(variable.name for variable in self._model.adjoint.of_role(Role.ADJOINT))

    def _same_size(self, chosen: Iterable[str]) -> list[list[str]]:
        by_shape: dict[tuple[int, ...], list[str]] = {}
        for name in chosen:
            if name in self._shapes:
                by_shape.setdefault(self._numbers(name), []).append(name)
        return [group for group in by_shape.values() if len(group) > 1]

    def _reordered(
        self, equations: Iterable[Equation], mapping: Mapping[str, str], everywhere: bool
    ) -> Iterator[Mistake]:
        def change(node: Expression) -> Expression:
            match node:
                case MatVec(matrix, transposed, Name(name)):
                    return MatVec(matrix, transposed, Name(mapping.get(name, name)))
                case _:
                    return node

        def rename(node: Expression) -> Expression:
            return Name(mapping.get(node.name, node.name)) if isinstance(node, Name) else node

        edits = []
        for equation in equations:
            freely = everywhere or equation.target in self._model.of_parameters
            new = transform(equation.expression, rename if freely else change)
            if new != equation.expression:
                edits.append(Edit(equation.label, new))
        if edits:
            pairs = ", ".join(f"`{new}` for `{old}`" for old, new in mapping.items())
            yield Mistake(SlipKind.ORDER, f"values are swapped: {pairs}", tuple(edits), places=len(edits))


def _with_name(node: Expression, old: str, new: str) -> Expression:
    return transform(node, lambda each: Name(new) if each == Name(old) else each)


def _joined(members: Sequence[_Slip]) -> tuple[Edit, ...]:
    """All slips at once, an edit for each equation; None if two concern one place."""
    by_label: dict[str, list[_Slip]] = {}
    for slip in members:
        by_label.setdefault(slip.equation.label, []).append(slip)
    edits = []
    for label, slips in by_label.items():
        expression, paths = slips[0].equation.expression, [slip.rewrite.path for slip in slips]
        if any(one[: len(other)] == other[: len(one)] for one, other in combinations(paths, 2)):
            return ()
        for slip in slips:
            expression = replaced(expression, slip.rewrite.path, slip.rewrite.after)
        edits.append(Edit(label, expression))
    return tuple(edits)


def _mappings(group: Sequence[str]) -> Iterator[dict[str, str]]:
    """Every permutation; of many names, only those of two or three."""
    sizes = range(2, len(group) + 1) if len(group) <= _MOST_PERMUTED else (2, 3)
    for size in sizes:
        for chosen in combinations(group, size):
            for order in permutations(chosen):
                if all(old != new for old, new in zip(chosen, order, strict=True)):
                    yield dict(zip(chosen, order, strict=True))
