r"""The derivation as a lecture: the sections that a teacher would write on the board, in that order.

Reads a `Material`; returns `Section` records whose prose and formulas are LaTeX. Every formula comes from
the `Material`; the prose depends on the formulas (several states or one, direct paths or none). Leaves out: the file
that ``pdflatex`` takes (`symrnn.derive.document`), pages (`symrnn.report`), dates, and anything about kernels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from symrnn.derive.bptt import Recurrences, arrow
from symrnn.derive.factors import to_latex
from symrnn.derive.jacobian import BlockJacobian, Jacobian, Slopes
from symrnn.derive.lecture_section import Block, Display, Prose, Section, Table
from symrnn.derive.notation import arrivals
from symrnn.derive.preparation import NO_PREPARATION, Preparation
from symrnn.derive.sections import (
    adjoint_rows,
    equations_rows,
    named_parts,
    parts_rows,
    prepared_rows,
    slope_rows,
    tape_rows,
)
from symrnn.language.axes import TWIN, plain
from symrnn.language.cell import Cell
from symrnn.language.own import OPERANDS
from symrnn.language.starts import DOMAINS
from symrnn.language.system import HIDDEN, Role, System, Variable
from symrnn.language.tree import Broadcast, Call, Reduce, VectorCall, walk
from symrnn.language.typeset.as_written import written_rows
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.latex import number_latex
from symrnn.language.typeset.lines import TEXT_WIDTH, Line, width
from symrnn.language.typeset.symbols import size_latex, spell
from symrnn.language.vectors import VECTORS

_INLINE = TEXT_WIDTH / 5
"""The widest formula that stands within a sentence: LaTeX hardly breaks it there."""


@dataclass(frozen=True)
class Material:
    """What the lecture is made of.

    Attributes:
        cell: the cell.
        notation: how names are written at step t.
        later: how they are written at step t + 1.
        final: how they are written at step T.
        adjoint: of one step.
        recurrences: of backpropagation through time.
        tape: names of the values that the adjoint reads.
        slopes: the derivatives of every equation.
        step: the Jacobian of the step by its states.
        inputs: the Jacobians by inputs that are not zero.
        parameters: the Jacobians by parameters that are not zero.
    """

    cell: Cell
    notation: Notation
    later: Notation
    final: Notation
    adjoint: System
    recurrences: Recurrences
    tape: tuple[str, ...]
    slopes: Slopes = field(repr=False)
    step: BlockJacobian
    inputs: tuple[Jacobian, ...]
    parameters: tuple[Jacobian, ...]
    preparation: Preparation = NO_PREPARATION


def lecture(material: Material) -> tuple[Section, ...]:
    """The sections, in the order of a lecture; an appendix where there are parameters."""
    parts = (
        ("step", "The step", _forward),
        ("slopes", "The derivative of each equation", _slopes),
        ("jacobian", "The Jacobian of one step", _jacobians),
        ("adjoint", "The adjoint of one step", _adjoint),
        ("time", "Backpropagation through time", _through_time),
        ("tape", "What the backward pass needs", _tape),
    )
    sections = [Section(key, title, tuple(blocks(material))) for key, title, blocks in parts]
    if material.preparation:
        title, before = "What is prepared from the parameters", [each.key for each in sections].index("tape")
        sections.insert(before, Section("prepared", title, tuple(_prepared(material))))
    if material.parameters:
        title = "Appendix: the Jacobians by the parameters"
        sections.append(Section("parameters", title, tuple(_parameters(material)), appendix=True))
    return tuple(sections)


def _forward(material: Material) -> Iterator[Block]:
    cell, notation = material.cell, material.notation
    states = listed(rf"${spell(state, 't-1')} \to {spell(state, 't')}$" for state in cell.states)
    given = listed(f"${notation.name(variable.name)}$" for variable in cell.of_role(Role.INPUT))
    yield Prose(
        rf"At every step $t = 1, \dots, T$ the cell reads the input{_s(cell.given)} {given} and updates its "
        rf"state{_s(cell.states)}, {states}. The output{_s(cell.returned)} of the layer {_are(cell.returned)} "
        f"{_outputs(cell)}.",
        leads=True,
    )
    if cell.written:
        yield Display(written_rows(cell.written, cell, notation))
        yield Prose("Written out, definitions where they are called and repeats pass by pass, the step is", leads=True)
    yield Display(equations_rows(cell, notation))
    yield Prose(
        r"Products $\odot$, quotients, powers and functions act unit by unit, and $\operatorname{diag}(v)$ is the "
        rf"diagonal matrix of $v$.{_words(material)} The sizes are",
        leads=True,
    )
    yield Display(tuple(Line(names, shape, relation=r"\in") for names, shape in _shapes(cell, notation)))
    if cell.constants:
        values = listed(
            f"${notation.names[name]} = {number_latex(Fraction(text), text)}$" for name, text in cell.constants.items()
        )
        yield Prose(f"The constant{_s(cell.constants)}: {values}.")
    if text := _of_parameters(cell, notation):
        yield Prose(text)
    # Operands are no names of the step.
    names = {name: text for name, text in notation.names.items() if name not in OPERANDS}
    plain = replace(notation, names=names, shapes=dict.fromkeys(OPERANDS, (HIDDEN,)), parts={})
    for function in cell.functions.values():
        slopes = listed(f"${plain(each.node)}$" for each in function.derivatives)
        yield Prose(
            f"${plain(function.call)} = {plain(function.value.node)}$ is a function of the cell's own. Gradients take "
            f"for its derivative{_s(function.derivatives)} {slopes}."
        )
    if parts := parts_rows(cell, notation):
        yield Prose("Below, these parts have names of their own:", leads=True)
        yield Display(parts)
    if parts := named_parts(cell, notation):
        yield Prose(
            "The kernels have names and numbers for these parts. The formulas below write them out:", leads=True
        )
        yield Display(parts)


def _of_parameters(cell: Cell, notation: Notation) -> str:
    """Which parameters are fixed, and what numbers the others may have; empty if the cell says nothing of this."""
    said = []
    if cell.fixed:
        names, several = listed(f"${notation.name(name)}$" for name in cell.fixed), len(cell.fixed) > 1
        said.append(
            f"The parameter{'s' * several} {names} {'are' if several else 'is'} fixed: given, and without gradient."
        )
    for word, domain in DOMAINS.items():
        if inside := [name for name, other in cell.domain.items() if other == word]:
            every = listed(f"${notation.name(name)}$" for name in inside)
            said.append(f"Every number of {every} is {domain.text}.")
    return " ".join(said)


def _words(material: Material) -> str:
    """The meaning of signs that only some cells need."""
    nodes = [
        node for e in (*material.cell.normal.equations, *material.adjoint.equations) for node in walk(e.expression)
    ]
    called = {node.function for node in nodes if isinstance(node, Call)}
    text = ""
    if "sigmoid" in called:
        text += r" $\sigma(a) = 1 / (1 + e^{-a})$."
    if any(isinstance(node, Reduce) for node in nodes):
        text += r" Reductions run over the units, and their results broadcast."
    if any(isinstance(node, Broadcast) for node in nodes):
        text += (
            r" A value that lacks an axis of what it meets is repeated along it: $R_a$ is the matrix that repeats along the "
            r"axis $a$, and $R_a^{\top}$ sums over it."
        )
    if any(TWIN in variable.shape[0] for variable in material.cell.normal.variables):
        text += r" The columns of a matrix that has an axis $a$ in its rows too have the axis $a'$, of as many units."
    if any(isinstance(node, VectorCall) and VECTORS[node.kind].matrix for node in nodes):
        text += (
            r" $\operatorname{cumsum}$ sums the units up to each one, $\operatorname{revcumsum}$ those from each one on. "
            r"Of a matrix, $\operatorname{tril}$ keeps what is not above the diagonal, $\operatorname{triu}$ what is not below."
        )
    if called & {"positive", "prefer"}:
        text += r" $[P]$ is 1 where $P$ holds and 0 where it does not; on a tie of two arguments it is $\tfrac{1}{2}$."
    return text


def _shapes(cell: Cell, notation: Notation) -> Iterator[tuple[str, str]]:
    """Names that have a shape in common, inputs and states first."""
    groups: dict[tuple[str, ...], list[Variable]] = {}
    read = (cell.by_name[name] for name in cell.returned if name not in cell.states)
    wanted = (*cell.of_role(Role.INPUT), *cell.of_role(Role.NEXT), *read, *cell.parameters)
    for variable in wanted:
        groups.setdefault(variable.shape, []).append(variable)
    for shape, variables in groups.items():
        texts = [notation.name(variable.name) for variable in variables]
        space = r"\mathbb{R}^{" + r" \times ".join(size_latex(plain(size)) for size in shape) + "}"
        for at in range(0, len(texts), 12):
            yield ",\\, ".join(texts[at : at + 12]), space


def _slopes(material: Material) -> Iterator[Block]:
    yield Prose(
        "We differentiate one equation at a time, unit by unit, with respect to everything that it reads. A linear form $W v$ "
        "counts as one thing, and so does a sum that enters as a whole. Where possible, the derivative of a function is "
        "written in the value of the function, because the step has computed this value. The number at the end of a line is "
        "that of the differentiated equation.",
        leads=True,
    )
    yield Display(slope_rows(material.cell, material.slopes, material.notation))


def _jacobians(material: Material) -> Iterator[Block]:
    yield Prose(
        "Now apply the chain rule. Each term is one path from the state before the step to the state after it. The term is "
        "the product of the derivatives along the path: a diagonal matrix for functions and products, and a parameter matrix "
        "for each linear form. Values that several paths share keep their names.",
        leads=True,
    )
    yield Display(_unique(material.step.lines()))
    yield from _direct_paths(material)
    if material.inputs:
        yield Prose(f"With respect to the input{_s(material.cell.given)}:", leads=True)
        yield Display(_unique(line for each in material.inputs for line in each.lines()))


def _direct_paths(material: Material) -> Iterator[Block]:
    """What happens to gradients over many steps, state by state."""
    for state, row in zip(material.cell.states, material.step.blocks, strict=True):
        block = next(each for each in row if each.input == state)
        way = rf"from ${spell(state, 't-1')}$ to ${spell(state, 't')}$"
        if direct := block.direct:
            path = to_latex(direct, "", material.notation)
            found = "One path" if len(direct) == 1 else "Some paths"
            said = rf"{found} {way} cross{'es' * (len(direct) == 1)} no matrix. A gradient on such a path is multiplied by "
            survives = "It survives many steps if this factor stays near the identity."
            if width(path) <= _INLINE:
                yield Prose(f"{said}${path}$, unit by unit. {survives}")
                continue
            yield Prose(f"{said}the following factor, unit by unit. {survives}", leads=True)
            yield Display((Line(_direct(state, "t", "t-1"), path),))
        elif block.terms:
            yield Prose(
                rf"Every path {way} crosses a matrix or a sum over units, so each step multiplies a gradient by such a "
                r"product. If the norms stay above 1, the gradient explodes; clipping its norm cures this. If they stay below "
                r"1, the gradient vanishes; only another cell cures this."
            )


def _adjoint(material: Material) -> Iterator[Block]:
    cell = material.cell
    state = next((name for name in cell.returned if name in cell.states), cell.states[0])
    text = (
        rf"Let $L$ be the loss. A bar marks an adjoint, $\overline{{v}} = \partial L / \partial v$. An arrow marks what the "
        rf"step hands back to the step before it: ${arrow(state, 't-1')}$ is the part of the adjoint of "
        rf"${spell(state, 't-1')}$ that flows through step $t$."
    )
    adjoints = material.adjoint.of_role(Role.ADJOINT)
    if any(not variable.of for variable in adjoints):
        text += r" A $\delta$ is an adjoint on its way through an equation, past its function or its broadcast."
    if arrivals(material.adjoint):
        text += " The part of an adjoint that reaches the step from outside is marked ``in''."
    yield Prose(text)
    yield Prose(
        r"We go through the equations of the step backwards. The adjoint of a value is the sum of what its readers contribute. "
        r"A reader contributes the derivative above times its own adjoint. A linear form $W v$ with adjoint $\delta$ "
        r"contributes $W^{\top} \delta$ to $v$ and $\delta v^{\top}$ to $W$. Together this is the transposed Jacobian times "
        r"the adjoint, and no Jacobian is ever formed. Beside its own number, each line has the number of the equation of the "
        r"step that it comes from:",
        leads=True,
    )
    yield Display(adjoint_rows(material.adjoint, material.notation, parameters=False))


def _through_time(material: Material) -> Iterator[Block]:
    cell, notation = material.cell, material.notation
    last = listed(f"${spell(state, 'T')}$" for state in cell.states)
    outputs = ", ".join(spell(name, "t") for name in cell.returned)
    yield Prose(
        rf"Let $L = \sum_t \ell_t({outputs}) + \ell_{{\mathrm{{end}}}}$, where $\ell_{{\mathrm{{end}}}}$ "
        rf"reads the final state{_s(cell.states)} {last}. The last step receives",
        leads=True,
    )
    yield Display(material.recurrences.starts(material.final))
    yield Prose(
        "Every step before it, for $t = T-1, \\dots, 1$, receives what the loss reads directly and what step $t+1$ hands "
        "back:",
        leads=True,
    )
    yield Display(material.recurrences.chain(notation, material.later))
    handed = listed(f"${arrow(each.state, 't-1')}$" for each in material.recurrences.carried if each.returned)
    rows = adjoint_rows(material.adjoint, notation, parameters=False)
    if rows and handed:
        yield Prose(f"Equations ({rows[0].tag}) to ({rows[-1].tag}) then give {handed} for the step before.")
    yield Prose(
        "In one formula: on its way back from step $T$ to step $k$, a gradient is multiplied by one Jacobian for every step,",
        leads=True,
    )
    yield Display((Line(_step(cell, "T", "k"), _product(cell)),))
    if rows := _direct_products(material):
        yield Prose("The direct path alone contributes", leads=True)
        yield Display(rows)
    if sums := material.recurrences.sums(notation):
        yield Prose("Every step has the same parameters, so their gradients are sums over time:", leads=True)
        yield Display(sums)


def _prepared(material: Material) -> Iterator[Block]:
    notation, prepared = material.notation, material.preparation
    made = listed(f"${notation.name(name)}$" for name in prepared.forward.outputs)
    yield Prose(
        f"The step reads {made} like parameters. They are computed from the parameters once, not at every step. One entry "
        "stands for all: a vector stands along the rows or the columns of a matrix and broadcasts, and a sum runs over the "
        "rows, the columns or all entries:",
        leads=True,
    )
    yield Display(prepared_rows(prepared.forward, notation))
    if prepared.adjoint.equations:
        yield Prose(
            r"When their gradients are summed over rows and steps, the same equations are gone through backwards, once. A "
            r"product $C = A B$ contributes $\overline{C} B^{\top}$ to $A$ and $A^{\top} \overline{C}$ to $B$:",
            leads=True,
        )
        yield Display(prepared_rows(prepared.adjoint, notation))


def _direct_products(material: Material) -> tuple[Line, ...]:
    """What remains of the product of Jacobians where a state has one direct path."""
    rows = []
    for state, blocks in zip(material.cell.states, material.step.blocks, strict=True):
        direct = next(each for each in blocks if each.input == state).direct
        if len(direct) == 1:
            path = to_latex(direct, "", material.notation)
            rows.append(Line(_direct(state, "T", "k"), rf"\textstyle\prod_{{t=k+1}}^{{T}} {path}"))
    return tuple(rows)


def _direct(state: str, after: str, before: str) -> str:
    """The LaTeX of the derivative along the paths that cross no matrix."""
    return rf"\left. \frac{{\partial {spell(state, after)}}}{{\partial {spell(state, before)}}} \right|_{{\text{{direct}}}}"


def _tape(material: Material) -> Iterator[Block]:
    yield Prose(
        "The adjoint of a step reads these values of the step. They are kept for every step, or computed again where that is "
        "cheaper. All other values of the step can be forgotten at once.",
        leads=True,
    )
    rows = tape_rows(material.tape, material.adjoint)
    cells = tuple(
        (f"${material.notation.name(name)}$", ", ".join(f"({label})" for label in labels)) for name, labels in rows
    )
    yield Table(("value", "read by"), cells, wide=(1,))


def _parameters(material: Material) -> Iterator[Block]:
    yield Prose(
        r"A matrix is read row by row as one vector $\operatorname{vec}(W)$, so that "
        r"$\partial (W v) / \partial \operatorname{vec}(W) = I \otimes v^{\top}$.",
        leads=True,
    )
    yield Display(_unique(line for each in material.parameters for line in each.lines()))


def _together(cell: Cell, time: str) -> str:
    """All states at a time, as one vector."""
    texts = [spell(state, time) for state in cell.states]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _product(cell: Cell) -> str:
    """The Jacobians of the steps from ``k`` to ``T``, the last first."""
    return rf"{_step(cell, 'T', 'T-1')} \, \cdots \, {_step(cell, 'k+1', 'k')}"


def _step(cell: Cell, after: str, before: str) -> str:
    return rf"\frac{{\partial {_together(cell, after)}}}{{\partial {_together(cell, before)}}}"


def _unique(rows: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(dict.fromkeys(rows))


def _outputs(cell: Cell) -> str:
    return listed(f"${spell(name, 't')}$" for name in cell.returned)


def listed(items: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = [*items] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _are(things: Iterable[object]) -> str:
    return "are" if _s(things) else "is"


def _s(things: Iterable[object]) -> str:
    return "s" if len(tuple(things)) > 1 else ""
