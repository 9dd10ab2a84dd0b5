"""The function that runs every step from the last to the first: gradients of parameters, input and initial states.

Reads the backward routine; returns the lines of ``_backward``. Its operations are those of PyTorch, so that they are
differentiable too. Leaves out: arguments and how they are read (``templates/torch/training.py``).
"""

from __future__ import annotations

from collections.abc import Iterator

from symrnn.emit.python_text import INDENT, WIDTH, call, collection, commented, remark
from symrnn.emit.source import Mark, block, marked
from symrnn.plan.backward import SEED, seed_arrays
from symrnn.plan.program import AFTER, LAST, Extent, Kind, Phase, Product, Program, Routine, Stage, Write
from symrnn.targets.torch.forms import StackedForms, Stacks
from symrnn.targets.torch.forward_printer import input_lines, operand, parameter_lines, size_lines
from symrnn.targets.torch.names import TorchNames
from symrnn.targets.torch.printer import PhasePrinter, Wording
from symrnn.targets.torch.torch_prepared import given_lines, gradient_lines

_SPLIT = ".split("
"""Before the widths of what is taken apart; a line that is too long is broken there."""

HEAD = "def _backward(p, n, x, states, tape, idle, dy, dstate):"


def backward_lines(program: Program, routine: Routine) -> list[str]:
    """The function, marked."""
    return _BackwardLines(program, routine).lines()


class _BackwardLines:
    """Prints the function."""

    def __init__(self, program: Program, routine: Routine) -> None:
        self._program, self._routine, self._cell = program, routine, program.cell
        self._names = TorchNames(program, routine)
        self._stacks = Stacks(self._names)
        self._loop = routine.loop
        self._written = {w.value for s in self._loop.stages for w in s.writes if w.place.kind is Kind.BUFFER}
        self._later = tuple(
            dict.fromkeys(
                product.operands
                for stage in routine.plain_stages
                for product in self._stacks.products(stage)
                if product.later
            )
        )
        wanted = set(self._read_whole())
        self._joint = [group for group in self._later if len(group) > 1 and not wanted.isdisjoint(group)]
        covered = {value for group in self._joint for value in group}
        self._alone = [v for v in dict.fromkeys(self._read_whole()) if v in self._written and v not in covered]

    def _read_whole(self) -> Iterator[str]:
        """The values that are read over all steps, after the loop."""
        for stage in self._routine.stages_of(AFTER):
            yield from (*stage.reads, *stage.operands)
        for product in self._routine.products:
            yield product.right
            yield from (left for _, left in product.entries)
        yield from (item.value for item in self._routine.sums)

    def lines(self) -> list[str]:
        """The whole function."""
        names = self._names
        loop = self._loop_lines()
        last, after = self._last(), self._after()
        gradients, stacked = self._gradients(), self._stacked()
        reads = [name for stage in self._routine.plain_stages for name in stage.reads]
        carries = ", ".join(names.slot(state) for state in self._cell.states)
        given = ", ".join(f'dstate["{state}"]' for state in self._cell.states)
        seeds = seed_arrays(self._cell.returned).values()
        lines = [
            *input_lines(names, self._cell),
            *names.parted(SEED, [self._seed(array) for array in seeds], self._output_sizes()),
            f"{INDENT}T = len(x)",
            *size_lines(names),
            *given_lines(self._program, backward=True),
            *parameter_lines(names, [v.name for v in self._cell.step_parameters if v.name in reads]),
            *self._stacks.lines(),
            *self._given(),
            f"{INDENT}{carries} = {given}",
            *(f"{INDENT}{names.later(group)} = None  # after the last step there is none" for group in self._later),
            *(f"{INDENT}{name} = []" for name in self._lists()),
            *loop,
            *last,
            *stacked,
            *after,
            *gradients,
            *gradient_lines(self._program),
            f"{INDENT}return dp, dx, dfirst",
        ]
        return block([HEAD, f'{INDENT}"""Every step, the last one first."""', *lines])

    def _seed(self, array: str) -> str:
        """The value of a gradient of the caller."""
        places = self._routine.places.items()
        return next(value for value, place in places if (place.kind, place.array) == (Kind.SEED, array))

    def _output_sizes(self) -> list[str]:
        return [self._cell.size(value) for value in self._cell.output_values]

    def _given(self) -> list[str]:
        """The locals for what the forward function left."""
        names, lines = self._names, []
        places = self._routine.places
        used = {name for s in self._routine.plain_stages for name in (*s.reads, *s.operands)} | set(self._read_whole())
        over = {places[v].array for v in used if v in places and places[v].kind in (Kind.STATE, Kind.NEXT)}
        lines += [f'{INDENT}{names.over_time(s)} = states["{s}"]' for s in self._cell.states if s in over]
        own = {c.value for b in self._routine.buffers for c in b.columns}
        for value in places:
            if places[value].kind is Kind.BUFFER and value in used and value not in own:
                whole = names.extents[value] is Extent.SEQUENCE
                lines.append(f'{INDENT}{names.whole(value) if whole else names.now(value)} = tape["{value}"]')
        return lines

    def _lists(self) -> list[str]:
        names = self._names
        return [*(names.side_by_side(group) for group in self._joint), *map(names.whole, self._alone)]

    def _loop_lines(self) -> list[str]:
        names = self._names
        wording = Wording(names.now, names.now, self._operand_now, masked=True)
        printer = PhasePrinter(self._routine, self._loop, names, self._stacks, wording, depth=2)
        body = [line for s in self._loop.stages for line in printer.stage(s, self._targets(s))]
        pad, ends = INDENT * 2, []
        for group in self._later:
            texts = [names.now(value) for value in group]
            side = texts[0] if len(texts) == 1 else f"torch.cat(({', '.join(texts)}), -1)"
            ends.append(f"{pad}{names.later(group)} = {side}")
        ends += [f"{pad}{names.side_by_side(group)}.append({names.later(group)})" for group in self._joint]
        ends += [f"{pad}{names.whole(value)}.append({names.now(value)})" for value in self._alone]
        return block([f"{INDENT}for t in reversed(range(T)):", *self._bound(), *body, *ends])

    def _operand_now(self, product: StackedForms) -> str:
        return self._names.later(product.operands) if product.later else operand(product, self._names.now)

    def _targets(self, stage: Stage) -> dict[Write, str]:
        names = self._names
        return {
            w: names.slot(w.place.array) if w.place.kind is Kind.CARRY else names.now(w.value) for w in stage.writes
        }

    def _bound(self) -> list[str]:
        """What the loop reads of sequences."""
        names, lines = self._names, []
        reads = dict.fromkeys(n for s in self._loop.stages for n in (*s.reads, *(o for o in s.operands)))
        for value in reads:
            place = self._routine.places.get(value)
            if place is None or value in self._written:
                continue
            text = ""
            if place.kind is Kind.STATE:
                text = f"{names.over_time(place.array)}[t]"
            elif place.kind is Kind.NEXT:
                text = f"{names.over_time(place.array)}[t + 1]"
            elif place.kind in (Kind.INPUT, Kind.SEED) or names.extents.get(value) is Extent.SEQUENCE:
                text = f"{names.whole(value)}[t]"
            if text:
                lines.append(f"{INDENT * 2}{names.now(value)} = {text}")
        return lines

    def _last(self) -> list[str]:
        """The gradients of initial states; what the loop carries at its end where no stage computes them."""
        phase = self._phase(LAST)
        printer = PhasePrinter(
            self._routine,
            phase,
            self._names,
            self._stacks,
            Wording(self._names.now, self._names.now, self._operand_now),
        )
        found = {s: self._names.slot(s) for s in self._cell.states}
        lines = []
        for stage in phase.stages:
            lines += printer.stage(stage, {w: self._names.now(w.value) for w in stage.writes})
            found |= {w.place.array: self._names.now(w.value) for w in stage.writes}
        items = [f'"{state}": {name}' for state, name in found.items()]
        return [*lines, *collection("dfirst = {", items, "}", 1)]

    def _stacked(self) -> list[str]:
        """The lists of the loop as sequences in the order of time."""
        names, sizes, lines = self._names, self._routine.sizes, []
        for group in self._joint:
            whole, widths = names.side_by_side(group), [names.sizes[sizes[value]] for value in group]
            lines.append(f"{INDENT}{whole} = _stacked({whole}[::-1], x, {' + '.join(widths)})")
            used = [value for value in group if value in self._singly()]
            if used:
                parts = ", ".join(names.whole(value) if value in used else "_" for value in group)
                lines.append(f"{INDENT}{parts} = {whole}.split(({', '.join(widths)}), -1)")
        for value in self._alone:
            whole = names.whole(value)
            lines.append(f"{INDENT}{whole} = _stacked({whole}[::-1], x, {names.sizes[sizes[value]]})")
        return lines

    def _singly(self) -> set[str]:
        """The values that are read over all steps outside their group."""
        found = {item.value for item in self._routine.sums}
        for stage in self._routine.stages_of(AFTER):
            found.update(stage.reads)
            for product in self._stacks.products(stage):
                if product.operands not in self._joint:
                    found.update(product.operands)
        for deferred in self._routine.products:
            found.add(deferred.right)
            if self._lefts(deferred) not in self._joint:
                found.update(self._lefts(deferred))
        return found

    @staticmethod
    def _lefts(product: Product) -> tuple[str, ...]:
        return tuple(left for _, left in product.entries)

    def _after(self) -> list[str]:
        """What depends on all steps at once, among it the gradient of the input."""
        phase = self._phase(AFTER)
        written = {w.value for s in phase.stages for w in s.writes}

        def name(value: str) -> str:
            place = self._routine.places.get(value)
            if place is None and value not in written:
                return self._names.now(value)
            return self._names.now(value) if place is not None and self._is_row(value) else self._whole(value)

        def side(product: StackedForms) -> str:
            joint = product.operands in self._joint
            return self._names.side_by_side(product.operands) if joint else operand(product, self._whole)

        wording = Wording(name, name, side, masked=True)
        printer = PhasePrinter(self._routine, phase, self._names, self._stacks, wording)
        lines: list[str] = []
        found: dict[str, str] = {}
        for stage in phase.stages:
            lines += printer.stage(stage, {w: name(w.value) for w in stage.writes})
            found |= {w.place.array: name(w.value) for w in stage.writes if w.place.kind is Kind.INPUT_GRADIENT}
        each = [found.get(array, f"torch.zeros_like({self._names.whole(array)})") for array in self._cell.given]
        dx = each[0] if len(each) == 1 else f"torch.cat(({', '.join(each)}), -1)"
        return [*lines, f"{INDENT}dx = {dx}"]

    def _is_row(self, value: str) -> bool:
        """Whether every row reads the same numbers."""
        place = self._routine.places[value]
        return place.kind is Kind.PARAMETER or self._names.extents.get(value) is Extent.ONCE

    def _whole(self, value: str) -> str:
        """A value over all steps."""
        place = self._routine.places.get(value)
        if place is not None and place.kind is Kind.STATE:
            return f"{self._names.over_time(place.array)}[:-1]"
        if place is not None and place.kind is Kind.NEXT:
            return f"{self._names.over_time(place.array)}[1:]"
        return self._names.whole(value)

    def _gradients(self) -> list[str]:
        """The deferred products and sums; a parameter that several of them reach gets their sum."""
        names, lines = self._names, []
        terms: dict[str, list[str]] = {v.name: [] for v in self._cell.step_trainable}
        for product in self._routine.products:
            lefts = self._lefts(product)
            right = f"{self._whole(product.right)}.flatten(0, 1)"
            if len(lefts) > 1 and lefts in self._joint:
                parts = [names.allocator.fresh(f"d{parameter}") for parameter, _ in product.entries]
                widths = [names.sizes[self._routine.sizes[left]] for left in lefts]
                text = f"({names.side_by_side(lefts)}.flatten(0, 1).mT @ {right}){_SPLIT}({', '.join(widths)}))"
                pieces = [(", ".join(parts), text, product.labels)]
            else:
                parts = [names.allocator.fresh(f"d{parameter}") for parameter, _ in product.entries]
                texts = [f"{self._whole(left)}.flatten(0, 1).mT @ {right}" for left in lefts]
                labels = product.labels if len(product.labels) == len(parts) else ()
                pieces = [
                    (part, text, labels[i : i + 1] or product.labels)
                    for i, (part, text) in enumerate(zip(parts, texts, strict=True))
                ]
            for target, text, labels in pieces:
                lines += _labelled_line(f"{target} = {text}", labels)
            for (parameter, _), part in zip(product.entries, parts, strict=True):
                terms[parameter].append(part)
        for item in self._routine.sums:
            part = names.allocator.fresh(f"d{item.parameter}")
            lines += _labelled_line(f"{part} = {self._whole(item.value)}.sum((0, 1))", (item.label,))
            terms[item.parameter].append(part)
        items = [
            f'"{name}": {" + ".join(parts)}' if parts else f'"{name}": torch.zeros_like(p["{name}"])'
            for name, parts in terms.items()
        ]
        return [*lines, *collection("dp = {", items, "}", 1)]

    def _phase(self, phase: Phase) -> Phase:
        return next((each for each in self._routine.phases if each.name == phase.name), phase)


def _labelled_line(text: str, labels: tuple[str, ...]) -> list[str]:
    comment = " ".join(f"({label})" for label in labels)
    lines = commented(text, comment, 1)
    whole, split, widths = text.rpartition(_SPLIT)
    if split and max(map(len, lines)) > WIDTH:
        lines = [*remark(comment, 1), *call(whole + split, [widths.removesuffix(")")], ")", 1)]
    return marked(lines, Mark(labels, "gradients"))
