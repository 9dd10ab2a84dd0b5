"""The arguments of the command line, with their help.

Reads them; returns them parsed. Imports nothing that takes a while. Leaves out: what is done with them
(`symrnn.cli.commands`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TypeAlias

import symrnn
from symrnn.parts import ALL, PARTS, PLAN

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command and what it was given.

    Args:
        argv: the arguments; those of the process unless given.

    Raises:
        SystemExit: help or the version was printed (0), or the arguments are wrong (2).
    """
    parser = argparse.ArgumentParser(
        prog="symrnn",
        description="Recurrent cells as equations: gradients derived and proven, kernels generated in NumPy and C.",
        epilog="`symrnn COMMAND --help` shows examples. Exit codes: 0 done, 1 differs or failed a check, 2 trouble.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {symrnn.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (_add_list, _add_show, _add_generate, _add_check):
        add(commands)
    arguments = parser.parse_args(argv)
    if arguments.command == "show":
        _refuse_contradictions(arguments)
    return arguments


def _refuse_contradictions(show: argparse.Namespace) -> None:
    if show.document and show.part != ALL:
        show.refuse(f"--document holds every derivation; for {show.part} alone, use --format latex")
    if show.document and show.json:
        show.refuse("--document is LaTeX; for JSON, leave it out")
    if show.part == PLAN and show.format == "latex":
        show.refuse("the plan is text; leave out --format latex")


def _add_list(commands: Commands) -> None:
    parser = commands.add_parser("list", help="the bundled cells", description="List the bundled cells.")
    _add_json(parser)


def _add_show(commands: Commands) -> None:
    parser = commands.add_parser(
        "show",
        help="a cell's equations, derivatives and plan",
        description="Print what symrnn knows about a cell: its equations, every derivative, and how the kernels run.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  symrnn show lstm                               all of it, as text
  symrnn show lstm --part adjoint                the backward pass of one step
  symrnn show lstm --plan                        stages, stacked matrices, tape
  symrnn show my_cell.toml --part jacobian --format latex
  symrnn show lstm --document > lstm.tex && pdflatex lstm.tex""",
    )
    parser.add_argument("cell", metavar="CELL", help="name of a bundled cell, or path of a cell file")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--part", choices=PARTS, default=ALL, help="what to print (default: %(default)s)")
    part.add_argument("--plan", dest="part", action="store_const", const=PLAN, help="short for --part plan")
    parser.add_argument(
        "--format", choices=("text", "latex"), default="text", help="text, or a LaTeX fragment (default: %(default)s)"
    )
    parser.add_argument("--document", action="store_true", help="a whole LaTeX file, for pdflatex; implies --part all")
    _add_json(parser)
    parser.set_defaults(refuse=parser.error)


def _add_generate(commands: Commands) -> None:
    parser = commands.add_parser(
        "generate",
        help="write kernels, and build those in C",
        description="Write a cell's kernels and derivation, and build the C kernels where there is a C compiler.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  symrnn generate                                every bundled cell, into generated/
  symrnn generate lstm my_cell.toml --out kernels
  symrnn generate gru --backend numpy            one file that needs NumPy alone
  symrnn generate lstm --no-backward             inference alone
  symrnn generate lstm --hidden 32 --input 1     kernels in C for these sizes alone, quicker for a stream of few units
  symrnn generate --check                        exit 1, with a diff, where files are out of date""",
    )
    _add_cells(parser)
    parser.add_argument(
        "--out", type=_directory, default="generated", help="directory for the files (default: %(default)s)"
    )
    _add_backend(parser)
    _add_dtype(parser, "precisions in which built C kernels are run once before they are called done")
    parser.add_argument("--no-backward", action="store_true", help="inference alone: no gradients, no tape")
    _add_sizes(parser, "kernels in C for this {} alone")
    parser.add_argument("--no-build", action="store_true", help="write sources only")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing; print a diff of files that are out of date")
    mode.add_argument("--dry-run", action="store_true", help="write nothing; print what would be written")
    _add_json(parser)


def _add_check(commands: Commands) -> None:
    parser = commands.add_parser(
        "check",
        help="prove kernels right",
        description="Hold kernels to every oracle: an interpreter, the complex step, central differences, the adjoint\n"
        "identity, and SymPy's Jacobian of the cell written out in scalars. Prints the largest error per array.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  symrnn check                                   every bundled cell
  symrnn check lstm my_cell.toml --backend c --dtype float32
  symrnn check lstm --hidden 32 --input 1        kernels for these sizes alone
  symrnn check gru --json > report.json""",
    )
    _add_cells(parser)
    _add_backend(parser)
    _add_dtype(parser, "precisions to report")
    _add_sizes(parser, "check kernels in C that are generated for this {} alone, with it")
    _add_json(parser)


def _add_sizes(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--hidden", type=int, metavar="N", help=what.format("number of units"))
    parser.add_argument("--input", type=int, metavar="N", help=what.format("number of inputs"))
    parser.add_argument(
        "--size", type=_size, action="append", default=[], metavar="NAME=N", help="the same for any size of the cell"
    )


def _size(text: str) -> tuple[str, int]:
    """A size name and its number, as an argparse type."""
    name, _, number = text.partition("=")
    if not number.isdecimal():
        raise argparse.ArgumentTypeError(f"expected NAME=N, as in projection=8, found {text!r}")
    return name, int(number)


def _directory(text: str) -> str:
    """A path, as an argparse type; an empty one is a variable that a script forgot to set, not this directory."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a directory, found nothing; for this one write .")
    return text


def _add_cells(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "cells", metavar="CELL", nargs="*", help="names of bundled cells, or paths of cell files (default: all bundled)"
    )


def _add_backend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", choices=("numpy", "c", ALL), default=ALL, help="(default: %(default)s)")


def _add_dtype(parser: argparse.ArgumentParser, what: str) -> None:
    choices = ("float32", "float64", ALL)
    parser.add_argument("--dtype", choices=choices, default=ALL, help=f"{what} (default: %(default)s)")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
