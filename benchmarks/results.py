"""The figures that are kept: one set for each kind of processor, and the page that shows all sets side by side.

A run with ``--keep`` replaces the set of the kind of processor that it ran on, or that of a cell. A set is data
(``results/avx512-amd-peers.json``), and ``RESULTS.md`` is printed from all of them. Reads records; writes both. Leaves out: the
measuring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks import custom_tables, markdown, plot
from benchmarks.grid import Mode
from benchmarks.record import Measurement, Record
from benchmarks.statistics import geometric_mean

FOLDER = Path(__file__).parent / "results"
PAGE = Path(__file__).parent / "RESULTS.md"
PEERS, CUSTOM = "peers", "custom"

KINDS = {
    "avx512-amd": "AVX-512, AMD",
    "avx512-intel": "AVX-512, Intel",
    "avx2-amd": "AVX2, AMD",
    "avx2-intel": "AVX2, Intel",
}
"""Kinds of processors that the page always shows, and their names for people. Others follow if they were measured."""

_HEAD = """\
# Results

Times of the generated C kernels beside what else people use: PyTorch, ONNX Runtime and JAX. No single figure holds for all
processors, so there is one set of figures for each kind of processor, by its vectors and its maker:

"""

_DEFINITIONS = """
* *ratio* is the time of the best peer over ours. Above 1, ours is faster.
* *of limit* is the time that the measured peak and bandwidth of the machine allow, over ours. The limit is the larger of
  arithmetic and of reading weights. At one row, a step must wait for both in turn.
* Parameters are plain arrays in training. For inference they are packed once.

`python -m benchmarks peers --keep` measures on the processor at hand, and replaces the figures of its kind.
`python -m benchmarks custom --keep` does the same cell by cell. [NOTES.md](NOTES.md) says what we tried to get here.
Where a processor was *held to avx2* (`python -m benchmarks hold avx2 python -m benchmarks peers --keep`), compilers and all
libraries found no wider vectors; its caches and its clock are its own.

## Beside other libraries

The time of the best peer over ours. In brackets, what it would be if every one of our calls ran at its limit. Ragged points
do not count.

"""

_FRACTIONS = """
Fraction of the limit, least and middle of the points:

"""

_CUSTOM = """
## Cells that no library has a kernel for

A cell of one's own runs in other libraries as a loop or a scan. Every participant's step is printed from the cell's equations,
and its results are compared with ours before anything is timed.

* *first call* is the time from the cell to its first result, with empty caches, without the import of the library. It
  contains what the library compiles. Our kernels are derived, printed and compiled in it, for every size at once. A first
  call that takes too long is stopped, and the table shows the limit.
* *torch eager*: a loop of Python. *torch compiled step*: the same, its step compiled by `torch.compile`. *torch compiled loop*:
  `torch.compile` of the whole loop, which it unrolls. *torch compiled scan*: `torch.compile` of
  `torch._higher_order_ops.scan`. *jax*: `jit` of `lax.scan`.
* *over ours* is the time of a later call over that of ours.
"""

Bounds = Callable[[Measurement], bool]
_GROUPS: Mapping[str, Bounds] = {
    "B >= 32, H >= 256": lambda m: m.point.batch >= 32 and m.point.hidden >= 256,
    "B = 16, H = 128": lambda m: m.point.batch == 16 and m.point.hidden == 128,
    "B = 1, H >= 128": lambda m: m.point.batch == 1 and m.point.hidden >= 128,
}
"""Groups of points whose fractions of the limit stand together."""


@dataclass(frozen=True)
class _Set:
    """Measurements of one kind of processor and number of threads.

    Attributes:
        kind: of processor.
        threads: how many.
        measurements: ragged points left out.
    """

    kind: str
    threads: int
    measurements: tuple[Measurement, ...]

    @property
    def title(self) -> str:
        return f"{name_of(self.kind)}, {_threads(self.threads)}"

    def of(self, mode: Mode) -> list[tuple[float, Measurement]]:
        """Those of a mode that have a peer, and their ratios."""
        return [(m.ratio, m) for m in self.measurements if m.mode is mode and m.ratio is not None]


def name_of(kind: str) -> str:
    """The name of a kind of processor, for people."""
    return KINDS.get(kind, kind)


def keep(record: Record, what: str, folder: Path = FOLDER, page: Path = PAGE) -> None:
    """Replace the set of figures that ``record`` measured anew, and print the page again.

    Args:
        record: a whole run.
        what: `PEERS` or `CUSTOM`.
        folder: where sets are kept.
        page: the page.
    """
    kind = record.machine["kind"]
    folder.mkdir(exist_ok=True)
    folder.joinpath(f"{kind}-{what}.json").write_text(record.to_json(), encoding="utf-8")
    if what == PEERS:
        for old in folder.glob(f"{kind}-*.svg"):
            old.unlink()
        for threads in dict.fromkeys(m.threads for m in record.measurements):
            chosen = tuple(m for m in record.measurements if m.threads == threads)
            plot.draw(replace(record, measurements=chosen), folder / _figure(kind, threads))
    page.write_text(text(folder), encoding="utf-8")


def keep_cell(record: Record, what: str, folder: Path = FOLDER, page: Path = PAGE) -> None:
    """Keep the figures of one cell beside those of other cells, if these are from the same processor, libraries and settings.

    A long run may then be stopped, and taken up again. The arguments are those of `keep`.
    """
    old = _read(folder, what).get(record.machine["kind"])
    if old is not None and all(
        getattr(old, key) == getattr(record, key) for key in ("machine", "versions", "settings")
    ):
        anew = {(m.cell, m.threads) for m in record.measurements}
        others = tuple(m for m in old.measurements if (m.cell, m.threads) not in anew)
        left_out = {**old.left_out, **record.left_out}
        record = replace(
            record, measurements=others + record.measurements, left_out=left_out, note=record.note or old.note
        )
    keep(record, what, folder, page)


def text(folder: Path = FOLDER) -> str:
    """The page, from the sets in ``folder``."""
    peers, custom = _read(folder, PEERS), _read(folder, CUSTOM)
    kinds = list(dict.fromkeys([*KINDS, *peers, *custom]))
    sets = [_Set(kind, threads, tuple(ms)) for kind in kinds if kind in peers for threads, ms in _whole(peers[kind])]
    parts = [_HEAD, _processors(kinds, peers, custom), _DEFINITIONS]
    parts += [_ratios(sets), _FRACTIONS, _fractions(sets), _below(sets)] if sets else ["There are no figures.\n"]
    parts.append(_CUSTOM)
    parts += [_custom(kind, custom[kind]) for kind in kinds if kind in custom] or ["\nThere are no figures.\n"]
    parts += [_tables(kind, peers[kind]) for kind in kinds if kind in peers]
    return "".join(parts)


def _read(folder: Path, what: str) -> dict[str, Record]:
    """The records of one command, by kind of processor."""
    suffix = f"-{what}.json"
    files = sorted(folder.glob(f"*{suffix}"))
    return {path.name.removesuffix(suffix): Record.from_json(path.read_text(encoding="utf-8")) for path in files}


def _processors(kinds: Sequence[str], peers: Mapping[str, Record], custom: Mapping[str, Record]) -> str:
    """Which processor each set is from."""
    rows = []
    for kind in kinds:
        for what, records in (("beside other libraries", peers), ("cells without a kernel", custom)):
            record = records.get(kind)
            machine = "none was measured" if record is None else f"{record.machine['cpu']}, {_cores(record)}"
            rows.append([name_of(kind), what, machine])
    return markdown.aligned(["kind", "tables", "processor"], rows)


def _ratios(sets: Sequence[_Set]) -> str:
    rows = []
    for mode in Mode:
        cells = []
        for each in sets:
            ratios = [ratio for ratio, _ in each.of(mode)]
            limits = [ratio / m.fraction for ratio, m in each.of(mode) if m.fraction is not None]
            at_limit = f" ({geometric_mean(limits):.2f})" if limits else ""
            cells.append(f"{geometric_mean(ratios):.2f}{at_limit}" if ratios else "")
        rows.append([f"geometric mean, {mode}", *cells])
    for mode in Mode:
        least = [min((ratio for ratio, _ in each.of(mode)), default=None) for each in sets]
        rows.append([f"least, {mode}", *("" if ratio is None else f"{ratio:.2f}" for ratio in least)])
    rows.append(["points", *(str(len(each.of(Mode.INFERENCE))) for each in sets)])
    return markdown.aligned(["", *(each.title for each in sets)], rows)


def _fractions(sets: Sequence[_Set]) -> str:
    rows = []
    for group, inside in _GROUPS.items():
        for mode in Mode:
            cells = []
            for each in sets:
                found = [m.fraction for _, m in each.of(mode) if inside(m) and m.fraction is not None]
                cells.append(f"{100 * min(found):.0f} %, {100 * median(found):.0f} %" if found else "")
            rows.append([f"{group}, {mode}", *cells])
    return markdown.aligned(["", *(each.title for each in sets)], rows)


def _below(sets: Sequence[_Set]) -> str:
    """The points where a peer is faster."""
    lines = []
    for each in sets:
        # Where the table shows 1.00, neither is faster.
        behind = [(ratio, m) for mode in Mode for ratio, m in each.of(mode) if round(ratio, 2) < 1]
        behind.sort(key=lambda pair: pair[0])
        points = [f"{m.cell} {m.point.text} {m.mode} ({ratio:.2f}{_of_limit(m)})" for ratio, m in behind]
        lines.append(f"* {each.title}: {', '.join(points) or 'none'}.")
    return "\nPoints below 1:\n\n" + "\n".join(lines) + "\n"


def _of_limit(m: Measurement) -> str:
    return "" if m.fraction is None else f", {100 * m.fraction:.0f} % of its limit"


def _custom(kind: str, record: Record) -> str:
    """The tables of one kind of processor for cells without a kernel."""
    parts = []
    for threads, found in _by_threads(record.measurements):
        parts.append(f"\n### {name_of(kind)}, {_threads(threads)}\n\n{custom_tables.summary(record, threads)}")
        parts += ["\n" + custom_tables.cell_table(each, level=4) for each in _by_cell(found)]
    return "".join([*parts, "\n", _foot(record)])


def _tables(kind: str, record: Record) -> str:
    """The tables of one kind of processor beside other libraries."""
    parts = []
    for threads, found in _by_threads(record.measurements):
        figure = f"results/{_figure(kind, threads)}"
        title = f"{name_of(kind)}, {_threads(threads)}"
        parts.append(f"\n## {title}\n\n![ratios and fractions of the limit, {title}]({figure})\n")
        parts += ["\n" + markdown.cell_table(each, level=4) for each in _by_cell(found)]
    return "".join([*parts, "\n", _foot(record)])


def _foot(record: Record) -> str:
    return markdown.head(record) + (f"\n{record.note}\n" if record.note else "")


def _by_threads(measurements: Sequence[Measurement]) -> Iterator[tuple[int, list[Measurement]]]:
    for threads in dict.fromkeys(m.threads for m in measurements):
        yield threads, [m for m in measurements if m.threads == threads]


def _whole(record: Record) -> Iterator[tuple[int, list[Measurement]]]:
    """By number of threads, ragged points left out."""
    return _by_threads([m for m in record.measurements if not m.point.ragged])


def _by_cell(measurements: Sequence[Measurement]) -> Iterator[list[Measurement]]:
    for cell in dict.fromkeys(m.cell for m in measurements):
        yield [m for m in measurements if m.cell == cell]


def _figure(kind: str, threads: int) -> str:
    return f"{kind}-{threads}-thread{'s' if threads > 1 else ''}.svg"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _cores(record: Record) -> str:
    count = record.machine["cores"]
    return f"{count} core{'s' if count > 1 else ''}"
