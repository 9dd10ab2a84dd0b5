"""The listings of a derivation as lines of LaTeX and as plain text: equations, adjoint, tape.

Reads a cell, the adjoint of its normal form and a notation; returns `Line` records or text. Leaves out: prose
(`symrnn.derive.lecture`), Jacobians and recurrences, which print themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from symrnn.derive.factors import partial
from symrnn.derive.jacobian import Slopes
from symrnn.language.axes import plain, shape_axes, twins_of
from symrnn.language.cell import Cell
from symrnn.language.listing import labelled, own_lines, written_lines
from symrnn.language.starts import DOMAINS, described_start
from symrnn.language.system import HIDDEN, INPUT, Equation, Role, System, Variable
from symrnn.language.tree import PRIME, Binary, Expression, MatVec, Name, names
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.latex import parentheses
from symrnn.language.typeset.lines import TEXT_WIDTH, Line, width
from symrnn.language.typeset.symbols import spell


def equations_rows(cell: Cell, notation: Notation) -> tuple[Line, ...]:
    """The author's equations."""
    return tuple(_row(equation, notation) for equation in cell.equations)


def parts_rows(cell: Cell, notation: Notation) -> tuple[Line, ...]:
    """The parts of equations that the derivation names, and that are too long to be written out."""
    return tuple(_row(equation, notation) for equation in _parts(cell) if equation.target not in notation.parts)


def named_parts(cell: Cell, notation: Notation) -> tuple[Line, ...]:
    """The parts that are written out wherever they stand: how code calls them, and what they are."""
    return tuple(
        Line(code_name(equation.target), notation.name(equation.target), equation.label)
        for equation in _parts(cell)
        if equation.target in notation.parts
    )


def code_name(name: str) -> str:
    """A name in LaTeX as it stands in code."""
    plain = name.replace("_", r"\_")
    return rf"\mathtt{{{plain}}}"


def slope_rows(cell: Cell, slopes: Slopes, notation: Notation) -> tuple[Line, ...]:
    """The derivatives of every equation by the values and linear forms that it reads, in the order of the step.

    What enters an equation only as a sum has one derivative, that by the sum; a long sum is taken summand by summand.
    """
    rows = []
    held = cell.normal.held
    for equation in cell.normal.equations:
        if equation.target in held:
            continue
        sums: dict[Expression, list[Expression]] = {}
        for atom, slope in slopes[equation.target]:
            if not held.issuperset(names(atom)):
                sums.setdefault(slope, []).append(atom)
        for slope, atoms in sums.items():
            if any(isinstance(atom, MatVec) or _is_value(cell, atom) for atom in atoms):
                by = _read(atoms, notation)
                for one in [by] if width(by) <= TEXT_WIDTH / 2 else [_read([atom], notation) for atom in atoms]:
                    left = partial(equation.target, one, notation)
                    rows.append(Line(left, notation(slope), origin=equation.label))
    return tuple(rows)


def _is_value(cell: Cell, atom: Expression) -> bool:
    return isinstance(atom, Name) and cell.normal.by_name[atom.name].role is not Role.PARAMETER


def _read(atoms: list[Expression], notation: Notation) -> str:
    """What an equation is differentiated by."""
    whole = atoms[0]
    for atom in atoms[1:]:
        whole = Binary("+", whole, atom)
    return notation(whole) if isinstance(whole, Name) else parentheses(notation(whole))


def equations_text(cell: Cell) -> str:
    """The author's equations, what they read and return, sizes that follow, and the parts that the derivation names."""
    lines = ["Equations as their author wrote them", *written_lines(cell.written)] if cell.written else []
    lines += ["Equations written out" if cell.written else "Equations", *labelled(cell.equations)]
    if cell.functions:
        lines += ["Functions of the cell's own", *own_lines(cell.functions.values())]
    lines += interface_lines(cell)
    wide = max((len(parameter.name) for parameter in cell.parameters), default=0)
    listed = [f"  {parameter.name:{wide}}  {_axes_text(parameter)}" for parameter in cell.parameters]
    said = ["; ".join(facts(cell, parameter)) for parameter in cell.parameters]
    column = max((len(line) for line in listed), default=0)
    listed = [f"{line:{column}}  {text}" if text else line for line, text in zip(listed, said, strict=True)]
    lines += ["Parameters, every name that is never assigned", *listed] if listed else []
    if decided := _sizes(cell):
        lines += ["Sizes that the equations decide", *decided]
    if cell.preparation.equations:
        prepared = ", ".join(cell.preparation.outputs)
        lines += [f"Prepared from parameters alone, once: {prepared}"]
    if parts := _parts(cell):
        lines += ["Parts with names of their own", *labelled(parts)]
    return "\n".join(lines) + "\n"


def interface_lines(cell: Cell) -> list[str]:
    """What a step reads and returns beside parameters, with the axes that each has in a row; wrapped."""
    returned = zip(cell.returned, cell.output_values, strict=True)
    found = {
        "inputs": [f"{name} {_axes_text(cell.by_name[name])}{_kind(cell, name)}" for name in cell.given],
        "states": [f"{name} {_axes_text(cell.by_name[name + PRIME])}" for name in cell.states],
        "outputs": [f"{name} {_axes_text(cell.by_name[value])}" for name, value in returned],
    }
    lines = ["Inputs, states and outputs of a step"]
    for what, entries in found.items():
        lines += _listed(f"  {what:9}", entries)
    return lines


def _kind(cell: Cell, name: str) -> str:
    """What an input is, if it is no ordinary one."""
    if name in cell.masks:
        return ", a mask"
    return "" if cell.by_name[name].gradient else ", without gradient"


def _listed(head: str, entries: list[str], width: int = 100) -> list[str]:
    """Entries behind ``head``, semicolons between them, in lines of ``width`` columns; no entry is broken."""
    lines = [head + entries[0]]
    for entry in entries[1:]:
        lines[-1] += ";"
        if len(lines[-1]) + len(entry) + 2 > width:
            lines.append(" " * len(head) + entry)
        else:
            lines[-1] += f" {entry}"
    return lines


def _axes_text(variable: Variable) -> str:
    """The axes of a value as arrays have them, the columns of a matrix last: ``(head, key, input)``."""
    return f"({', '.join(shape_axes(variable.shape))})"


def facts(cell: Cell, parameter: Variable) -> Iterator[str]:
    """What the tables of a cell file say of a parameter."""
    if not parameter.gradient:
        yield "fixed, without gradient"
    if parameter.name in cell.unset:
        yield "starts at random, without an entry under [init]: give its numbers"
    if parameter.name in cell.domain:
        yield f"{cell.domain[parameter.name]}, {DOMAINS[cell.domain[parameter.name]].text}"
    if parameter.name in cell.init:
        yield f"starts {described_start(cell.init[parameter.name])}"


def _sizes(cell: Cell) -> list[str]:
    """What an author may not expect of sizes: states of the size of the input, sizes forced to be one, second names of axes."""
    found = [f"  {state}  ({INPUT}), that of x" for state in cell.states if cell.size(state + PRIME) == INPUT]
    if cell.input_is_hidden:
        by = f"({cell.tied_by})" if cell.tied_by else "[sizes]"
        found.append(
            f"  {INPUT} = {HIDDEN}, by {by}: x has as many units as a state; a call with other sizes is an error"
        )
    for axis in twins_of(size for variable in cell.normal.variables for size in variable.shape):
        found.append(
            f"  {axis}  as many as {plain(axis)}: the columns of a matrix that has {plain(axis)} in its rows too"
        )
    return found


def adjoint_rows(adjoint: System, notation: Notation, parameters: bool = True) -> tuple[Line, ...]:
    """The adjoint of a step; ``parameters`` says whether what it contributes to their gradients belongs to it."""
    left_out = () if parameters else _gradients(adjoint)
    return tuple(_row(equation, notation) for equation in adjoint.equations if equation.target not in left_out)


def adjoint_text(adjoint: System, heading: str = "Adjoint of a step") -> str:
    """The adjoint of a step, each equation with those that its terms come from, in their order."""
    lines = labelled(adjoint.equations)
    wide = max(len(line) for line in lines)
    origins = [f"{line:{wide}}   from {_marked(e.origins)}" for line, e in zip(lines, adjoint.equations, strict=True)]
    return "\n".join([heading, *origins]) + "\n"


def prepared_rows(system: System, notation: Notation) -> tuple[Line, ...]:
    """The equations that prepare parameters, or their adjoint: there a bar marks a gradient, summed over rows and steps."""
    names = {v.name: spell(v.of, "", r"\overline") if v.of else spell(v.name) for v in system.variables}
    shapes = {variable.name: variable.shape for variable in system.variables}
    once = Notation({**notation.names, **names}, {**notation.shapes, **shapes})
    return tuple(_row(equation, once) for equation in system.equations)


def tape_of(cell: Cell, adjoint: System, fixed: frozenset[str]) -> tuple[str, ...]:
    """The values of a step that its adjoint reads, in the order of the step; ``fixed`` depend on parameters alone."""
    read = {name for equation in adjoint.equations for name in names(equation.expression)}
    step = (*cell.normal.inputs, *(equation.target for equation in cell.normal.equations))
    return tuple(name for name in step if name in read and name not in fixed)


def tape_rows(tape: Iterable[str], adjoint: System) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each value of the tape and the labels of the equations that read it."""
    return tuple((name, tuple(e.label for e in adjoint.equations if name in names(e.expression))) for name in tape)


def tape_text(tape: tuple[str, ...], adjoint: System) -> str:
    """The tape, each value with the equations that read it."""
    wide = max((len(name) for name in tape), default=0)
    rows = [f"  {name:{wide}}  read by {_marked(labels)}" for name, labels in tape_rows(tape, adjoint)]
    return (
        "\n".join(
            ["What the adjoint reads of the step", *(rows or ["  nothing: the adjoint reads no value of the step"])]
        )
        + "\n"
    )


def tape_latex(tape: tuple[str, ...], adjoint: System, notation: Notation) -> str:
    """The tape as an array: a value and the equations that read it on each line."""
    rows = [rf"{notation.name(name)} & {_folded(labels)}" for name, labels in tape_rows(tape, adjoint)]
    body = " \\\\\n".join([r"\textbf{value} & \textbf{read by}", *rows])
    return f"\\[\n\\begin{{array}}{{@{{}}ll@{{}}}}\n{body}\n\\end{{array}}\n\\]"


def _row(equation: Equation, notation: Notation) -> Line:
    origin = ", ".join(equation.origins) if equation.origin != equation.label else ""
    return Line(notation.names[equation.target], notation(equation.expression), equation.label, origin=origin)


def _parts(cell: Cell) -> tuple[Equation, ...]:
    return cell.parts


def _gradients(adjoint: System) -> tuple[str, ...]:
    """The adjoint's outputs that belong to parameters."""
    return tuple(name for name in adjoint.outputs if adjoint.by_name[adjoint.by_name[name].of].role is Role.PARAMETER)


def _marked(labels: Iterable[str]) -> str:
    return ", ".join(f"({label})" for label in labels)


def _folded(labels: tuple[str, ...], width: int = 10) -> str:
    """Labels in lines of ``width``: a value that everything reads must not run off the page."""
    lines = [_marked(labels[at : at + width]) for at in range(0, len(labels), width)]
    return r" \\ & ".join(rf"\text{{{line}}}" for line in lines)
