"""Linear forms as few products of matrices: forms of one operand side by side, and the operands of one sum side by side.

Reads the accumulators of a stage; returns `Product` records and, for the whole function, the stacked weights. Leaves out:
where a product stands in the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symrnn.emit.python_names import common
from symrnn.emit.python_text import call
from symrnn.plan.program import Form, Stage
from symrnn.targets.torch.names import TorchNames


@dataclass(frozen=True)
class StackedForms:
    """One product ``operands @ weight``.

    Attributes:
        operands: values side by side.
        later: whether they are those of the loop's previous iteration.
        accumulators: the sums that come out, side by side; one where there are several operands.
        weight: the name of the stacked matrices.
    """

    operands: tuple[str, ...]
    later: bool
    accumulators: tuple[str, ...]
    weight: str


class Stacks:
    """The stacked matrices of one function."""

    def __init__(self, names: TorchNames) -> None:
        self._names = names
        self._found: dict[tuple[tuple[tuple[str, bool], ...], bool], str] = {}

    def products(self, stage: Stage) -> tuple[StackedForms, ...]:
        """The products of a stage. A sum whose forms are of both iterations comes from two products."""
        shared: dict[tuple[str, bool], list[tuple[str, Form]]] = {}
        found: list[StackedForms] = []
        for accumulator in stage.accumulators:
            mixed = len({form.later for form in accumulator.forms}) > 1
            for later in (False, True):
                forms = [form for form in accumulator.forms if form.later is later]
                if len(forms) == 1 and not (mixed and later):
                    shared.setdefault((forms[0].operand, later), []).append((accumulator.name, forms[0]))
                elif forms:
                    operands = tuple(form.operand for form in forms)
                    found.append(StackedForms(operands, later, (accumulator.name,), self._weight(forms, joint=True)))
        for (operand, later), pairs in shared.items():
            weight = self._weight([form for _, form in pairs], joint=False)
            found.append(StackedForms((operand,), later, tuple(name for name, _ in pairs), weight))
        order = [accumulator.name for accumulator in stage.accumulators]
        return tuple(sorted(found, key=lambda each: (order.index(each.accumulators[0]), each.later)))

    def _weight(self, forms: Sequence[Form], *, joint: bool) -> str:
        key = tuple((form.matrix, form.transposed) for form in forms), joint
        if key not in self._found:
            self._found[key] = self._name(forms)
        return self._found[key]

    def _name(self, forms: Sequence[Form]) -> str:
        turned = "" if any(form.transposed for form in forms) else "_T"
        if len(forms) == 1 and not turned:
            return self._names.now(forms[0].matrix)
        stem = common(list(dict.fromkeys(form.matrix for form in forms)))
        return self._names.allocator.fresh(stem + turned)

    def lines(self) -> list[str]:
        """The assignments of all stacks, for the head of the function. A row times a stack gives rows of sums."""
        return [line for (forms, joint), name in self._found.items() for line in _stack(forms, joint, name)]


def _stack(forms: Sequence[tuple[str, bool]], joint: bool, name: str) -> list[str]:
    """Matrices below one another where their operands are side by side, else side by side, as an operand's row needs them."""
    transposed = {each for _, each in forms}
    if len(transposed) == 1:
        (turned,) = transposed
        texts, end, dim = [f'p["{matrix}"]' for matrix, _ in forms], "" if turned else ".mT", int(joint is not turned)
    else:
        texts, end, dim = [f'p["{matrix}"]' + ("" if turned else ".mT") for matrix, turned in forms], "", int(not joint)
    if len(texts) == 1:
        return [f"    {name} = {texts[0]}{end}"]
    return call(f"{name} = torch.cat((", texts, f"), {dim}){end}", 1)
