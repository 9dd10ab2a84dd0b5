"""The gradients of parameters from what the loop has stored: one product, or one sum, for each stack.

Reads the deferred products and sums of a `Compiled` backward routine; returns lines that end in ``grads``, a
dictionary of every parameter's gradient. Leaves out: everything before them (`symrnn.targets.numpy.backward_printer`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symrnn.emit.python_names import common, identifier
from symrnn.emit.python_text import collection, commented, span
from symrnn.emit.source import Mark, marked
from symrnn.language.system import ONE, Variable
from symrnn.plan.program import AFTER
from symrnn.plan.size import Count
from symrnn.targets.numpy.ir import Spot
from symrnn.targets.numpy.names import noted, shape, width
from symrnn.targets.numpy.scope import DTYPE, Locals, Scope

Pair = tuple[str, str]
"""A parameter, and the value whose rows make its gradient."""


class GradientPrinter:
    """Prints the deferred gradients.

    Args:
        names: of the function.
        scope: of all rows at a time.
        spot: where values lie side by side.
        parameters: every parameter that has a gradient.
    """

    def __init__(
        self, names: Locals, scope: Scope, spot: Callable[[Sequence[str]], Spot], parameters: Sequence[Variable]
    ) -> None:
        self._names, self._scope, self._spot, self._parameters = names, scope, spot, parameters
        self._routine = names.compiled.routine
        self._terms: dict[str, list[str]] = {}
        self._units = {variable.name: variable.shape[0] for variable in parameters}

    def lines(self) -> list[str]:
        """The lines."""
        found: list[str] = []
        for product in self._routine.products:
            right = self._scope.view(self._spot([product.right]))
            columns = self._names.compiled.sizes[product.right]
            for run in self._runs(product.entries):
                left = self._scope.view(self._spot([value for _, value in run]))
                found += self._line(run, f"np.dot({left}.T, {right})", self._labels(run), [columns])
        for run in self._runs([(item.parameter, item.value) for item in self._routine.sums]):
            value = self._scope.view(self._spot([value for _, value in run]))
            found += self._line(run, f"np.add.reduce({value}, axis=0)", self._labels(run), [])
        items = [f'"{v.name}": {self._total(v)}' for v in self._parameters]
        return [*found, *collection("grads = {", items, "}", 1)]

    def _labels(self, run: Sequence[Pair]) -> list[str]:
        equations = self._routine.system.definition
        of = {v.of: v.name for v in self._routine.system.variables if v.name in self._routine.system.outputs}
        return [equations[of[p]].label for p, _ in run if of.get(p) in equations]

    def _line(self, run: Sequence[Pair], code: str, labels: Sequence[str], columns: Sequence[str]) -> list[str]:
        """One array of gradients, and each parameter's share of it; ``columns`` are the sizes of a matrix's columns."""
        name = self._scope.fresh(f"d{common([identifier(parameter) for parameter, _ in run])}")
        sizes = [self._names.compiled.sizes[value] for _, value in run]
        for index, (parameter, _) in enumerate(run):
            part = span(*(self._names.number(width(sizes[: index + i])) for i in (0, 1)))
            share = name if len(run) == 1 else f"{name}[{part}]"
            if sizes[index] == ONE != self._units[parameter]:
                # The parameter enters through a sum over the units, so every unit has the same gradient.
                share = f"np.repeat({share}, {self._names.number(Count.size(self._units[parameter]))})"
            self._terms.setdefault(parameter, []).append(share)
        widths = [width(sizes), *(width([size]) for size in columns)]
        note = noted(labels, shape("", *widths, letters=self._names.letters))
        return marked(commented(f"{name} = {code}", note, 1), Mark(tuple(labels)))

    def _total(self, variable: Variable) -> str:
        terms = self._terms.get(variable.name)
        if terms:
            return " + ".join(terms)
        sizes = [self._names.number(width([size])) for size in variable.shape]
        return f"np.zeros(({', '.join(sizes)}{',' if len(sizes) == 1 else ''}), {self._names.use(DTYPE)})"

    def _runs(self, pairs: Sequence[Pair]) -> list[list[Pair]]:
        """The pairs in runs whose values lie side by side."""
        positions = self._names.compiled.phases[AFTER.name].positions
        stored = [pair for pair in pairs if pair[1] in positions]
        runs: list[list[Pair]] = []
        for pair in sorted(stored, key=lambda pair: positions[pair[1]]):
            array, column = positions[pair[1]]
            if runs and positions[runs[-1][-1][1]] == (array, column - 1):
                runs[-1].append(pair)
            else:
                runs.append([pair])
        return runs
