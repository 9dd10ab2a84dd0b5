"""The registry: symrnn's own targets, those of other packages, and packages that are broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import symrnn
from symrnn.check.cases import CASES
from symrnn.errors import TargetError
from symrnn.parts import ALL
from symrnn.targets import registry

Package = Callable[..., None]

GOOD = """
from symrnn.targets.description import Description

DESCRIPTION = Description(name="{name}", title="Made up", dtypes=("float64",), home="{module}:TARGET")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Installs a package with an entry point, for this test."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, text: str, *, value: str = "") -> None:
        module = f"made_up_{name.replace('-', '_')}"
        metadata = tmp_path / f"{module}-1.dist-info"
        metadata.mkdir()
        metadata.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: the-{name}-package\nVersion: 1\n")
        entry = f"[{registry.GROUP}]\n{name} = {value or f'{module}:DESCRIPTION'}\n"
        metadata.joinpath("entry_points.txt").write_text(entry)
        tmp_path.joinpath(f"{module}.py").write_text(text.format(name=name, module=module))
        registry.refresh()

    yield install
    registry.refresh()


def test_the_default_is_one_of_those_that_there_are() -> None:
    assert registry.names()[:2] == registry.usual() == ("numpy", "c")
    assert registry.DEFAULT in registry.names()
    assert [each.name for each in registry.descriptions()] == list(registry.names())


@pytest.mark.parametrize("name", registry.names())
def test_a_target_is_what_its_description_says(name: str) -> None:
    target = registry.target(name)
    assert target.description == registry.describe(name)
    assert (target.builder is not None) is bool(target.description.marches)


def test_an_unknown_name_is_told_with_those_that_there_are() -> None:
    for ask in (registry.describe, registry.target, lambda name: symrnn.build("rnn", name)):
        with pytest.raises(TargetError, match=r"^Unknown backend 'x'; choose numpy, c or torch$"):
            ask("x")
    with pytest.raises(TargetError, match="Unknown backend 'x'"):
        symrnn.check("rnn", backends=("x",))


def test_a_package_brings_a_target(package: Package) -> None:
    package("plain", GOOD)
    assert registry.names() == ("numpy", "c", "torch", "plain")
    assert registry.title("plain") == "Made up"
    with pytest.raises(TargetError, match=r"backend 'plain' cannot be loaded from made_up_plain:TARGET: .*has no attr"):
        registry.target("plain")
    with pytest.raises(TargetError, match="choose numpy, c, torch or plain"):
        registry.describe("x")


@pytest.mark.parametrize(
    ("name", "text", "value", "words"),
    [
        ("one", "1 / 0", "", r"cannot be loaded \(ZeroDivisionError: division by zero\)"),
        ("two", "", "", r"cannot be loaded \(AttributeError: .*DESCRIPTION"),
        (
            "three",
            "",
            "no_such_module:DESCRIPTION",
            r"cannot be loaded \(ModuleNotFoundError: No module named 'no_such",
        ),
        ("four", "DESCRIPTION = 4", "", "is of type int, not a Description"),
        ("five", GOOD.replace("{name}", "six"), "", "describes a target named 'six'"),
        ("a-b", GOOD, "", "has a name that is not an identifier"),
        ("c", GOOD, "", "another target has that name"),
        (
            "all",
            GOOD,
            "",
            "no target can have that name, because --backend all means every target that needs no framework; rename it",
        ),
        ("plan", GOOD, "", "no target can have that name, because the report of check uses it for the plan; rename it"),
        (
            "sympy",
            GOOD,
            "",
            "no target can have that name, because the report of check uses it for the proof; rename it",
        ),
    ],
)
def test_a_broken_package_is_named_and_takes_no_other_target_away(
    package: Package, name: str, text: str, value: str, words: str
) -> None:
    package(name, text, value=value)
    with pytest.warns(
        RuntimeWarning, match=f"backend '{name}' of the package 'the-{name}-package' is left out: .*{words}"
    ):
        assert registry.names() == ("numpy", "c", "torch")
    assert registry.target("numpy").description.title == "NumPy"
    if name not in registry.names():
        with pytest.raises(TargetError, match=words):
            registry.describe(name)


def test_names_that_mean_something_else_are_reserved() -> None:
    report = symrnn.check("rnn", backends=("numpy",), cases=CASES[:1])
    others = {deviation.backend for deviation in report.deviations} - {"numpy"}
    assert {ALL, *others} == set(registry.RESERVED)


HALF = """
from symrnn.targets.description import Description
from symrnn.targets.numpy.target import TARGET as WHOLE

DESCRIPTION = Description(name="{name}", title="Half", dtypes=("float64",), home="{module}:TARGET")


class Half:
    description = DESCRIPTION
    functions, reductions, vectors = WHOLE.functions, WHOLE.reductions, WHOLE.vectors
    policy, files = WHOLE.policy, WHOLE.files
    {rest}


TARGET = Half()
"""
WHOLE = 'builder, load, unavailable = None, WHOLE.load, lambda self: ""'
BAD = {
    "nothing": (GOOD, "AttributeError: .*has no attribute 'TARGET'"),
    "raises": (GOOD + "def __getattr__(name):\n    raise ValueError(name)\n", "ValueError: TARGET"),
    "half": (HALF.replace("{rest}", "builder = None"), "half: made_up_half:TARGET lacks load, unavailable; repair"),
    "builds": (
        HALF.replace("{rest}", WHOLE.replace("None", "object()", 1)),
        "made_up_builds:TARGET lacks builder.marches, builder.tool, .*; repair",
    ),
    "computes": (
        HALF.replace("{rest}", WHOLE + "\n    reductions = property(lambda self: 1 // 0)"),
        "ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_target_that_cannot_be_loaded_is_named_and_takes_no_other_away(package: Package, name: str) -> None:
    text, words = BAD[name]
    words = words.removeprefix(f"{name}: ")
    package(name, text)
    assert registry.names() == ("numpy", "c", "torch", name)
    with pytest.raises(TargetError, match=f"^backend '{name}'.*{words}"):
        registry.target(name)
    assert list(registry.broken()) == [name]
    with pytest.warns(RuntimeWarning, match=f"^backend '{name}'.*{words}.*It is left out$"):
        assert registry.working() == ("numpy", "c")
    with pytest.warns(RuntimeWarning, match=f"^backend '{name}'"):
        assert "rnn_numpy.py" in symrnn.render("rnn")
    report = symrnn.check("rnn", cases=CASES[:1])
    assert report.passed
    assert [left.reason for left in report.not_run if left.backend == name] == [registry.broken()[name]]
    with pytest.raises(TargetError, match=words):
        symrnn.check("rnn", backends=(name,))


def test_a_target_with_everything_works(package: Package) -> None:
    package("whole", HALF.replace("{rest}", WHOLE))
    assert registry.broken() == {}
    assert registry.working() == ("numpy", "c", "whole")
