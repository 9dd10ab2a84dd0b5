"""Folds: the one way to compute something from any expression, with a case for every kind of node.

A printer, an evaluator and the translation to SymPy must handle *any* expression. Each is a subclass of `Fold` with one
method for each kind of node; the method calls the fold for the node's parts. A class that forgets a kind cannot be
defined: the error names the kind. Code that asks for one or two kinds uses a plain ``match``, or `walk` and `transform`
of `symrnn.language.tree`. The interpreter of `symrnn.check` does not use folds: it is an independent oracle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from symrnn.language.tree import (
    Applied,
    Binary,
    Broadcast,
    Call,
    Constant,
    Expression,
    Eye,
    MatVec,
    Name,
    Negate,
    Number,
    Outer,
    Power,
    Reduce,
    SizeOf,
    Transpose,
    VectorCall,
)

Value = TypeVar("Value")

CASES: dict[type, str] = {
    Number: "_of_number",
    Constant: "_of_constant",
    Name: "_of_name",
    Negate: "_of_negate",
    Binary: "_of_binary",
    Power: "_of_power",
    Call: "_of_call",
    MatVec: "_of_form",
    Reduce: "_of_reduction",
    VectorCall: "_of_vector",
    Broadcast: "_of_broadcast",
    Outer: "_of_outer",
    SizeOf: "_of_size",
    Transpose: "_of_transpose",
    Eye: "_of_eye",
    Applied: "_of_applied",
}
"""Each kind of node, and the method of a fold that is its case."""


class Fold(Generic[Value]):
    """Gives every expression a value; calls pick the case of the node's kind.

    >>> matrices = (MatVec, Outer, Transpose, Eye, Applied)
    >>> class Leaves(Fold[int], refuses=(*matrices, Reduce, VectorCall, Broadcast, SizeOf)):
    ...     def _of_number(self, node): return 1
    ...     def _of_constant(self, node): return 1
    ...     def _of_name(self, node): return 1
    ...     def _of_negate(self, node): return self(node.operand)
    ...     def _of_binary(self, node): return self(node.left) + self(node.right)
    ...     def _of_power(self, node): return self(node.base)
    ...     def _of_call(self, node): return sum(self(argument) for argument in node.arguments)
    >>> Leaves()(Binary("*", Name("a"), Negate(Name("b"))))
    2

    Attributes:
        refuses: the kinds of nodes that it has no value for; it then raises what `_refusal` gives.
    """

    refuses: ClassVar[tuple[type, ...]] = ()
    _cases: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {}

    def __init_subclass__(cls, refuses: tuple[type, ...] | None = None, **rest: Any) -> None:
        """Check that every kind of node has a case.

        Raises:
            TypeError: a kind has neither a method nor a refusal.
        """
        super().__init_subclass__(**rest)
        if refuses is not None:
            cls.refuses = refuses
        missing = without_case(cls)
        if missing:
            raise TypeError(
                f"fold {cls.__name__}: no case for {', '.join(missing)}; define "
                f"{', '.join(CASES[kind] for kind in CASES if kind.__name__ in missing)}, or name the kind in `refuses`"
            )
        cls._cases = {kind: getattr(cls, case) for kind, case in CASES.items()}

    def __call__(self, node: Expression) -> Value:
        """The value of ``node``.

        Raises:
            TypeError: ``node`` is not an expression.
        """
        case = self._cases.get(type(node))
        if case is None:
            raise TypeError(f"fold {type(self).__name__}: {type(node).__name__} is not a kind of node; see CASES")
        value: Value = case(self, node)
        return value

    def _refusal(self, node: Expression) -> Exception:
        """What is raised at a node of a kind that this fold refuses."""
        return TypeError(f"fold {type(self).__name__} has no value for {type(node).__name__}")

    def _of_number(self, node: Number) -> Value:
        raise self._refusal(node)

    def _of_constant(self, node: Constant) -> Value:
        raise self._refusal(node)

    def _of_name(self, node: Name) -> Value:
        raise self._refusal(node)

    def _of_negate(self, node: Negate) -> Value:
        raise self._refusal(node)

    def _of_binary(self, node: Binary) -> Value:
        raise self._refusal(node)

    def _of_power(self, node: Power) -> Value:
        raise self._refusal(node)

    def _of_call(self, node: Call) -> Value:
        raise self._refusal(node)

    def _of_form(self, node: MatVec) -> Value:
        raise self._refusal(node)

    def _of_reduction(self, node: Reduce) -> Value:
        raise self._refusal(node)

    def _of_vector(self, node: VectorCall) -> Value:
        raise self._refusal(node)

    def _of_broadcast(self, node: Broadcast) -> Value:
        raise self._refusal(node)

    def _of_outer(self, node: Outer) -> Value:
        raise self._refusal(node)

    def _of_size(self, node: SizeOf) -> Value:
        raise self._refusal(node)

    def _of_transpose(self, node: Transpose) -> Value:
        raise self._refusal(node)

    def _of_eye(self, node: Eye) -> Value:
        raise self._refusal(node)

    def _of_applied(self, node: Applied) -> Value:
        raise self._refusal(node)


def without_case(cls: type[Fold[Any]]) -> tuple[str, ...]:
    """The kinds of nodes that a class of folds neither has a method for nor refuses."""
    return tuple(
        kind.__name__
        for kind, case in CASES.items()
        if kind not in cls.refuses and getattr(cls, case, None) is getattr(Fold, case, None)
    )
