"""Functions that the language does not have, and what to write for those known from NumPy, PyTorch and papers.

Reads the word that is called like a function; returns what an error message adds: the function's name in the language,
a formula, or the list of all functions. Leaves out: the table itself (`symrnn.language.functions`).
"""

from __future__ import annotations

import difflib
import re

from symrnn.language.functions import PUBLIC
from symrnn.language.identifiers import GREEK
from symrnn.language.origin import nearest

RENAMED = {
    "sigmoid": "sigm sig logistic logisticsigmoid expit sgm fsigmoid",
    "tanh": "th tgh tanhyp hyptan ftanh mathtanh",
    "relu": "rectifier rectify ramp rect frelu",
    "leaky_relu": "lrelu lerelu leakyrectify",
    "softplus": "smoothrelu log1pexp",
    "silu": "swish",
    "gelu": "gelutanh gelunew",
    "gelu_erf": "geluexact geluerf",
    "hard_sigmoid": "hsigmoid hsig hardsig hardsigm sigmoidhard",
    "hard_tanh": "htanh hardtan satlins tanhhard",
    "log": "ln loge logn",
    "sqrt": "root squareroot",
    "abs": "fabs absolute absval magnitude modulus",
    "sin": "sine",
    "cos": "cosine",
    "minimum": "min fmin minimal minof",
    "maximum": "fmax maximal maxof",
    "sign": "sgn signum",
    "step": "heaviside unitstep",
    "floor": "floorof",
    "round": "rint roundeven",
    "where": "select ifelse",
    "hard_swish": "hardsilu hswish",
    "logsigmoid": "logsigm",
    "rsqrt": "invsqrt",
    "mean": "avg average reducemean meanof nanmean",
    "sum": "total reducesum nansum sumof",
    "max": "amax reducemax nanmax largest",
    "logsumexp": "lse reducelogsumexp",
    "softmax": "softargmax normalizedexponential",
    "cumsum": "cumulativesum prefixsum runningsum scan",
}
"""Functions of the table, and other words for them, in small letters without underscores."""

FORMULAS = {
    "minimum(maximum(a, low), high)": "clip clamp clipbyvalue",
    "-max(-a)": "amin reducemin nanmin smallest",
    "softmax(-a)": "softmin",
    "sum(a) - cumsum(a) + a": "revcumsum reversecumsum",
    "a - logsumexp(a)": "logsoftmax",
    "a - tanh(a)": "tanhshrink",
    "a**2": "square squared sqr sq",
    "1 / a": "reciprocal recip rcp",
    "a**(1/3)": "cbrt",
    "sin(a) / cos(a)": "tan",
    "(exp(a) - exp(-a)) / 2": "sinh",
    "(exp(a) + exp(-a)) / 2": "cosh",
    "2 / (exp(a) + exp(-a))": "sech",
    "(log(1 + a) - log(1 - a)) / 2": "atanh arctanh artanh",
    "log(a + sqrt(a**2 + 1))": "asinh arcsinh arsinh",
    "log(a + sqrt(a**2 - 1))": "acosh arccosh arcosh",
    "log(a) - log(1 - a)": "logit",
    "log(a) / log(2)": "log2 lb",
    "log(a) / log(10)": "log10 lg",
    "exp(log(2) * a)": "exp2 pow2",
    "sqrt(sum(a**2))": "norm l2norm",
    "sum(abs(a))": "l1norm",
    "sqrt(mean(a**2))": "rms",
    "mean((a - mean(a))**2)": "var variance",
    "sqrt(mean((a - mean(a))**2))": "std stddev",
    "(a - mean(a)) / sqrt(mean((a - mean(a))**2) + 1e-5)": "layernorm standardize normalize",
    "a / sqrt(mean(a**2) + 1e-5)": "rmsnorm",
    "-a": "negative neg minus",
    "a + b": "add plus",
    "a - b": "subtract sub",
    "a * b": "multiply mul times hadamard",
    "a / b": "divide div truedivide",
    "a * sigmoid(b)": "glu",
    "sqrt(a**2 + b**2)": "hypot",
    "log(exp(a) + exp(b))": "logaddexp",
    "a": "identity linear",
}
"""What to write, and words for it; ``a`` and ``b`` are the arguments."""

PHRASES = {
    "`a**b`, for positive a where b is neither a number nor a constant": "pow power powf",
    "`W @ v` for a matrix and a vector, `sum(a * b)` for two vectors": "matmul dot mm mv bmm inner vdot",
    "`W.T @ v`": "transpose",
    '`a * b`, of two axes that the target has under [sizes], as in `S = ["value", "key"]`': "outer ger",
    "`previous(x)`, the input of the step before": "prev previousof lag lagged delay delayed shift shifted",
    "`maximum(a, 0) + p * minimum(a, 0)`, its slope p a parameter": "prelu",
    "`m * a`, its mask m under [inputs]; behind the name of a cell, `+recurrent_dropout` adds one": "dropout zoneout",
    "`W @ x + U @ h`, a matrix for each part": "concat cat concatenate hstack",
}
"""What to write, in words, where no formula does."""

ABSENT = frozenset(
    """
    argmax argmin ceil
    trunc mod fmod remainder sort cumprod prod product gamma lgamma atan arctan asin arcsin acos
    arccos atan2 arctan2 inv inverse det trace diag kron conv fft sparsemax positive prefer random noise softshrink
    hardshrink threshold rrelu crelu swiglu geglu maxout hardmax
    """.split()  # noqa: SIM905 - words read better without quotation marks
)
"""Functions that the language cannot express. No similar name is suggested for them."""

_RENAMED = {word: name for name, words in RENAMED.items() for word in words.split()}
_WRITTEN = {word: f"`{formula}`" for formula, words in FORMULAS.items() for word in words.split()}
_WRITTEN |= {word: phrase for phrase, words in PHRASES.items() for word in words.split()}
_OURS = {name.replace("_", ""): name for name in PUBLIC}

_OF_ONE = {"minimum": ("smallest", "-max(-a)"), "maximum": ("largest", "max(a)")}
"""What is meant where a function of two operands is given one."""

_SHORT, _CLOSE = 3, 0.8
"""Short words resemble each other, so a guess must be closer."""

_SYMBOL = re.compile(r"[A-Za-z]\d*(_\w*)?'?", re.ASCII)


def unknown_function(name: str, given: int, *, known: bool) -> str:
    """What follows "there is no function `name`".

    Args:
        name: what is called.
        given: the number of its arguments.
        known: whether the equations use ``name`` otherwise, so that it stands for a value.
    """
    multiplied = f"; to multiply write `{name} * (…)`"
    functions = f"; the functions are {', '.join(PUBLIC)}"
    if known:
        return multiplied
    word = name.replace("_", "").removesuffix("'").lower()
    if found := _OURS.get(word) or _RENAMED.get(word):
        if given == 1 and found in _OF_ONE:
            return f"; for the {_OF_ONE[found][0]} unit write `{_OF_ONE[found][1]}`; `{found}` takes two operands"
        return f"; did you mean `{found}`?"
    if word in _WRITTEN:
        return f"; write {_WRITTEN[word]}"
    if word in ABSENT:
        return functions
    if _SYMBOL.fullmatch(name) or name.split("_")[0] in GREEK:
        return multiplied + functions
    if len(word) <= _SHORT:
        close = [ours for ours in PUBLIC if sorted(ours) == sorted(word)]
        close += difflib.get_close_matches(word, PUBLIC, n=1, cutoff=_CLOSE)
        return f"; did you mean `{close[0]}`?" if close else functions
    return nearest(name, PUBLIC) or functions


def two_words(first: str, second: str) -> str:
    """What to add where two words stand side by side without an operator: a function in two words, or its argument."""
    whole = f"{first}{second}".replace("_", "").lower()
    if whole in _OURS:
        return f"; did you mean `{_OURS[whole]}`?"
    if whole in _WRITTEN:
        return f"; for `{whole}` write {_WRITTEN[whole]}"
    return f"; the argument of `{first}` stands in parentheses, `{first}(a)`" if first in PUBLIC else ""
