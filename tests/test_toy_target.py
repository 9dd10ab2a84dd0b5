"""A target of another package is one folder; every command finds it, and no other line names it.

`tests/toy/` is registered as a package registers its own, by an entry point.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES, Case
from symrnn.check.kernels import Kernels, TangentKernels
from symrnn.check.measure import ADJOINT, BACKENDS, COMPLEX_STEP, INTERPRETER, PRECISIONS
from symrnn.check.suite import run_suite
from symrnn.cli import main
from symrnn.errors import GenerateError, TargetError
from symrnn.language.functions import PRIMITIVE
from symrnn.language.reductions import REDUCTIONS
from symrnn.report.site import site
from symrnn.targets import registry
from symrnn.targets.description import Capabilities
from tests.toy.functions import SPELLINGS

ROOT = Path(__file__).parents[1]
CELLS = ("rnn", "lstm", "gru", "gru_reset_after", *sorted(map(str, (ROOT / "tests/cells").glob("*.toml"))))
FEW = tuple(case for case in CASES if case.steps <= 20 and case.hidden <= 7 and not case.others)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", autouse=True)
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The toy's package is installed."""
    folder = tmp_path_factory.mktemp("site-packages")
    metadata = folder / "symrnn_toy-1.dist-info"
    metadata.mkdir()
    metadata.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: symrnn-toy\nVersion: 1\n")
    metadata.joinpath("entry_points.txt").write_text("[symrnn.targets]\ntoy = tests.toy:DESCRIPTION\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        registry.refresh()
        yield
    registry.refresh()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command in an empty folder and returns its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_it_is_one_of_the_backends() -> None:
    assert registry.names() == ("numpy", "c", "torch", "toy")
    assert registry.title("toy") == "Toy"
    assert list(registry.target("toy").functions) == list(PRIMITIVE)
    assert set(registry.target("toy").reductions) == {name for name, row in REDUCTIONS.items() if row.made_of is None}
    with pytest.raises(TargetError, match="Unknown backend 'x'; choose numpy, c, torch or toy"):
        symrnn.build("rnn", "x")


def test_help_names_it(run: Run) -> None:
    assert "NumPy, C, PyTorch and Toy" in " ".join(run("--help")[1].split())
    for command in ("generate", "check"):
        assert "{numpy,c,torch,toy,all}" in run(command, "--help")[1]
    code, _, err = run("generate", "--backend", "x")
    assert (code, "choose numpy, c, torch, toy or all" in err) == (2, True)


def test_generate_writes_its_files_beside_the_others(run: Run) -> None:
    assert run("generate", "rnn", "--backend", "toy", "--out", "out")[0] == 0
    assert sorted(path.name for path in Path("out").glob("rnn*")) == ["rnn.tex", "rnn_toy.py"]
    assert run("generate", "rnn", "--backend", "toy", "--out", "out", "--check")[0] == 0
    written = json.loads(run("generate", "rnn", "--no-build", "--out", "all", "--json")[1])["written"]["rnn"]
    assert {"rnn_toy.py", "rnn_numpy.py", "rnn_c.py"} <= set(written)
    code, _, err = run("generate", "rnn", "--backend", "toy", "--hidden", "3")
    assert (code, "hidden: only backend c can fix sizes; leave it out" in err) == (2, True)
    code, _, err = run("generate", "rnn", "--backend", "toy", "--march", "v3")
    assert (code, "leave out --backend toy" in err) == (2, True)


def test_build_gives_kernels() -> None:
    toy, numpy = (symrnn.build("lstm", backend, "float64") for backend in ("toy", "numpy"))
    params = numpy.init_params(3, 4)
    x = np.random.default_rng(0).standard_normal((5, 2, 3))
    np.testing.assert_allclose(toy.infer(params, x)[0], numpy.infer(params, x)[0], rtol=1e-13)
    inference = symrnn.build("lstm", "toy", backward=False)
    assert not hasattr(inference, "backward")


def test_a_function_that_it_does_not_spell_is_refused_by_name(lack: Callable[[Any, str], None]) -> None:
    cell = symrnn.Cell.from_equations("h' = sin(W @ x + U @ h)", name="wave")
    lack(SPELLINGS, "cos")
    words = (
        r"^wave: backend toy has no spelling of the function cos; add it to the functions of tests\.toy\.target:TARGET"
    )
    for ask in (symrnn.build, lambda cell, backend: symrnn.render(cell, backends=("numpy", backend))):
        with pytest.raises(GenerateError, match=words):
            ask(cell, "toy")
    assert symrnn.build(cell, "toy", backward=False), "only the gradient needs it"


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: Path(cell).stem)
def test_it_passes_every_oracle(cell: str) -> None:
    loaded = symrnn.load(cell)
    toy, numpy = (symrnn.build(loaded, backend) for backend in ("toy", "numpy"))
    cases = [case for case in FEW if case.tells(loaded)]
    deviations = run_suite(loaded, cast(TangentKernels, numpy), {"toy": cast(Kernels, toy)}, cases)
    assert not [deviation for deviation in deviations if not deviation.passed]
    assert {deviation.oracle for deviation in deviations} >= {INTERPRETER, COMPLEX_STEP, ADJOINT, BACKENDS, PRECISIONS}


def test_check_knows_it() -> None:
    report = symrnn.check("rnn", backends=("toy",), cases=FEW)
    assert report.passed, report.table()
    backends = {deviation.backend for deviation in report.deviations}
    assert "toy" in backends
    assert not backends & {"numpy", "c"}
    assert "to NumPy" in report.table()
    assert "Toy streams not run: the backend does not support it" in report.table()


def test_check_holds_a_target_to_what_it_says_that_it_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    describe, described = registry.describe, registry.describe("toy")
    less = Capabilities(backward=False, lengths=False, reverse=False, stream=False)
    poor = replace(described, can=less, dtypes=("float64",))
    monkeypatch.setattr(registry, "describe", lambda name: poor if name == "toy" else describe(name))
    monkeypatch.setattr(type(registry.target("toy")), "description", poor)
    cases = [Case(3, 2, 2, 3, CASES[0].oracles), Case(3, 2, 2, 3, CASES[0].oracles, ragged=True)]
    report = symrnn.check("rnn", backends=("toy",), cases=cases)
    assert report.passed
    deviations = [deviation for deviation in report.deviations if deviation.backend == "toy"]
    assert {deviation.dtype for deviation in deviations} == {"float64"}
    assert not [
        deviation for deviation in deviations if deviation.array.startswith("grad") or "ragged" in deviation.case
    ]
    left_out = {each.what for each in report.not_run}
    assert left_out >= {f"Toy {what}" for what in ("gradients", "lengths", "reverse", "streams", "float32")}


def test_an_example_offers_it_unless_it_needs_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    training = importlib.import_module("_training")
    for stream, choices in ((False, "{numpy,c,toy}"), (True, "{numpy,c}")):
        parser = argparse.ArgumentParser()
        training.add_layer_arguments(parser, hidden=2, batch=2, rate=1.0, stream=stream)
        assert f"--backend {choices}" in parser.format_help()


def test_a_page_shows_its_code() -> None:
    page = site([symrnn.load("rnn")])["rnn.html"]
    assert 'id="code-toy"' in page
    assert "rnn_toy.py" in page
