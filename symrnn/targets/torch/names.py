"""TorchNames in one function of a generated PyTorch module: every value at a step, and over all steps.

Reads a routine; returns Python identifiers. Leaves out: the names of stacked matrices (`symrnn.targets.torch.forms`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from symrnn.emit.python_names import identifier, joint, size_names
from symrnn.emit.python_text import INDENT
from symrnn.language.axes import Spelt, axes_of, has_axes, plain
from symrnn.language.identifiers import Allocator
from symrnn.language.system import INPUT, ONE
from symrnn.plan.backward import SEED
from symrnn.plan.program import Extent, Kind, Program, Routine

X = "x"
"""The argument that holds the inputs."""

RESERVED = tuple(
    """
    T I H O l t x y dy p n state states tape taped idle gone dstate torch Tensor Mapping annotations
    abs all any bool dict enumerate float int isinstance len list max min range reversed slice sum tuple type zip
    """.split()  # noqa: SIM905 - forty words read better without quotation marks
)
"""TorchNames that the functions of a generated module use. Its other functions have names with an underscore."""


class SizeLocals(Mapping[str, str]):
    """The Python text of every size name; knows which locals the function needs.

    Args:
        letters: the local of every size name.
        inputs: the text of the size of the input, whose letter I looks like 1.

    Attributes:
        locals: the local of each size name that was asked for.
    """

    def __init__(self, letters: Mapping[str, str], inputs: str) -> None:
        self._letters, self._inputs = {**letters, ONE: "1"}, inputs
        self.locals: dict[str, str] = {}

    def __getitem__(self, size: str) -> str:
        size = plain(size)
        if size == INPUT:
            return self._inputs
        if has_axes(size):
            return f"({' * '.join(self[axis] for axis in axes_of(size))})"
        if size != ONE:
            self.locals[size] = self._letters[size]
        return self._letters[size]

    def __iter__(self) -> Iterator[str]:
        return iter(self._letters)

    def __len__(self) -> int:
        return len(self._letters)


class TorchNames:
    """The identifiers of one function.

    Args:
        program: of the cell.
        routine: that the function runs.

    Attributes:
        allocator: hands out further names.
        sizes: the Python text of every size name.
        extents: the rows of every value that a buffer holds.
    """

    def __init__(self, program: Program, routine: Routine) -> None:
        self.allocator = Allocator(RESERVED)
        inputs = 'n["input"]' if has_axes(program.cell.size("x")) else "x.shape[2]"
        self.sizes = SizeLocals(size_names(program.cell.sizes, self.allocator), inputs)
        # The own routine comes last: what one holds for all steps another may compute again at each of its own.
        buffers = [buffer for each in (*program.routines, routine) for buffer in each.buffers]
        self.extents: dict[str, Extent] = {c.value: buffer.extent for buffer in buffers for c in buffer.columns}
        self._now: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        self._others: dict[tuple[str, ...], str] = {}
        for name, place in routine.places.items():
            if place.kind is Kind.CARRY:
                self._now[name] = self.slot(place.array)
            elif place.kind in (Kind.INPUT, Kind.SEED):
                alone = place.array in (X, SEED)  # the names of arguments
                self._whole[name] = place.array if alone else self.allocator.fresh(identifier(place.array))
                self._now[name] = self.allocator.fresh(f"{self._whole[name]}_t")
            else:
                self._now[name] = self.allocator.fresh(identifier(name))
        for stage in routine.stages:
            for name in (*stage.local, *(write.value for write in stage.writes)):
                if name not in self._now:
                    self._now[name] = self.allocator.fresh(identifier(name))

    def parted(self, argument: str, values: Sequence[str], sizes: Sequence[str]) -> list[str]:
        """The line that parts an argument whose rows hold several values side by side; none for one value."""
        if len(values) == 1:
            return []
        numbers = Spelt({axis: f'n["{axis}"]' for size in sizes for axis in axes_of(size)}, **{ONE: "1"})
        widths = ", ".join(numbers[size] for size in sizes)
        return [f"{INDENT}{', '.join(map(self.whole, values))} = {argument}.split(({widths}), -1)"]

    def now(self, value: str) -> str:
        """A value at the current step, or one that is no sequence."""
        return self._now[value]

    def whole(self, value: str) -> str:
        """A value over all steps."""
        if value not in self._whole:
            self._whole[value] = self.allocator.fresh(f"{self._now[value]}_all")
        return self._whole[value]

    def slot(self, state: str) -> str:
        """The variable that carries the gradient of a state from one iteration of the backward loop to the next."""
        return self._other(f"carry_{state}", "carry", state)

    def over_time(self, state: str) -> str:
        """A state over all steps, one more than there are: ``(T + 1, B, size)``."""
        return self._other(f"{state}_all", "state", state)

    def later(self, values: tuple[str, ...]) -> str:
        """Values of the loop's previous iteration, side by side."""
        return self._other(f"{joint([self._now[value] for value in values])}_later", "later", *values)

    def side_by_side(self, values: tuple[str, ...]) -> str:
        """Values over all steps, side by side."""
        return self._other(f"{joint([self._now[value] for value in values])}_all", "joint", *values)

    def _other(self, hint: str, *key: str) -> str:
        if key not in self._others:
            self._others[key] = self.allocator.fresh(hint)
        return self._others[key]

    def widths(self, sizes: Sequence[str]) -> str:
        """SizeLocals as a tuple that `torch.split` takes."""
        return f"({', '.join(self.sizes[size] for size in sizes)})"
