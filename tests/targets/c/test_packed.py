"""Packed weights carry a tag: those of another build, precision, size or cell are refused."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn import Cell
from symrnn.targets.c.toolchain import Options
from tests.processors import compiler_or_skip, load

pytestmark = pytest.mark.usefixtures("quick_compiler")

Array = np.ndarray[Any, Any]

EQUATIONS = "h' = tanh(W @ x + U @ h + b)"
NULL, LAYOUT, UNTOUCHED = 1, 6, 7.0
DTYPES = {"f32": np.float32, "f64": np.float64}
STEPS, ROWS = 2, 3
NO_ATOMICS = ("-U__GCC_ATOMIC_INT_LOCK_FREE", "-D__GCC_ATOMIC_INT_LOCK_FREE=1")


def build(name: str = "small", *extra: str, **sizes: int) -> ModuleType:
    """Kernels of a cell of one equation, not optimised: they are compiled sooner."""
    cell = Cell.from_equations(EQUATIONS, name=name)
    files = symrnn.render(cell, backends=("c",), sizes=sizes)
    return load(files, name, Options(optimise="-O0", march="baseline", extra=extra))


@pytest.fixture(scope="module")
def kernels() -> ModuleType:
    compiler_or_skip()
    return build()


@pytest.fixture(scope="module")
def plain(kernels: ModuleType) -> ModuleType:
    """The same source in vectors of one number: another layout, whose weights may take as much room."""
    return build("small", "-DSYMRNN_PLAIN")


def packed_by(module: Any, p: str, inputs: int, hidden: int, room: int = 0) -> Array:
    """The weights as C packs them, in memory of at least ``room`` numbers."""
    packed = module.pack(module.init_params(inputs, hidden, dtype=DTYPES[p]))
    run = module._run({"input": inputs, "hidden": hidden}, np.dtype(DTYPES[p]), STEPS, ROWS, None, False, 1)
    block = np.zeros(max(room, run.weights(packed).array.size), DTYPES[p])
    block[: run.weights(packed).array.size] = run.weights(packed).array
    return block


def entries(module: Any, p: str, packed: Array, inputs: int, hidden: int) -> dict[str, tuple[int, bool]]:
    """The status of every entry that reads packed weights, and whether it left its results as they were."""
    dtype = DTYPES[p]
    found = {}
    for rows in (1, ROWS):
        run = module._Run({"input": inputs, "hidden": hidden}, np.dtype(dtype), STEPS, rows, None, False, 1)
        x, state = np.ones((STEPS, rows, inputs), dtype), np.full((rows, hidden), UNTOUCHED, dtype)
        y, dx = (np.full((STEPS, rows, width), UNTOUCHED, dtype) for width in (hidden, inputs))
        tape, dy = np.zeros(run.size("tape_size"), dtype), np.ones_like(y)
        work = np.zeros(sum(run.size(f"{name}_workspace_size", 1) for name in ("infer", "forward", "backward")), dtype)
        shapes = module.param_shapes(inputs, hidden)
        grads = {name: np.full(shape, UNTOUCHED, dtype) for name, shape in shapes.items()}
        pointers = np.array([array.ctypes.data for array in grads.values()], np.uintp)
        results = (y, dx, state, *grads.values())
        calls: dict[str, tuple[Any, ...]] = {
            "step": (x, state, y, work),
            "infer": (x, None, y, None, work, 0, 1, None),
            "forward": (x, None, y, None, tape, work, 0, 1, None),
            "backward": (x, tape, dy, None, pointers, dx, None, work, 0, 0, 1, None),
        }
        for name, arguments in calls.items():
            given = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in (packed, *arguments)]
            status = module._BOUND[np.dtype(dtype), name](run.byref, *given)
            found[f"{name} of {rows}"] = status, all((result == UNTOUCHED).all() for result in results)
            for result in results:
                result[...] = UNTOUCHED
    return found


def hold_refused(found: dict[str, tuple[int, bool]]) -> None:
    assert len(found) == 8
    assert found == dict.fromkeys(found, (LAYOUT, True))


def hold_taken(found: dict[str, tuple[int, bool]]) -> None:
    assert found == dict.fromkeys(found, (0, False))


@pytest.mark.parametrize("p", DTYPES)
def test_weights_of_this_build_are_taken(kernels: ModuleType, plain: ModuleType, p: str) -> None:
    for module in (kernels, plain):
        hold_taken(entries(module, p, packed_by(module, p, 3, 5), 3, 5))


@pytest.mark.parametrize("p", DTYPES)
def test_weights_of_another_build_are_refused(kernels: ModuleType, plain: ModuleType, p: str) -> None:
    for one, other in ((kernels, plain), (plain, kernels)):
        sizes = [packed_by(module, p, 3, 5).size for module in (one, other)]
        weights = packed_by(one, p, 3, 5, max(sizes))
        if sizes[0] == sizes[1] and (weights == packed_by(other, p, 3, 5)).all():
            pytest.skip("this processor has no vectors")
        hold_refused(entries(other, p, weights, 3, 5))


@pytest.mark.parametrize("p", DTYPES)
def test_weights_for_other_sizes_are_refused(kernels: ModuleType, p: str) -> None:
    room = packed_by(kernels, p, 9, 9).size
    for inputs, hidden in ((3, 4), (2, 5), (5, 3)):
        hold_refused(entries(kernels, p, packed_by(kernels, p, inputs, hidden, room), 3, 5))


def test_weights_in_another_precision_are_refused(plain: ModuleType) -> None:
    """In vectors of one number both precisions have the same layout."""
    double, single = packed_by(plain, "f64", 3, 5), packed_by(plain, "f32", 3, 5, 4096)
    hold_refused(entries(plain, "f32", double.view(np.float32), 3, 5))
    hold_refused(entries(plain, "f64", single.view(np.float64), 3, 5))


@pytest.mark.parametrize("p", DTYPES)
def test_weights_of_another_cell_or_of_fixed_sizes_are_refused(kernels: ModuleType, p: str) -> None:
    room = packed_by(kernels, p, 9, 9).size
    for other in (build("other"), build("small", input=3, hidden=5)):
        hold_refused(entries(kernels, p, packed_by(other, p, 3, 5, room), 3, 5))
        hold_refused(entries(other, p, packed_by(kernels, p, 3, 5, room), 3, 5))
        hold_taken(entries(other, p, packed_by(other, p, 3, 5), 3, 5))


@pytest.mark.parametrize("p", DTYPES)
@pytest.mark.parametrize(
    "spoil", [lambda a: a * 0, lambda a: a.byteswap(), lambda a: np.roll(a, 1)], ids=["empty", "swapped", "moved"]
)
def test_what_was_not_packed_is_refused(kernels: ModuleType, p: str, spoil: Callable[[Array], Array]) -> None:
    with np.errstate(invalid="ignore"):
        hold_refused(entries(kernels, p, spoil(packed_by(kernels, p, 3, 5)).copy(), 3, 5))


def test_a_null_pointer_is_told_first(kernels: Any) -> None:
    run = kernels._Run({"input": 3, "hidden": 5}, np.dtype(np.float32), STEPS, ROWS, None, False, 1)
    for name, rest in (("step", 4), ("infer", 5), ("forward", 6), ("backward", 8)):
        numbers = {"step": (), "backward": (0, 0, 1, None)}.get(name, (0, 1, None))
        assert kernels._BOUND[np.dtype(np.float32), name](run.byref, None, *[None] * rest, *numbers) == NULL


# ---- from Python ----


def test_python_says_to_pack_again(kernels: Any, plain: Any) -> None:
    params, x = kernels.init_params(3, 5), np.ones((STEPS, ROWS, 3), np.float32)
    packed, foreign = kernels.pack(params), plain.pack(params)
    _, _, tape = kernels.forward(packed, x)
    (key,) = packed.panels
    packed.panels[key].array[:16] = 0
    told = "small {}: these weights were packed by another library, .*; pack the parameters again"
    calls: dict[str, Callable[[], Any]] = {
        "infer": lambda: kernels.infer(packed, x),
        "forward": lambda: kernels.forward(packed, x),
        "step": lambda: kernels.step(packed, x[0]),
        "backward": lambda: kernels.backward(packed, tape, np.ones((STEPS, ROWS, 5), np.float32)),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=told.format(name)):
            call()
    stream = kernels.stream(packed, batch=ROWS)
    with pytest.raises(ValueError, match=told.format("step")):
        stream(x[0])
    # What another module packed is read as parameters, and packed here.
    np.testing.assert_allclose(kernels.infer(foreign, x)[0], plain.infer(foreign, x)[0], atol=1e-6)


def test_a_copy_is_packed_by_the_library_that_is_there(
    kernels: Any, plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, x = kernels.init_params(3, 5), np.ones((STEPS, ROWS, 3), np.float32)
    packed = kernels.pack(params)
    expected = kernels.infer(packed, x)[0]
    for copied in (copy.copy(packed), copy.deepcopy(packed)):
        assert not copied.panels
        np.testing.assert_array_equal(kernels.infer(copied, x)[0], expected)
    # Pickled beside one library and read beside another, as on another machine.
    monkeypatch.setitem(sys.modules, kernels.Packed.__module__, kernels)
    text = pickle.dumps(packed)
    monkeypatch.setitem(sys.modules, kernels.Packed.__module__, plain)
    read = pickle.loads(text)
    assert type(read) is plain.Packed
    np.testing.assert_allclose(plain.infer(read, x)[0], expected, atol=1e-6)


def test_a_training_step_packs_once(kernels: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    params = kernels.init_params(2, 3)
    x, packings = np.ones((STEPS, ROWS, 2), np.float32), []
    pack_at = kernels._Packing.pack_at

    def counted(self: Any, *arguments: Any) -> None:
        packings.append(self)
        pack_at(self, *arguments)

    monkeypatch.setattr(kernels._Packing, "pack_at", counted)
    y, _, tape = kernels.forward(params, x)
    first = kernels.backward(params, tape, np.ones_like(y))
    again = kernels.backward({name: array.copy() for name, array in params.items()}, tape, np.ones_like(y))
    assert len(packings) == 1
    assert all(np.array_equal(first.params[name], again.params[name]) for name in params)
    with pytest.raises(ValueError, match=r"params\['b'\]: differs from the forward pass"):
        kernels.backward({**params, "b": params["b"] + 1}, tape, np.ones_like(y))
    with pytest.raises(ValueError, match="unknown name 'c'"):
        kernels.backward({**params, "c": params["b"]}, tape, np.ones_like(y))


def test_python_runs_one_thread_without_atomic_instructions() -> None:
    compiler_or_skip()
    kernels: Any = build("small", *NO_ATOMICS)
    params, x = kernels.init_params(3, 5), np.ones((200, 400, 3), np.float32)
    y, _ = kernels.infer(params, x)
    with pytest.raises(ValueError, match=r"this library runs only with threads=1, .* no atomic instructions"):
        kernels.infer(params, x, threads=2)
    np.testing.assert_array_equal(kernels.infer(params, x, threads=1)[0], y)


@pytest.mark.parametrize("sizes", [{}, {"input": 3, "hidden": 5}], ids=["any", "fixed"])
def test_every_status_has_its_message(sizes: dict[str, int]) -> None:
    """Header, Python module and documentation name the same statuses."""
    texts = symrnn.render(Cell.from_equations(EQUATIONS, name="small"), backends=("c",), sizes=sizes)
    statuses = {name: int(number) for name, number in re.findall(r"SMALL_([A-Z]+) = (\d)[, ]", texts["small.h"])}
    told = re.search(r"^_STATUS = \{\n(.*?)^\}", texts["small_c.py"], re.MULTILINE | re.DOTALL)
    assert told
    numbers = [int(number) for number in re.findall(r"^    (\d): f?\"", told[1], re.MULTILINE)]
    assert sorted(statuses.values()) == sorted([0, *numbers])
    document = (Path(__file__).parents[3] / "docs" / "c.md").read_text(encoding="utf-8")
    listed = {
        name: int(number) for number, name in re.findall(r"^\| (\d) \| `RNN_([A-Z]+)` \|", document, re.MULTILINE)
    }
    assert statuses == {name: number for name, number in listed.items() if sizes or name != "FIXED"}


def test_fixed_memory_counts_the_tag(tmp_path: Path) -> None:
    """Where no parameter is a matrix, the header's number is the very one on every processor."""
    cell = Cell.from_equations("h' = tanh(a * x + b * h)", name="diagonal")
    for file, text in symrnn.render(cell, backends=("c",), sizes={"hidden": 5}).items():
        (tmp_path / file).write_text(text)
    fields = ".steps = 1, .rows = 1, .input = 5, .hidden = 5"
    queries = " || ".join(
        f"diagonal_{p}_packed_size(&dims, &size) || size != DIAGONAL_{p.upper()}_PACKED" for p in DTYPES
    )
    main = f"int main(void) {{ size_t size; const diagonal_dims dims = {{{fields}}}; return {queries}; }}"
    (tmp_path / "main.c").write_text(f'#include "diagonal.h"\n{main}\n')
    compiler = compiler_or_skip().command
    subprocess.run([*compiler, "-std=c11", "main.c", "diagonal.c", "-o", "main", "-lm"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0
