"""Steps of cells with one gate or two, of linear ones, and of normalised ones, written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tests.atlas.written import Array, Step, Values, relu, sigmoid, standard


def janet(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    a = p.U_f @ s.h + p.W_f @ x + p.b_f
    candidate = np.tanh(p.U_c @ s.h + p.W_c @ x + p.b_c)
    return {"h": sigmoid(a) * s.h + sigmoid(1 - a) * candidate}


def mgu(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    f = sigmoid(np.hstack([p.W_fh, p.W_fx]) @ np.hstack([s.h, x]) + p.b_f)
    candidate = np.tanh(np.hstack([p.W_hh, p.W_hx]) @ np.hstack([f * s.h, x]) + p.b_h)
    return {"h": s.h + f * (candidate - s.h)}


@dataclass(frozen=True)
class Heck:
    """A minimal gated unit whose gate reads the state, adds a bias, or both."""

    state: bool = True
    bias: bool = True

    def __call__(self, p: Values, x: Array, s: Values) -> Mapping[str, Array]:
        zero = np.zeros_like(s.h)
        a: Array = (p.U_f @ s.h if self.state else zero) + (p.b_f if self.bias else zero)
        f = sigmoid(a)
        candidate = np.tanh(p.W_h @ x + p.U_h @ (f * s.h) + p.b_h)
        return {"h": s.h + f * (candidate - s.h)}


def minimal_rnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    z = np.tanh(p.W_x @ x + p.b_z)
    u = sigmoid(np.hstack([p.U_h, p.U_z]) @ np.hstack([s.h, z]) + p.b_u)
    return {"h": z + u * (s.h - z)}


def light_ru(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    candidate = np.tanh(p.W_h @ x)
    f = sigmoid(p.W_f @ x + p.U_f @ s.h + p.b_f)
    return {"h": s.h + f * (candidate - s.h)}


def sgrn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    content = p.W @ x
    f = sigmoid(content + p.U @ s.h + p.b)
    return {"h": np.tanh(content + f * (s.h - content))}


def star(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    z = np.tanh(p.W_z @ x + p.b_z)
    k = sigmoid(p.W_x @ x + p.W_h @ s.h + p.b_k)
    return {"h": np.tanh(s.h + k * (z - s.h))}


def atr(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    new, old = p.W_p @ x, p.W_q @ s.h
    return {"h": sigmoid(new + old) * new + sigmoid(new - old) * s.h}


def ligru(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    z = sigmoid(p.W_z @ x + p.U_z @ s.h + p.b_z)
    candidate = relu(p.W_h @ x + p.U_h @ s.h + p.b_h)
    return {"h": candidate + z * (s.h - candidate)}


def ran(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    i, f = (sigmoid(getattr(p, f"W_{g}h") @ s.h + getattr(p, f"W_{g}x") @ x + getattr(p, f"b_{g}")) for g in "if")
    c = i * (p.W_cx @ x) + f * s.c
    return {"c": c, "h": np.tanh(c)}


def cfn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    theta = sigmoid(p.U_theta @ s.h + p.V_theta @ x + p.b_theta)
    eta = sigmoid(p.U_eta @ s.h + p.V_eta @ x + p.b_eta)
    return {"h": theta * np.tanh(s.h) + eta * np.tanh(p.W @ x)}


def fastrnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    candidate = np.tanh(p.W @ x + p.U @ s.h + p.b)
    return {"h": candidate / (1 + np.exp(-p.alpha)) + s.h / (1 + np.exp(-p.beta))}


def fastgrnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    shared = p.W @ x + p.U @ s.h
    z, candidate = sigmoid(shared + p.b_z), np.tanh(shared + p.b_h)
    return {"h": (sigmoid(p.zeta) * (1 - z) + sigmoid(p.nu)) * candidate + z * s.h}


def trnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    z, f = p.W @ x, sigmoid(p.V @ x + p.b)
    return {"h": z + f * (s.h - z)}


def qrnn_f(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    window = np.hstack([s.x_last, x])
    z, f = np.tanh(np.hstack([p.W_z1, p.W_z2]) @ window), sigmoid(np.hstack([p.W_f1, p.W_f2]) @ window)
    return {"x_last": x, "h": z + f * (s.h - z)}


@dataclass(frozen=True)
class Pooled:
    """A quasi-recurrent network with an output gate, and perhaps an input gate of its own."""

    gates: str

    def __call__(self, p: Values, x: Array, s: Values) -> Mapping[str, Array]:
        window = np.hstack([s.x_last, x])
        a = {g: np.hstack([getattr(p, f"W_{g}1"), getattr(p, f"W_{g}2")]) @ window for g in ("z", *self.gates)}
        f = sigmoid(a["f"])
        c = f * s.c + (sigmoid(a["i"]) if "i" in a else 1 - f) * np.tanh(a["z"])
        return {"x_last": x, "c": c, "h": sigmoid(a["o"]) * c}


def sru(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    f, r = (
        sigmoid(getattr(p, f"W_{g}") @ x + np.diag(getattr(p, f"v_{g}")) @ s.c + getattr(p, f"b_{g}")) for g in "fr"
    )
    content = p.W @ x
    c = content + f * (s.c - content)
    return {"c": c, "h": x + r * (c - x)}


def lru(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    eigenvalue = np.exp(-np.exp(p.nu_log) + 1j * np.exp(p.theta_log))
    state = eigenvalue * (s.h_re + 1j * s.h_im) + np.exp(p.gamma_log) * ((p.B_re + 1j * p.B_im) @ x)
    return {"h_re": state.real, "h_im": state.imag, "y": ((p.C_re + 1j * p.C_im) @ state).real + p.D @ x}


def t_gru(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    a = _typed(p, x, s)
    return {"h": sigmoid(a["f"]) * s.h + a["z"] * np.tanh(a["o"]), "x_previous": x}


def t_lstm(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    a = _typed(p, x, s)
    c = a["z"] + sigmoid(a["f"]) * (s.c - a["z"])
    return {"c": c, "h": np.tanh(a["o"]) * c, "x_previous": x}


def _typed(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    both = np.concatenate([s.x_previous, x])
    return {g: np.hstack([getattr(p, f"V_{g}"), getattr(p, f"W_{g}")]) @ both + getattr(p, f"b_{g}") for g in "zfo"}


def s5(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    eigenvalue, width = p.Lambda_re + 1j * p.Lambda_im, np.exp(p.log_Delta)
    kept = np.exp(eigenvalue * width)
    taken = np.diag((kept - 1) / eigenvalue) @ (p.B_re + 1j * p.B_im)
    state = kept * (s.s_re + 1j * s.s_im) + taken @ x
    return {"s_re": state.real, "s_im": state.imag, "y": 2 * ((p.C_re + 1j * p.C_im) @ state).real + p.D * x}


def gilr(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    g, i = sigmoid(p.U @ x + p.b_g), np.tanh(p.V @ x + p.b_z)
    return {"h": i + g * (s.h - i)}


def mingru(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    z, candidate = sigmoid(p.W_z @ x + p.b_z), p.W_h @ x + p.b_h
    return {"h": s.h + z * (candidate - s.h)}


def minlstm(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    f, i = sigmoid(p.W_f @ x + p.b_f), sigmoid(p.W_i @ x + p.b_i)
    return {"h": (f * s.h + i * (p.W_h @ x + p.b_h)) / (f + i)}


def rg_lru(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    r, i = sigmoid(p.W_a @ x + p.b_a), sigmoid(p.W_x @ x + p.b_x)
    a = sigmoid(p.Lambda) ** (8 * r)
    return {"h": a * s.h + np.sqrt(1 - a * a) * i * x}


def rnn_layernorm(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    return {"h": np.tanh(p.g * standard(p.W_hh @ s.h + p.W_xh @ x, 1e-5) + p.b)}


def _stacked(p: Values, kind: str, gates: str) -> Array:
    found: Array = np.concatenate([getattr(p, f"{kind}{g}") for g in gates])
    return found


def lstm_layernorm(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    def ln(z: Array, n: int) -> Array:
        return standard(z, 1e-3) * _stacked(p, f"alpha_{n}", "fiog") + _stacked(p, f"beta_{n}", "fiog")

    a = ln(_stacked(p, "W_h", "fiog") @ s.h, 1) + ln(_stacked(p, "W_x", "fiog") @ x, 2) + _stacked(p, "b_", "fiog")
    f, i, o, g = np.split(a, 4)
    c = sigmoid(f) * s.c + sigmoid(i) * np.tanh(g)
    return {"c": c, "h": sigmoid(o) * np.tanh(standard(c, 1e-3) * p.alpha_3 + p.beta_3)}


def gru_layernorm(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    def ln(z: Array, n: int) -> Array:
        return standard(z, 1e-5) * _stacked(p, f"alpha_{n}", "zr") + _stacked(p, f"beta_{n}", "zr")

    z, r = np.split(ln(_stacked(p, "W_h", "zr") @ s.h, 1) + ln(_stacked(p, "W_x", "zr") @ x, 2), 2)
    recurrent = standard(p.U @ s.h, 1e-5) * p.alpha_4 + p.beta_4
    candidate = np.tanh(standard(p.W @ x, 1e-5) * p.alpha_3 + p.beta_3 + sigmoid(r) * recurrent)
    return {"h": s.h + sigmoid(z) * (candidate - s.h)}


VARIANTS: Mapping[str, Step] = {
    "mgu1": Heck(),
    "mgu2": Heck(bias=False),
    "mgu3": Heck(state=False),
    "qrnn_fo": Pooled("fo"),
    "qrnn_ifo": Pooled("foi"),
}
"""Cells that differ from another one in a part."""
