"""Results for cells of one's own as tables: every participant has a row, with its first call beside its later ones.

Reads a `Record` or its measurements; returns Markdown. Leaves out: the measuring (`benchmarks.custom`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.competition import TOO_LONG
from benchmarks.grid import Mode
from benchmarks.markdown import QUICK_MARK, aligned
from benchmarks.participants import CUSTOM_KNOWN, OURS
from benchmarks.record import Measurement, Record
from benchmarks.statistics import geometric_mean


def cell_table(measurements: Sequence[Measurement], *, quick: bool = False, level: int = 3) -> str:
    """The measurements of one cell and number of threads.

    Args:
        measurements: one at least.
        quick: whether to mark them as measured in too short a time.
        level: of the heading.
    """
    header = ["T, B, I=H", "mode", "who", "first call", "a call", "over ours"]
    rows = [row for m in measurements for row in _rows(m)]
    first = measurements[0]
    title = f"{'#' * level} {first.cell}, {first.threads} thread{'s' if first.threads > 1 else ''}"
    notes = [*([f"* {QUICK_MARK}."] if quick else []), *_notes(measurements)]
    return "\n".join([f"{title}\n\n{aligned(header, rows)}", *notes, *([""] if notes else [])])


def summary(record: Record, threads: int) -> str:
    """For each participant, its first calls by number of steps, and the mean of its time over ours."""
    chosen = [m for m in record.measurements if m.threads == threads]
    steps = sorted({m.point.steps for m in chosen})
    header = [
        "who",
        *(f"first call, T = {count}" for count in steps),
        *(f"{mode}, over ours" for mode in Mode),
        "points",
    ]
    rows = []
    for who in (OURS, *CUSTOM_KNOWN):
        if not any(who in m.times or who in m.left_out for m in chosen):
            continue
        first_calls = [_span([m for m in chosen if m.point.steps == count], who) for count in steps]
        timed = [m for m in chosen if who in m.times]
        means = [_mean(m.times[who].median / m.ours for m in timed if m.mode is mode) for mode in Mode]
        rows.append([who, *first_calls, *means, f"{len(timed)} of {len(chosen)}"])
    return aligned(header, rows)


def _rows(m: Measurement) -> list[list[str]]:
    sizes = f"{m.point.steps}, {m.point.batch}, {m.point.hidden}"
    found = []
    for who in (OURS, *CUSTOM_KNOWN):
        if who in m.times:
            seconds = m.times[who].median
            ours = "" if who == OURS else f"{seconds / m.ours:.2f}"
            found.append([sizes, m.mode, who, _seconds(m.first_calls[who]), f"{seconds * 1e3:.3g} ms", ours])
        elif who in m.left_out:
            found.append([sizes, m.mode, who, _beyond(m.left_out[who]), "", ""])
    return found


def _span(measurements: Sequence[Measurement], who: str) -> str:
    """The least and the most seconds of a participant's first calls."""
    known = sorted(m.first_calls[who] for m in measurements if who in m.first_calls)
    beyond = [text for m in measurements if (text := _beyond(m.left_out.get(who, "")))]
    ends = [*map(_seconds, dict.fromkeys([*known[:1], *known[-1:]])), *beyond[:1]]
    return " to ".join(dict.fromkeys([*ends[:1], *ends[-1:]]))


def _notes(measurements: Sequence[Measurement]) -> list[str]:
    """Why rows are empty; a first call beyond the limit stands in its own column."""
    found: dict[tuple[str, str], list[str]] = {}
    for m in measurements:
        for who, why in m.left_out.items():
            if not _beyond(why):
                found.setdefault((who, why), []).append(f"{m.mode} at T = {m.point.steps}, B = {m.point.batch}")
    return [f"* {who}, {'; '.join(dict.fromkeys(places))}: {why}" for (who, why), places in found.items()]


def _beyond(reason: str) -> str:
    """The limit that a first call passed, if that is the reason."""
    return f">{reason.removeprefix(TOO_LONG)}" if reason.startswith(TOO_LONG) else ""


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def _mean(ratios: Iterable[float]) -> str:
    found = list(ratios)
    return f"{geometric_mean(found):.2f}" if found else ""
