"""The results of a run: frozen records, and their JSON, which can be read again.

Reads measured numbers; returns derived ones (ratios, fractions, rates). Leaves out: hosts, dates and paths, so a committed
record describes only a kind of machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from benchmarks.grid import Mode, Point
from benchmarks.participants import OURS, PADDED
from benchmarks.statistics import Limit, best, geometric_mean
from symrnn.errors import CheckError

FORMAT = 2
"""Changes when readers of the JSON must change."""


@dataclass(frozen=True)
class Timing:
    """Times of one participant: the median, the least, and how many calls."""

    median: float
    least: float
    runs: int


@dataclass(frozen=True)
class Measurement:
    """One cell, point, mode and number of threads.

    Attributes:
        cell: its name.
        point: sizes.
        mode: inference or training.
        threads: the most that each participant may use.
        times: by participant, ours included.
        flops: of the matrix products.
        weight_bytes: weights that must be read.
        limit: of the machine; None for ragged rows, whose work depends on the lengths.
        errors: largest error of our result against each reference, relative to the array's largest number.
        left_out: why a participant was not timed here.
        first_calls: seconds from the cell to the first result, by participant; empty where they were not measured.
    """

    cell: str
    point: Point
    mode: Mode
    threads: int
    times: Mapping[str, Timing]
    flops: int
    weight_bytes: int
    limit: Limit | None
    errors: Mapping[str, float]
    left_out: Mapping[str, str]
    first_calls: Mapping[str, float] = field(default_factory=dict)

    @property
    def ours(self) -> float:
        """Our median time."""
        return self.times[OURS].median

    @property
    def best_peer(self) -> str:
        """The fastest other library; empty if no other was timed."""
        return best({name: m.median for name, m in self.times.items() if name not in (OURS, PADDED)})

    @property
    def ratio(self) -> float | None:
        """The best peer's time over ours: above 1, ours is faster."""
        return self.times[self.best_peer].median / self.ours if self.best_peer else None

    @property
    def padded_ratio(self) -> float | None:
        """Our time on the padded batch over ours on ragged rows."""
        return self.times[PADDED].median / self.ours if PADDED in self.times else None

    @property
    def fraction(self) -> float | None:
        """The limit's time over ours; 1 is the machine's limit."""
        return self.limit.seconds / self.ours if self.limit is not None else None

    @property
    def rate(self) -> float:
        """FLOP/s of the matrix products."""
        return self.flops / self.ours


@dataclass(frozen=True)
class Summary:
    """Ratios over the points of a grid, ragged ones left out.

    Attributes:
        mode: inference or training.
        threads: how many.
        geometric_mean: of the ratios.
        minimum: the least ratio.
        at: its cell and point.
        points: how many ratios.
    """

    mode: Mode
    threads: int
    geometric_mean: float
    minimum: float
    at: str
    points: int


@dataclass(frozen=True)
class Record:
    """A whole run.

    Attributes:
        machine: as `benchmarks.machine.describe` gives it.
        versions: package to version.
        settings: how long was measured.
        left_out: libraries that did not take part, and why.
        measurements: in the order of the run.
        note: what a reader should know of this run.
    """

    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    settings: Mapping[str, float]
    left_out: Mapping[str, str]
    measurements: tuple[Measurement, ...]
    note: str = ""

    def summaries(self) -> tuple[Summary, ...]:
        """One for each number of threads and mode that has a ratio."""
        keys = dict.fromkeys((m.threads, m.mode) for m in self.measurements)
        found = (_summary(mode, threads, self._of(mode, threads)) for threads, mode in keys)
        return tuple(summary for summary in found if summary is not None)

    def _of(self, mode: Mode, threads: int) -> list[Measurement]:
        return [m for m in self.measurements if m.mode is mode and m.threads == threads]

    def to_json(self) -> str:
        """The record with derived numbers, for programs; each measurement stands on a line."""
        data = {
            "format": FORMAT,
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "settings": dict(self.settings),
            "left_out": dict(self.left_out),
            "note": self.note,
            "summaries": [asdict(summary) for summary in self.summaries()],
        }
        head = json.dumps(data, indent=1).removesuffix("\n}")
        rows = ",\n  ".join(json.dumps(_plain(measurement)) for measurement in self.measurements)
        return f'{head},\n "measurements": [\n  {rows}\n ]\n}}\n'

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The record that `to_json` wrote.

        Raises:
            CheckError: the text has another format.
        """
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise CheckError(f"a record has format {data['format']}, and {FORMAT} is expected; measure again")
        measurements = tuple(_measurement(each) for each in data["measurements"])
        return cls(data["machine"], data["versions"], data["settings"], data["left_out"], measurements, data["note"])


def _summary(mode: Mode, threads: int, measurements: Iterable[Measurement]) -> Summary | None:
    ratios = [(m.ratio, m) for m in measurements if not m.point.ragged and m.ratio is not None]
    if not ratios:
        return None
    least, where = min(ratios, key=lambda pair: pair[0])
    mean = geometric_mean(ratio for ratio, _ in ratios)
    return Summary(mode, threads, mean, least, f"{where.cell} {where.point.text}", len(ratios))


def _measurement(data: Mapping[str, Any]) -> Measurement:
    """The inverse of `_plain`: derived numbers are derived again."""
    limit = data["limit"]
    given = {each.name: data[each.name] for each in fields(Measurement)} | {
        "point": Point(**data["point"]),
        "mode": Mode(data["mode"]),
        "times": {name: Timing(**timing) for name, timing in data["times"].items()},
        "limit": None if limit is None else Limit(**{each.name: limit[each.name] for each in fields(Limit)}),
    }
    return Measurement(**given)


def _plain(measurement: Measurement) -> dict[str, Any]:
    limit = measurement.limit
    return asdict(measurement) | {
        "limit": None if limit is None else asdict(limit) | {"seconds": limit.seconds, "by": limit.by},
        "best_peer": measurement.best_peer,
        "ratio": measurement.ratio,
        "padded_ratio": measurement.padded_ratio,
        "fraction": measurement.fraction,
        "flops_per_second": measurement.rate,
    }
