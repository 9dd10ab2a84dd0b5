"""Requests for generated files: checked once, passed to each target without unsupported options, and recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import symrnn
from symrnn.derive.derivation import derive
from symrnn.emit.request import Request
from symrnn.emit.source import Source
from symrnn.errors import GenerateError, TargetError
from symrnn.pipeline import joined, programs, requested, sources

CELL = symrnn.load("rnn")


def test_a_request_says_what_is_not_as_usual() -> None:
    assert requested(CELL, ("numpy", "c")) == Request()
    asked = requested(CELL, ("numpy", "c"), dtypes=("float64",), sizes={"hidden": 3}, single_file=True, backward=False)
    assert asked == Request("float64", ("float64",), {"hidden": 3}, single_file=True, backward=False)
    assert asked.options == " --hidden 3 --dtype float64 --single-file --no-backward"
    assert requested(CELL, ("c",), dtypes=("float64", "float32")) == Request(), "both are all that there are"
    assert requested(CELL, ("c",), dtype="float64") == Request("float64")


def test_what_no_backend_can_do_is_refused_with_those_that_can() -> None:
    for asked in ({"sizes": {"hidden": 3}}, {"dtypes": ("float64",)}, {"single_file": True}):
        with pytest.raises(TargetError, match=r"^\w+: only backend c can [a-z ]+; leave it out$"):
            requested(CELL, ("numpy",), **asked)
        requested(CELL, ("numpy", "c"), **asked)
    with pytest.raises(GenerateError, match="dtype 'float16': the kernels of backend c run in float32, float64"):
        requested(CELL, ("c",), dtype="float16")
    with pytest.raises(GenerateError, match="dtype 'float32': only float64 is emitted; name one of these"):
        requested(CELL, ("c",), dtype="float32", dtypes=("float64",))


def test_a_target_is_asked_for_what_it_can_do_alone() -> None:
    asked = requested(CELL, ("numpy", "c"), dtypes=("float32",), sizes={"hidden": 3}, single_file=True)
    planned = programs(derive(CELL), ("numpy", "c"))
    plain = sources(planned, Request())
    found = sources(planned, asked)
    assert found["numpy"] == plain["numpy"]
    assert set(found["c"]) < set(plain["c"]), "one file holds what others share"
    for source in found["c"].values():
        assert "generate rnn --hidden 3 --dtype float32 --single-file" in " ".join(source.text.split())


def test_files_of_one_name_must_be_equal() -> None:
    same = {"a": {"shared.h": Source("1")}, "b": {"shared.h": Source("1"), "b.c": Source("2")}}
    assert list(joined(same)) == ["shared.h", "b.c"]
    with pytest.raises(GenerateError, match=r"shared\.h: backends a and b both write a file of that name"):
        joined({**same, "b": {"shared.h": Source("3")}})


def test_options_are_recorded_beside_the_files(tmp_path: Path) -> None:
    symrnn.generate(CELL, tmp_path, backends=("c",), dtypes=("float32",), single_file=True, hidden=3)
    recorded = json.loads((tmp_path / "manifest.json").read_text())[CELL.name]
    assert recorded["options"] == "--hidden 3 --dtype float32 --single-file"
    assert sorted(recorded) == ["options", "rnn.c", "rnn.h", "rnn.tex", "rnn_c.py"]
