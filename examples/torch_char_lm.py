"""A character model of Python as a PyTorch program: `symrnn.torch.Layer` of any cell, on lines of the installed SymPy.

    python examples/torch_char_lm.py                                  # the LSTM, one minute
    python examples/torch_char_lm.py --cell gru --layers 2 --compile
    python examples/torch_char_lm.py --cell my_cell.toml --plot loss.png

The model: embedding, recurrent layer, linear readout, softmax over the next character. A row of a batch is a line of text, so
rows have lengths of their own. Everything but the layer is PyTorch's: optimizer, clipping, loss. The text and its vocabulary
are those of ``char_lm.py``.

Prints the training loss as it falls, the held-out loss, and lines that the model writes, one step of the layer for each
character.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _training import Array, ExampleError, Progress, above_zero, draw, named_integer, plot_path, positive, run
from char_lm import encoded, read_text, sympy_source

import symrnn
from symrnn.optional import load_optional

torch = load_optional("torch", extra="torch", purpose="this example")
import symrnn.torch as home  # noqa: E402  # after the error that names the remedy

Tensor = torch.Tensor
REPORTS = 10
AVERAGED_OVER = 50
HELD_OUT_LINES = 2048


class Model(torch.nn.Module):  # type: ignore[misc]  # PyTorch may be missing
    """Embedding, recurrent layer, readout.

    Args:
        cell: as `symrnn.torch.Layer` takes it.
        vocabulary: the number of characters.
        arguments: sizes.
    """

    def __init__(self, cell: str, vocabulary: int, arguments: argparse.Namespace) -> None:
        super().__init__()
        sizes = dict(arguments.size)
        self.table = torch.nn.Embedding(vocabulary, arguments.embedding)
        self.layer = home.Layer(cell, arguments.embedding, arguments.hidden, arguments.layers, **sizes)
        self.readout = torch.nn.Linear(self.layer.output_size, vocabulary)

    def forward(self, codes: Tensor, lengths: Tensor) -> Tensor:
        """The logits (T, B, V) of the characters that follow ``codes`` (T, B)."""
        y, _ = self.layer(self.table(codes), lengths=lengths)
        return self.readout(y)


def lines_of(codes: Array, newline: int, longest: int) -> list[Array]:
    """Lines of codes, each with the line end before it and its own, cut at ``longest`` steps; empty ones are left out."""
    ends = np.flatnonzero(codes == newline)
    pieces = (codes[start : end + 1][: longest + 1] for start, end in itertools.pairwise(ends))
    return [piece for piece in pieces if len(piece) > 2]


def batch_of(lines: Sequence[Array]) -> tuple[Tensor, Tensor, Tensor]:
    """Codes, the codes that follow, both (T, B) and padded, and the lengths (B,)."""
    lengths = torch.tensor([len(line) - 1 for line in lines])
    padded = np.zeros((int(lengths.max()) + 1, len(lines)), np.int64)
    for row, line in enumerate(lines):
        padded[: len(line), row] = line
    codes = torch.from_numpy(padded)
    return codes[:-1], codes[1:], lengths


def loss_of(logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Nats per character, the padding left out."""
    valid = torch.arange(len(targets))[:, None] < lengths
    return torch.nn.functional.cross_entropy(logits[valid], targets[valid])


def train(model: Model, lines: Sequence[Array], arguments: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Train until the time is up; returns the seconds and the loss of every iteration."""
    rng = np.random.default_rng(arguments.seed)
    forward = torch.compile(model, dynamic=True) if arguments.compile else model
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.rate)
    progress = Progress("training")
    seconds: list[float] = []
    losses: list[float] = []
    reported, began = 0, time.monotonic()
    while True:
        codes, targets, lengths = batch_of([lines[i] for i in rng.integers(len(lines), size=arguments.batch)])
        loss = loss_of(forward(codes, lengths), targets, lengths)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), arguments.clip)
        if not math.isfinite(norm):
            raise ExampleError("training has diverged: a gradient is no finite number; try a lower --rate")
        optimizer.step()
        losses.append(float(loss.detach()))
        seconds.append(time.monotonic() - began)

        fraction = max(seconds[-1] / arguments.seconds, len(losses) / arguments.iterations)
        recent = float(np.mean(losses[-AVERAGED_OVER:]))
        progress.show(fraction, f"{seconds[-1]:.0f} s, {recent:.3f} nats per character")
        if len(losses) == 1 or int(fraction * REPORTS) > reported:
            reported = int(fraction * REPORTS)
            progress.clear()
            print(f"{seconds[-1]:8.1f} s {len(losses):8} iterations {recent:10.3f} nats per character", flush=True)
        if fraction >= 1:
            progress.clear()
            return seconds, losses


@torch.no_grad()  # type: ignore[untyped-decorator]  # PyTorch may be missing
def held_out_loss(model: Model, lines: Sequence[Array], batch: int) -> float:
    """The loss in nats per character over lines that were held out."""
    total, count = 0.0, 0
    for start in range(0, min(len(lines), HELD_OUT_LINES), batch):
        codes, targets, lengths = batch_of(lines[start : start + batch])
        characters = int(lengths.sum())
        total += characters * float(loss_of(model(codes, lengths), targets, lengths))
        count += characters
    return total / count


@torch.no_grad()  # type: ignore[untyped-decorator]  # PyTorch may be missing
def sample(model: Model, characters: str, prompt: Sequence[int], length: int, temperature: float) -> str:
    """Write ``length`` characters after ``prompt``, which begins with a line end, one step of the layer for each."""
    written = list(prompt)
    state = None
    for place in range(len(prompt) + length - 1):
        y, state = model.layer.step(model.table(torch.tensor(written[place : place + 1])), state)
        if place + 1 == len(written):
            weights = torch.softmax(model.readout(y[0]) / temperature, -1)
            written.append(int(torch.multinomial(weights, 1)))
            if characters[written[-1]] == "\n":
                state = None  # a line is a sequence
    return "".join(characters[code] for code in written[1:])


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(description="Train a character model with PyTorch and a generated layer.")
    parser.add_argument("--cell", default="lstm", help="a bundled cell's name or a cell file's path (default: lstm)")
    parser.add_argument("--layers", type=positive, default=1, help="recurrent layers (default: %(default)s)")
    parser.add_argument("--compile", action="store_true", help="run the model through torch.compile")
    parser.add_argument("--text", type=Path, help="a file, or a directory of .py files (default: the installed SymPy)")
    parser.add_argument("--seconds", type=above_zero, default=60.0, help="time to train (default: %(default)s)")
    parser.add_argument(
        "--iterations", type=positive, default=math.inf, help="stop after this many (default: no limit)"
    )
    parser.add_argument(
        "--longest", type=positive, default=100, help="steps of the longest line (default: %(default)s)"
    )
    parser.add_argument("--embedding", type=positive, default=64, help="input size (default: %(default)s)")
    parser.add_argument("--hidden", type=positive, default=128, help="units of a layer (default: %(default)s)")
    parser.add_argument("--batch", type=positive, default=32, help="lines at once (default: %(default)s)")
    parser.add_argument("--rate", type=above_zero, default=2e-3, help="Adam's step size (default: %(default)s)")
    parser.add_argument(
        "--clip", type=above_zero, default=1.0, help="largest norm of the gradient (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of parameters and batches (default: %(default)s)")
    parser.add_argument("--prompt", default="    def ", help="what the sample begins with (default: '%(default)s')")
    parser.add_argument("--sample", type=int, default=400, help="characters to write (default: %(default)s)")
    parser.add_argument(
        "--temperature", type=above_zero, default=0.7, help="below 1: less daring (default: %(default)s)"
    )
    parser.add_argument(
        "--size", type=named_integer, action="append", default=[], metavar="NAME=N", help="a size of the cell's own"
    )
    parser.add_argument("--plot", type=plot_path, metavar="FILE", help="draw the loss (.png, .svg or .pdf)")
    arguments = parser.parse_args(argv)
    arguments.text = arguments.text or sympy_source(parser)
    if not arguments.text.exists():
        parser.error(f"--text {arguments.text}: no such file or directory")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Read, train, report, sample; returns 0."""
    arguments = parse(argv)
    cell = symrnn.load(arguments.cell)
    text = read_text(arguments.text)
    newline = text.characters.find("\n")
    train_lines, held_lines = (lines_of(codes, newline, arguments.longest) for codes in (text.train, text.held_out))
    prompt = encoded(arguments.prompt, text)
    if newline < 0 or not train_lines or not held_lines:
        raise ExampleError(f"--text {arguments.text}: too few lines to train on and to hold out")
    if not prompt:
        raise ExampleError(f"--prompt {arguments.prompt!r}: the text has none of these characters often enough")
    size = len(text.characters)
    torch.manual_seed(arguments.seed)
    try:
        model = Model(arguments.cell, size, arguments)
    except ValueError as error:
        raise ExampleError(f"{error}; sizes are --embedding, --hidden and --size NAME=N") from error
    count = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"text: {len(train_lines):,} lines to train on, {len(held_lines):,} held out; ln({size}) = {math.log(size):.3f}"
    )
    print(f"model: {cell.name}, {count:,} parameters{', compiled' if arguments.compile else ''}")
    seconds, losses = train(model, train_lines, arguments)

    recent = float(np.mean(losses[-AVERAGED_OVER:]))
    held_out = held_out_loss(model, held_lines, arguments.batch)
    print(f"loss after {seconds[-1]:.1f} s: {recent:.3f} nats per character in training, {held_out:.3f} held out")
    if arguments.plot:
        levels = {f"ln({size}): all characters equally likely": math.log(size), "held out, at the end": held_out}
        title = f"{cell.name}, {arguments.layers} x {arguments.hidden} units, PyTorch"
        draw(
            arguments.plot, {"training": (seconds, losses)}, levels, title=title, axes=("seconds", "nats per character")
        )
        print(f"plot: {arguments.plot}")
    print("sample:")
    print(sample(model, text.characters, [newline, *prompt], arguments.sample, arguments.temperature))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
