"""The command line: ``peers``, ``profile``, ``stream``, ``compile`` and ``subnormal``.

Reads arguments; prints results on standard output, progress and errors on standard error. Exit codes: 0 done, 1 a result was
wrong, 2 trouble.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import compile_cost, markdown, plot, profile, streaming, subnormal
from benchmarks.grid import (
    CELLS,
    FULL,
    GRID,
    OWN_CELLS,
    QUICK,
    Mode,
    Point,
    available_cores,
    load_cell,
    parse_point,
    parse_threads,
    pin,
)
from benchmarks.machine import steering
from benchmarks.participants import OPTIONAL, PEERS
from benchmarks.peers import Plan, measure
from benchmarks.progress import Progress
from benchmarks.record import Measurement
from symrnn.errors import CheckError, SymrnnError
from symrnn.language.cell import Cell


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (SymrnnError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the generated C kernels.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    peers = commands.add_parser("peers", help="against other libraries, and against the machine's limits")
    _add_peers(peers)
    peers.set_defaults(run=_peers)
    split = commands.add_parser("profile", help="split the time of one point into the phases of the kernels")
    split.add_argument("cell", type=_cell, help=f"a name ({', '.join(CELLS)}, …) or a cell file")
    for name, meaning in (("T", "steps"), ("B", "rows"), ("I", "inputs"), ("H", "units")):
        split.add_argument(name, type=_positive, help=meaning)
    split.set_defaults(run=_profile)
    steps = commands.add_parser("stream", help="one step at a time: in C, with sizes open and fixed, and from Python")
    steps.add_argument("--cell", type=_cell, default=streaming.REFERENCE_CELL, help="default: %(default)s")
    units = ",".join(map(str, streaming.UNITS))
    steps.add_argument("--units", type=_several(_positive), default=streaming.UNITS, help=f"default: {units}")
    steps.add_argument("--json", type=Path, metavar="FILE", help="write the results for programs")
    steps.set_defaults(run=_stream)
    made = commands.add_parser(
        "compile", help="the cost of kernels before they run: seconds to print and to compile them"
    )
    _add_cells(made)
    made.add_argument(
        "--march", type=_several(str), default=compile_cost.MARCHES, help="processors, with commas (default: native)"
    )
    made.set_defaults(run=_compile)
    tiny = commands.add_parser("subnormal", help="calls on subnormal numbers beside calls on ordinary ones")
    _add_cells(tiny)
    tiny.add_argument("--functions", action="store_true", help="each function of the language, in place of cells")
    tiny.set_defaults(run=_subnormal)
    return parser


def _add_cells(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cells",
        type=_several(_cell),
        default=CELLS,
        help=f"names or cell files, with commas (default: {','.join(CELLS)})",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results for programs")


def _add_peers(peers: argparse.ArgumentParser) -> None:
    _add_cells(peers)
    points = ",".join(point.text for point in GRID if not point.ragged)
    peers.add_argument(
        "--points",
        type=_several(_reported(parse_point)),
        default=GRID,
        help=f"TxBxH, or ragged (default: {points},ragged)",
    )
    peers.add_argument(
        "--threads", type=_several(_reported(parse_threads)), default=None, help="numbers, or all (default: 1,all)"
    )
    peers.add_argument("--modes", type=_several(_mode), default=tuple(Mode), help="default: inference,training")
    peers.add_argument(
        "--peers", type=_several(_peer), default=PEERS, help=f"none, or some of {','.join(PEERS)} (default)"
    )
    peers.add_argument("--also", type=_several(_peer), default=(), help=f"slow ones: {','.join(OPTIONAL)}")
    peers.add_argument("--quick", action="store_true", help="three calls of each: shows that it runs, not how fast")
    peers.add_argument("--plot", type=_figure, metavar="FILE", help=f"draw them ({' '.join(plot.FORMATS)})")


def _peers(arguments: argparse.Namespace) -> int:
    threads: tuple[int, ...] = arguments.threads or (1, parse_threads("all"))
    points: tuple[Point, ...] = arguments.points
    plan = Plan(
        cells=arguments.cells,
        points=points,
        modes=arguments.modes,
        threads=tuple(dict.fromkeys(threads)),
        peers=tuple(peer for peer in (*arguments.peers, *arguments.also) if peer),
        settings=QUICK if arguments.quick else FULL,
    )
    for name, value in steering().items():
        print(f"note: {name}={value} may change what libraries do; env -u {name} runs without it", file=sys.stderr)
    progress = Progress(len(plan.cells) * len(points) * len(plan.modes) * len(plan.threads))

    def finished(measurements: Sequence[Measurement]) -> None:
        progress.clear()
        print(markdown.cell_table(measurements, quick=arguments.quick), flush=True)

    record = measure(plan, finished, progress)
    progress.clear()
    print(markdown.summary(record))
    print(markdown.head(record), end="")
    if arguments.json:
        arguments.json.write_text(record.to_json(), encoding="utf-8")
    if arguments.plot:
        plot.draw(record, arguments.plot)
    return 0


def _profile(arguments: argparse.Namespace) -> int:
    point = Point(arguments.T, arguments.B, arguments.H, input=arguments.I)
    pin(available_cores()[:1])
    for mode in Mode:
        print(profile.table(profile.profile(arguments.cell, point, mode)))
    return 0


def _stream(arguments: argparse.Namespace) -> int:
    pin(available_cores()[-1:])  # the first core serves the system's interrupts
    cell, progress = load_cell(arguments.cell), Progress(len(arguments.units))
    measured = []
    for units in arguments.units:
        progress.show(f"{cell.name}, {units} units")
        measured.append(streaming.measure(cell, units))
        progress.step("")
    progress.clear()
    print(streaming.table(measured), end="")
    _write(arguments.json, measured)
    return 0


def _compile(arguments: argparse.Namespace) -> int:
    cells = [load_cell(name) for name in arguments.cells]
    measured = _each(cells, lambda cell: compile_cost.measure(cell, arguments.march))
    print(compile_cost.table(measured), end="")
    _write(arguments.json, measured)
    return 0


def _subnormal(arguments: argparse.Namespace) -> int:
    pin(available_cores()[-1:])
    cells = list(subnormal.functions()) if arguments.functions else [load_cell(name) for name in arguments.cells]
    measured = _each(cells, subnormal.measure)
    print(subnormal.table(measured), end="")
    _write(arguments.json, measured)
    return 0


def _each(cells: Sequence[Cell], measure: Callable[[Cell], Sequence[Any]]) -> list[Any]:
    """The results of ``measure`` for every cell, with progress."""
    progress = Progress(len(cells))
    found: list[Any] = []
    for cell in cells:
        progress.show(cell.name)
        found += measure(cell)
        progress.step("")
    progress.clear()
    return found


def _write(file: Path | None, measured: Sequence[Any]) -> None:
    """Write records for programs, if a file is named."""
    if file:
        file.write_text(json.dumps([asdict(one) for one in measured], indent=2) + "\n", encoding="utf-8")


def _several(one: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    """Values with commas between them, as an argparse type."""

    def parse(text: str) -> tuple[Any, ...]:
        return tuple(one(part.strip()) for part in text.split(",") if part.strip())

    return parse


def _reported(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """``parse`` with its ValueErrors shown to the user."""

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed


def _cell(text: str) -> str:
    """A name, or the absolute path of a cell file: workers run in the repository."""
    try:
        load_cell(text)
    except SymrnnError as error:
        own = ", ".join(path.stem for path in sorted(OWN_CELLS.glob("*.toml")))
        raise argparse.ArgumentTypeError(f"{error} (the benchmarks' own cells: {own})") from error
    return str(Path(text).absolute()) if Path(text).is_file() else text


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"unknown mode {text!r}; choose {' or '.join(Mode)}") from error


def _peer(text: str) -> str:
    if text == "none":
        return ""
    if text not in (*PEERS, *OPTIONAL):
        raise argparse.ArgumentTypeError(f"unknown peer {text!r}; choose {', '.join((*PEERS, *OPTIONAL))} or none")
    return text


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _figure(text: str) -> Path:
    path = Path(text)
    if path.suffix not in plot.FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} must end in one of {' '.join(plot.FORMATS)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError(
            'a plot needs matplotlib; install it with: python -m pip install -e ".[bench]"'
        )
    return path
