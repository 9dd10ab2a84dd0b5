r"""The derivation as a document: what a lecturer would write on the board, in that order.

Reads a `Lecture`; returns a LaTeX file that needs amsmath, amssymb and geometry. Every formula comes from the record
that it is given; the prose depends on what those formulas are (several states or one, direct paths or none). Leaves
out: figures, dates, anything about kernels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from symrnn.derive.bptt import Recurrences, arrow
from symrnn.derive.factors import to_latex
from symrnn.derive.jacobian import BlockJacobian, Jacobian
from symrnn.derive.layout import Row, align
from symrnn.derive.notation import ARRIVES
from symrnn.derive.sections import adjoint_rows, equations_rows, parts_rows, tape_latex
from symrnn.language.cell import Cell
from symrnn.language.latex import Notation, number_latex, size_latex, spell
from symrnn.language.system import Role, System, Variable
from symrnn.language.tree import Call, Reduce, walk


@dataclass(frozen=True)
class Lecture:
    """What the document shows.

    Attributes:
        cell: the cell.
        notation: how names are written.
        adjoint: of one step.
        recurrences: of backpropagation through time.
        tape: names of the values that the adjoint reads.
        step: the Jacobian of the step by its states.
        inputs: the Jacobians by inputs that are not zero.
        parameters: the Jacobians by parameters that are not zero.
    """

    cell: Cell
    notation: Notation
    adjoint: System
    recurrences: Recurrences
    tape: tuple[str, ...]
    step: BlockJacobian
    inputs: tuple[Jacobian, ...]
    parameters: tuple[Jacobian, ...]


def document(lecture: Lecture) -> str:
    """The LaTeX file."""
    parts = (_opening, _forward, _jacobians, _adjoint, _through_time, _tape, _appendix)
    blocks = [block for part in parts for block in part(lecture)]
    return "\n\n".join([_PREAMBLE, *blocks, r"\end{document}"]) + "\n"


_PREAMBLE = r"""\documentclass[11pt,fleqn]{article}
\usepackage[a4paper,margin=22mm]{geometry}
\usepackage{amsmath,amssymb}
\setlength{\mathindent}{1.5em}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.6ex}
\allowdisplaybreaks
\begin{document}"""


def _opening(lecture: Lecture) -> Iterator[str]:
    cell = lecture.cell
    yield "\\begin{center}"
    yield rf"{{\Large\bfseries {escaped(cell.title or cell.name)}}}\\[1ex]"
    yield "The step, its derivatives and backpropagation through time"
    if cell.reference:
        yield rf"{{\small {escaped(cell.reference)}}}"
    yield "\\end{center}"


def _forward(lecture: Lecture) -> Iterator[str]:
    cell, notation = lecture.cell, lecture.notation
    yield r"\section{The step}"
    states = _listed(rf"${spell(state, 't-1')} \to {spell(state, 't')}$" for state in cell.states)
    given = _listed(f"${notation.name(variable.name)}$" for variable in cell.of_role(Role.INPUT))
    yield _shown(
        rf"At every step $t = 1, \dots, T$ the cell reads the input {given} and takes its state{_s(cell.states)} one step "
        rf"on, {states}. The layer's output is ${spell(cell.output, 't')}$.",
        align(equations_rows(cell, notation)),
    )
    yield _shown(
        r"Products $\odot$, quotients, powers and functions act unit by unit, and $\operatorname{diag}(v)$ is the "
        rf"diagonal matrix of $v$.{_words(lecture)} The sizes are",
        align([Row(names, shape) for names, shape in _shapes(cell, notation)]).replace("&=", r"&\in"),
    )
    if cell.constants:
        values = _listed(
            f"${notation.names[name]} = {number_latex(Fraction(text), text)}$" for name, text in cell.constants.items()
        )
        yield f"The constant{_s(cell.constants)}: {values}."
    if parts := parts_rows(cell, notation):
        yield _shown("Below, these parts have names of their own:", align(parts))


def _words(lecture: Lecture) -> str:
    """What signs mean that only some cells need."""
    nodes = [node for e in (*lecture.cell.normal.equations, *lecture.adjoint.equations) for node in walk(e.expression)]
    called = {node.function for node in nodes if isinstance(node, Call)}
    text = ""
    if "sigmoid" in called:
        text += r" $\sigma(a) = 1 / (1 + e^{-a})$."
    if any(isinstance(node, Reduce) for node in nodes):
        text += r" Reductions run over the units, and their results broadcast."
    if called & {"positive", "prefer"}:
        text += r" $[P]$ is 1 where $P$ holds and 0 where it does not; on a tie of two arguments it is $\tfrac{1}{2}$."
    return text


def _shapes(cell: Cell, notation: Notation) -> Iterator[tuple[str, str]]:
    """Names that have a shape in common, inputs and states first."""
    groups: dict[tuple[str, ...], list[Variable]] = {}
    wanted = (*cell.of_role(Role.INPUT), *cell.of_role(Role.NEXT), *cell.parameters)
    for variable in wanted:
        groups.setdefault(variable.shape, []).append(variable)
    for shape, variables in groups.items():
        texts = [notation.name(variable.name) for variable in variables]
        space = r"\mathbb{R}^{" + r" \times ".join(size_latex(size) for size in shape) + "}"
        for at in range(0, len(texts), 12):
            yield ",\\, ".join(texts[at : at + 12]), space


def _jacobians(lecture: Lecture) -> Iterator[str]:
    yield r"\section{The Jacobian of one step}"
    yield _shown(
        "Every equation is differentiated unit by unit, and derivatives are written in saved outputs where that is "
        "possible. A term below is one path from the state before the step to the state after it: a diagonal matrix for "
        "the functions and products on its way, and a parameter matrix for each linear form. What several paths share "
        "keeps its name.",
        align(lecture.step.lines()),
    )
    yield from _direct_paths(lecture)
    if lecture.inputs:
        yield _shown("By the input:", align(_unique(line for each in lecture.inputs for line in each.lines())))


def _direct_paths(lecture: Lecture) -> Iterator[str]:
    """What happens to gradients over many steps, state by state."""
    for state, row in zip(lecture.cell.states, lecture.step.blocks, strict=True):
        block = next(each for each in row if each.input == state)
        way = rf"from ${spell(state, 't-1')}$ to ${spell(state, 't')}$"
        if direct := block.direct:
            path = to_latex(direct, "", lecture.notation)
            found = "One path" if len(direct) == 1 else "Some paths"
            yield (
                rf"{found} {way} cross{'es' * (len(direct) == 1)} no matrix. A gradient that takes it is multiplied by "
                rf"${path}$, unit by unit, and survives many steps where that stays near the identity."
            )
        elif block.terms:
            yield (
                rf"Every path {way} crosses a matrix or a sum over units. Over many steps a gradient is multiplied by as "
                r"many such products: it explodes where their norms stay above 1, which clipping its norm cures, and vanishes "
                r"where they stay below, which only another cell cures."
            )


def _adjoint(lecture: Lecture) -> Iterator[str]:
    yield r"\section{The adjoint of one step}"
    state = lecture.cell.output
    text = (
        rf"Let $L$ be the loss. A bar marks an adjoint, $\overline{{v}} = \partial L / \partial v$, and an arrow what the "
        rf"step hands back to the one before it: ${arrow(state, 't-1')}$ is all of the adjoint of ${spell(state, 't-1')}$ "
        rf"that flows through step $t$."
    )
    adjoints = lecture.adjoint.of_role(Role.ADJOINT)
    if any(not variable.of for variable in adjoints):
        text += r" A $\delta$ is an adjoint on its way through an equation, past its function or its broadcast."
    if any(ARRIVES in lecture.notation.names[variable.name] for variable in adjoints):
        text += " The part of an adjoint that reaches the step from outside is marked ``in''."
    yield text
    yield _shown(
        r"The equations of the step are walked backwards. The adjoint of a value is the sum of what its readers contribute; "
        r"a linear form $W v$ with adjoint $\delta$ contributes $W^{\top} \delta$ to $v$ and $\delta v^{\top}$ to $W$. "
        "Together this is the transposed Jacobian times the adjoint, and no Jacobian is ever formed:",
        align(adjoint_rows(lecture.adjoint, lecture.notation, parameters=False)),
    )


def _through_time(lecture: Lecture) -> Iterator[str]:
    cell, notation = lecture.cell, lecture.notation
    yield r"\section{Backpropagation through time}"
    last = _listed(f"${spell(state, 'T')}$" for state in cell.states)
    yield _shown(
        rf"Let $L = \sum_t \ell_t({spell(cell.output, 't')}) + \ell_{{\mathrm{{end}}}}$, where $\ell_{{\mathrm{{end}}}}$ "
        rf"reads the final state{_s(cell.states)} {last}. For $t = T, \dots, 1$ the step is handed",
        align(lecture.recurrences.chain(notation)),
    )
    handed = _listed(f"${arrow(each.state, 't-1')}$" for each in lecture.recurrences.carried if each.returned)
    rows = adjoint_rows(lecture.adjoint, notation, parameters=False)
    if rows and handed:
        yield f"and equations ({rows[0].tag}) to ({rows[-1].tag}) give {handed} for the step before."
    yield _shown(
        "In one formula: a gradient that reaches back from step $T$ to step $k$ is multiplied by one Jacobian for every "
        "step in between,",
        align([Row(_step(cell, "T", "k"), _product(cell))]),
    )
    yield from _direct_products(lecture)
    if sums := lecture.recurrences.sums(notation):
        yield _shown("The same parameters serve every step, so their gradients are sums over time:", align(sums))


def _direct_products(lecture: Lecture) -> Iterator[str]:
    """What remains of the product of Jacobians where a state has one direct path."""
    rows = []
    for state, blocks in zip(lecture.cell.states, lecture.step.blocks, strict=True):
        direct = next(each for each in blocks if each.input == state).direct
        if len(direct) == 1:
            path = to_latex(direct, "", lecture.notation)
            left = rf"\left. \frac{{\partial {spell(state, 'T')}}}{{\partial {spell(state, 'k')}}} \right|_{{\text{{direct}}}}"
            rows.append(Row(left, rf"\textstyle\prod_{{t=k+1}}^{{T}} {path}"))
    if rows:
        yield _shown("Of this, the direct path alone contributes", align(rows))


def _tape(lecture: Lecture) -> Iterator[str]:
    yield r"\section{What the backward pass needs}"
    yield _shown(
        "These values of a step occur in its adjoint. They are kept for every step, or computed again where that is cheaper; "
        "whatever else the step computes can be forgotten at once.",
        tape_latex(lecture.tape, lecture.adjoint, lecture.notation),
    )


def _appendix(lecture: Lecture) -> Iterator[str]:
    if lecture.parameters:
        yield r"\section*{Appendix: the Jacobians by the parameters}"
        yield _shown(
            r"A matrix is read row by row as one vector $\operatorname{vec}(W)$, so that "
            r"$\partial (W v) / \partial \operatorname{vec}(W) = I \otimes v^{\top}$.",
            align(_unique(line for each in lecture.parameters for line in each.lines())),
        )


def _shown(prose: str, display: str) -> str:
    """A sentence and the formulas that it leads to, in one paragraph."""
    return f"{prose}\n{display}"


def _together(cell: Cell, time: str) -> str:
    """All states at a time, as one vector."""
    texts = [spell(state, time) for state in cell.states]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _product(cell: Cell) -> str:
    """The Jacobians of the steps from ``k`` to ``T``, the last first."""
    return rf"{_step(cell, 'T', 'T-1')} \, \cdots \, {_step(cell, 'k+1', 'k')}"


def _step(cell: Cell, after: str, before: str) -> str:
    return rf"\frac{{\partial {_together(cell, after)}}}{{\partial {_together(cell, before)}}}"


def _unique(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(dict.fromkeys(rows))


def _listed(items: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = [*items] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _s(things: Iterable[object]) -> str:
    return "s" if len(tuple(things)) > 1 else ""


_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
_PUNCTUATION = "–—‘’“”…"


def escaped(text: str) -> str:
    """A person's text for LaTeX; letters that the usual fonts lack become question marks."""
    plain = (_ESCAPES.get(letter, letter) for letter in " ".join(text.split()))
    return "".join(part if len(part) > 1 or ord(part) < 0x180 or part in _PUNCTUATION else "?" for part in plain)
