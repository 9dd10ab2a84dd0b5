"""How array libraries write the parts of a cell: functions, products, the loop over time.

Reads texts of expressions; returns Python text. Adding a library is adding a `Dialect`. Leaves out: the cell
(`benchmarks.scan`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Dialect:
    """One library.

    Attributes:
        header: imports and helpers.
        functions: callee of every function of the equation language.
        reductions: callee of every reduction.
        vectors: callee of every vector function.
        joined: the callee that puts arrays side by side along an axis.
        wide: the callee that broadcasts.
        keep: the argument that makes a reduction keep its axis.
        loop: lines of ``layer`` after the statements ahead of the loop; `module` fills in ``{…}``.
    """

    header: str
    functions: Mapping[str, str]
    reductions: Mapping[str, str]
    vectors: Mapping[str, str]
    joined: str
    wide: str
    keep: str
    loop: tuple[str, ...]

    def call(self, function: str, arguments: Sequence[str]) -> str:
        """A function applied."""
        return f"{self.functions[function]}({', '.join(arguments)})"

    def reduce(self, kind: str, operand: str) -> str:
        """A reduction over the units."""
        return f"{self.reductions[kind]}({operand}, -1, {self.keep}=True)"

    def vector(self, kind: str, operand: str) -> str:
        """A vector function over the units."""
        return f"{self.vectors[kind]}({operand}, -1)"

    def concatenate(self, parts: Sequence[str]) -> str:
        """Arrays side by side along the units."""
        return parts[0] if len(parts) == 1 else f"{self.joined}([{', '.join(parts)}], -1)"

    def broadcast(self, text: str, like: str) -> str:
        """``operand`` with as many units as ``like`` has."""
        return f"{self.wide}({text}, {like}.shape)"

    def module(
        self,
        *,
        vectors: Sequence[str],
        constant: Sequence[str],
        before: Sequence[str],
        over_time: Sequence[str],
        loop: Sequence[str],
        states: Sequence[str],
        following: Sequence[str],
        output: str,
        given: str,
    ) -> str:
        """The module: ``_step(_p, _constant, _carry, _at)`` and ``layer(_p, x, _state)``.

        Args:
            vectors: parameters that are not matrices.
            constant: values of parameters alone that a step reads.
            before: statements ahead of the loop.
            over_time: arrays over all steps that a step reads.
            loop: statements of a step.
            states: names of the states.
            following: names of their next values.
            output: the next value that is the output.
            given: the name of the input.
        """
        unpacked = [f'{name} = _p["{name}"]' for name in vectors]
        step = [
            *unpacked,
            *([f"{_tuple(constant)} = _constant"] if constant else []),
            f"{_tuple(states)} = _carry",
            f"{_tuple(over_time)} = _at",
            *loop,
            f"return {_tuple(following)}, {output}",
        ]
        filled = {
            "carry": _tuple([f'_state["{name}"]' for name in states]),
            "arrays": _tuple(over_time),
            "constant": _tuple(constant),
            "states": ", ".join(f'"{name}": _last[{index}]' for index, name in enumerate(states)),
        }
        ends = [line.format(**filled) for line in self.loop]
        layer = [*unpacked, *before, *ends]
        return "\n".join(
            [
                self.header,
                "",
                "def _step(_p, _constant, _carry, _at):",
                *_indented(step),
                "",
                f"def layer(_p, {given}, _state, _step=_step):",
                *_indented(layer),
                "",
            ]
        )


def _tuple(names: Sequence[str]) -> str:
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


_WHERE = "def _where(condition, a, b):\n    return _np.where(condition > 0, a, b)\n"
"""The language's choice: the first where the condition is above 0."""

JAX = Dialect(
    header=(
        "from functools import partial as _partial\n\n"
        "import jax as _jax\nimport jax.numpy as _np\nfrom jax import lax as _lax\n\n"
        "def _logsumexp(a, axis, keepdims):\n    return _jax.nn.logsumexp(a, axis, keepdims=keepdims)\n\n"
        "def _gelu_erf(a):\n    return _jax.nn.gelu(a, approximate=False)\n\n"
        "def _step_of(a):\n    return (a >= 0).astype(a.dtype)\n\n" + _WHERE
    ),
    functions={
        "sigmoid": "_jax.nn.sigmoid",
        "tanh": "_np.tanh",
        "relu": "_jax.nn.relu",
        "leaky_relu": "_jax.nn.leaky_relu",
        "elu": "_jax.nn.elu",
        "softplus": "_jax.nn.softplus",
        "softsign": "_jax.nn.soft_sign",
        "silu": "_jax.nn.silu",
        "gelu": "_jax.nn.gelu",
        "hard_sigmoid": "_jax.nn.hard_sigmoid",
        "hard_tanh": "_jax.nn.hard_tanh",
        "exp": "_np.exp",
        "log": "_np.log",
        "sqrt": "_np.sqrt",
        "abs": "_np.abs",
        "sin": "_np.sin",
        "cos": "_np.cos",
        "minimum": "_np.minimum",
        "maximum": "_np.maximum",
        "celu": "_jax.nn.celu",
        "selu": "_jax.nn.selu",
        "mish": "_jax.nn.mish",
        "logsigmoid": "_jax.nn.log_sigmoid",
        "relu6": "_jax.nn.relu6",
        "hard_swish": "_jax.nn.hard_swish",
        "gelu_erf": "_gelu_erf",
        "erf": "_lax.erf",
        "erfc": "_lax.erfc",
        "expm1": "_np.expm1",
        "log1p": "_np.log1p",
        "rsqrt": "_lax.rsqrt",
        "floor": "_np.floor",
        "round": "_np.round",
        "sign": "_np.sign",
        "step": "_step_of",
        "where": "_where",
    },
    reductions={
        "mean": "_np.mean",
        "sum": "_np.sum",
        "max": "_np.max",
        "logsumexp": "_logsumexp",
    },
    vectors={"softmax": "_jax.nn.softmax", "cumsum": "_np.cumsum"},
    joined="_np.concatenate",
    wide="_np.broadcast_to",
    keep="keepdims",
    loop=(
        "_last, _y = _lax.scan(_partial(_step, _p, {constant}), {carry}, {arrays})",
        "return _y, {{{states}}}",
    ),
)
"""``jax.lax.scan``; differentiated by ``jax.vjp``."""

TORCH = Dialect(
    header=(
        "import torch as _np\nfrom torch.nn import functional as _functional\n\n"
        "def _gelu(a):\n    return _functional.gelu(a, approximate='tanh')\n\n"
        "def _minimum(a, b):\n    return _np.minimum(_np.as_tensor(a), _np.as_tensor(b))\n\n"
        "def _maximum(a, b):\n    return _np.maximum(_np.as_tensor(a), _np.as_tensor(b))\n\n"
        "def _step_of(a):\n    return (a >= 0).to(a.dtype)\n\n" + _WHERE
    ),
    functions={
        "sigmoid": "_np.sigmoid",
        "tanh": "_np.tanh",
        "relu": "_np.relu",
        "leaky_relu": "_functional.leaky_relu",
        "elu": "_functional.elu",
        "softplus": "_functional.softplus",
        "softsign": "_functional.softsign",
        "silu": "_functional.silu",
        "gelu": "_gelu",
        "hard_sigmoid": "_functional.hardsigmoid",
        "hard_tanh": "_functional.hardtanh",
        "exp": "_np.exp",
        "log": "_np.log",
        "sqrt": "_np.sqrt",
        "abs": "_np.abs",
        "sin": "_np.sin",
        "cos": "_np.cos",
        "minimum": "_minimum",
        "maximum": "_maximum",
        "celu": "_functional.celu",
        "selu": "_functional.selu",
        "mish": "_functional.mish",
        "logsigmoid": "_functional.logsigmoid",
        "relu6": "_functional.relu6",
        "hard_swish": "_functional.hardswish",
        "gelu_erf": "_functional.gelu",
        "erf": "_np.erf",
        "erfc": "_np.erfc",
        "expm1": "_np.expm1",
        "log1p": "_np.log1p",
        "rsqrt": "_np.rsqrt",
        "floor": "_np.floor",
        "round": "_np.round",
        "sign": "_np.sign",
        "step": "_step_of",
        "where": "_where",
    },
    reductions={"mean": "_np.mean", "sum": "_np.sum", "max": "_np.amax", "logsumexp": "_np.logsumexp"},
    vectors={"softmax": "_np.softmax", "cumsum": "_np.cumsum"},
    joined="_np.cat",
    wide="_np.broadcast_to",
    keep="keepdim",
    loop=(
        "_last, _ys = {carry}, []",
        "for _at in zip(*[_array.unbind(0) for _array in {arrays}]):",
        "    _last, _y = _step(_p, {constant}, _last, _at)",
        "    _ys.append(_y)",
        "return _np.stack(_ys), {{{states}}}",
    ),
)
"""A loop of Python over time; differentiated by autograd."""

TORCH_SCAN = replace(
    TORCH,
    header=f"{TORCH.header}\nfrom torch._higher_order_ops import scan as _scan\n",
    loop=(
        "def _combined(_carry, _at):",
        "    _carry, _y = _step(_p, {constant}, _carry, _at)",
        "    return tuple(_next.clone() for _next in _carry), _y.clone()",
        "_last, _y = _scan(_combined, {carry}, {arrays})",
        "return _y, {{{states}}}",
    ),
)
"""PyTorch's scan. Its step may return no array twice, nor one that the gradient keeps: each is a copy."""
