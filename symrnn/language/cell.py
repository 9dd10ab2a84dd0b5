"""`Cell`: the step of a recurrent layer as its author wrote it, with a name and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symrnn.language.system import HIDDEN, INPUT, Role, System, Variable
from symrnn.language.tree import is_next


@dataclass(frozen=True)
class Cell(System):
    """A recurrent step as its author wrote it; ``equations`` are the author's, numbered from 1.

    Attributes:
        name: an identifier; names the generated files.
        title: one line for people.
        reference: where the equations were published; may be empty.
        text: the equations as given.
        constants: ``[constants]`` as exact decimal texts.
        init: ``[init]``: parameter to ``zeros ones identity orthogonal uniform`` or a decimal text.
        output: the state that the layer returns at every step.
        sizes: size names other than ``1`` in the order of the surface: ``input``, ``hidden``, then new ones.
        input_is_hidden: whether the equations force ``input`` and ``hidden`` to be one number;
            shapes then say ``hidden`` for both.
        source: the file that the cell was read from, or ``<equations>``.
        normal: the same step normalised: linear forms and reductions apply to names, functions stand at the root.
    """

    name: str = ""
    title: str = ""
    reference: str = ""
    text: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)
    init: Mapping[str, str] = field(default_factory=dict)
    output: str = ""
    sizes: tuple[str, ...] = (INPUT, HIDDEN)
    input_is_hidden: bool = False
    source: str = "<equations>"
    normal: System = System((), (), (), ())

    @property
    def parameters(self) -> tuple[Variable, ...]:
        """The parameters in order of appearance, with their shapes."""
        return self.of_role(Role.PARAMETER)

    @property
    def states(self) -> tuple[str, ...]:
        """The states, without primes, in the order in which they are assigned."""
        return tuple(equation.target[:-1] for equation in self.equations if is_next(equation.target))
