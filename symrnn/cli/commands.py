"""What the commands do: list, show, check and diagnose; the others are in modules of their own.

Reads parsed arguments; returns an exit code and the text to print. On a terminal, long work shows its
progress on standard error. Leaves out: arguments, printing and errors (`symrnn.cli`).
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace

from symrnn.check.check import check
from symrnn.cli.generate import generate
from symrnn.cli.gradient_flow import flow
from symrnn.cli.information import information
from symrnn.cli.pages import report
from symrnn.cli.shared import (
    DIFFERS,
    DONE,
    Outcome,
    chosen_backends,
    chosen_cells,
    chosen_dtypes,
    chosen_sizes,
    note,
    note_doubtful,
    progress,
    progress_in_lines,
    to_json,
)
from symrnn.derive.derivation import derive
from symrnn.derive.document import document
from symrnn.diagnose.diagnose import diagnose
from symrnn.errors import BuildError, DiagnoseError
from symrnn.language.axes import plain
from symrnn.language.bundled import about_cells
from symrnn.language.cell import Cell
from symrnn.language.cellfile import load
from symrnn.language.families import FAMILIES
from symrnn.language.origin import nearest, shown
from symrnn.parts import ALL, DERIVED, PLAN
from symrnn.pipeline import lecture, program
from symrnn.targets import registry
from symrnn.targets.description import PRECISIONS


def run_command(arguments: Namespace) -> Outcome:
    """Run the command that ``arguments.command`` names.

    Returns:
        The exit code, and the text for standard output.

    Raises:
        SymrnnError: something is wrong with a cell, a directory or a compiler.
    """
    commands = {
        "list": _list,
        "show": _show,
        "generate": generate,
        "report": report,
        "check": _check,
        "flow": flow,
        "diagnose": _diagnose,
        "info": information,
    }
    return commands[arguments.command](arguments)


def _list(arguments: Namespace) -> Outcome:
    chosen = [
        cell
        for cell in about_cells()
        if arguments.family in (None, cell.family) and all(map(cell.has, arguments.words))
    ]
    if not chosen:
        note(_none_listed(arguments))
    if arguments.json:
        return DONE, to_json([_described(load(cell.name)) for cell in chosen])
    columns = [(cell.name, cell.family, cell.year, cell.title) for cell in chosen]
    name, family = (max((len(row[column]) for row in columns), default=0) for column in (0, 1))
    return DONE, "".join(f"{row[0]:{name}}  {row[1]:{family}}  {row[2]:4}  {row[3]}\n" for row in columns)


def _none_listed(arguments: Namespace) -> str:
    """Why `list` prints nothing, and what to try."""
    bundled = about_cells()
    if arguments.family and not arguments.words:
        others = registry.listed(tuple(family for family in FAMILIES if any(family == cell.family for cell in bundled)))
        return f"no bundled cell is of the family {arguments.family} yet; try {others}"
    known = [*(cell.name for cell in bundled), *FAMILIES]
    known += sorted({word for cell in bundled for word in re.findall(r"\w{3,}", f"{cell.title} {cell.reference}")})
    hints = [nearest(word, known) for word in arguments.words if not any(cell.has(word) for cell in bundled)]
    words = " and ".join(f"`{shown(word)}`" for word in arguments.words)
    family = f" of the family {arguments.family}" if arguments.family else ""
    return f"no bundled cell{family} has {words} in its name, title, family or reference{next(filter(None, hints), '')}"


def _described(cell: Cell) -> dict[str, object]:
    """A cell in values that JSON takes; shapes are size names."""
    return {
        "name": cell.name,
        "title": cell.title,
        "reference": cell.reference,
        "family": cell.family,
        "parent": cell.parent,
        "difference": cell.difference,
        "departures": cell.departures,
        "equations": cell.text.strip().splitlines(),
        **({"define": dict(cell.define)} if cell.define else {}),
        "sizes": cell.sizes,
        "input_is_hidden": cell.input_is_hidden,
        "states": {state: cell.by_name[state].shape for state in cell.states},
        "inputs": {name: cell.by_name[name].shape for name in cell.given},
        "output": cell.output,
        "outputs": {
            name: cell.by_name[value].shape for name, value in zip(cell.returned, cell.output_values, strict=True)
        },
        "parameters": {parameter.name: tuple(map(plain, parameter.shape)) for parameter in cell.parameters},
    }


def _show(arguments: Namespace) -> Outcome:
    cell = load(arguments.cell)
    note_doubtful([cell])
    with progress() as say:
        say(f"{cell.name}: deriving")
        return DONE, _shown(arguments, cell, say)


def _shown(arguments: Namespace, cell: Cell, say: Callable[[str], None]) -> str:
    """What `show` prints."""
    derivation = derive(cell)
    backend = arguments.backend or registry.DEFAULT
    if arguments.document:
        say(f"{cell.name}: planning, and writing the document")
        return document(cell, lecture(derivation, program(cell, backend=backend)))
    chosen = (*DERIVED, PLAN) if arguments.part == ALL else (arguments.part,)
    derived = [listing for listing in chosen if listing != PLAN]
    texts, latex = {}, {}
    for listing in derived:
        say(f"{cell.name}: writing its {listing}")
        if arguments.format == "text" or arguments.json:
            texts[listing] = derivation.text(listing)
        if arguments.format == "latex" or arguments.json:
            latex[listing] = derivation.latex(listing)
    if arguments.format == "latex" and not arguments.json:
        return "\n\n".join(text.rstrip() for text in latex.values()) + "\n"
    if PLAN in chosen:
        say(f"{cell.name}: planning")
        texts[PLAN] = str(program(cell, backend=backend))
    if arguments.json:
        return to_json(_described(cell) | {"text": texts, "latex": latex})
    return "\n\n".join(text.rstrip() for text in texts.values()) + "\n"


def _check(arguments: Namespace) -> Outcome:
    backends, dtypes = chosen_backends(arguments), chosen_dtypes(arguments)
    for described in map(registry.describe, backends):
        asked = arguments.backend == described.name or (arguments.march and described.marches)
        if asked and (reason := registry.target(described.name).unavailable()):
            raise BuildError(reason)  # requested by name, so an error and not a note if it is missing
    cells = chosen_cells(arguments)
    note_doubtful(cells)
    with progress() as say:
        found = check(
            cells,
            backends=None if arguments.backend == ALL else backends,
            progress=say,
            march=arguments.march,
            sizes=chosen_sizes(arguments),
        )
    # What belongs to no precision, such as the proof, stays.
    left_out = [dtype for dtype in PRECISIONS if dtype not in dtypes]
    found = replace(found, deviations=tuple(each for each in found.deviations if each.dtype not in left_out))
    text = to_json(found.to_json()) if arguments.json else found.table() + "\n"
    return (DONE if found.passed else DIFFERS), text


def _diagnose(arguments: Namespace) -> Outcome:
    layout = dict(arguments.layout)
    if len(layout) < len(arguments.layout):
        raise DiagnoseError("--layout: a name is given twice; write all blocks of a stack in one --layout")
    with progress_in_lines() as say:
        found = diagnose(
            arguments.function,
            arguments.cell,
            layout=layout,
            seed=arguments.seed,
            progress=lambda line: say(f"{arguments.function}: {line}"),
        )
    return (DONE if found.right else DIFFERS), to_json(found.to_json()) if arguments.json else str(found)
