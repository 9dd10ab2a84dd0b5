"""A character model of Python, trained on the source files of the installed SymPy with a generated recurrent layer.

    python examples/char_lm.py                                     # the LSTM in C, one minute
    python examples/char_lm.py --cell gru --backend numpy --seconds 120
    python examples/char_lm.py --cell my_cell.toml --plot loss.png # any cell file; the plot needs matplotlib

The model: a character picks a row of an embedding table, the recurrent layer reads these rows, and a linear map of its
output gives a softmax over the next character. The layer's forward and backward pass are symrnn's; all else is here.

The vocabulary is the 100 commonest characters; the text is read without the few others. Every twentieth file is held out of
training. The text is cut into ``--batch`` long rows, which are read side by side in chunks of ``--steps-per-sequence``
characters. The state goes on from each chunk to the next; the gradient ends with the chunk (truncated backpropagation
through time). All arithmetic is float32.

Prints the training loss as it falls, the held-out loss, and a sample of what the model writes. Leaves out: everything
that a large model would need (several layers, dropout, a schedule for the step size).
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
    positive,
    run,
    start_at,
    start_layer,
)

import symrnn

VOCABULARY = 100
HELD_OUT_EVERY = 20
HELD_OUT_CHARACTERS = 250_000
REPORTS = 10
AVERAGED_OVER = 50


@dataclass(frozen=True)
class Text:
    """Text as codes: a code is the index of a character in ``characters``, the commonest first."""

    characters: str
    train: Array
    held_out: Array
    dropped: int


@dataclass(frozen=True)
class Model:
    """Embedding, recurrent layer, readout. The arrays are changed in place by training.

    Attributes:
        kernels: the generated module.
        layer: the cell's own parameters.
        table: embeddings, (V, D).
        weight: readout, (V, size of the layer's output).
        bias: readout, (V,).
    """

    kernels: ModuleType
    layer: Mapping[str, Array]
    table: Array
    weight: Array
    bias: Array

    @property
    def params(self) -> dict[str, Array]:
        """Every parameter by name; names of a cell have no dot, so those of the model cannot collide with them."""
        return {**self.layer, "model.table": self.table, "model.weight": self.weight, "model.bias": self.bias}


def read_text(path: Path) -> Text:
    """The text of a file, or of every ``.py`` file below a directory in the order of their paths."""
    files = sorted(path.rglob("*.py"), key=lambda file: file.relative_to(path).as_posix()) if path.is_dir() else [path]
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files]
    if len(texts) == 1:  # too few files to hold any out: hold out the end
        cut = len(texts[0]) - len(texts[0]) // HELD_OUT_EVERY
        texts = [texts[0][:cut], texts[0][cut:]]
        held_out = [False, True]
    else:
        held_out = [number % HELD_OUT_EVERY == HELD_OUT_EVERY - 1 for number in range(len(texts))]
    train = _code_points("".join(text for text, held in zip(texts, held_out, strict=True) if not held))
    held = _code_points("".join(text for text, held in zip(texts, held_out, strict=True) if held))

    counts = np.bincount(train, minlength=sys.maxunicode + 1)
    commonest = np.argsort(-counts, kind="stable")[:VOCABULARY]
    commonest = commonest[counts[commonest] > 0]
    code_of = np.full(sys.maxunicode + 1, -1, np.int32)
    code_of[commonest] = np.arange(len(commonest), dtype=np.int32)
    train_codes, held_codes = code_of[train], code_of[held]
    return Text(
        characters="".join(map(chr, commonest)),
        train=train_codes[train_codes >= 0],
        held_out=held_codes[held_codes >= 0],
        dropped=int(np.count_nonzero(train_codes < 0) + np.count_nonzero(held_codes < 0)),
    )


def _code_points(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le", errors="replace"), np.uint32)


def side_by_side(codes: Array, batch: int) -> Array:
    """Cut codes into ``batch`` rows of equal length and lay them in columns: (length, batch)."""
    length = len(codes) // batch
    return np.ascontiguousarray(codes[: length * batch].reshape(batch, length).T)


def chunks(columns: Array, steps: int) -> Iterator[tuple[Array, Array]]:
    """Consecutive pieces of ``steps`` codes, each with the codes that follow: both (steps, batch)."""
    for start in range(0, len(columns) - steps, steps):
        yield columns[start : start + steps], columns[start + 1 : start + steps + 1]


def softmax_cross_entropy(logits: Array, targets: Array) -> tuple[float, Array]:
    """The mean of ``-log softmax(logits)[target]`` over the rows, and its gradient.

    Args:
        logits: (N, V); overwritten, because it is the largest array outside the layer.
        targets: (N,) integers below V.

    Returns:
        The loss in nats, and its gradient with respect to the logits, in the memory of ``logits``.
    """
    rows = np.arange(len(logits))
    logits -= logits.max(axis=1, keepdims=True)
    right = logits[rows, targets]
    np.exp(logits, out=logits)
    total = logits.sum(axis=1, keepdims=True)
    loss = float(np.mean(np.log(total[:, 0]) - right))
    logits /= total * len(rows)
    logits[rows, targets] -= 1 / len(rows)
    return loss, logits


def embedding_gradient(codes: Array, gradient: Array, size: int) -> Array:
    """Add up the rows of ``gradient`` (N, D) that belong to each code: (size, D).

    This is a product with the one-hot codes. For a small vocabulary it is far faster than scattered additions.
    """
    one_hot = np.zeros((len(codes), size), gradient.dtype)
    one_hot[np.arange(len(codes)), codes] = 1
    return one_hot.T @ gradient


def loss_and_gradients(
    model: Model, inputs: Array, targets: Array, state: Mapping[str, Array] | None
) -> tuple[float, dict[str, Array], dict[str, Array]]:
    """One chunk, forward and backward.

    Args:
        model: the model.
        inputs: codes, (T, B).
        targets: the codes that follow, (T, B).
        state: the layer's state before the chunk; None for zeros.

    Returns:
        The loss in nats per character, its gradient with respect to every parameter, and the layer's state after the chunk.
    """
    kernels = model.kernels
    packed = kernels.pack(model.layer, snapshot=False)  # nothing changes it before `backward`
    y, state_out, tape = kernels.forward(packed, model.table[inputs], state)

    outputs = y.reshape(-1, y.shape[-1])
    loss, dlogits = softmax_cross_entropy(outputs @ model.weight.T + model.bias, targets.reshape(-1))
    dy = (dlogits @ model.weight).reshape(y.shape)

    grads = kernels.backward(packed, tape, dy)
    dx = grads.x.reshape(-1, grads.x.shape[-1])
    gradients = {
        **grads.params,
        "model.table": embedding_gradient(inputs.reshape(-1), dx, len(model.table)),
        "model.weight": dlogits.T @ outputs,
        "model.bias": dlogits.sum(axis=0),
    }
    return loss, gradients, state_out


def held_out_loss(model: Model, text: Text, arguments: argparse.Namespace) -> float:
    """The loss in nats per character over text that was held out, the state carried from chunk to chunk."""
    steps = arguments.steps_per_sequence
    codes = text.held_out[:HELD_OUT_CHARACTERS]
    columns = side_by_side(codes, min(arguments.batch, len(codes) // (steps + 1)))
    packed = model.kernels.pack(model.layer)
    state = None
    losses = []
    for inputs, targets in chunks(columns, steps):
        y, state = model.kernels.infer(packed, model.table[inputs], state)
        logits = y.reshape(-1, y.shape[-1]) @ model.weight.T + model.bias
        losses.append(softmax_cross_entropy(logits, targets.reshape(-1))[0])
    return float(np.mean(losses))


def check_text(text: Text, arguments: argparse.Namespace) -> None:
    """Check, before the training, that the text is long enough and has the prompt's characters.

    Raises:
        ExampleError: the text is too short, or has no character of the prompt.
    """
    piece = arguments.steps_per_sequence + 1
    if len(text.train) < arguments.batch * piece or len(text.held_out) < piece:
        raise ExampleError(
            f"--text {arguments.text}: {len(text.train)} characters to train on and {len(text.held_out)} held out are "
            f"too few: {arguments.batch * piece} and {piece} are needed; lower --batch or --steps-per-sequence"
        )
    if not encoded(arguments.prompt, text):
        raise ExampleError(f"--prompt {arguments.prompt!r}: the text has none of these characters often enough")


def encoded(prompt: str, text: Text) -> list[int]:
    """The codes of the characters that the vocabulary has."""
    return [code for code in map(text.characters.find, prompt) if code >= 0]


def sample(model: Model, text: Text, prompt: str, length: int, temperature: float, seed: int) -> str:
    """Write ``length`` characters after ``prompt``, one step of the layer for each."""
    rng = np.random.default_rng(seed)
    stream = model.kernels.stream(model.kernels.pack(model.layer), batch=1)
    written = encoded(prompt, text)
    for code in written[:-1]:
        stream(model.table[code : code + 1])
    for _ in range(length):
        y = stream(model.table[written[-1] : written[-1] + 1])
        logits = (model.weight @ y[0] + model.bias) / temperature
        # The largest of the logits plus Gumbel noise is a draw from their softmax.
        written.append(int(np.argmax(logits + rng.gumbel(size=len(logits)))))
    return "".join(text.characters[code] for code in written)


def make_model(arguments: argparse.Namespace, size: int) -> Model:
    """Build the kernels and start every parameter; ``size`` is that of the vocabulary."""
    cell = symrnn.load(arguments.cell)
    embedding = arguments.hidden if cell.input_is_hidden else arguments.embedding
    kernels = symrnn.build(cell, backend=arguments.backend)
    layer = start_layer(kernels, embedding, arguments, arguments.size)
    start_at(layer, arguments.set)
    rng = np.random.default_rng(arguments.seed)
    table = rng.standard_normal((size, embedding), np.float32)
    outputs = kernels.infer(layer, table[None, :1])[0].shape[-1]
    # With a readout of zeros, every character is equally likely at the start: the loss begins at ln(V).
    return Model(kernels, layer, table, np.zeros((size, outputs), np.float32), np.zeros(size, np.float32))


def train(model: Model, text: Text, arguments: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Train until the time is up; returns the seconds and the loss of every iteration."""
    columns = side_by_side(text.train, arguments.batch)
    adam = Adam(model.params, arguments.rate)
    progress = Progress("training")
    seconds: list[float] = []
    losses: list[float] = []
    reported = 0
    began = time.monotonic()
    while True:
        state = None
        for inputs, targets in chunks(columns, arguments.steps_per_sequence):
            loss, gradients, state = loss_and_gradients(model, inputs, targets, state)
            gradients = clipped(gradients, arguments.clip)
            adam.update(gradients)
            losses.append(loss)
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


def sympy_source(parser: argparse.ArgumentParser) -> Path:
    """The folder of the installed SymPy; without one, the parser ends the program."""
    spec = importlib.util.find_spec("sympy")
    if spec is None or spec.origin is None:
        parser.error("SymPy's source files are not here; name another text with --text")
    return Path(spec.origin).parent


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(description="Train a character model on real text with a generated layer.")
    parser.add_argument("--cell", default="lstm", help="a bundled cell's name or a cell file's path (default: lstm)")
    parser.add_argument("--text", type=Path, help="a file, or a directory of .py files (default: the installed SymPy)")
    parser.add_argument("--seconds", type=above_zero, default=60.0, help="time to train (default: %(default)s)")
    parser.add_argument(
        "--iterations", type=positive, default=math.inf, help="stop after this many (default: no limit)"
    )
    parser.add_argument("--steps-per-sequence", type=positive, default=64, help="chunk length (default: %(default)s)")
    parser.add_argument("--embedding", type=positive, default=64, help="input size (default: %(default)s)")
    parser.add_argument("--prompt", default="    def ", help="what the sample begins with (default: '%(default)s')")
    parser.add_argument("--sample", type=int, default=500, help="characters to write (default: %(default)s)")
    parser.add_argument(
        "--temperature", type=above_zero, default=0.7, help="below 1: less daring (default: %(default)s)"
    )
    add_layer_arguments(parser, hidden=128, batch=16, rate=2e-3, stream=True)
    arguments = parser.parse_args(argv)
    arguments.text = arguments.text or sympy_source(parser)
    if not arguments.text.exists():
        parser.error(f"--text {arguments.text}: no such file or directory")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Read, train, report, sample; returns 0."""
    arguments = parse(argv)
    text = read_text(arguments.text)
    check_text(text, arguments)
    size = len(text.characters)
    print(
        f"text: {len(text.train):,} characters to train on, {len(text.held_out):,} held out; vocabulary of {size}, "
        f"{text.dropped:,} rarer characters dropped; ln({size}) = {math.log(size):.3f}"
    )
    model = make_model(arguments, size)
    count = sum(array.size for array in model.params.values())
    print(f"model: {model.kernels.CELL}, {arguments.backend}, {count:,} parameters")
    seconds, losses = train(model, text, arguments)

    recent = float(np.mean(losses[-AVERAGED_OVER:]))
    held_out = held_out_loss(model, text, arguments)
    print(f"loss after {seconds[-1]:.1f} s: {recent:.3f} nats per character in training, {held_out:.3f} held out")
    if arguments.plot:
        levels = {f"ln({size}): all characters equally likely": math.log(size), "held out, at the end": held_out}
        title = f"{model.kernels.CELL}, {arguments.hidden} units, {arguments.backend}"
        draw(
            arguments.plot, {"training": (seconds, losses)}, levels, title=title, axes=("seconds", "nats per character")
        )
        print(f"plot: {arguments.plot}")
    print("sample:")
    print(sample(model, text, arguments.prompt, arguments.sample, arguments.temperature, arguments.seed))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
