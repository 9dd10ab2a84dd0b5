"""Stages as NumPy: panels, matrix products and statements, line by line.

Reads a function of a program; returns `PhaseLines`, the body of each phase. Inside a phase a value is a local name,
bound to its rows (``c = c_states[now]``) before the first stage reads or writes it. Leaves out: loops and allocation
(`templates/python/numpy.py.jinja`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symrnn.emit.numpy_expression import NumpyPrinter
from symrnn.language.system import ONE
from symrnn.language.tree import names
from symrnn.plan.program import Buffer, Extent, Form, Function, Kind, Place, Stage, Statement, reductions


@dataclass(frozen=True)
class Panel:
    """Weights laid side by side: its key, and the Python expression that builds it from ``v``, the parameters."""

    key: str
    source: str


@dataclass(frozen=True)
class NumpyNames:
    """Python identifiers: of values, and expressions of sizes."""

    values: Mapping[str, str]
    sizes: Mapping[str, str]


class StagePrinter:
    """Prints the stages of one function.

    Args:
        function: forward, backward or tangent.
        buffers: every buffer that the function sees, by name.
        names: Python identifiers.
    """

    def __init__(self, function: Function, buffers: Mapping[str, Buffer], names: NumpyNames) -> None:
        self._function, self._buffers, self._names = function, buffers, names
        self._print = NumpyPrinter(names.values, names.sizes)
        self.panels: list[Panel] = []

    def columns(self, value: str, array: str) -> str:
        """The slice of the columns of ``value`` in the buffer ``array``: ``a:b``."""
        start: list[str] = []
        for column in self._buffers[array].columns:
            if column.value == value:
                return f"{self.total(start)}:{self.total([*start, column.size])}"
            start.append(column.size)
        raise KeyError(value)

    def total(self, sizes: list[str]) -> str:
        """The Python expression of a sum of sizes."""
        counts: dict[str, int] = {}
        for size in sizes:
            counts[size] = counts.get(size, 0) + 1
        terms = [
            str(n) if size == ONE else self._names.sizes[size] if n == 1 else f"{n} * {self._names.sizes[size]}"
            for size, n in counts.items()
        ]
        return " + ".join(terms) or "0"

    def view(self, value: str, place: Place, suffix: str) -> str:
        """The rows of ``value``: of the current step (suffix ``_t``) or of all steps (suffix ``_rows``)."""
        match place.kind:
            case Kind.STATE:
                return f"{place.array}_now{suffix}"
            case Kind.NEXT:
                return f"{place.array}_next{suffix}"
            case Kind.PARAMETER:
                return f'p["{value}"]'
            case Kind.CARRY:
                return f"carry_{place.array}"
            case Kind.GRADIENT:
                return f"gradient_{place.array}"
            case Kind.BUFFER if self._buffers[place.array].extent is Extent.ONCE:
                return f'p["{value}"]'
            case Kind.BUFFER:
                return f"{place.array}{suffix}[:, {self.columns(value, place.array)}]"
            case _:
                return f"{place.array}{suffix}"

    def phase(self, stages: tuple[Stage, ...], suffix: str, *, masked: bool = True) -> tuple[str, ...]:
        """The body of a phase: bindings, then every stage with its equations as comments."""
        lines: list[str] = []
        bound: set[str] = set()
        assigned = {s.target for stage in stages for s in stage.statements}
        for stage in stages:
            for value in (*stage.reads, *reductions(stage)):
                if value not in assigned and value not in bound and value not in stage.local:
                    bound.add(value)
                    lines.append(
                        f"{self._names.values[value]} = {self.view(value, self._function.places[value], suffix)}"
                    )
        for stage in stages:
            lines += self._stage(stage, suffix, masked)
        return tuple(lines)

    def _stage(self, stage: Stage, suffix: str, masked: bool) -> list[str]:
        lines = ["", f"# {stage.name}"]
        lines += self._products(stage, suffix)
        for statement in stage.statements:
            lines += self._statement(stage, statement, suffix)
        if masked:
            lines += self._idle(stage, suffix)
        lines += self._carries(stage, masked)
        return lines

    def _products(self, stage: Stage, suffix: str) -> list[str]:
        """One matrix product per operand and run of accumulators; sums in one array, an accumulator a slice of it."""
        if not stage.accumulators:
            return []
        size = self._names.sizes[stage.size]
        count = len(stage.accumulators)
        feeds: dict[tuple[str, bool], dict[int, list[Form]]] = {}
        for index, accumulator in enumerate(stage.accumulators):
            for form in accumulator.forms:
                feeds.setdefault((form.operand, form.later), {}).setdefault(index, []).append(form)
        lines, started = [], False
        for (operand, later), fed in feeds.items():
            for run in _runs(sorted(fed)):
                key = f"{stage.name}_{len(self.panels)}"
                blocks = ["(" + " + ".join(_matrix(form) for form in fed[i]) + ")" for i in run]
                self.panels.append(Panel(key, f"np.concatenate([{', '.join(blocks)}], axis=1)"))
                rows = self._later(operand) if later else self._operand(operand, suffix, stage)
                product = f'{rows} @ p["{key}"]'
                whole = len(run) == count
                if later:
                    product = f"({product} if later is not None else 0)"
                if whole and not started and not later:
                    lines.append(f"sums = {product}")
                else:
                    if not started:
                        lines.append(f"sums = np.zeros((rows, {count} * {size}), dtype)")
                    part = "sums" if whole else f"sums[:, {run[0]} * {size}:{run[-1] + 1} * {size}]"
                    lines.append(f"{part} += {product}")
                started = True
        for index, accumulator in enumerate(stage.accumulators):
            part = "sums" if count == 1 else f"sums[:, {index} * {size}:{index + 1} * {size}]"
            lines.append(f"{self._names.values[accumulator.name]} = {part}")
        return lines

    def _operand(self, operand: str, suffix: str, stage: Stage) -> str:
        place = self._function.places[operand]
        return self.view(operand, place, suffix)

    def _later(self, operand: str) -> str:
        place = self._function.places[operand]
        return f"later[:, {self.columns(operand, place.array)}]"

    def _statement(self, stage: Stage, statement: Statement, suffix: str) -> list[str]:
        target = self._names.values[statement.target]
        text = self._print(statement.expression)
        wide = [n for n in names(statement.expression) if self._is_wide(n, stage)]
        if stage.size != ONE and not wide and names(statement.expression):
            text = f"np.broadcast_to({text}, (rows, {self._names.sizes[stage.size]}))"
        label = f"  # ({statement.label})" if statement.label else ""
        places = [w.place for w in stage.writes if w.value == statement.target and w.place.kind is not Kind.CARRY]
        once = any(p.kind is Kind.BUFFER and self._buffers[p.array].extent is Extent.ONCE for p in places)
        if not places or once:
            lines = [f"{target} = {text}{label}"]
            return [*lines, f'p["{statement.target}"] = {target}'] if once else lines
        first, *others = (self.view(statement.target, place, suffix) for place in places)
        lines = [f"{target} = {first}", f"{target}[...] = {text}{label}"]
        return lines + [f"{other}[...] = {target}" for other in others]

    def _is_wide(self, name: str, stage: Stage) -> bool:
        place = self._function.places.get(name)
        flat = place is not None and (
            place.kind is Kind.PARAMETER
            or (place.kind is Kind.BUFFER and self._buffers[place.array].extent is Extent.ONCE)
        )
        return (
            not flat
            and (name in stage.local or self._function.sizes[name] != ONE)
            and (self._function.sizes[name] == stage.size)
        )

    def _idle(self, stage: Stage, suffix: str) -> list[str]:
        """What rows beyond their length write instead."""
        lines = []
        for write in stage.writes:
            if write.place.kind is Kind.CARRY or write.idle == write.value:
                continue
            view = self.view(write.value, write.place, suffix)
            lines.append(f"    {view}[idle] = " + (f"{self._names.values[write.idle]}[idle]" if write.idle else "0"))
        return ["if idle is not None:", *lines] if lines else []

    def _carries(self, stage: Stage, masked: bool) -> list[str]:
        lines = []
        for write in stage.writes:
            if write.place.kind is Kind.CARRY:
                new, carry = self._names.values[write.value], f"carry_{write.place.array}"
                if masked:
                    held = self._names.values[write.idle]
                    new = f"{new} if idle is None else np.where(idle[:, None], {held}, {new})"
                lines.append(f"{carry} = {new}")
        return lines


def _matrix(form: Form) -> str:
    """The matrix as a panel multiplies it from the right: transposed, because rows are vectors."""
    return f'v["{form.matrix}"]' if form.transposed else f'v["{form.matrix}"].T'


def _runs(indices: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs
