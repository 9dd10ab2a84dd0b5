"""How the toy spells each function and reduction: an expression of whole arrays, ``{0}`` and ``{1}`` the arguments."""

from __future__ import annotations

REDUCTIONS = {
    "mean": "{0}.mean(axis=1, keepdims=True)",
    "sum": "{0}.sum(axis=1, keepdims=True)",
    "max": "{0}.max(axis=1, keepdims=True)",
}

VECTORS = {"cumsum": "{0}.cumsum(axis=1)", "revcumsum": "{0}[:, ::-1].cumsum(axis=1)[:, ::-1]"}

SPELLINGS = {
    "sigmoid": "1 / (1 + np.exp(-{0}))",
    "tanh": "np.tanh({0})",
    "relu": "np.maximum({0}, 0)",
    "leaky_relu": "np.where({0} > 0, {0}, 0.01 * {0})",
    "elu": "np.where({0} > 0, {0}, np.expm1(np.minimum({0}, 0)))",
    "softplus": "np.logaddexp({0}, 0)",
    "softsign": "{0} / (1 + np.abs({0}))",
    "silu": "{0} / (1 + np.exp(-{0}))",
    "gelu": "0.5 * {0} * (1 + np.tanh(0.7978845608028654 * ({0} + 0.044715 * {0} ** 3)))",
    "hard_sigmoid": "np.clip(({0} + 3) / 6, 0, 1)",
    "hard_tanh": "np.clip({0}, -1, 1)",
    "exp": "np.exp({0})",
    "log": "np.log({0})",
    "sqrt": "np.sqrt({0})",
    "abs": "np.abs({0})",
    "sin": "np.sin({0})",
    "cos": "np.cos({0})",
    "minimum": "np.minimum({0}, {1})",
    "maximum": "np.maximum({0}, {1})",
    "expm1": "np.expm1({0})",
    "log1p": "np.log1p({0})",
    "erf": "np.vectorize(math.erf)({0})",
    "erfc": "np.vectorize(math.erfc)({0})",
    "positive": "np.heaviside({0}, 0)",
    "sign": "np.sign({0})",
    "prefer": "np.heaviside({0} - {1}, 0.5)",
    "step": "np.heaviside({0}, 1)",
    "floor": "np.floor({0})",
    "round": "np.rint({0})",
    "where": "np.where({0} > 0, {1}, {2})",
    "surrogate": "{0}",
    "surrogate_of_two": "{0}",
    "less": "np.less({0}, {1}) * 1.0",
    "less_equal": "np.less_equal({0}, {1}) * 1.0",
    "equal": "np.equal({0}, {1}) * 1.0",
}
