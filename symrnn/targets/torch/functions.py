"""How generated Python spells each function of the language in PyTorch, and each reduction.

One entry for each row of `symrnn.language.functions` and of `symrnn.language.reductions`; a function without one is refused by
name. Leaves out: what the functions mean, the helpers themselves (``templates/torch/functions.py``), and where they are called
(`symrnn.targets.torch.expression`).
"""

from __future__ import annotations

from collections.abc import Mapping

from symrnn.errors import GenerateError

HELPERS = "torch/functions.py"
"""The helpers, a file below the template directory."""

SPELLINGS: Mapping[str, str] = {
    "sigmoid": "torch.sigmoid",
    "tanh": "torch.tanh",
    "relu": "torch.relu",
    "leaky_relu": "_leaky_relu",
    "elu": "_elu",
    "softplus": "_softplus",
    "softsign": "_softsign",
    "silu": "_silu",
    "gelu": "_gelu",
    "hard_sigmoid": "_hard_sigmoid",
    "hard_tanh": "_hard_tanh",
    "exp": "torch.exp",
    "log": "torch.log",
    "sqrt": "torch.sqrt",
    "abs": "torch.abs",
    "sin": "torch.sin",
    "cos": "torch.cos",
    "minimum": "_minimum",
    "maximum": "_maximum",
    "expm1": "torch.expm1",
    "log1p": "torch.log1p",
    "erf": "torch.erf",
    "erfc": "torch.erfc",
    "positive": "_positive",
    "sign": "torch.sign",
    "prefer": "_prefer",
    "step": "_step",
    "floor": "torch.floor",
    "round": "torch.round",
    "where": "_where",
    "surrogate": "_surrogate",
    "surrogate_of_two": "_surrogate_of_two",
    "less": "_less",
    "less_equal": "_less_equal",
    "equal": "_equal_to",
}
"""The callee of each function of the table, by name: one of PyTorch's, or a helper."""

REDUCTIONS: Mapping[str, str] = {"mean": "mean", "sum": "sum", "max": "amax"}
"""The tensor's method for each reduction of the language, by name."""

REPEAT, OVER = "_repeat", "_over"
"""The helpers for values with several axes: one repeats a value along some, the other reduces it over some."""

VECTORS: Mapping[str, str] = {"cumsum": "torch.cumsum", "revcumsum": "_revcumsum"}
"""The callee of each vector function, by name: one of PyTorch's, or a helper. Either takes a tensor and an axis."""


def reduction(kind: str) -> str:
    """The method of the reduction ``kind``.

    Raises:
        GenerateError: it has no entry here.
    """
    if kind not in REDUCTIONS:
        raise GenerateError(
            f"PyTorch: reduction {kind!r} has no spelling; add an entry to symrnn.targets.torch.functions.REDUCTIONS"
        )
    return REDUCTIONS[kind]


def vector_function(kind: str) -> str:
    """The callee of the vector function ``kind``.

    Raises:
        GenerateError: it has no entry here.
    """
    if kind not in VECTORS:
        raise GenerateError(
            f"PyTorch: vector function {kind!r} has no spelling; add an entry to symrnn.targets.torch.functions.VECTORS"
        )
    return VECTORS[kind]


def spelling(function: str) -> str:
    """The callee of ``function``.

    Raises:
        GenerateError: it has no entry here.
    """
    if function not in SPELLINGS:
        raise GenerateError(
            f"PyTorch: function {function!r} has no spelling; add an entry to symrnn.targets.torch.functions.SPELLINGS"
        )
    return SPELLINGS[function]
