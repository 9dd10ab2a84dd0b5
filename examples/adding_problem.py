"""The adding problem: can a cell remember a number for a hundred steps and more?

    python examples/adding_problem.py                              # rnn, lstm and gru, 150 steps
    python examples/adding_problem.py --cells lstm my_cell.toml --steps 400 --plot adding.png

Each step of a sequence gives two numbers: a value, uniform between 0 and 1, and a mark, which is 1 at two steps (one in
each half of the sequence, anywhere) and 0 at all others. After the last step the model must give the sum of the two
marked values. To answer 1 always has a mean squared error of 2/12 = 0.167, the variance of the sum. To do better, the cell
must remember a value over the steps between. A cell whose gradient vanishes on the way never learns this. A cell with a
path straight through time does. (Hochreiter and Schmidhuber 1997, in the form of Le, Jaitly and Hinton 2015, with the marks
of Arjovsky, Shah and Bengio 2016.)

Prints a table: for each cell the iterations, the error on sequences that it has not seen, the seconds, the verdict. All
arithmetic is float32. Leaves out: any search for a better step size or start.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import _one_blas_thread  # noqa: F401 - before NumPy, whose BLAS reads it when it loads
import numpy as np
from _training import (
    Adam,
    Array,
    ExampleError,
    Progress,
    above_zero,
    add_layer_arguments,
    clipped,
    draw,
    own_sizes,
    positive,
    run,
    start_at,
    start_layer,
)

import symrnn

BASELINE = 2 / 12
INPUTS = 2
TEST_SEQUENCES = 500
TEST_EVERY = 50


@dataclass(frozen=True)
class Result:
    """The result of one cell.

    Attributes:
        cell: its name.
        iterations: the number of iterations.
        seconds: the time.
        tested_at: the iterations after which it was tested.
        errors: the mean squared error at each of them.
    """

    cell: str
    iterations: int
    seconds: float
    tested_at: tuple[float, ...]
    errors: tuple[float, ...]


def sequences(rng: np.random.Generator, steps: int, batch: int) -> tuple[Array, Array]:
    """Draw sequences: the inputs (steps, batch, 2), value and mark, and the sums (batch,).

    ``steps`` is at least 2.
    """
    x = np.zeros((steps, batch, INPUTS), np.float32)
    x[:, :, 0] = rng.random((steps, batch), np.float32)
    rows = np.arange(batch)
    half = steps // 2
    first, second = rng.integers(0, half, batch), rng.integers(half, steps, batch)
    x[first, rows, 1] = 1
    x[second, rows, 1] = 1
    return x, x[first, rows, 0] + x[second, rows, 0]


def loss_and_gradients(
    kernels: ModuleType, layer: Mapping[str, Array], weight: Array, bias: Array, x: Array, sums: Array
) -> tuple[float, dict[str, Array]]:
    """The mean squared error of ``weight · (last output) + bias``, and its gradient with respect to every parameter.

    Args:
        kernels: the generated module.
        layer: the cell's parameters.
        weight: readout, (size of the output,).
        bias: readout, (1,).
        x: inputs, (T, B, 2).
        sums: the right answers, (B,).

    Returns:
        The error, and the gradients. Those of the readout are ``model.weight`` and ``model.bias``: names of a cell have no
        dot, so they cannot collide.
    """
    packed = kernels.pack(layer, snapshot=False)  # nothing changes it before `backward`
    y, _, tape = kernels.forward(packed, x)
    difference = y[-1] @ weight + bias - sums
    derror = difference * (2 / len(sums))
    dy = np.zeros_like(y)
    dy[-1] = derror[:, None] * weight
    gradients = {
        **kernels.backward(packed, tape, dy).params,
        "model.weight": derror @ y[-1],
        "model.bias": derror.sum(keepdims=True),
    }
    return float(np.mean(difference * difference)), gradients


def train(name: str, arguments: argparse.Namespace) -> Result:
    """Train one cell until its error on unseen sequences is below the tolerance, or the iterations are spent."""
    cell = symrnn.load(name)
    if cell.input_is_hidden:
        raise ExampleError(
            f"the cell {name!r} needs an input as large as its state; this problem's input has size {INPUTS}"
        )
    kernels = symrnn.build(cell, backend=arguments.backend)
    own = own_sizes(cell)
    layer = start_layer(kernels, INPUTS, arguments, [size for size in arguments.size if size[0] in own])
    start_at(layer, [setting for setting in arguments.set if setting[0] in layer])

    rng = np.random.default_rng([arguments.seed, 1])
    test_x, test_sums = sequences(np.random.default_rng([arguments.seed, 2]), arguments.steps, TEST_SEQUENCES)
    outputs = kernels.infer(layer, test_x[:1, :1])[0].shape[-1]
    weight = rng.uniform(-1, 1, outputs).astype(np.float32) / math.sqrt(outputs)
    bias = np.zeros(1, np.float32)
    adam = Adam({**layer, "model.weight": weight, "model.bias": bias}, arguments.rate)

    progress = Progress(kernels.CELL)
    tested_at: list[float] = []
    errors: list[float] = []
    began = time.monotonic()
    for iteration in range(1, arguments.iterations + 1):
        x, sums = sequences(rng, arguments.steps, arguments.batch)
        _, gradients = loss_and_gradients(kernels, layer, weight, bias, x, sums)
        gradients = clipped(gradients, arguments.clip)
        adam.update(gradients)
        if iteration % TEST_EVERY == 0 or iteration == arguments.iterations:
            prediction = kernels.infer(layer, test_x)[0][-1] @ weight + bias
            tested_at.append(iteration)
            errors.append(float(np.mean((prediction - test_sums) ** 2)))
            if errors[-1] < arguments.tolerance:
                break
        latest = f", mean squared error {errors[-1]:.4f}" if errors else ""
        progress.show(iteration / arguments.iterations, f"iteration {iteration}{latest}")
    progress.clear()
    return Result(kernels.CELL, iteration, time.monotonic() - began, tuple(tested_at), tuple(errors))


def check_cells(arguments: argparse.Namespace) -> None:
    """Check, before the training, that every cell loads and that ``--set`` and ``--size`` each fit some cell.

    Raises:
        ExampleError: no cell has the parameter that ``--set`` names, or the size that ``--size`` names; or a size of a cell
            has no number.
    """
    cells = [symrnn.load(name) for name in arguments.cells]
    names = {parameter.name for cell in cells for parameter in cell.parameters}
    for name, number in arguments.set:
        if name not in names:
            raise ExampleError(f"--set {name}={number:g}: no cell has a parameter {name!r}")
    own = list(dict.fromkeys(size for cell in cells for size in own_sizes(cell)))
    for name, number in arguments.size:
        if name not in own:
            known = f"; there are {', '.join(own)}" if own else ""
            raise ExampleError(f"--size {name}={number}: no cell has a size of its own {name!r}{known}")
    given = [name for name, _ in arguments.size]
    for cell in cells:
        for name in own_sizes(cell):
            if name not in given:
                raise ExampleError(f"{cell.name}: its size {name!r} has no number; one is given as --size NAME=N")


def verdict(error: float, tolerance: float) -> str:
    """What an error means, compared with the tolerance and with the error of always answering 1."""
    if error < tolerance:
        return "solved"
    if error < BASELINE / 2:
        return "learning: below half the baseline"
    return "not solved: near the baseline"


def report(results: Sequence[Result], tolerance: float) -> str:
    """The table of all results."""
    width = max(len("cell"), *(len(result.cell) for result in results))
    lines = [f"{'cell':{width}}  iterations  mean squared error  seconds  verdict"]
    lines += [
        f"{result.cell:{width}}  {result.iterations:10}  {result.errors[-1]:18.4f}  {result.seconds:7.1f}  "
        f"{verdict(result.errors[-1], tolerance)}"
        for result in results
    ]
    lines.append(f"baseline: {BASELINE:.4f}, the error of always answering 1; solved: below {tolerance:g}")
    return "\n".join(lines)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(description="Which cells remember two numbers over a long sequence?")
    parser.add_argument(
        "--cells", nargs="+", default=["rnn", "lstm", "gru"], metavar="CELL", help="bundled names or cell files' paths"
    )
    parser.add_argument("--steps", type=positive, default=150, help="length of a sequence (default: %(default)s)")
    parser.add_argument("--iterations", type=positive, default=6000, help="at most this many (default: %(default)s)")
    parser.add_argument(
        "--tolerance", type=above_zero, default=0.01, help="solved below this error (default: %(default)s)"
    )
    add_layer_arguments(parser, hidden=64, batch=64, rate=2e-3)
    arguments = parser.parse_args(argv)
    if arguments.steps < 2:
        parser.error("--steps: two marks need at least 2 steps")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Train each cell and print the table; returns 0."""
    arguments = parse(argv)
    check_cells(arguments)
    results = []
    for name in arguments.cells:
        results.append(train(name, arguments))
        print(f"{results[-1].cell}: {results[-1].errors[-1]:.4f} after {results[-1].iterations} iterations", flush=True)
    print()
    print(report(results, arguments.tolerance))
    if arguments.plot:
        draw(
            arguments.plot,
            {result.cell: (result.tested_at, result.errors) for result in results},
            {"baseline": BASELINE, "solved": arguments.tolerance},
            title=f"The adding problem over {arguments.steps} steps, {arguments.hidden} units",
            axes=("iterations", "mean squared error"),
        )
        print(f"plot: {arguments.plot}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
