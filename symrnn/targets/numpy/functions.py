"""How generated Python spells each function of the language, a ufunc or a helper, and each reduction.

One entry for each row of `symrnn.language.functions` and of `symrnn.language.reductions`; a function without one is refused by
name. Leaves out: what the functions mean, the helpers themselves (``templates/numpy/functions.py``), and where they are called
(`symrnn.targets.numpy.printer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symrnn.errors import GenerateError

HELPERS = "numpy/functions.py"
"""The helpers, a file below the template directory."""

SPELLINGS: Mapping[str, str] = {
    "sigmoid": "_sigmoid",
    "tanh": "np.tanh",
    "relu": "_relu",
    "leaky_relu": "_leaky_relu",
    "elu": "_elu",
    "softplus": "_softplus",
    "softsign": "_softsign",
    "silu": "_silu",
    "gelu": "_gelu",
    "hard_sigmoid": "_hard_sigmoid",
    "hard_tanh": "_hard_tanh",
    "exp": "np.exp",
    "log": "np.log",
    "sqrt": "np.sqrt",
    "abs": "_abs",
    "sin": "np.sin",
    "cos": "np.cos",
    "minimum": "_minimum",
    "maximum": "_maximum",
    "expm1": "np.expm1",
    "log1p": "np.log1p",
    "erf": "_erf",
    "erfc": "_erfc",
    "positive": "_positive",
    "sign": "_sign",
    "prefer": "_prefer",
    "step": "_step",
    "floor": "_floor",
    "round": "_round",
    "where": "_where",
    "surrogate": "_surrogate",
    "surrogate_of_two": "_surrogate_of_two",
    "less": "_less",
    "less_equal": "_less_equal",
    "equal": "_equal_to",
}
"""The callee of each function of the table, by name: a ufunc or a helper. Either takes ``out=``."""


@dataclass(frozen=True)
class NumPyReduction:
    """One reduction in generated Python.

    Attributes:
        whole: the callee for one vector: one of NumPy's, or a helper.
        fold: the callee that takes ``out=``, likewise.
        divides: whether the result of ``fold`` is divided by the number of units.
    """

    whole: str
    fold: str
    divides: bool = False

    @property
    def callees(self) -> tuple[str, str]:
        """Whatever is called."""
        return self.whole, self.fold


REDUCTIONS: Mapping[str, NumPyReduction] = {
    "mean": NumPyReduction("np.mean", "np.add.reduce", divides=True),
    "sum": NumPyReduction("np.sum", "np.add.reduce"),
    "max": NumPyReduction("_largest", "_largest"),
}
"""The spelling of each reduction of the language, by name."""


VECTORS: Mapping[str, str] = {"cumsum": "np.add.accumulate", "revcumsum": "_revcumsum"}
"""The callee of each vector function, by name: one of NumPy's, or a helper. Either takes ``axis=`` and ``out=``."""


REPEAT, OVER = "_repeat", "_over"
"""The helpers for values with several axes: one repeats a value along some, the other reduces it over some."""


def is_vector_function(function: str) -> bool:
    """Whether ``function`` is the callee of some vector function."""
    return function in VECTORS.values()


def is_whole(function: str) -> bool:
    """Whether ``function`` reads all units of a value at once, so that it neither works in place nor on several values."""
    return function == REPEAT or is_fold(function) or is_vector_function(function)


def is_fold(function: str) -> bool:
    """Whether ``function`` is the callee of some reduction."""
    return any(function == each.fold for each in REDUCTIONS.values())


def reduction(kind: str) -> NumPyReduction:
    """How the reduction ``kind`` is spelt.

    Raises:
        GenerateError: it has no entry here.
    """
    if kind not in REDUCTIONS:
        raise GenerateError(
            f"NumPy: reduction {kind!r} has no spelling; add an entry to symrnn.targets.numpy.functions.REDUCTIONS"
        )
    return REDUCTIONS[kind]


def vector_function(kind: str) -> str:
    """The callee of the vector function ``kind``.

    Raises:
        GenerateError: it has no entry here.
    """
    if kind not in VECTORS:
        raise GenerateError(
            f"NumPy: vector function {kind!r} has no spelling; add an entry to symrnn.targets.numpy.functions.VECTORS"
        )
    return VECTORS[kind]


def spelling(function: str) -> str:
    """The callee of ``function``.

    Raises:
        GenerateError: it has no entry here.
    """
    if function not in SPELLINGS:
        raise GenerateError(
            f"NumPy: function {function!r} has no spelling; add an entry to symrnn.targets.numpy.functions.SPELLINGS"
        )
    return SPELLINGS[function]
