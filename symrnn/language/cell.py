"""`Cell`: the step of a recurrent layer as its author wrote it, with a name and metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from html import escape

from symrnn.language.about import hold_about, read_departures
from symrnn.language.compose import Composition, Declarations, compose
from symrnn.language.decimals import Number
from symrnn.language.digest import digest
from symrnn.language.given import hold_fixed, hold_types, read_source
from symrnn.language.layouts import Layouts, read_layouts
from symrnn.language.mask import Mask
from symrnn.language.matrix_form import NOTHING
from symrnn.language.origin import Origin
from symrnn.language.own import Entry, OwnFunction
from symrnn.language.parameters import StartEntry
from symrnn.language.scanner import name_fault
from symrnn.language.size_tables import InputEntry, SizeEntry
from symrnn.language.system import HIDDEN, INPUT, Equation, Role, System, Variable
from symrnn.language.transform.recipe import joined_name
from symrnn.language.tree import PRIME, is_next
from symrnn.language.typeset.as_written import written_rows
from symrnn.language.typeset.expressions import step_notation
from symrnn.language.typeset.mathml import rows_html
from symrnn.language.written import Authored


@dataclass(frozen=True)
class Cell(System):
    """A recurrent step as its author wrote it; ``equations`` are the author's, numbered from 1.

    Attributes:
        name: an identifier; names the generated files.
        title: one line for people.
        reference: where the equations were published; may be empty.
        family: a word of `symrnn.language.families.FAMILIES`, or empty.
        parent: the name of the cell that it descends from; empty for a root.
        difference: what differs from the parent, in one line; may be empty.
        departures: what departs from the reference, a line each.
        text: the equations as given.
        constants: ``[constants]`` as exact decimal texts.
        define: ``[define]``: the bodies of definitions by their heads; empty where there are none.
        written: how its author wrote the step, where equations were written out; else empty.
        functions: ``[functions.<name>]``: functions of the cell's own (`symrnn.language.own`).
        init: ``[init]``: parameter to how it starts, an initialiser and its numbers (``uniform``, ``log_uniform 0.001 0.1``) or
            a decimal text; a parameter with a domain has an entry always.
        domain: ``[domain]``: parameter to ``positive unit nonzero``.
        returned: what the layer returns at every step: states, without primes, or other assigned names.
        sizes: size names other than ``1`` in the order of the surface: ``input``, ``hidden``, then new ones.
        declared: ``[sizes]``: the shapes of the names that it lists.
        input_is_hidden: whether the equations force ``input`` and ``hidden`` to be one number;
            shapes then say ``hidden`` for both.
        tied_by: the label of the equation that forces this; empty if ``[sizes]`` or nothing does.
        shared_matrix: the matrix that forces this because several vectors share it; empty if something else or nothing does.
        layouts: ``[layouts.<framework>]``: how frameworks stack the parameters (`symrnn.language.layouts`).
        source: the file that the cell was read from, or ``<equations>``.
        normal: the same step normalised: linear forms and reductions apply to names, functions stand at the root.
        masks: the inputs that are masks of a transformation, and how they are drawn.
        base: the cell that transformations began with; None if there were none, or if they are no recipe.
        changes: the transformations since, as a recipe has them: ``zoneout:h=0.1``.
        preparation: the equations that are computed once, when parameters are packed, in a normal form of their own
            (`symrnn.language.matrix_form`): from parameters to what the step reads as parameters. Mostly there are none.
    """

    name: str = ""
    title: str = ""
    reference: str = ""
    family: str = ""
    parent: str = ""
    difference: str = ""
    departures: tuple[str, ...] = ()
    text: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)
    define: Mapping[str, str] = field(default_factory=dict)
    written: tuple[Authored, ...] = ()
    functions: Mapping[str, OwnFunction] = field(default_factory=dict)
    init: Mapping[str, str] = field(default_factory=dict)
    domain: Mapping[str, str] = field(default_factory=dict)
    returned: tuple[str, ...] = ()
    sizes: tuple[str, ...] = (INPUT, HIDDEN)
    declared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    input_is_hidden: bool = False
    tied_by: str = ""
    shared_matrix: str = ""
    layouts: Layouts = field(default_factory=dict)
    source: str = "<equations>"
    normal: System = System((), (), (), ())
    masks: Mapping[str, Mask] = field(default_factory=dict)
    base: Cell | None = None
    changes: tuple[str, ...] = ()
    preparation: System = NOTHING

    @classmethod
    def from_equations(
        cls,
        text: str,
        *,
        name: str = "cell",
        title: str = "",
        reference: str = "",
        family: str = "",
        parent: str = "",
        difference: str = "",
        departures: Sequence[str] | None = None,
        sizes: Mapping[str, SizeEntry] | None = None,
        constants: Mapping[str, Number] | None = None,
        define: Mapping[str, str] | None = None,
        init: Mapping[str, StartEntry] | None = None,
        domain: Mapping[str, str] | None = None,
        fixed: Sequence[str] = (),
        output: str | Sequence[str] | None = None,
        inputs: Mapping[str, InputEntry] | None = None,
        layouts: Layouts | None = None,
        functions: Mapping[str, Entry] | None = None,
        source: str | Origin = "<equations>",
    ) -> Cell:
        """The cell that ``text`` writes down, one equation per line; never evaluated.

        >>> Cell.from_equations("h' = tanh(W @ x + U @ h + b)").states
        ('h',)

        Args:
            text: equations in the language of cell files.
            name: an identifier, the stem of generated files.
            title: one line for people.
            reference: where the equations were published.
            family: one of ``simple gated minimal orthogonal continuous normalised memory linear spiking reservoir``.
            parent: the name of the cell that it descends from.
            difference: what differs from the parent, in one line.
            departures: what departs from the reference, a line each.
            sizes: for any name: ``input``, ``hidden``, a new size name or 1; for a matrix a pair.
            constants: scalar hyper-parameters: numbers, or decimal texts (``"0.1"`` is then a tenth exactly).
            define: definitions, a body by each head: ``{"F(v)": "tanh(W @ v + b)"}``; equations call them, as ``F(h)``.
            init: for any parameter: an initialiser, a table of its ``kind`` and its numbers, or a number
                (`symrnn.language.starts`).
            domain: for any parameter: ``positive``, ``unit`` (above 0 and below 1) or ``nonzero``.
            fixed: parameters that are given and have no gradient.
            output: what the layer returns at every step: a state or another assigned name, or several; ``h`` where there
                is such a state, else the first.
            inputs: what comes in each step beside ``x``: its size, ``input``, ``hidden``, a new size name or 1; or a mapping
                of ``size`` and ``gradient``, which is False for an input that nothing is differentiated by.
            layouts: how frameworks stack the parameters: framework to stack to the names of its blocks.
            functions: functions of the cell's own, by name: ``{"value": …, "derivative": …}``, formulas in ``a``, or in ``a``
                and ``b`` with a list of two derivatives. Gradients use the derivative as it is given.
            source: the name of the text in error messages, or its place in a file.

        Raises:
            CellError: with line and column, what was found, what was expected, and the nearest right name; or an
                argument is of a wrong type.
        """
        about = {"title": title, "reference": reference, "family": family, "parent": parent, "difference": difference}
        tables = {"sizes": sizes, "constants": constants, "define": define, "init": init, "inputs": inputs}
        tables["domain"] = domain
        place = read_source(source)
        hold_types({"text": text, "name": name, **about}, output, tables, place)
        hold_fixed(fixed, place)
        if fault := name_fault(name):
            raise place.entry_error(f"name: {fault}", "name")
        hold_about(about, name, place)
        outputs = (output,) if isinstance(output, str) else tuple(output or ())
        declarations = Declarations(
            sizes or {},
            constants or {},
            init or {},
            outputs,
            inputs=inputs or {},
            define=dict(define or {}),
            domain=domain or {},
            fixed=tuple(fixed),
            functions=functions or {},
        )
        parts: Composition = compose(text, declarations, place)
        values = {entry.name: getattr(parts, entry.name) for entry in fields(parts)}
        found = cls(name=name, title=title, reference=reference, text=text, source=place.name, **values)
        return replace(
            found,
            family=family,
            parent=parent,
            difference=difference,
            departures=read_departures(departures, place),
            layouts=read_layouts(layouts, found.parameters, place),
        )

    @property
    def parameters(self) -> tuple[Variable, ...]:
        """The parameters in order of appearance, with their shapes."""
        return self.of_role(Role.PARAMETER)

    @property
    def trainable(self) -> tuple[Variable, ...]:
        """The parameters that have a gradient."""
        return tuple(parameter for parameter in self.parameters if parameter.gradient)

    @property
    def fixed(self) -> tuple[str, ...]:
        """The names of the parameters that are given and have no gradient."""
        return tuple(parameter.name for parameter in self.parameters if not parameter.gradient)

    @property
    def unset(self) -> tuple[str, ...]:
        """The fixed parameters that have no entry under ``[init]``: what is meant to be given, and starts at random else."""
        return tuple(name for name in self.fixed if name not in self.init)

    @property
    def held_inputs(self) -> tuple[str, ...]:
        """The inputs that have no gradient."""
        return tuple(variable.name for variable in self.of_role(Role.INPUT) if not variable.gradient)

    @property
    def step_parameters(self) -> tuple[Variable, ...]:
        """What the step reads as parameters, with their shapes: those of the cell, and what is prepared from them."""
        return self.normal.of_role(Role.PARAMETER) if self.preparation.equations else self.parameters

    @property
    def step_trainable(self) -> tuple[Variable, ...]:
        """Those of `step_parameters` that have a gradient."""
        return tuple(parameter for parameter in self.step_parameters if parameter.gradient)

    @property
    def parts(self) -> tuple[Equation, ...]:
        """The equations of the normal forms whose targets the author did not name: of what is prepared, then of the step."""
        equations = (*self.preparation.equations, *self.normal.equations)
        return tuple(equation for equation in equations if equation.target not in self.by_name)

    @cached_property
    def step(self) -> Cell:
        """The step alone, as a cell whose parameters are `step_parameters`; a cell that prepares nothing is its own."""
        if not self.preparation.equations:
            return self
        own = [variable for variable in self.normal.variables if variable.name in self.by_name]
        parameters = [variable.name for variable in self.step_parameters]
        return replace(
            self,
            inputs=(*self.given, *self.states, *parameters),
            equations=tuple(equation for equation in self.equations if self._is_of_step(equation.target)),
            variables=tuple(own),
            init={name: start for name, start in self.init.items() if name in parameters},
            domain={name: word for name, word in self.domain.items() if name in parameters},
            preparation=NOTHING,
        )

    def _is_of_step(self, target: str) -> bool:
        return self.by_name[target].role is not Role.PREPARED

    @property
    def given(self) -> tuple[str, ...]:
        """What comes in each step: ``x``, then the inputs of ``[inputs]``."""
        return tuple(variable.name for variable in self.of_role(Role.INPUT))

    @property
    def output(self) -> str:
        """The first of what the layer returns at every step."""
        return self.returned[0]

    @property
    def output_values(self) -> tuple[str, ...]:
        """The variables that the layer returns at every step, in order: of a state, its next value."""
        return tuple(name + PRIME if name in self.states else name for name in self.returned)

    @property
    def states(self) -> tuple[str, ...]:
        """The states, without primes, in the order in which they are assigned."""
        return tuple(equation.target[:-1] for equation in self.equations if is_next(equation.target))

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits that change with the equations and with any table that kernels depend on.

        >>> Cell.from_equations("h' = x").digest == Cell.from_equations("h' = 2 * x").digest
        False
        """
        tables = [repr(sorted(table.items())) for table in (self.constants, self.init)]
        tables += [repr(sorted(self.define.items()))] if self.define else []
        tables += [f"{f.name} {f.value.node} {[each.node for each in f.derivatives]}" for f in self.functions.values()]
        shapes = [f"{v.name} {v.shape}" for v in self.variables]
        further = [f"domain {sorted(self.domain.items())!r}"] if self.domain else []
        further += [f"fixed {self.fixed!r}"] if self.fixed else []
        further += [f"held {self.held_inputs!r}"] if self.held_inputs else []
        # Functions take sizes in this order.
        further += [f"sizes {self.sizes!r}"] if {*self.sizes} - {INPUT, HIDDEN} else []
        return digest(self.name, self.text, " ".join(self.returned), *tables, *shapes, *further)

    @property
    def brief(self) -> str:
        """Its name and the first digits of its digest, which tell it from others; how a `repr` names it."""
        return f"name={self.name!r} digest={self.digest[:8]!r}"

    def __repr__(self) -> str:
        """One line, which no code reads: the fields hold thousands of characters.

        >>> Cell.from_equations("h' = tanh(W @ x + U @ h + b)", name="elman")
        <Cell name='elman' digest='6a470360' states=('h',) sizes=('input', 'hidden') equations=1 parameters=3>
        """
        return (
            f"<Cell {self.brief} states={self.states} sizes={self.sizes} equations={len(self.equations)} "
            f"parameters={len(self.parameters)}>"
        )

    @property
    def recipe_name(self) -> str:
        """The name that transformations give a cell: that of the one they began with, and theirs."""
        return joined_name(((self.base or self).name, *self.changes))

    def latex(self) -> str:
        """The author's equations in LaTeX (amsmath), each under its number."""
        rows = [
            rf"{left} &{relation} {right}" + (rf" \tag{{{tag}}}" if tag else "")
            for left, right, tag, relation in self._formulas()
        ]
        return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"

    def _formulas(self) -> list[tuple[str, str, str, str]]:
        """Left side, right side, number and relation of every definition and equation, as their author wrote them."""
        notation = step_notation(self)
        if self.written:
            rows = written_rows(self.written, self, notation)
            return [(row.left, row.right, row.tag, row.relation) for row in rows]
        return [(notation.names[e.target], notation(e.expression), e.label, "=") for e in self.equations]

    def _repr_latex_(self) -> str:
        return self.latex()

    def _repr_html_(self) -> str:
        heading = escape(self.title or self.name)
        reference = f"<br><em>{escape(self.reference)}</em>" if self.reference else ""
        return f"<p><strong>{heading}</strong>{reference}</p>{rows_html(self._formulas())}"
