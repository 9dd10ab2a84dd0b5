"""The command line: ``peers``, ``custom``, ``results``, ``profile``, ``stream``, ``compile``, ``subnormal`` and ``hold``.

Reads arguments; prints results on standard output, progress and errors on standard error. Exit codes: 0 done, 1 a result was
wrong, 2 trouble. ``hold`` ends as its command does.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks import compile_cost, custom, custom_tables, held, markdown, plot, profile, results, streaming, subnormal
from benchmarks.competition import Plan
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
from benchmarks.participants import CUSTOM_KNOWN, CUSTOM_PEERS, OPTIONAL, PEERS
from benchmarks.peers import measure
from benchmarks.progress import Progress
from benchmarks.record import Measurement, Record
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
    own = commands.add_parser(
        "custom", help="cells that no library has a kernel for, against loops and scans; the first call by itself"
    )
    _add_custom(own)
    own.set_defaults(run=_custom)
    page = commands.add_parser("results", help="print benchmarks/RESULTS.md again from the figures that are kept")
    page.set_defaults(run=_results)
    split = commands.add_parser("profile", help="split the time of one point into the regions of the kernels")
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
    narrow = commands.add_parser(
        "hold",
        help="run a command as on a processor with narrower vectors, for ours and for all peers alike",
    )
    narrow.add_argument("vectors", choices=held.VECTORS, help="the widest vectors that programs find")
    narrow.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND …", help="what to run")
    narrow.set_defaults(run=_hold)
    return parser


def _add_cells(parser: argparse.ArgumentParser, cells: Sequence[str] = CELLS) -> None:
    parser.add_argument(
        "--cells",
        type=_several(_cell),
        default=tuple(cells),
        help=f"names or cell files, with commas (default: {','.join(cells)})",
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
    _add_race(peers, PEERS, (*PEERS, *OPTIONAL), "all of them, by those of this run")
    peers.add_argument(
        "--also", type=_several(_peer_of((*PEERS, *OPTIONAL))), default=(), help=f"slow ones: {','.join(OPTIONAL)}"
    )
    peers.add_argument("--plot", type=_figure, metavar="FILE", help=f"draw them ({' '.join(plot.FORMATS)})")


def _add_custom(own: argparse.ArgumentParser) -> None:
    _add_cells(own, custom.CELLS)
    points = ",".join(point.text for point in custom.POINTS)
    own.add_argument(
        "--points", type=_several(_reported(_whole_point)), default=custom.POINTS, help=f"TxBxH (default: {points})"
    )
    own.add_argument(
        "--threads", type=_several(_reported(parse_threads)), default=(1,), help="numbers, or all (default: 1)"
    )
    _add_race(own, CUSTOM_PEERS, CUSTOM_KNOWN, "cell by cell; those of other libraries or settings are dropped")
    own.add_argument(
        "--limit",
        type=_positive,
        default=custom.LIMIT,
        metavar="SECONDS",
        help="stop a first call that takes more (default: %(default)g)",
    )


def _add_race(parser: argparse.ArgumentParser, peers: Sequence[str], choice: Sequence[str], which: str) -> None:
    """What the commands against other libraries have in common."""
    parser.add_argument("--modes", type=_several(_mode), default=tuple(Mode), help="default: inference,training")
    parser.add_argument(
        "--peers",
        type=_several(_peer_of(choice)),
        default=tuple(peers),
        help=f"none, or some of {','.join(peers)} (default)",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="three calls of each: shows that it runs, not how fast")
    length.add_argument(
        "--keep",
        action="store_true",
        help=f"replace the figures that RESULTS.md has from this kind of processor, {which}",
    )
    parser.add_argument("--note", default="", metavar="TEXT", help="what RESULTS.md should say of this run")


def _peers(arguments: argparse.Namespace) -> int:
    if arguments.keep and importlib.util.find_spec("matplotlib") is None:
        raise SymrnnError(_NO_MATPLOTLIB)
    plan = _plan(arguments, arguments.threads or (1, parse_threads("all")), (*arguments.peers, *arguments.also))
    progress = _progress(plan)
    record = measure(plan, _finished(markdown.cell_table, progress, quick=arguments.quick), progress)
    progress.clear()
    print(markdown.summary(record))
    _report(record, arguments)
    if arguments.keep:
        results.keep(replace(record, note=arguments.note), results.PEERS)
    if arguments.plot:
        plot.draw(record, arguments.plot)
    return 0


def _custom(arguments: argparse.Namespace) -> int:
    plan = _plan(arguments, arguments.threads, arguments.peers)
    progress = _progress(plan)
    show = _finished(custom_tables.cell_table, progress, quick=arguments.quick)

    def finished(record: Record) -> None:
        show(record.measurements)
        if arguments.keep:
            results.keep_cell(replace(record, note=arguments.note), results.CUSTOM)

    record = custom.measure(plan, finished, progress, limit=arguments.limit)
    progress.clear()
    for threads in plan.threads:
        print(
            f"### All cells, {threads} thread{'s' if threads > 1 else ''}\n\n{custom_tables.summary(record, threads)}"
        )
    _report(record, arguments)
    return 0


def _results(arguments: argparse.Namespace) -> int:
    results.PAGE.write_text(results.text(), encoding="utf-8")
    return 0


def _plan(arguments: argparse.Namespace, threads: Sequence[int], peers: Sequence[str]) -> Plan:
    """What the arguments ask for; notes what may change the times."""
    for name, value in steering().items():
        print(f"note: {name}={value} may change what libraries do; env -u {name} runs without it", file=sys.stderr)
    return Plan(
        cells=arguments.cells,
        points=arguments.points,
        modes=arguments.modes,
        threads=tuple(dict.fromkeys(threads)),
        peers=tuple(peer for peer in peers if peer),
        settings=QUICK if arguments.quick else FULL,
    )


def _progress(plan: Plan) -> Progress:
    return Progress(len(plan.cells) * len(plan.points) * len(plan.modes) * len(plan.threads))


def _finished(table: Callable[..., str], progress: Progress, *, quick: bool) -> Callable[[Sequence[Measurement]], None]:
    """Prints the table of a cell when it is complete."""

    def finished(measurements: Sequence[Measurement]) -> None:
        progress.clear()
        print(table(measurements, quick=quick), flush=True)

    return finished


def _report(record: Record, arguments: argparse.Namespace) -> None:
    """The machine; and the record for programs, if a file is named."""
    print(markdown.head(record), end="")
    if arguments.json:
        arguments.json.write_text(replace(record, note=arguments.note).to_json(), encoding="utf-8")


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


def _hold(arguments: argparse.Namespace) -> int:
    command = arguments.command[arguments.command[:1] == ["--"] :]
    if not command:
        raise SymrnnError("hold: no command; for example: python -m benchmarks hold avx2 python -m symrnn info")
    given = os.environ | held.environment(arguments.vectors)
    try:
        os.execvpe(command[0], command, given)
    except OSError as error:
        raise SymrnnError(f"hold: {command[0]!r} cannot be run: {error.strerror}") from error


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


def _whole_point(text: str) -> Point:
    """``TxBxH``.

    Raises:
        ValueError: the text is something else, or ragged.
    """
    point = parse_point(text)
    if point.ragged:
        raise ValueError(f"point {text!r}: loops and scans take all steps, so expected TxBxH")
    return point


def _peer_of(choice: Sequence[str]) -> Callable[[str], str]:
    """A participant of ``choice``, or none, as an argparse type."""

    def parse(text: str) -> str:
        if text == "none":
            return ""
        if text not in choice:
            raise argparse.ArgumentTypeError(f"unknown peer {text!r}; choose {', '.join(choice)} or none")
        return text

    return parse


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _figure(text: str) -> Path:
    path = Path(text)
    if path.suffix not in plot.FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} must end in one of {' '.join(plot.FORMATS)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError(_NO_MATPLOTLIB)
    return path


_NO_MATPLOTLIB = 'a plot needs matplotlib; install it with: python -m pip install -e ".[bench]"'
