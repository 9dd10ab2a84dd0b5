"""Results as tables for people; the text is Markdown too.

Reads a `Record` or its measurements; returns text.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.grid import FULL
from benchmarks.participants import OURS, PADDED
from benchmarks.record import Measurement, Record

QUICK_MARK = "Measured with --quick: this shows that everything runs; do not compare these times"


def is_quick(record: Record) -> bool:
    """Whether the measurement was so short that its times only show that everything runs."""
    return float(record.settings["seconds"]) < FULL.seconds


def head(record: Record) -> str:
    """The machine, the versions, and libraries left out; first, whether the times can be compared."""
    machine = record.machine
    cores = f"{machine['cores']} core{'s'[: machine['cores'] > 1]}"
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    lines = [
        f"Machine: {machine['cpu']}, {cores}; {caches}; {machine['compiler']}, {machine['flags']}",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in record.versions.items()),
        f"Each time is the median of at least {record.settings['runs']:.0f} calls and {record.settings['seconds']:g} s.",
    ]
    if is_quick(record):
        lines.insert(0, f"{QUICK_MARK}.")
    if machine["environment"]:
        lines.append("Environment: " + ", ".join(f"{name}={value}" for name, value in machine["environment"].items()))
    lines += [f"Left out: {name}: {why}" for name, why in record.left_out.items()]
    return "\n\n".join(lines) + "\n"


def cell_table(measurements: Sequence[Measurement], *, quick: bool = False, level: int = 3) -> str:
    """The measurements of one cell and number of threads, ragged ones in a table of their own.

    Args:
        measurements: one at least.
        quick: whether to mark them as measured in too short a time.
        level: of the headings.
    """
    title = f"{'#' * level} {_title(measurements[0])}"
    whole = [m for m in measurements if not m.point.ragged]
    ragged = [m for m in measurements if m.point.ragged]
    parts = [f"{title}\n\n{_table(whole)}"] if whole else []
    parts += [f"{title}, lengths uniform in 1..T\n\n{_ragged_table(ragged)}"] if ragged else []
    notes = [*([f"* {QUICK_MARK}."] if quick else []), *_notes(measurements)]
    return "\n".join([*parts, *notes, *([""] if notes else [])])


def _title(measurement: Measurement) -> str:
    return f"{measurement.cell}, {measurement.threads} thread{'s' if measurement.threads > 1 else ''}"


def _table(measurements: Sequence[Measurement]) -> str:
    peers = _peers(measurements)
    header = ["T, B, I=H", "mode", OURS, *peers, "ratio", "of limit", "by", "GFLOP/s"]
    rows = []
    for m in measurements:
        times = [_time(m, name) for name in (OURS, *peers)]
        limit = m.limit.by if m.limit is not None else ""
        rows.append([_sizes(m), m.mode, *times, _number(m.ratio), _percent(m.fraction), limit, f"{m.rate / 1e9:.1f}"])
    return aligned(header, rows)


def _ragged_table(measurements: Sequence[Measurement]) -> str:
    peers = _peers(measurements)
    header = ["T, B, I=H", "mode", OURS, "padded", "padded/ragged", *peers, "ratio"]
    rows = []
    for m in measurements:
        ours = [_time(m, OURS), _time(m, PADDED), _number(m.padded_ratio)]
        rows.append([_sizes(m), m.mode, *ours, *(_time(m, name) for name in peers), _number(m.ratio)])
    return aligned(header, rows)


def _notes(measurements: Sequence[Measurement]) -> list[str]:
    """Why cells of a table are empty: each reason once, with its modes."""
    found: dict[tuple[str, str], list[str]] = {}
    for m in measurements:
        for name, why in m.left_out.items():
            place = f"{m.mode}{' of ragged rows' if m.point.ragged else ''}"
            found.setdefault((name, why), []).append(place)
    return [f"* {name}, {', '.join(dict.fromkeys(places))}: {why}" for (name, why), places in found.items()]


def summary(record: Record) -> str:
    """Geometric mean and minimum of the ratios."""
    header = ["mode", "threads", "geometric mean", "minimum", "at", "points"]
    rows = [
        [s.mode, str(s.threads), f"{s.geometric_mean:.2f}", f"{s.minimum:.2f}", s.at, str(s.points)]
        for s in record.summaries()
    ]
    if not rows:
        return "No other library took part, so there are no ratios.\n"
    return f"### The best peer's time over ours\n\n{aligned(header, rows)}"


def _peers(measurements: Sequence[Measurement]) -> list[str]:
    return list(dict.fromkeys(n for m in measurements for n in m.times if n not in (OURS, PADDED)))


def _sizes(m: Measurement) -> str:
    return f"{m.point.steps}, {m.point.batch}, {m.point.hidden}"


def _time(m: Measurement, name: str) -> str:
    return f"{m.times[name].median * 1e3:.3g} ms" if name in m.times else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with its columns in line."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    shown = ("| " + " | ".join(f"{text:>{w}}" for text, w in zip(line, widths, strict=True)) + " |" for line in lines)
    return "\n".join(shown) + "\n"
