"""Every number of the parameters in its place: in all panels, in the copy, and whatever the number of parts."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symrnn import Cell
from symrnn import load as cell_of
from symrnn.emit.request import Request
from symrnn.pipeline import program, render
from symrnn.targets.c.c_cell import CCell, c_cell
from symrnn.targets.c.interface import BLOCK_NUMBERS, TAG_WORDS
from symrnn.targets.c.packed import numbers, parts_of
from symrnn.targets.c.precision import PRECISIONS
from symrnn.targets.c.stage_records import CPanel
from symrnn.targets.c.toolchain import Options
from tests.processors import compiler_or_skip, load, require_compiler, require_processor
from tests.sparing import sparing

pytestmark = pytest.mark.usefixtures("quick_compiler")

Array = np.ndarray[Any, Any]

CELLS = Path(__file__).resolve().parents[2] / "cells"
SHARED = str(CELLS / "shared_transpose.toml")
NAMES = ("rnn", "lstm", "gru", "gru_reset_after", *sorted(str(path) for path in CELLS.glob("*.toml")))
OFTEN = ("rnn", "gru", "shared_transpose", "factor_and_operand")
SIZES = {"one": (1, 1), "below": (3, 5), "whole": (32, 64), "blocks": (131, 70), "wide": (5, 143)}
"""Input and hidden: below a vector, of whole tiles, over several blocks, and with a last tile that is not full."""
UNTOUCHED = 7.0


@cache
def kernels_of(name: str, march: str = "native", *extra: str) -> tuple[ModuleType, CCell]:
    """Kernels that are compiled quickly, and the record that their text is printed from."""
    compiler_or_skip()
    cell = cell_of(name)
    options = Options("-O0", march=march, extra=extra)
    return load(render(cell, backends=("c",)), cell.name, options), c_cell(program(cell, backend="c"), Request())


def sizes_of(cell: CCell, inputs: int, hidden: int) -> dict[str, int]:
    equations = cell.program.cell
    sizes = {size: {"input": inputs, "hidden": hidden}.get(size, 9) for size in equations.sizes}
    return sizes | ({"input": hidden} if equations.input_is_hidden else {}) | {"1": 1}


def drawn(cell: CCell, sizes: dict[str, int], dtype: Any) -> dict[str, Array]:
    random = np.random.default_rng(0)
    shapes = {v.name: tuple(sizes[size] for size in v.shape) for v in cell.program.cell.parameters}
    return {name: random.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def panel_of(
    panel: CPanel, cell: CCell, sizes: dict[str, int], params: dict[str, Array], lanes: int, strip: int
) -> Array:
    """``[tile][strip][depth][vector of the strip][lane]``, number by number; lanes beyond the units are zero.

    The vectors of a tile are those of the first accumulator, of the second, …, and its strips have about one width.
    """
    units, depth = sizes[panel.size], panel.depth.value(sizes)
    groups = -(-units // lanes)
    most = panel.width.most if strip == 2 else panel.width.vectors
    tiles = -(-groups // most)
    vectors = 1 if most == 1 else -(-groups // tiles)
    dtype = next(iter(params.values())).dtype
    found = np.zeros((tiles * vectors * lanes, depth, panel.count), dtype)
    names = {field: name for name, field in cell.names.parameters.items()}
    fields = {expression.removeprefix("dims->"): sizes[size] for size, expression in cell.names.sizes.items()}
    for form in panel.forms:
        matrix = params[names[form.parameter]]
        matrix = matrix.T if form.transposed else matrix
        start = eval(form.start.replace("dims->", ""), {}, fields)
        place = found[:units, start : start + matrix.shape[1], form.accumulator]
        place[...] = matrix + place if form.add else matrix
    columns = panel.count * vectors
    whole = found.reshape(tiles, vectors, lanes, depth, panel.count).transpose(0, 3, 4, 1, 2)
    whole = whole.reshape(tiles, depth, columns, lanes)
    strips = np.array_split(np.arange(columns), -(-columns // strip))
    return np.concatenate([np.concatenate([tile[:, strip].ravel() for strip in strips]) for tile in whole])


def packed_by(module: Any, sizes: dict[str, int], params: dict[str, Array], parts: int, copy: Array | None) -> Array:
    """What C writes into memory of another content, part by part, the last one first."""
    dtype = next(iter(params.values())).dtype
    dims = module._dims(sizes, 1, 1)
    packed = np.full(module._query(dtype, "packed_size", dims), UNTOUCHED, dtype)
    pointers = np.array([array.ctypes.data for array in params.values()], np.uintp)
    to = None if copy is None else copy.ctypes.data
    for part in reversed(range(parts)):
        entry = module._BOUND[dtype, "pack"]
        assert entry(ctypes.byref(dims), pointers.ctypes.data, packed.ctypes.data, to, part, parts) == 0
    return packed


def hold_places(module: Any, cell: CCell, sizes: dict[str, int], dtype: Any) -> None:
    params = drawn(cell, sizes, dtype)
    copy = np.full(sum(array.size for array in params.values()) + 1, UNTOUCHED, dtype)
    packed = packed_by(module, sizes, params, 1, None)
    bits = 8 * packed.itemsize
    layout = int(packed.view(np.uint64)[2])
    lanes, strip = layout & 0xFFFF, layout >> 16 & 0xFFFF
    assert layout >> 32 == packed.itemsize
    assert strip in (2, 4)
    tag = (TAG_WORDS + len(cell.names.open)) * 64 // bits
    at = -(-tag // BLOCK_NUMBERS) * BLOCK_NUMBERS
    assert not packed[tag:at].any()
    for part in parts_of(cell):
        room = numbers(part, sizes, lanes)
        if isinstance(part, CPanel):
            expected = panel_of(part, cell, sizes, params, lanes, strip)
            np.testing.assert_array_equal(packed[at : at + expected.size], expected, part.name)
            end = at + expected.size
        elif part.name.startswith("PARAM_"):
            np.testing.assert_array_equal(packed[at : at + room], params[part.name.removeprefix("PARAM_")], part.name)
            end = at + room
        at += -(-room // BLOCK_NUMBERS) * BLOCK_NUMBERS
        assert not packed[end:at].any()
    assert at == packed.size
    for parts in (1, 2, 3, 7):
        copy[...] = UNTOUCHED
        again = packed_by(module, sizes, params, parts, copy)
        assert again.tobytes() == packed.tobytes() == packed_by(module, sizes, params, parts, None).tobytes()
        np.testing.assert_array_equal(copy[:-1], np.concatenate([array.ravel() for array in params.values()]))
        assert copy[-1] == UNTOUCHED


@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda precision: precision.name)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("name", sparing(NAMES, OFTEN), ids=lambda name: Path(name).stem)
def test_every_number_is_in_its_place(name: str, sizes: str, precision: Any) -> None:
    module, cell = kernels_of(name)
    hold_places(module, cell, sizes_of(cell, *SIZES[sizes]), np.dtype(precision.dtype))


@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda precision: precision.name)
@pytest.mark.parametrize("level", ["v4", "v3", "baseline", "plain"])
@pytest.mark.parametrize("name", ["gru", SHARED], ids=lambda name: Path(name).stem)
def test_in_vectors_of_any_width(name: str, level: str, precision: Any) -> None:
    march, *extra = ("baseline", "-DSYMRNN_PLAIN") if level == "plain" else (level,)
    require_compiler(Options("-O0", march=march))
    require_processor(march)
    module, cell = kernels_of(name, march, *extra)
    for sizes in SIZES.values():
        hold_places(module, cell, sizes_of(cell, *sizes), np.dtype(precision.dtype))


# ---- from Python: what is copied, and when ----


def large() -> tuple[Any, dict[str, Array], Array]:
    """Kernels, and parameters of more bytes than are copied before they are packed."""
    module: Any = kernels_of("gru")[0]
    params = module.init_params(3, 150)
    assert sum(array.nbytes for array in params.values()) > module._COPIED_ALONE
    return module, params, np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)


def test_large_parameters_are_copied_by_the_pass_that_packs_them() -> None:
    module, params, x = large()
    packed, small = module.pack(params), module.pack(module.init_params(3, 5))
    assert len(packed.panels) == 1
    assert not small.panels
    weights = [*packed.panels.values()]
    y = module.infer(packed, x)[0]
    assert [*packed.panels.values()] == weights  # the call found them
    for name, array in params.items():
        np.testing.assert_array_equal(packed[name], array)
        assert not packed[name].flags.writeable
        array[...] = 0
        assert packed[name].any()
    np.testing.assert_array_equal(module.infer(dict(packed), x)[0], y)


@pytest.mark.parametrize(
    "turn",
    [
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape),
        lambda a: a.astype(np.float64),
        lambda a: a.astype(a.dtype.newbyteorder()),
        lambda a: a.tolist(),
    ],
    ids=["by columns", "every second", "not aligned", "double", "swapped", "lists"],
)
@pytest.mark.parametrize("snapshot", [True, False])
def test_parameters_of_any_kind_are_packed_alike(turn: Any, snapshot: bool) -> None:
    module, params, x = large()
    expected = module.infer(params, x)[0]
    for turned in (
        {name: turn(array) for name, array in params.items()},
        params | {"W_hz": turn(params["W_hz"])},
    ):
        np.testing.assert_array_equal(module.infer(module.pack(turned, snapshot=snapshot), x)[0], expected)
        np.testing.assert_array_equal(module.infer(turned, x)[0], expected)


@pytest.mark.parametrize("snapshot", [True, False])
def test_double_and_single_are_packed_from_one_source(snapshot: bool) -> None:
    module, params, x = large()
    packed = module.pack(params, snapshot=snapshot)
    single, double = module.infer(packed, x)[0], module.infer(packed, x.astype(np.float64))[0]
    assert (single.dtype, double.dtype, len(packed.panels)) == (np.float32, np.float64, 2)
    np.testing.assert_allclose(single, double, atol=1e-6)


def test_complex_parameters_are_refused_however_they_are_packed() -> None:
    module, params, x = large()
    params["b_z"] = params["b_z"] + 1j
    for snapshot in (True, False):
        packed = module.pack(params, snapshot=snapshot)
        with pytest.raises(TypeError, match=r"params\['b_z'\]: expected real numbers"):
            module.infer(packed, x)


def test_a_size_that_no_parameter_has_is_awaited() -> None:
    """The tag of packed weights has every size, so they are packed when the first input is there."""
    made = Cell.from_equations("h' = tanh(U @ h) + mean(x)", name="awaits")
    module: Any = load(render(made, backends=("c",)), "awaits", Options("-O0"))
    packed = module.pack(module.init_params(3, 200))
    assert not packed.panels
    for inputs in (3, 4):
        module.infer(packed, np.ones((2, 1, inputs), np.float32))
    assert len(packed.panels) == 2


def test_the_environment_bounds_the_threads_that_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    module, params, x = large()
    found: list[tuple[int, int]] = []
    run = module._TEAM.run

    def counted(dtype: Any, name: str, arguments: Any, parts: int, woken: int, choice: Any) -> int:
        found.extend([(parts, woken)] if name == "pack" else [])
        return int(run(dtype, name, arguments, parts, woken, choice))

    monkeypatch.setattr(module._TEAM, "run", counted)
    monkeypatch.setattr(module, "_PACKED_EACH", 1 << 12)
    monkeypatch.setattr(module, "_PACKED_ASLEEP", 1 << 19)
    for cores in ("1", "2", "3"):
        monkeypatch.setenv("SYMRNN_NUM_THREADS", cores)
        module.pack(params)
    module.infer(params, x, threads=1)
    assert found == [(2, 2), (3, 2)]  # one part needs no team
