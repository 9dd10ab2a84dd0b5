"""Functions that the language does not have: another name, a formula that is the same function, or the honest list."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from symrnn.derive.evaluate import evaluate, floats
from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.functions import PUBLIC
from symrnn.language.unknown import ABSENT, FORMULAS, PHRASES, RENAMED

Array = np.ndarray[Any, np.dtype[Any]]


def complaint(text: str, **declared: Any) -> str:
    with pytest.raises(CellError) as raised:
        Cell.from_equations(text, **declared)
    return raised.value.message


@pytest.mark.parametrize(
    ("word", "name"), [(word, name) for name, words in RENAMED.items() for word in words.split() if word != "min"]
)
def test_another_name_gets_ours(word: str, name: str) -> None:
    assert f"there is no function `{word}`; did you mean `{name}`?" in complaint(f"h' = W @ x + {word}(h, h)")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("min", "minimum"), ("fmax", "maximum"), ("LeakyReLU", "leaky_relu"), ("hardsigmoid", "hard_sigmoid"),
        ("Sigmoid", "sigmoid"), ("soft_plus", "softplus"), ("reduce_mean", "mean"), ("sigmod", "sigmoid"),
        ("tahn", "tanh"), ("sni", "sin"), ("swish", "silu"), ("avg", "mean"),
    ],
)  # fmt: skip
def test_names_of_other_libraries(word: str, name: str) -> None:
    assert f"did you mean `{name}`?" in complaint(f"h' = W @ x + {word}(h, 1)")


def test_a_function_of_two_operands_that_is_given_one_is_meant_over_the_units() -> None:
    assert "for the smallest unit write `-max(-a)`; `minimum` takes two operands" in complaint("h' = W @ x + min(h)")
    assert "for the largest unit write `max(a)`; `maximum` takes two operands" in complaint("h' = W @ x + fmax(h)")


def mean_square(a: Array) -> float:
    return float(np.mean(np.square(a - np.mean(a))))


REFERENCES: Mapping[str, Callable[[Array, Array], Any]] = {
    "clip": lambda a, b: np.clip(a, 0.25, 0.75),
    "amin": lambda a, b: np.min(a),
    "softmin": lambda a, b: np.exp(-a) / np.exp(-a).sum(),
    "revcumsum": lambda a, b: np.cumsum(a[::-1])[::-1],
    "logsoftmax": lambda a, b: np.log(np.exp(a) / np.exp(a).sum()),
    "tanhshrink": lambda a, b: a - np.tanh(a),
    "square": lambda a, b: np.square(a),
    "reciprocal": lambda a, b: np.reciprocal(a),
    "cbrt": lambda a, b: np.cbrt(a),
    "tan": lambda a, b: np.tan(a),
    "sinh": lambda a, b: np.sinh(a),
    "cosh": lambda a, b: np.cosh(a),
    "sech": lambda a, b: 1 / np.cosh(a),
    "atanh": lambda a, b: np.arctanh(a),
    "asinh": lambda a, b: np.arcsinh(a),
    "acosh": lambda a, b: np.arccosh(a),
    "logit": lambda a, b: np.log(a / (1 - a)),
    "log2": lambda a, b: np.log2(a),
    "log10": lambda a, b: np.log10(a),
    "exp2": lambda a, b: np.exp2(a),
    "norm": lambda a, b: np.linalg.norm(a),
    "l1norm": lambda a, b: np.linalg.norm(a, 1),
    "rms": lambda a, b: np.sqrt(np.mean(np.square(a))),
    "var": lambda a, b: np.var(a),
    "std": lambda a, b: np.std(a),
    "layernorm": lambda a, b: (a - np.mean(a)) / np.sqrt(mean_square(a) + 1e-5),
    "rmsnorm": lambda a, b: a / np.sqrt(np.mean(a * a) + 1e-5),
    "negative": lambda a, b: np.negative(a),
    "add": lambda a, b: np.add(a, b),
    "subtract": lambda a, b: np.subtract(a, b),
    "multiply": lambda a, b: np.multiply(a, b),
    "divide": lambda a, b: np.divide(a, b),
    "glu": lambda a, b: a / (1 + np.exp(-b)),
    "hypot": lambda a, b: np.hypot(a, b),
    "logaddexp": lambda a, b: np.logaddexp(a, b),
    "identity": lambda a, b: a,
}
"""One word of every formula, in NumPy's own functions where there are any."""


def test_every_formula_has_a_reference() -> None:
    assert [words.split()[0] for words in FORMULAS.values()] == list(REFERENCES)


@pytest.mark.parametrize(("formula", "words"), FORMULAS.items())
def test_every_formula_is_the_same_function(formula: str, words: str) -> None:
    for word in words.split():
        assert f"there is no function `{word}`; write `{formula}`" in complaint(f"h' = W @ x + {word}(h)")
    cell = Cell.from_equations(f"h' = a * b * h + x\nc' = {formula.replace('low', '0.25').replace('high', '0.75')}")
    random = np.random.default_rng(2)
    a, b = random.uniform(0.1, 0.9, size=(2, 5)) + (1 if formula.endswith("- 1))") else 0)
    found = evaluate(cell.definition["c'"].expression, {"a": a, "b": b}, {}, floats())
    np.testing.assert_allclose(found, np.broadcast_to(REFERENCES[words.split()[0]](a, b), found.shape), rtol=1e-12)


@pytest.mark.parametrize(("phrase", "words"), PHRASES.items())
def test_phrases(phrase: str, words: str) -> None:
    for word in words.split():
        assert f"there is no function `{word}`; write {phrase}" in complaint(f"h' = U @ x + {word}(h)")


@pytest.mark.parametrize("word", [*sorted(ABSENT), "foo", "bin", "attention", "embedding"])
def test_others_get_the_list_and_no_advice_to_multiply(word: str) -> None:
    message = complaint(f"h' = W @ x + {word}(h)")
    assert "to multiply" not in message
    assert message.endswith(f"; the functions are {', '.join(PUBLIC)}")


@pytest.mark.parametrize("name", ["h", "x", "u", "z", "W_x", "b_hh", "alpha", "gamma_c", "gate", "rate", "T1"])
def test_what_may_be_a_value_is_multiplied(name: str) -> None:
    text = f"gate = sigmoid(W @ x)\nu = gate\nh' = u * h + {name}(1 - gate)"
    assert f"there is no function `{name}`; to multiply write `{name} * (…)`" in complaint(text, constants={"rate": 1})


def test_a_parameter_that_is_used_elsewhere_may_be_multiplied() -> None:
    assert "to multiply write `leak * (…)`" in complaint("h' = leak * h + leak(1 - x)")


@pytest.mark.parametrize("word", ["norm", "min", "clip", "dropout", "foo"])
def test_a_function_that_is_not_there_is_not_multiplied(word: str) -> None:
    assert "multiply" not in complaint(f"h' = W @ x + {word}(h)")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("tan h(x)", "expected an operator between `tan` and `h`; did you mean `tanh`?"),
        ("hard sigmoid(x)", "did you mean `hard_sigmoid`?"),
        ("soft plus(x)", "did you mean `softplus`?"),
        ("sin h(x)", "for `sinh` write `(exp(a) - exp(-a)) / 2`"),
        ("sigmoid W @ x", "the argument of `sigmoid` stands in parentheses, `sigmoid(a)`"),
        ("np.tanh(x)", "a function is called by its name alone, as in `tanh(a)`"),
    ],
)
def test_functions_in_other_clothes(text: str, hint: str) -> None:
    assert hint in complaint(f"h' = {text}")


@pytest.mark.parametrize(
    ("character", "remedy"),
    [
        ("x² + h", "a power is written `**2`"),
        ("xⁿ", "a power is written `**n`"),
        ("hₜ", "an index is part of a name: write `_t`"),
        ("α * x", "write `alpha`"),
        ("λ * x", "write `lambda_`"),
        ("Ω * x", "write `Omega`"),
        ("π * x", "write `pi`, with `pi = 3.141592653589793` under [constants]"),
        ("σ(x)", "write `sigmoid`"),
        ("√x", "write `sqrt(…)`"),
        ("½ * x", "write `0.5`"),
        ("W · x", "write `*`, or `@` where a matrix stands in front of it"),
        ("\uff58", "write `x`"),
    ],
)
def test_characters_of_papers(character: str, remedy: str) -> None:
    assert complaint(f"h' = {character}").endswith(remedy)


def test_lambda_is_a_name_once_it_is_spelt_so() -> None:
    assert math.isclose(
        float(Cell.from_equations("h' = lambda_ * h", constants={"lambda_": 2}).constants["lambda_"]), 2
    )
