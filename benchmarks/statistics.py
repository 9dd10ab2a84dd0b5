"""The arithmetic of results: medians, ratios, means, limits. Reads numbers, returns numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median as _median


def median(times: Sequence[float]) -> float:
    """The middle of the times, or the mean of the two in the middle."""
    return _median(times)


def geometric_mean(ratios: Iterable[float]) -> float:
    """The root of the product; of one number, itself.

    Raises:
        ValueError: there is no number, or one is not above zero.
    """
    logarithms = [math.log(ratio) for ratio in ratios]
    if not logarithms:
        raise ValueError("geometric_mean: expected at least one ratio, found none")
    return math.exp(sum(logarithms) / len(logarithms))


def best(times: Mapping[str, float]) -> str:
    """The name with the least time; the first of equals; empty if there are no times."""
    return min(times, key=lambda name: times[name], default="")


@dataclass(frozen=True)
class Limit:
    """The machine's limit at a point.

    Attributes:
        compute: seconds of the matrix products at the measured peak.
        elementwise: seconds of the elementwise work, measured alone.
        traffic: seconds to read the weights.
        peak: FLOP/s, of all threads; 0 where it is not known.
        bandwidth: B/s, of all threads, at the weights' size; 0 where it is not known.
    """

    compute: float
    elementwise: float
    traffic: float
    peak: float
    bandwidth: float

    @property
    def seconds(self) -> float:
        """The least time of a call: arithmetic, or the weights' traffic, whichever takes longer."""
        return max(self.compute + self.elementwise, self.traffic)

    @property
    def by(self) -> str:
        """The kind of work that sets the limit."""
        return "compute" if self.compute + self.elementwise >= self.traffic else "traffic"


def limit(*, flops: float, peak: float, elementwise: float, traffic: float, bandwidth: float) -> Limit:
    """The limit of a point.

    Args:
        flops: of its matrix products.
        peak: FLOP/s.
        elementwise: seconds; a difference of two measurements, so a negative one counts as zero.
        traffic: bytes.
        bandwidth: B/s.
    """
    return Limit(flops / peak, max(elementwise, 0.0), traffic / bandwidth, peak, bandwidth)
