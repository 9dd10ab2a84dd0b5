"""Shared by the examples: Adam, clipped gradients, a progress line, arguments, a plot of the loss.

Reads parameters and gradients as mappings from names to arrays of one floating type; returns nothing but the same
arrays, changed in place. Leaves out: everything recurrent (that is generated) and every loss (each example has its own).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

import numpy as np

import symrnn
from symrnn.errors import FlowError, SymrnnError
from symrnn.language.system import HIDDEN, INPUT
from symrnn.targets import registry

Array = np.ndarray[Any, np.dtype[Any]]

PLOT_FORMATS = (".pdf", ".png", ".svg")


def clipped(gradients: Mapping[str, Array], limit: float) -> dict[str, Array]:
    """The gradients, scaled together so that their joint Euclidean norm is at most ``limit``.

    Raises:
        ExampleError: the norm is not a finite number, so no scale can help.
    """
    try:
        return symrnn.clip_by_global_norm(gradients, limit)[0]
    except FlowError as error:
        raise ExampleError(f"{error}; try a lower --rate") from error


class ExampleError(Exception):
    """An error that the user of an example can correct."""


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1): each number has its own step size, from two moving averages."""

    def __init__(
        self, params: Mapping[str, Array], rate: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        self.params = params
        self.rate = rate
        self.betas = betas
        self.eps = eps
        self.steps = 0
        self.mean = {name: np.zeros_like(array) for name, array in params.items()}
        self.square = {name: np.zeros_like(array) for name, array in params.items()}

    def update(self, gradients: Mapping[str, Array]) -> None:
        """Change every parameter in place; ``gradients`` has a gradient of the same shape under each name."""
        self.steps += 1
        beta_mean, beta_square = self.betas
        # Both averages start at zero. These divisors remove the bias towards zero.
        rate = self.rate / (1 - beta_mean**self.steps)
        square_scale = 1 / math.sqrt(1 - beta_square**self.steps)
        for name, param in self.params.items():
            gradient, mean, square = gradients[name], self.mean[name], self.square[name]
            mean += (1 - beta_mean) * (gradient - mean)
            square += (1 - beta_square) * (gradient * gradient - square)
            param -= rate * mean / (np.sqrt(square) * square_scale + self.eps)


class Progress:
    """One line that rewrites itself on a terminal; nothing if the stream is not a terminal."""

    WIDTH = 30
    INTERVAL = 0.1

    def __init__(self, label: str, stream: TextIO = sys.stderr) -> None:
        self.label = label
        self.stream = stream
        self.shown_at = -math.inf

    def show(self, fraction: float, text: str) -> None:
        """Draw ``fraction`` (0 to 1) as a bar with ``text`` behind it, at most ten times a second."""
        now = time.monotonic()
        if not self.stream.isatty() or now - self.shown_at < self.INTERVAL:
            return
        self.shown_at = now
        full = round(min(max(fraction, 0.0), 1.0) * self.WIDTH)
        bar = "#" * full + "." * (self.WIDTH - full)
        self.stream.write(f"\r\x1b[K{self.label} [{bar}] {text}")
        self.stream.flush()

    def clear(self) -> None:
        """Remove the line, so that the next output starts on a clean line."""
        if self.stream.isatty():
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def run(main: Callable[[], int]) -> int:
    """The exit code of ``main``; an error that a user can correct is a line on standard error, with code 2."""
    try:
        return main()
    except (SymrnnError, ExampleError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def backends(*, stream: bool) -> tuple[str, ...]:
    """The backends whose kernels can be trained, and run step by step if ``stream`` asks for that."""
    return tuple(
        each.name
        for each in registry.descriptions()
        if each.can.backward and not each.needs and (each.can.stream or not stream)
    )


def add_layer_arguments(
    parser: argparse.ArgumentParser, *, hidden: int, batch: int, rate: float, stream: bool = False
) -> None:
    """Add the arguments that both examples take, with these defaults; ``stream``: the kernels must run step by step."""
    parser.add_argument(
        "--backend", choices=backends(stream=stream), default="c", help="which kernels to build (default: %(default)s)"
    )
    parser.add_argument("--hidden", type=positive, default=hidden, help="units of the layer (default: %(default)s)")
    parser.add_argument("--batch", type=positive, default=batch, help="sequences at once (default: %(default)s)")
    parser.add_argument("--rate", type=above_zero, default=rate, help="Adam's step size (default: %(default)s)")
    parser.add_argument(
        "--clip", type=above_zero, default=1.0, help="largest norm of the gradient (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of parameters and data (default: %(default)s)")
    parser.add_argument(
        "--size", type=named_integer, action="append", default=[], metavar="NAME=N", help="a size of the cell's own"
    )
    parser.add_argument(
        "--set", type=named_number, action="append", default=[], metavar="NAME=NUMBER",
        help="start a parameter of the cell at this number instead",
    )  # fmt: skip
    parser.add_argument("--plot", type=plot_path, metavar="FILE", help="draw the loss (.png, .svg or .pdf)")


def positive(text: str) -> int:
    """An integer above zero, as an argparse type."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return value


def above_zero(text: str) -> float:
    """A number above zero, as an argparse type."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return value


def named_number(text: str) -> tuple[str, float]:
    """``NAME=NUMBER``, as an argparse type."""
    name, equals, number = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER")
    return name, float(number)


def named_integer(text: str) -> tuple[str, int]:
    """``NAME=N``, N above zero, as an argparse type."""
    name, equals, number = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=N")
    return name, positive(number)


def plot_path(text: str) -> Path:
    """A file that a plot can be written to, as an argparse type: an error comes before the training, not after."""
    path = Path(text)
    if path.suffix not in PLOT_FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} must end in one of {', '.join(PLOT_FORMATS)}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"cannot write {path.name!r}: the directory {str(path.parent)!r} does not exist"
        )
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("a plot needs matplotlib; install it with: python -m pip install matplotlib")
    return path


def own_sizes(cell: symrnn.Cell) -> tuple[str, ...]:
    """The sizes that the cell has beside ``input`` and ``hidden``: those that ``--size`` sets."""
    return tuple(size for size in cell.sizes if size not in (INPUT, HIDDEN))


def start_layer(
    kernels: ModuleType, input_size: int, arguments: argparse.Namespace, sizes: Sequence[tuple[str, int]]
) -> dict[str, Array]:
    """The layer's parameters at the start; ``sizes`` sets the sizes that the cell has beside ``input`` and ``hidden``.

    Raises:
        ExampleError: ``sizes`` has a size that the cell does not have, or lacks one that it has.
    """
    try:
        return kernels.init_params(input_size, arguments.hidden, seed=arguments.seed, **dict(sizes))
    except (TypeError, ValueError) as error:
        raise ExampleError(f"{error}; set the other sizes of the cell with --size NAME=N") from error


def start_at(params: Mapping[str, Array], settings: Sequence[tuple[str, float]]) -> None:
    """Fill the named parameters with the given numbers, in place.

    Raises:
        ExampleError: the cell has no parameter of this name.
    """
    for name, number in settings:
        if name not in params:
            raise ExampleError(
                f"--set {name}={number:g}: the cell has no parameter {name!r}; it has {', '.join(params)}"
            )
        params[name][...] = number


def draw(
    path: Path,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    levels: Mapping[str, float],
    *,
    title: str,
    axes: tuple[str, str],
) -> None:
    """Write a line plot: a curve ``(abscissae, ordinates)`` for each name, a dashed level for each number."""
    # Imported here and by name, because training needs no matplotlib.
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=(7.5, 4.5), dpi=150, layout="constrained")
    plot = figure.add_subplot(title=title, xlabel=axes[0], ylabel=axes[1])
    for name, (abscissae, ordinates) in curves.items():
        plot.plot(abscissae, ordinates, label=name, linewidth=1.4)
    for (name, level), style in zip(levels.items(), ("--", ":", "-.") * len(levels), strict=False):
        plot.axhline(level, label=name, color="0.35", linewidth=1, linestyle=style)
    plot.set_xlim(left=0)
    plot.set_ylim(bottom=0)
    plot.grid(alpha=0.25)
    plot.legend()
    figure.savefig(path)
