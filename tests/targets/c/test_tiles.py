"""Shapes of register tiles: the same results with each, and one that is chosen for this processor, once."""

from __future__ import annotations

import ctypes
import re
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.build import cache as cache_module
from symrnn.build.processor import Processor, described
from symrnn.errors import BuildError
from symrnn.targets.c import tiles
from symrnn.targets.c.flags import MARCH_NATIVE, RUNTIME
from symrnn.targets.c.tile_trial import SOURCE, TileShape, compile_trial, load_trial, time_shapes, trial_sources
from symrnn.targets.c.tiles import CLEARLY, MEASURED, SHAPES, TRIED, TileChoice, chosen_tile, options_for, quickest
from symrnn.targets.c.toolchain import Options, find_compiler, flags, preprocessed
from tests.processors import LEVELS, compiler_or_skip, load, require_compiler, require_processor

Array = np.ndarray[Any, Any]

SIZES = (5, 37)
"""Inputs and units: less than a vector, and several vectors and a rest."""
RUNS = ((90, 3), (70, 5), (40, 8), (7, 53))
"""Steps and rows: rows that fill tiles of some shapes alone, and more in all than a deferred product packs at a time."""


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and no shape in the environment."""
    compiler_or_skip()
    monkeypatch.setenv(cache_module.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(tiles.VARIABLE, raising=False)


def registers(options: Options) -> int:
    """The vector registers of the target of ``options``, as the runtime counts them."""
    words = (*find_compiler().command, *flags(find_compiler(), options))
    text = '#include "symrnn.h"\nregisters SYMRNN_REGISTERS\n'
    folder = Path(symrnn.__file__).parents[1] / "templates" / "c"
    done = subprocess.run([*words, f"-I{folder}", "-E", "-"], input=text, capture_output=True, text=True, check=True)
    found = re.search(r"^registers (\d+)$", done.stdout, re.MULTILINE)
    assert found
    return int(found[1])


# ---- results ----


CELL = "gru_reset_after"
"""Its operands feed one, two and three sums."""


@cache
def files() -> Mapping[str, str]:
    return symrnn.render(CELL, backends=("c",))


def results(options: Options, dtype: str) -> list[Array]:
    """Everything that the kernels compute: outputs, states and gradients."""
    k: Any = load(files(), CELL, options)
    width, hidden = SIZES
    rng = np.random.default_rng(3)
    params = k.init_params(width, hidden, dtype=dtype)
    found = []
    for steps, rows in RUNS:
        x, dy = rng.standard_normal((steps, rows, width)), rng.standard_normal((steps, rows, hidden))
        y, state, tape = k.forward(params, x.astype(dtype), threads=1)
        grads = k.backward(params, tape, dy.astype(dtype), threads=1)
        found += [y, *state.values(), grads.x, *grads.params.values(), *grads.state.values()]
    return found


@pytest.mark.parametrize("level", ["native", "v3", "baseline", "plain"])
def test_results_are_the_same_with_every_shape(level: str) -> None:
    compiler_or_skip()
    options = replace(require_compiler(LEVELS[level]), optimise="-O1")
    require_processor(options.march)
    dtypes = ("float32", "float64")
    expected = {dtype: results(options, dtype) for dtype in dtypes}
    for shape in SHAPES[registers(options)]:
        for dtype in dtypes:
            found = results(replace(options, extra=(*options.extra, *shape.flags)), dtype)
            for one, other in zip(found, expected[dtype], strict=True):
                np.testing.assert_array_equal(one, other, err_msg=f"{shape} {dtype}")


@pytest.mark.usefixtures("own_cache")
def test_a_trial_of_every_shape_has_the_same_results() -> None:
    found = {}
    for shape in TRIED[registers(Options())]:
        trial = load_trial(compile_trial(find_compiler(), trial_sources(), shape))
        trial.tile_trial.restype, trial.tile_trial_results.restype = ctypes.POINTER(ctypes.c_float), ctypes.c_size_t
        found[shape] = np.ctypeslib.as_array(trial.tile_trial(), (trial.tile_trial_results(),)).copy()
    first, *others = found.values()
    assert others
    assert np.count_nonzero(first) > 0.9 * first.size
    assert all((other == first).all() for other in others)


# ---- what the runtime refuses ----


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("-DSYMRNN_TILE_ROWS=6",), "make a shape together"),
        (("-DSYMRNN_TILE_COLUMNS=2",), "make a shape together"),
        (TileShape(4, 4).flags, "the register tile has 3 x 4 rows and columns; 6 x 2 "),
        (TileShape(3, 2).flags, "the register tile has 3 x 4 rows and columns; 6 x 2 "),
        (("-DSYMRNN_PLAIN", *TileShape(6, 4).flags), "if the target has 32 registers"),
    ],
)
def test_an_impossible_shape_does_not_compile(given: tuple[str, ...], told: str) -> None:
    options = Options(optimise="-O0", march="", extra=given)
    if "-DSYMRNN_PLAIN" in given and registers(Options(march="")) == max(SHAPES):
        pytest.skip("this target has 32 registers")
    compiler = find_compiler()
    with pytest.raises(BuildError, match=told):
        symrnn.targets.c.library.compile_library(trial_sources(), "impossible", compiler=compiler, options=options)


def test_every_shape_is_one_of_the_runtime() -> None:
    assert all({*tried} <= {*SHAPES[count]} for count, tried in TRIED.items())
    assert {row.shape for row in MEASURED} <= {shape for shapes in SHAPES.values() for shape in shapes}
    assert set(trial_sources()) == {SOURCE, *RUNTIME}


# ---- the choice ----

OWN, OTHER = TileShape(6, 2), TileShape(3, 4)


def test_another_shape_is_taken_if_it_is_clearly_quicker() -> None:
    assert quickest(OWN, {OWN: 1.0, OTHER: CLEARLY - 0.01}) == OTHER
    assert quickest(OWN, {OWN: 1.0, OTHER: CLEARLY + 0.01}) == OWN
    assert quickest(OWN, {OWN: 1.0, OTHER: 1.5}) == OWN


def test_a_processor_is_described() -> None:
    zen_3 = described("vendor_id: AuthenticAMD\ncpu family: 25\nmodel: 1\nmodel name: AMD EPYC 7B13\nflags: fpu avx2")
    assert zen_3 == Processor("AMD EPYC 7B13", "AuthenticAMD", 25, 1)
    assert str(zen_3) == "AMD EPYC 7B13 (AuthenticAMD, family 25, model 1)"
    assert [row.shape for row in MEASURED if row.holds(zen_3, 32)] == [TileShape(6, 2)]
    for other in (replace(zen_3, model=0x61), replace(zen_3, family=23), replace(zen_3, vendor="GenuineIntel")):
        assert not [row for row in MEASURED if row.holds(other, 32)]
    assert not [row for row in MEASURED if row.holds(zen_3, 16)]
    unknown = described("aarch64 ")
    assert str(unknown) == unknown.name != ""
    assert (unknown.vendor, unknown.family, unknown.model) == ("", 0, 0)


def here(monkeypatch: pytest.MonkeyPatch, *, wide: int = 32) -> list[tuple[TileShape, ...]]:
    """Play a processor that no table has, whose trials find the last shape quickest; returns the trials."""
    trials: list[tuple[TileShape, ...]] = []

    def timed(shapes: tuple[TileShape, ...], *others: object) -> dict[TileShape, float]:
        trials.append(shapes)
        return {shape: 1e-3 / (i + 1) for i, shape in enumerate(shapes)}

    monkeypatch.setattr(tiles, "processor", lambda: Processor("unheard of"))
    monkeypatch.setattr(tiles, "time_shapes", timed)
    monkeypatch.setattr(tiles, "_own", lambda *_: (OWN, 16, wide))
    return trials


@pytest.mark.usefixtures("own_cache")
def test_an_unknown_processor_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = here(monkeypatch)
    found: list[TileChoice] = []
    threads = [threading.Thread(target=lambda: found.append(chosen_tile())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trials == [(OWN, OTHER)]
    why = "measured once on this machine: 6x2 1000 µs, 3x4 500 µs"
    assert found == 4 * [TileChoice(OTHER, OWN, 32, why)]
    assert found[0].flags == ("-DSYMRNN_TILE_ROWS=3", "-DSYMRNN_TILE_COLUMNS=4")
    # Another processor, compiler or flag is another machine.
    monkeypatch.setenv("CFLAGS", "-DANOTHER")
    chosen_tile()
    assert len(trials) == 2
    monkeypatch.setattr(cache_module, "cpu_identity", lambda: "another")
    chosen_tile()
    assert len(trials) == 3


@pytest.mark.usefixtures("own_cache")
def test_only_libraries_of_this_processor_have_the_chosen_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch)
    monkeypatch.delenv("SYMRNN_MARCH", raising=False)
    assert options_for(None) == Options(march=MARCH_NATIVE, extra=OTHER.flags)
    assert options_for("baseline") == Options(march="baseline")


@pytest.mark.usefixtures("own_cache")
def test_without_vector_registers_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = here(monkeypatch, wide=0)
    assert (chosen_tile().shape, chosen_tile().flags, trials) == (OWN, (), [])


@pytest.mark.usefixtures("own_cache")
def test_the_environment_names_a_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = here(monkeypatch)
    monkeypatch.setenv(tiles.VARIABLE, "3x4")
    assert chosen_tile() == TileChoice(OTHER, OWN, 32, "the environment variable SYMRNN_TILE names it")
    monkeypatch.setenv(tiles.VARIABLE, "6x2")
    assert chosen_tile().flags == ()
    for wrong in ("6x4", "tall"):
        monkeypatch.setenv(tiles.VARIABLE, wrong)
        with pytest.raises(BuildError, match=f"SYMRNN_TILE is '{wrong}': .* 6x2, 3x4; choose one of them"):
            chosen_tile()
    assert trials == []


@pytest.mark.usefixtures("own_cache")
def test_a_built_library_has_the_shape_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own folder in the cache, and the same results."""
    monkeypatch.delenv("SYMRNN_MARCH", raising=False)
    monkeypatch.setenv("SYMRNN_CC", str(Path(__file__).parents[2] / "quick_cc"))
    found = []
    for shape in TRIED[registers(Options())]:
        monkeypatch.setenv(tiles.VARIABLE, str(shape))
        k = symrnn.build("rnn", backend="c")
        x = np.ones((3, 7, 5), np.float32)
        found.append((k.__file__, k.infer(k.init_params(5, 9), x)[0]))
    assert len({file for file, _ in found}) == len(found) > 1
    assert all((y == found[0][1]).all() for _, y in found)


@pytest.mark.usefixtures("own_cache")
def test_shapes_are_timed_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMRNN_CC", str(Path(__file__).parents[2] / "quick_cc"))
    shapes = TRIED[registers(Options())]
    seconds = time_shapes(shapes, find_compiler(), trial_sources())
    assert tuple(seconds) == shapes
    assert all(0 < second < 60 for second in seconds.values())


@pytest.mark.usefixtures("own_cache")
def test_the_runtime_tells_its_own_shape() -> None:
    choice = chosen_tile()
    assert choice.vector_bytes in (0, 16, 32, 64)
    text = preprocessed({**trial_sources(), "a.c": '#include "symrnn.h"\nFULL_ROWS\n'}, "a.c", find_compiler())
    assert text.strip().splitlines()[-1] == str(choice.own.rows)
    with pytest.raises(BuildError, match=r"-E a\.c fails: "):
        preprocessed({"a.c": "#error no\n"}, "a.c", find_compiler())
