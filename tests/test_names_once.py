"""One name, one meaning: every class and every module has a name of its own, so that a name alone says which one is meant."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for package in ("symrnn", "benchmarks")
    for path in sorted((ROOT / package).rglob("*.py"))
}
TARGETS = "symrnn/targets/"
PROTOCOL: Mapping[str, str] = {
    "functions": "symrnn/language/functions.py says what a function means, a target's how it is spelt",
    "policy": "symrnn/plan/policy.py is the record, a target's holds its own",
    "target": "symrnn/targets/target.py is the protocol, a target's fulfils it",
}
"""Modules that every target has, under the names that the page about new targets gives them."""


def classes_named_twice(files: Mapping[str, str]) -> dict[str, list[str]]:
    """The names that several classes have, with the files; an underscore in front makes no other name, except in one file.

    In one file, ``_Backward`` may be what builds a `Backward`.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for file, text in files.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name.lstrip("_"), []).append((node.name, file))
    return {
        name: [file for _, file in places]
        for name, places in found.items()
        if len(places) > 1 and (len({file for _, file in places}) > 1 or len(set(places)) < len(places))
    }


def modules_named_twice(files: Iterable[str]) -> dict[str, list[str]]:
    """The names that several modules have, with the files.

    A target's modules may be called like those of another target, which do the same for another language; and those of
    `PROTOCOL` like what they fulfil.
    """
    found: dict[str, list[str]] = {}
    for file in files:
        name = Path(file).stem
        if not name.startswith("__"):
            found.setdefault(name, []).append(file)
    return {name: places for name, places in found.items() if len(places) > 1 and not _meant(name, places)}


def _meant(name: str, places: Iterable[str]) -> bool:
    others = [place for place in places if not (place.startswith(TARGETS) and place.count("/") == 3)]
    return len(others) <= (1 if name in PROTOCOL else 0)


def test_every_class_has_a_name_of_its_own() -> None:
    assert len(FILES) > 200
    assert classes_named_twice(FILES) == {}


def test_every_module_has_a_name_of_its_own() -> None:
    assert modules_named_twice(FILES) == {}


def test_what_is_allowed_is_there() -> None:
    names = [Path(file).stem for file in FILES]
    assert {name: names.count(name) >= 3 for name in PROTOCOL} == dict.fromkeys(PROTOCOL, True)


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ("class Row:\n    pass", "class Row:\n    pass", "Row"),
        ("class Row:\n    pass", "class _Row:\n    pass", "Row"),
        ("class _Row:\n    pass", "def f():\n    class _Row:\n        pass", "Row"),
        ("class Row:\n    pass\nclass Row:\n    pass", "", "Row"),
        ("class Row:\n    pass\nclass _Row:\n    pass", "", ""),
        ("class Row:\n    pass", "class Column:\n    pass", ""),
    ],
)
def test_a_class_that_shares_its_name_is_found(one: str, other: str, name: str) -> None:
    found = classes_named_twice({"symrnn/plan/a.py": one, "symrnn/check/b.py": other})
    assert [*found] == ([name] if name else [])


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (("symrnn/check/run.py", "symrnn/flow/run.py"), "run"),
        (("symrnn/plan/lower.py", "symrnn/targets/c/lower.py"), "lower"),
        (("symrnn/targets/names.py", "symrnn/targets/c/names.py"), "names"),
        (("symrnn/plan/policy.py", "symrnn/check/policy.py", "symrnn/targets/c/policy.py"), "policy"),
        (("symrnn/plan/policy.py", "symrnn/targets/c/policy.py", "symrnn/targets/numpy/policy.py"), ""),
        (("symrnn/targets/c/names.py", "symrnn/targets/numpy/names.py"), ""),
        (("symrnn/check/__init__.py", "symrnn/flow/__init__.py"), ""),
        (("symrnn/check/run.py", "symrnn/flow/flow.py"), ""),
    ],
)
def test_a_module_that_shares_its_name_is_found(files: tuple[str, ...], name: str) -> None:
    assert [*modules_named_twice(files)] == ([name] if name else [])
