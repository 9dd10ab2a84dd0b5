"""The cells with named axes that tests run: published ones, with what they compute by hand, and cells for tests.

Returns `Along` records (`tests.axes`). All of it takes complex numbers, for complex steps. Leaves out: what the tests compare.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from symrnn.language.size_tables import SizeEntry
from symrnn.language.system import HIDDEN, INPUT
from tests.axes import Along, Array, Arrays, absolute, logsigmoid, maximum, sigmoid, softplus


def _mamba(p: Arrays, x: Array, state: Arrays) -> Arrays:
    dt, b, c = softplus(p["T"] @ x + p["b"]), p["B"] @ x, p["C"] @ x
    s = np.empty(state["s"].shape, np.result_type(dt, state["s"], p["a"], p["B"]))
    for unit in range(len(x)):
        decay = np.exp(-dt[unit] * np.exp(p["a"][unit]))
        s[unit] = decay * state["s"][unit] + dt[unit] * x[unit] * b
    return {"s'": s, "y": s @ c + p["D"] * x}


def _mlstm(p: Arrays, x: Array, state: Arrays) -> Arrays:
    heads: list[Arrays] = []
    for j in range(len(p["b_i"])):
        q, k, v = (p[f"W_{g}"][j] @ x + p[f"b_{g}"][j] for g in "qkv")
        k = k / 8
        i_tilde, f_tilde = p["W_i"][j] @ x + p["b_i"][j], p["W_f"][j] @ x + p["b_f"][j]
        m = maximum(logsigmoid(f_tilde) + state["m"][j], i_tilde)
        i, f = np.exp(i_tilde - m), np.exp(logsigmoid(f_tilde) + state["m"][j] - m)
        c, n = f * state["C"][j] + i * np.outer(v, k), f * state["n"][j] + i * k
        h = sigmoid(p["W_o"][j] @ x + p["b_o"][j]) * (c @ q) / maximum(absolute(n @ q), np.exp(-m))
        heads.append({"m'": m, "C'": c, "n'": n, "h": h})
    return {name: np.array([head[name] for head in heads]) for name in heads[0]}


def _delta_rule(p: Arrays, x: Array, state: Arrays) -> Arrays:
    k, q, v = p["W_k"] @ x, p["W_q"] @ x, p["W_v"] @ x
    beta, alpha = sigmoid(p["w_beta"] @ x), sigmoid(p["w_alpha"] @ x + p["b_alpha"])
    r = alpha * state["S"]
    after = r + beta * np.outer(v - r @ k, k)
    return {"S'": after, "y": after @ q}


def _lstm_heads(p: Arrays, x: Array, state: Arrays) -> Arrays:
    c, h = (np.empty(state["c"].shape, np.result_type(x, *p.values(), *state.values())) for _ in "ch")
    for j in range(len(h)):
        i, f, z, o = (p[f"W_{g}"][j] @ x + p[f"R_{g}"][j] @ state["h"][j] + p[f"b_{g}"][j] for g in "ifzo")
        c[j] = sigmoid(f) * state["c"][j] + sigmoid(i) * np.tanh(z)
        h[j] = sigmoid(o) * np.tanh(c[j])
    return {"c'": c, "h'": h}


def _rg_lru(p: Arrays, x: Array, state: Arrays) -> Arrays:
    h = np.empty(state["h"].shape, np.result_type(x, *p.values(), *state.values()))
    for j in range(len(h)):
        r, i = (sigmoid(p[f"W_{g}"][j] @ x[j] + p[f"b_{g}"][j]) for g in "ax")
        log_a = -8 * softplus(p["lam"][j]) * r
        h[j] = np.exp(log_a) * state["h"][j] + np.sqrt(1 - np.exp(2 * log_a)) * i * x[j]
    return {"h'": h}


PUBLISHED = (
    Along("mamba_step", numbers={INPUT: 5, "state": 3}, by_hand=_mamba),
    Along("mlstm_heads", numbers={"head": 2, "key": 3, "value": 5}, by_hand=_mlstm),
    Along("gated_deltanet", numbers={"value": 5, "key": 3}, by_hand=_delta_rule),
    Along("lstm_heads", numbers={INPUT: 2, "head": 2, "unit": 3}, by_hand=_lstm_heads),
    Along(
        "rg_lru_blocks",
        "r = sigmoid(W_a @ x + b_a)\n"
        "i = sigmoid(W_x @ x + b_x)\n"
        "log_a = -8 * softplus(lam) * r\n"
        "h' = exp(log_a) * h + sqrt(1 - exp(2 * log_a)) * i * x",
        {**{name: ["block", "unit"] for name in "xh"}, **{f"W_{gate}": ["block", "unit", "unit"] for gate in "ax"}},
        {"block": 3, "unit": 2},
        by_hand=_rg_lru,
    ),
)
"""Published cells, with what they compute written down by hand."""

_VK: Mapping[str, SizeEntry] = {"S": ["value", "key"], "V": ["value", "input"], "K": ["key", "input"]}
_HVK: Mapping[str, SizeEntry] = {"S": ["head", "value", "key"], "K": ["key", "input"], "V": ["value", "input"]}
_TWO, _THREE = {"value": 3, "key": 5}, {"head": 3, "value": 2, "key": 5}

OWN = (
    Along(  # two reductions of one gradient, at different stages
        "held_back",
        "S' = tanh(logsumexp(S) + p + sum(w * x))\ny = sum(S + q, value)",
        {"S": ["value", "key"], "p": 1, "w": "input", "q": ["value", "key"]},
        _TWO,
        output=("y",),
    ),
    Along(
        "state_alone",
        "S' = tanh(a * S + (V @ x) * (K @ x))",
        {**_VK, "a": ["value", "key"]},
        _TWO,
    ),
    Along(
        "two_outputs",
        "S' = sin(a * S + (V @ x) * (K @ x))\ny = sum(S' * q, key) + b",
        {**_VK, "a": "key", "q": "key"},
        _TWO,
        output=("y", "S"),
    ),
    Along(
        "subsets",
        "S' = sin(a_h * a_v * a_k * S + a_hk * a_hv + a_vk * (H @ x) + (K @ x) * (V @ x))\n"
        "y = mean(S' * a_vk, value) + sum(S' * a_hv, value) * a_h",
        {
            **_HVK,
            "H": ["head", "input"],
            **{"a_h": "head", "a_v": "value", "a_k": "key"},
            **{"a_hk": ["head", "key"], "a_hv": ["head", "value"], "a_vk": ["value", "key"]},
        },
        _THREE,
        output=("y",),
    ),
    Along(
        "reductions",
        "top = max(S, head) + mean(S, value) * logsumexp(K @ x)\n"
        "S' = sin(S * (K @ x) + (V @ x) * g + sum(S, key) / 9 - max(S, value) + logsumexp(S, head))\n"
        "y = mean(max(S', key), value) + logsumexp(sum(S', value), key) + sum(mean(S', head), value) * w\n"
        "z = max(logsumexp(S', head), key) + logsumexp(mean(S', key), head) + max(S') + mean(S') * sum(top)",
        {**_HVK, "top": ["head", "value", "key"], "g": "head", "w": 1, "y": ["head", "key"], "z": "value"},
        _THREE,
        output=("y", "z"),
    ),
    Along(
        "form_and_bias",
        "q = (Q @ x) + b\nS' = cos(q * (W @ x) + (V @ x) * S + c * u)\ny = sum(S' * q, key)",
        {
            "S": ["head", "value", "key"],
            "q": ["head", "key"],
            "Q": ["head", "key", "input"],
            "W": ["head", "value", "key", "input"],
            "V": ["value", "input"],
            "b": "head",
            "c": ["value", "key"],
            "u": 1,
        },
        _THREE,
        output=("y",),
    ),
    Along(
        "parameters_alone",
        "A = -exp(a)\nt = softplus(A + b)\nS' = t * S + (V @ x) * exp(A)\ny = max(S' * t, value)",
        {**{name: _VK[name] for name in "SV"}, "a": ["value", "key"], "b": "key"},
        _TWO,
        output=("y",),
    ),
    Along(
        "one_number",
        "n' = sigmoid(sum(w * x) + n)\nS' = n' * S + n * (V @ x) * k + u\ny = max(S', key) * n' + sum(S')",
        {**{name: _VK[name] for name in "SV"}, "n": 1, "k": "key", "u": 1},
        _TWO,
        output=("y",),
    ),
    Along(
        "states_that_are_reductions",
        "S' = sin(a * S + (V @ x) * (K @ x))\nn' = sum(S' * k, key)\nm' = max(S, value)\ny = n' * b + n * sum(S * m, key)",
        {**_VK, "a": "key", "k": "key", "n": "value", "m": "key"},
        _TWO,
        output=("y",),
    ),
    Along(
        "input_is_hidden",
        "h' = tanh(h + x + sum(S * k, key))\nS' = S * a + x * (K @ h')",
        {"S": ["hidden", "key"], "K": ["key", "hidden"], "k": "key", "a": "key"},
        {INPUT: 5, "key": 3},
        output=("h",),
    ),
    Along(
        "one_axis_by_an_equation_below",
        "S' = a * S + x\nT' = sin(T + S * k)\nh' = tanh(h + x + b + sum(T', key))",
        {"S": ["input", "key"], "T": ["hidden", "key"], "k": "key", "a": "key"},
        {INPUT: 5, "key": 3},
        output=("h",),
    ),
    Along(
        "inputs_with_axes",
        "S' = tanh(a * S + k * (V @ x) + v * m)\ny = sum(S' * q, key)\nz = max(k, head) + w * q",
        {"S": ["head", "value", "key"], "V": ["value", "input"], "a": ["head", "value", "key"], "w": "key"},
        _THREE,
        output=("y", "z"),
        inputs={
            "k": ["head", "key"],
            "m": {"size": ["head", "value", "key"], "gradient": False},
            "v": ["head", "value"],
            "q": "key",
        },
    ),
    Along(
        "x_with_axes",
        "p' = p * d + x\nS' = sin(a * S + x * k + b * previous(x) + W @ u)\ny = sum(S' * p', key) + sum(x * b)",
        {"x": ["head", "value"], "S": ["head", "value", "key"], "k": "key", "b": ["head", "value"]},
        _THREE,
        output=("y", "S"),
        inputs={"u": "input"},
    ),
    Along(
        "matrices_of_axes",
        "q = W @ S + (Q @ x) + (W @ k)\n"
        "S' = tanh(a * S + b * (W.T @ (q * q)) + (K @ x) + W.T @ (m * m))\n"
        "y = sum((W @ S') * q, head) + max(R @ S', rank) + R.T @ (R @ S) * n\n"
        "z = P @ sum(W @ (W.T @ q), head)",
        {
            "S": ["head", "key"],
            "W": ["value", "key"],
            "R": ["rank", "value", "key"],
            "Q": ["head", "value", "input"],
            "K": ["head", "key", "input"],
            "P": ["out", "value"],
            "q": ["head", "value"],
            "y": ["head", "value", "key"],
            **{"a": "key", "k": "key", "m": "value", "n": "key", "b": ["head", "key"]},
        },
        {"head": 3, "value": 2, "key": 5, "rank": 2, "out": 3},
        output=("y", "z"),
    ),
    Along(
        "matrices_square_and_apart",
        "q = (W @ S) + (W.T @ (S * a)) * k\n"
        "p = (B @ S) + (B @ k) + (W.T @ k) * sum(a)\n"
        "S' = tanh(a * S + b * (W @ q) + (K @ x) + (W @ k))\n"
        "h' = sin((R @ h) + (R @ m) + (V @ x) + sum(p, value))\n"
        "y = sum((W.T @ (W @ S')) * p, value) + R @ (R @ h')\n"
        "z = Q @ (W @ sum(W.T @ q, head))",
        {
            **{name: ["head", "key"] for name in ("S", "h", "q", "b", "y")},
            "W": ["key", "key"],
            "R": ["head", "key", "key"],
            "B": ["head", "value", "key"],
            "K": ["head", "key", "input"],
            "V": ["head", "key", "input"],
            "Q": ["out", "key"],
            "p": ["head", "value", "key"],
            **{"a": "key", "k": "key", "m": "key"},
        },
        {"head": 3, "value": 2, "key": 4, "out": 3},
        output=("y", "z"),
    ),
    Along(
        "square_matrices_of_the_input",
        "T' = tanh(T + (H @ T) + (V @ x))\nS' = cos((A @ S) * x + (A.T @ x) + sum(H.T @ T'))\ny = mean(A @ (A @ S'), input)",
        {
            "S": ["value", "input"],
            "T": ["value", "hidden"],
            "A": ["input", "input"],
            "H": ["hidden", "hidden"],
            "V": ["value", "hidden", "input"],
        },
        {INPUT: 4, HIDDEN: 3, "value": 2},
        output=("y",),
    ),
    Along(
        "square_matrix_of_several_rows",
        "q = R @ S\nS' = tanh(a * S + (R.T @ (q * q)) + (K @ x) + (R.T @ m))\ny = max(R @ (R.T @ q), rank)",
        {
            "S": ["head", "key"],
            "R": ["rank", "key", "key"],
            "K": ["head", "key", "input"],
            "q": ["head", "rank", "key"],
            "m": ["rank", "key"],
            "a": "key",
        },
        {"head": 3, "rank": 2, "key": 4},
        output=("y",),
    ),
    Along(
        "square_matrix_by_an_equation_below",
        "S' = sin((A @ S) + (A.T @ (S * k)))\nh' = tanh(h + x + sum(S', value))",
        {"S": ["value", "input"], "A": ["hidden", "input"], "k": "value"},
        {INPUT: 4, "value": 3},
        output=("h",),
    ),
    Along(
        "softmax_over_axes",
        "p = softmax(S * k + (K @ x), head)\n"
        "S' = sin(a * S + softmax(p * b + V @ x, key)) + softmax(S, value)\n"
        "y = sum(S' * softmax(k, key), key) + softmax(g * 2, value)",
        {
            **_HVK,
            "p": ["head", "value", "key"],
            "V": ["head", "value", "key", "input"],
            "k": "key",
            "g": ["head", "value"],
        },
        _THREE,
        output=("y",),
    ),
    Along(
        "x_with_the_hidden_size",
        "h' = tanh(b * h + sum(x * w, tap) + U @ h) + sum(x)",
        {"x": ["tap", "hidden"], "w": "tap"},
        {"tap": 3, HIDDEN: 5},
    ),
)
"""Cells of the tests' own: axes in subsets, reductions over every one of them, matrices with axes of rows."""

EVERY = (*PUBLISHED, *OWN)
