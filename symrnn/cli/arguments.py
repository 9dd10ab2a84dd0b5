"""The arguments of the command line, with their help.

Reads them; returns them parsed. Imports nothing that takes a while. Leaves out: what stands behind an option
(`symrnn.cli.types`), and the commands (`symrnn.cli.commands`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TypeAlias

from symrnn.cli.types import (
    above_zero,
    backend,
    directory,
    family,
    marches,
    not_negative,
    numbers,
    one_backend,
    positive,
    seed,
    several_marches,
    size,
    stack,
)
from symrnn.language.bundled import first_cells
from symrnn.language.families import FAMILIES
from symrnn.language.transform.recipe import EXAMPLES, SUMMARIES
from symrnn.parts import ALL, PARTS, PLAN
from symrnn.targets import registry
from symrnn.targets.description import PRECISIONS
from symrnn.version import __version__

_ONE_CELL = "name of a bundled cell, or path of a cell file, perhaps +TRANSFORMATION behind it"

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command and its arguments.

    Args:
        argv: the arguments; the default is those of the process.

    Raises:
        SystemExit: help or the version was printed (0), or the arguments are wrong (2).
    """
    parser = argparse.ArgumentParser(
        prog="symrnn",
        description=f"Recurrent cells as equations: gradients derived and proven, kernels generated in {_titles()}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"""transformations, which make a cell of a cell wherever one is named (`symrnn show lstm+layer_norm+zoneout`):
{_transformations()}
arguments stand behind a colon (`lstm+zoneout:h=0.1,c=0.05`), or in parentheses within quotation marks.

`symrnn COMMAND --help` shows examples. Exit codes: 0 done, 1 differs or failed a check, 2 trouble.""",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (_add_list, _add_show, _add_generate, _add_report, _add_check, _add_flow, _add_diagnose, _add_info):
        add(commands)
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    arguments = parser.parse_args(argv)
    if arguments.command == "show":
        _refuse_contradictions(arguments)
    if "cells" in arguments and arguments.cells and arguments.all:
        arguments.refuse("--all means every bundled cell; name no cell, or leave out --all")
    if arguments.command in ("generate", "check") and arguments.march:
        _refuse_march_of_nothing(arguments)
    return arguments


def _refuse_march_of_nothing(arguments: argparse.Namespace) -> None:
    if arguments.backend != ALL and not registry.describe(arguments.backend).marches:
        arguments.refuse(
            f"--march is the processor that {_titles(compiled=True)} is compiled for; leave out --backend {arguments.backend}"
        )
    if arguments.command == "generate" and arguments.no_build:
        arguments.refuse("--march names processors to build for; leave out --march or --no-build")


def _refuse_contradictions(show: argparse.Namespace) -> None:
    if show.document and show.part != ALL:
        show.refuse(f"--document prints the whole derivation; for {show.part} alone, use --format latex instead")
    if show.document and show.json:
        show.refuse("--document prints LaTeX; for JSON, leave it out")
    if show.backend and show.part not in (PLAN, ALL):
        show.refuse(
            f"--backend chooses whose plan to print; {show.part} is the same for all backends, so leave out --backend"
        )
    if show.part == PLAN and show.format == "latex":
        show.refuse("the plan is text; leave out --format latex")


def _add_list(commands: Commands) -> None:
    parser = commands.add_parser(
        "list",
        help="the bundled cells",
        description="List published cells that come with symrnn, the oldest first: name, family, year, title.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  symrnn list --family orthogonal                one family
  symrnn list hinton 2016                        cells with both words in name, title, family or reference""",
    )
    parser.add_argument("words", metavar="WORD", nargs="*", help="list only cells that have every WORD")
    parser.add_argument("--family", type=family, metavar="FAMILY", help=f"one of {', '.join(FAMILIES)}")
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
  symrnn show lstm --plan --backend c            those of the kernels in C
  symrnn show my_cell.toml --part jacobian --format latex
  symrnn show lstm+layer_norm+zoneout:h=0.1      a cell transformed
  symrnn show lstm --document > lstm.tex && pdflatex lstm.tex""",
    )
    parser.add_argument("cell", metavar="CELL", help=_ONE_CELL)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--part", choices=PARTS, default=ALL, help="the listing to print (default: %(default)s)")
    part.add_argument("--plan", dest="part", action="store_const", const=PLAN, help="short for --part plan")
    parser.add_argument(
        "--format", choices=("text", "latex"), default="text", help="text, or a LaTeX fragment (default: %(default)s)"
    )
    parser.add_argument(
        "--backend",
        type=one_backend,
        metavar=f"{{{','.join(registry.names())}}}",
        help=f"the backend whose plan to print (default: {registry.DEFAULT})",
    )
    parser.add_argument("--document", action="store_true", help="a whole LaTeX file, for pdflatex; implies --part all")
    _add_json(parser)
    parser.set_defaults(refuse=parser.error)


def _add_generate(commands: Commands) -> None:
    parser = commands.add_parser(
        "generate",
        help="write kernels, and build those that are compiled",
        description="Write a cell's kernels and derivation. Build libraries if there is a compiler.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"""examples:
  symrnn generate                                {_defaults()}, into generated/
  symrnn generate --all                          every bundled cell
  symrnn generate lstm my_cell.toml --out kernels
  symrnn generate gru --backend numpy            one file that needs NumPy alone
  symrnn generate lstm --no-backward             inference alone
  symrnn generate lstm+zoneout                   a cell transformed; the files are called lstm_zoneout
  symrnn generate lstm --march baseline,v3,v4    libraries to ship; the module loads the best one that fits the processor
  symrnn generate lstm --dtype float32 --single-file  one precision, and one C file to drop into a program
  symrnn generate lstm --hidden 32 --input 1     kernels in C for these sizes only; faster for a stream of few units
  symrnn generate --check                        exit 1, with a diff, if texts or libraries are out of date""",
    )
    _add_cells(parser)
    parser.add_argument(
        "--out", type=directory, default="generated", help="directory for the files (default: %(default)s)"
    )
    _add_backend(parser)
    _add_dtype(parser, "the precision to emit, for backends that can emit one alone")
    parser.add_argument(
        "--single-file", action="store_true", help="put the code that all cells share into the cell's own file"
    )
    parser.add_argument("--no-backward", action="store_true", help="inference only: no gradients, no tape")
    parser.add_argument(
        "--march",
        type=several_marches,
        metavar="NAME,…",
        help=f"processors to compile {_titles(compiled=True)} for, one library for each: {', '.join(marches())} "
        "(default: this machine's)",
    )
    _add_sizes(parser, f"kernels in {_titles(fixed=True)} for this {{}} only")
    parser.add_argument("--no-build", action="store_true", help="write sources, build no library")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--check",
        action="store_true",
        help="write nothing; print a diff of texts that are out of date, and the names of libraries that are",
    )
    mode.add_argument("--dry-run", action="store_true", help="write nothing; print what would be written")
    _add_json(parser)


def _add_report(commands: Commands) -> None:
    parser = commands.add_parser(
        "report",
        help="pages about cells: equations, gradients, graphs and code",
        description="A small site: a page for each cell, one that compares them, and with --all the tree of all. The page\n"
        "of a cell has its derivation beside the code that came from it, and its computation graph forward and\n"
        "backward. Each page is one file: it needs no other file and no network.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"""examples:
  symrnn report                                  {_defaults()}, into report/
  symrnn report --all --out atlas                every bundled cell; start at atlas/atlas.html
  symrnn report lstm my_cell.toml --out pages""",
    )
    _add_cells(parser)
    parser.add_argument(
        "--out", type=directory, default="report", help="directory for the pages (default: %(default)s)"
    )
    _add_json(parser)


def _add_check(commands: Commands) -> None:
    parser = commands.add_parser(
        "check",
        help="prove kernels right",
        description="Compare kernels with every oracle: an interpreter, the complex step, central differences, the adjoint\n"
        "identity, and SymPy's Jacobian of the cell written out in scalars. Do the same with their plan, which runs\n"
        "without any backend, and compare kernels with it. Print the largest error of each array, and the points: dense\n"
        "random numbers, if they give finite results, and points near [init] and the states that the\n"
        "cell reaches.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"""examples:
  symrnn check                                   {_defaults()}
  symrnn check --all                             every bundled cell
  symrnn check lstm my_cell.toml --backend c --dtype float32
  symrnn check lstm --hidden 32 --input 1        kernels for these sizes only
  symrnn check gru --json > report.json""",
    )
    _add_cells(parser)
    _add_backend(parser)
    _add_dtype(parser, "precisions to report")
    parser.add_argument(
        "--march",
        choices=marches(),
        help=f"the processor to compile {_titles(compiled=True)} for (default: this machine's)",
    )
    _add_sizes(parser, f"check kernels in {_titles(fixed=True)} that are generated for this {{}} only")
    _add_json(parser)


def _add_diagnose(commands: Commands) -> None:
    parser = commands.add_parser(
        "diagnose",
        help="find what is wrong with a backward pass of your own",
        description="Run a backward pass that you wrote in NumPy beside the derived one, on random numbers. Say which\n"
        "gradients are right. For wrong ones, say which mistake in which derived equation gives your numbers.\n"
        "This runs FILE.py and FUNCTION as Python runs any program: name only files that you would run.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""FUNCTION is one of these; its number of arguments shows which:
  def backward_step(params, cache, dstate): …    one step
  def backward(params, caches, dy, dstate): …    a whole sequence
and returns (dparams, dstate, dx).
  params   the parameters by the cell's names, matrices (rows, columns) as the equations read them
  cache    the values of a step by name, each (B, size): x, states before (h) and after (h'), intermediates, and the
           parts that `symrnn show CELL --part equations` names; caches is a list of them, one for each step
  dy       gradient of the loss with respect to the output of every step, (T, B, size)
  dstate   given: gradient of the loss with respect to the states after the (last) step, by name, each (B, size)
  dparams  gradients of the parameters by name, summed over the batch and over the steps
  dstate   returned: gradients of the states before the (first) step, by name
  dx       gradient of the input, (B, input) or (T, B, input)
A gradient that is None counts as missing; the others are still compared. To find clipping, FUNCTION also
runs with large gradients. A long search reports its progress on standard error. It ends after a fixed amount of
work.

examples:
  symrnn diagnose my_backward.py:backward_step --cell lstm
  symrnn diagnose my_backward.py:backward --cell my_cell.toml --seed 1
  symrnn diagnose torch_like.py:backward_step --cell lstm --layout W_ih=W_xi/W_xf/W_xg/W_xo \\
      --layout W_hh=W_hi/W_hf/W_hg/W_ho --layout b=b_i/b_f/b_g/b_o
  symrnn diagnose cs231n.py:backward_step --cell lstm --layout Wx=W_xi.T,W_xf.T,W_xo.T,W_xg.T \\
      --layout Wh=W_hi.T,W_hf.T,W_ho.T,W_hg.T --layout b=b_i,b_f,b_o,b_g

Exit codes: 0 all gradients are right, 1 some are wrong or missing, 2 trouble.""",
    )
    parser.add_argument("function", metavar="FILE.py:FUNCTION", help="your backward pass")
    parser.add_argument("--cell", metavar="CELL", required=True, help=_ONE_CELL)
    parser.add_argument(
        "--layout",
        metavar="NAME=BLOCKS",
        type=stack,
        action="append",
        default=[],
        help="a parameter that you keep stacked: / puts blocks one above the other, a comma side by side; .T transposes",
    )
    parser.add_argument("--seed", type=seed, default=0, help="seed of the random numbers (default: %(default)s)")
    _add_json(parser)


def _add_flow(commands: Commands) -> None:
    parser = commands.add_parser(
        "flow",
        help="how gradients vanish, explode or hold",
        description="Run cells on random inputs, and follow a gradient back through time with the derived Jacobians. Print\n"
        "its length, the worst case, Lyapunov exponents, and the path that carries it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  symrnn flow rnn lstm gru --recurrent-scale 0.5,1.0,1.5 --forget-bias 0,1,3 --plot flow.svg
  symrnn flow my_cell.toml --steps 1000 --hidden 256 --batch 1
  symrnn flow rnn --recurrent-scale 1.5 --clip-norm 1 --clip-value 0.01
  symrnn flow lstm --steps 50 --hidden 16 --spectra --json > flow.json""",
    )
    _add_cells(parser)
    for name, default, what in (
        ("--steps", 100, "steps of the run"),
        ("--hidden", 64, "units of a state"),
        ("--input", 16, "units of the input"),
        ("--batch", 2, "rows"),
    ):
        parser.add_argument(name, type=positive, default=default, help=f"{what} (default: %(default)s)")
    parser.add_argument(
        "--size",
        type=size,
        action="append",
        default=[],
        metavar="NAME=N",
        help="another size of the cell (default: that of --hidden; for named axes of a value with two axes its square root, "
        "with three its cube root, rounded down: 8 and 4 if --hidden is 64)",
    )
    _add_ranges(parser)
    parser.add_argument("--seed", type=seed, default=0, help="seed of all random numbers (default: %(default)s)")
    parser.add_argument("--spectra", action="store_true", help="compute every singular value, for --json")
    parser.add_argument("--clip-norm", type=above_zero, metavar="L", help="show what clipping by global norm does")
    parser.add_argument("--clip-value", type=above_zero, metavar="L", help="show what clipping by value does")
    parser.add_argument("--plot", metavar="FILE", help="write a figure: .svg, .png or .pdf (needs matplotlib)")
    _add_json(parser)


def _add_ranges(parser: argparse.ArgumentParser) -> None:
    """What the runs of `flow` start from."""
    parser.add_argument(
        "--recurrent-scale",
        dest="scales",
        type=numbers,
        default=(),
        metavar="G,G",
        help="make every recurrent matrix G times a random orthogonal one: all its singular values are then G, and the moduli "
        "of all its eigenvalues (default: as the cell starts). Matrices that are prepared from parameters, and those with a "
        "domain, stay as the cell starts; a line below the table names them",
    )
    parser.add_argument(
        "--forget-bias",
        dest="biases",
        type=numbers,
        default=(),
        metavar="B,B",
        help="set to B the bias of each factor that multiplies a state on its way to its own next value, such as the forget "
        "gate's; the sign is the one that keeps more. Cells without such a bias ignore it (default: as the cell starts)",
    )
    parser.add_argument(
        "--input-scale",
        dest="drive",
        type=not_negative,
        default=0.2,
        metavar="S",
        help="standard deviation of the inputs, which are normal (default: %(default)s)",
    )


def _add_info(commands: Commands) -> None:
    parser = commands.add_parser(
        "info",
        help="versions, processor, compiler and cache",
        description="Print what a report of a fault should say: versions, processor, the directory of the cache, and for each\n"
        "backend that compiles, its compiler, its flags, the width of vectors, and the shape of register tiles.\n"
        "The first call on a machine may take a second: it measures the shapes.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  symrnn info
  symrnn info --json""",
    )
    _add_json(parser)


def _add_sizes(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--hidden", type=positive, metavar="N", help=what.format("number of units"))
    parser.add_argument("--input", type=positive, metavar="N", help=what.format("number of inputs"))
    parser.add_argument(
        "--size",
        type=size,
        action="append",
        default=[],
        metavar="NAME=N",
        help="a number for any size of the cell",
    )


def _transformations() -> str:
    """A line for each transformation."""
    return "\n".join(f"  {f'+{EXAMPLES[name][-1]}':31}{summary}" for name, summary in SUMMARIES.items())


def _defaults() -> str:
    """The cells that a command takes where none is named, in a sentence."""
    return registry.listed(first_cells(), "and")


def _titles(*, compiled: bool = False, fixed: bool = False) -> str:
    """The targets in a sentence: all, only those that compile, or only those that can fix sizes."""
    found = [each for each in registry.descriptions() if not (compiled and not each.marches)]
    return registry.listed(tuple(each.title for each in found if not (fixed and not each.can.fixed_sizes)), "and")


def _add_cells(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "cells",
        metavar="CELL",
        nargs="*",
        help=f"names of bundled cells, or paths of cell files, perhaps +TRANSFORMATION behind them (default: {_defaults()})",
    )
    parser.add_argument("--all", action="store_true", help="every bundled cell")
    parser.set_defaults(refuse=parser.error)


def _add_backend(parser: argparse.ArgumentParser) -> None:
    choices = f"{{{','.join((*registry.names(), ALL))}}}"
    parser.add_argument("--backend", type=backend, metavar=choices, default=ALL, help="(default: %(default)s)")


def _add_dtype(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--dtype", choices=(*PRECISIONS, ALL), default=ALL, help=f"{what} (default: %(default)s)")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
