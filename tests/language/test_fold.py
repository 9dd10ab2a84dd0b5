"""Folds: a case for every kind of node, or no class; and every fold of the package has them all."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast, get_args

import pytest

import symrnn
from symrnn.language.fold import CASES, Fold, without_case
from symrnn.language.text import to_text
from symrnn.language.tree import Call, Expression, Name, Number, Outer, children, rebuild


@dataclass(frozen=True)
class Comparison:
    """A kind of node that nobody has a case for."""

    left: Expression


def folds(cls: type[Fold[Any]] = Fold) -> list[type[Fold[Any]]]:
    """Every class of folds in the package."""
    if cls is Fold:
        # By files, since `pkgutil.walk_packages` imports every package that it passes, and symrnn.torch needs PyTorch.
        root = Path(symrnn.__file__).parent
        files = (file.relative_to(root.parent).with_suffix("") for file in sorted(root.rglob("*.py")))
        for file in files:
            if file.name not in ("__init__", "__main__") and file.parts[1] != "torch":
                importlib.import_module(".".join(file.parts))
    found = [sub for sub in cls.__subclasses__() if sub.__module__.startswith("symrnn.")]
    return found + [deeper for sub in found for deeper in folds(sub)]


def test_the_cases_are_the_kinds_of_nodes() -> None:
    assert tuple(CASES) == get_args(Expression)


def test_every_fold_has_every_case() -> None:
    found = folds()
    assert len(found) >= 6
    assert not {cls.__name__: without_case(cls) for cls in found if without_case(cls)}


def test_a_new_kind_of_node_is_missed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CASES, Comparison, "_of_comparison")
    assert {without_case(cls) for cls in folds()} == {("Comparison",)}
    with pytest.raises(TypeError, match="fold Depth: no case for Comparison; define _of_comparison, or name"):
        type("Depth", (Fold,), dict(vars(cast(Any, type(to_text)))))


def test_a_fold_without_a_case_is_no_class() -> None:
    cases = {case: lambda self, node: 0 for kind, case in CASES.items() if kind not in (Call, Outer)}
    with pytest.raises(TypeError, match="fold Depth: no case for Call, Outer; define _of_call, _of_outer, or name"):
        type("Depth", (Fold,), cases)
    with pytest.raises(TypeError, match="fold Depth: no case for Call; define _of_call"):
        type("Depth", (Fold,), {**cases, "refuses": (Outer,)})


def test_what_is_refused_or_no_node_raises_by_name() -> None:
    cases = {case: lambda self, node: 0 for kind, case in CASES.items() if kind is not Outer}
    depth = type("Depth", (Fold,), {**cases, "refuses": (Outer,)})()
    assert depth(Number(Fraction(2), "2")) == 0
    with pytest.raises(TypeError, match="fold Depth has no value for Outer"):
        depth(Outer(Name("a"), Name("b")))
    with pytest.raises(TypeError, match="fold Depth: Comparison is not a kind of node"):
        depth(Comparison(Name("a")))


def test_parts_of_a_new_kind_of_node_are_missed_by_name() -> None:
    new = cast(Expression, Comparison(Name("a")))
    with pytest.raises(AssertionError, match="Comparison"):
        children(new)
    with pytest.raises(AssertionError, match="Comparison"):
        rebuild(new, ())
