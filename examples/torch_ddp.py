"""Several processes train one model: `symrnn.torch.Layer` in `DistributedDataParallel`, on the adding problem.

    torchrun --standalone --nproc-per-node=2 examples/torch_ddp.py
    torchrun --standalone --nproc-per-node=2 examples/torch_ddp.py --cell my_cell.toml --plot error.png

Each process draws sequences of its own; gradients are averaged over all of them, by gloo. One process alone runs too:
``python examples/torch_ddp.py``. The sequences are those of ``adding_problem.py``: remember two numbers and give their sum.

The first process prints the mean squared error as it falls, and sequences per second of all together.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from _training import ExampleError, Progress, above_zero, draw, named_integer, plot_path, positive, run
from adding_problem import INPUTS, sequences

import symrnn
from symrnn.optional import load_optional

torch = load_optional("torch", extra="torch", purpose="this example")
import symrnn.torch as home  # noqa: E402  # after the error that names the remedy

REPORTS = 10
AVERAGED_OVER = 20


class Model(torch.nn.Module):  # type: ignore[misc]  # PyTorch may be missing
    """A recurrent layer, and a linear map of its last output."""

    def __init__(self, cell: str, arguments: argparse.Namespace) -> None:
        super().__init__()
        self.layer = home.Layer(cell, INPUTS, arguments.hidden, **dict(arguments.size))
        self.readout = torch.nn.Linear(self.layer.output_size, 1)

    def forward(self, x: Any) -> Any:
        """The sums (B,) for inputs (T, B, 2)."""
        y, _ = self.layer(x)
        return self.readout(y[-1]).squeeze(-1)


def train(model: Model, arguments: argparse.Namespace, rank: int, processes: int) -> tuple[list[float], list[float]]:
    """Train for the given iterations; returns their seconds and errors, averaged over processes."""
    forward = torch.nn.parallel.DistributedDataParallel(model) if processes > 1 else model
    rng = np.random.default_rng([arguments.seed, rank])
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.rate)
    progress = Progress("training")
    seconds: list[float] = []
    errors: list[float] = []
    reported, began = 0, time.monotonic()
    for iteration in range(1, arguments.iterations + 1):
        x, sums = map(torch.from_numpy, sequences(rng, arguments.steps, arguments.batch))
        loss = (forward(x) - sums).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), arguments.clip)
        optimizer.step()
        error = loss.detach().clone()
        if processes > 1:
            torch.distributed.all_reduce(error)
        errors.append(float(error) / processes)
        seconds.append(time.monotonic() - began)

        recent, fraction = float(np.mean(errors[-AVERAGED_OVER:])), iteration / arguments.iterations
        if rank == 0:
            progress.show(fraction, f"error {recent:.4f}")
        if rank == 0 and int(fraction * REPORTS) > reported:
            reported = int(fraction * REPORTS)
            progress.clear()
            rate = iteration * arguments.batch * processes / seconds[-1]
            print(f"{seconds[-1]:8.1f} s {iteration:8} iterations {recent:10.4f}  {rate:.0f} sequences/s", flush=True)
    return seconds, errors


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(description="Train on several processes with DistributedDataParallel.")
    parser.add_argument("--cell", default="lstm", help="a bundled cell's name or a cell file's path (default: lstm)")
    parser.add_argument("--steps", type=positive, default=50, help="length of a sequence (default: %(default)s)")
    parser.add_argument("--hidden", type=positive, default=64, help="units (default: %(default)s)")
    parser.add_argument("--batch", type=positive, default=64, help="sequences of a process (default: %(default)s)")
    parser.add_argument("--iterations", type=positive, default=1000, help="default: %(default)s")
    parser.add_argument("--rate", type=above_zero, default=5e-3, help="Adam's step size (default: %(default)s)")
    parser.add_argument(
        "--clip", type=above_zero, default=1.0, help="largest norm of the gradient (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of parameters and sequences (default: %(default)s)")
    parser.add_argument(
        "--size", type=named_integer, action="append", default=[], metavar="NAME=N", help="a size of the cell's own"
    )
    parser.add_argument("--plot", type=plot_path, metavar="FILE", help="draw the error (.png, .svg or .pdf)")
    arguments = parser.parse_args(argv)
    if arguments.steps < 2:
        parser.error("--steps: a sequence has at least 2 steps, one for each number")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Train on every process, report on the first; returns 0."""
    arguments = parse(argv)
    cell = symrnn.load(arguments.cell)
    processes, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    torch.manual_seed(arguments.seed)
    try:
        model = Model(arguments.cell, arguments)
    except ValueError as error:
        raise ExampleError(f"{error}; sizes are --hidden and --size NAME=N") from error
    if processes > 1:
        torch.distributed.init_process_group("gloo")
    if rank == 0:
        print(f"{cell.name}, {processes} process{'es' if processes > 1 else ''}, {arguments.steps} steps")
    try:
        seconds, errors = train(model, arguments, rank, processes)
    finally:
        if processes > 1:
            torch.distributed.destroy_process_group()
            gc.collect()  # the parallel model is in cycles; one that lives until Python ends may abort the process
    if rank == 0 and arguments.plot:
        levels = {"always answering 1": 1 / 6}
        title = f"{cell.name}, adding problem, {processes} processes"
        draw(
            arguments.plot, {"training": (seconds, errors)}, levels, title=title, axes=("seconds", "mean squared error")
        )
        print(f"plot: {arguments.plot}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
