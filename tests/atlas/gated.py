"""Steps of cells with several gates, written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tests.atlas.written import Array, Step, Values, relu, sigmoid


def lstm(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    a = {g: getattr(p, f"W_x{g}") @ x + getattr(p, f"W_h{g}") @ s.h + getattr(p, f"b_{g}") for g in "ifog"}
    c = sigmoid(a["f"]) * s.c + sigmoid(a["i"]) * np.tanh(a["g"])
    return {"c": c, "h": sigmoid(a["o"]) * np.tanh(c)}


def lstm_1997(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    squashed = 4 / (1 + np.exp(-p.W_c @ x - p.U_c @ s.y)) - 2
    state = s.s_c + sigmoid(p.W_in @ x + p.U_in @ s.y + p.b_in) * squashed
    return {
        "s_c": state,
        "y": sigmoid(p.W_out @ x + p.U_out @ s.y + p.b_out) * (2 / (1 + np.exp(-state)) - 1),
    }


@dataclass(frozen=True)
class Vanilla:
    """The vanilla cell of the search space odyssey, with one part changed."""

    without: str = ""
    linear: str = ""
    coupled: bool = False
    full: bool = False

    def __call__(self, p: Values, x: Array, s: Values) -> Mapping[str, Array]:
        i = self._gate("i", s.c, p, x, s)
        f = 1 - i if self.coupled else self._gate("f", s.c, p, x, s)
        z = p.W_z @ x + p.R_z @ s.y + p.b_z
        c = (z if self.linear == "g" else np.tanh(z)) * i + s.c * f
        o = self._gate("o", c, p, x, s)
        y = (c if self.linear == "h" else np.tanh(c)) * o
        return {"c": c, "y": y} | ({"i": i, "f": f, "o": o} if self.full else {})

    def _gate(self, g: str, seen: Array, p: Values, x: Array, s: Values) -> Array:
        if self.without == g:
            return np.ones_like(seen)
        w, r, peephole, b = (getattr(p, f"{letter}_{g}") for letter in "WRpb")
        a = w @ x + r @ s.y + peephole * seen + b
        if self.full:
            for other in "ifo":
                a = a + getattr(p, f"R_{other}{g}") @ getattr(s, other)
        return sigmoid(a)


def lstmp(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    def gate(g: str, seen: Array) -> Array:
        return sigmoid(
            getattr(p, f"W_{g}x") @ x
            + getattr(p, f"W_{g}r") @ s.r
            + np.diag(getattr(p, f"w_{g}c")) @ seen
            + getattr(p, f"b_{g}")
        )

    c = gate("f", s.c) * s.c + gate("i", s.c) * np.tanh(p.W_cx @ x + p.W_cr @ s.r + p.b_c)
    return {"c": c, "r": p.W_rm @ (gate("o", c) * np.tanh(c))}


def wmc_lstm(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    def gate(g: str, seen: Array) -> Array:
        w, u, v, b = (getattr(p, name) for name in (f"W_{g}x", f"W_{g}h", f"W_{g}c", f"b_{g}"))
        return sigmoid(w @ x + u @ s.h + np.tanh(v @ seen) + b)

    c = gate("f", s.c) * s.c + gate("i", s.c) * np.tanh(p.W_gx @ x + p.W_gh @ s.h + p.b_g)
    return {"c": c, "h": gate("o", c) * np.tanh(c)}


def slstm(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    """Without the stabiliser: its states are the paper's times exp(m), and the output does not depend on m."""
    a = {g: getattr(p, f"W_{g}") @ x + getattr(p, f"R_{g}") @ s.h + getattr(p, f"b_{g}") for g in "zifo"}
    m = np.maximum(a["f"] + s.m, a["i"])
    c = np.exp(a["f"]) * (s.c * np.exp(s.m)) + np.exp(a["i"]) * np.tanh(a["z"])
    n = np.exp(a["f"]) * (s.n * np.exp(s.m)) + np.exp(a["i"])
    return {"m": m, "c": c * np.exp(-m), "n": n * np.exp(-m), "h": sigmoid(a["o"]) * c / n}


def nas(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    wx = [getattr(p, f"W_{k}") @ x for k in range(8)]
    uh = [getattr(p, f"U_{k}") @ s.h for k in range(8)]
    a = [w * u if k == 3 else w + u for k, (w, u) in enumerate(zip(wx, uh, strict=True))]
    left = np.tanh(np.tanh(sigmoid(a[0]) * relu(a[1])) + s.c)
    c = left * np.tanh(sigmoid(a[2]) + relu(a[3]))
    right = np.tanh(np.tanh(np.tanh(a[4]) * sigmoid(a[5])) + sigmoid(np.tanh(a[6]) + sigmoid(a[7])))
    return {"c": c, "h": np.tanh(c * right)}


@dataclass(frozen=True)
class Salem:
    """A GRU whose gates read the state, add a bias, both or neither."""

    state: bool = True
    bias: bool = True

    def __call__(self, p: Values, x: Array, s: Values) -> Mapping[str, Array]:
        z, r = (self._gate(p, g, s.h) for g in "zr")
        candidate = np.tanh(p.W_h @ x + p.U_h @ (r * s.h) + p.b_h)
        return {"h": s.h + z * (candidate - s.h)}

    def _gate(self, p: Values, g: str, h: Array) -> Array:
        a = np.zeros_like(h)
        if self.state:
            a = a + getattr(p, f"U_{g}") @ h
        if self.bias:
            a = a + getattr(p, f"b_{g}")
        return sigmoid(a)


def mut1(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    z, r = sigmoid(p.W_xz @ x + p.b_z), sigmoid(p.W_xr @ x + p.W_hr @ s.h + p.b_r)
    new = np.tanh(p.W_hh @ (r * s.h) + np.tanh(x) + p.b_h)
    return {"h": s.h + z * (new - s.h)}


def mut2(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    z, r = sigmoid(p.W_xz @ x + p.W_hz @ s.h + p.b_z), sigmoid(x + p.W_hr @ s.h + p.b_r)
    new = np.tanh(p.W_hh @ (r * s.h) + p.W_xh @ x + p.b_h)
    return {"h": s.h + z * (new - s.h)}


def mut3(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    z, r = sigmoid(p.W_xz @ x + p.W_hz @ np.tanh(s.h) + p.b_z), sigmoid(p.W_xr @ x + p.W_hr @ s.h + p.b_r)
    new = np.tanh(p.W_hh @ (r * s.h) + p.W_xh @ x + p.b_h)
    return {"h": s.h + z * (new - s.h)}


def ugrnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    c = np.tanh(p.W_ch @ s.h + p.W_cx @ x + p.b_c)
    g = sigmoid(p.W_gh @ s.h + p.W_gx @ x + p.b_g + 1)
    return {"h": c + g * (s.h - c)}


def brc(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    return _bistable(p, x, s.h, np.diag(p.w_a), np.diag(p.w_c))


def nbrc(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    return _bistable(p, x, s.h, p.W_a, p.W_c)


def _bistable(p: Values, x: Array, h: Array, w_a: Array, w_c: Array) -> Mapping[str, Array]:
    a = 1 + np.tanh(p.U_a @ x + w_a @ h)
    c = sigmoid(p.U_c @ x + w_c @ h)
    return {"h": c * h + (1 - c) * np.tanh(p.U @ x + a * h)}


def intersection_rnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    def linear(kind: str, bias: str) -> Array:
        found: Array = getattr(p, f"W_{kind}h") @ s.h + getattr(p, f"W_{kind}x") @ x + getattr(p, bias)
        return found

    y_in, h_in = relu(linear("y", "b_yin")), np.tanh(linear("h", "b_hin"))
    g_y, g_h = sigmoid(linear("gy", "b_gy") + 1), sigmoid(linear("gh", "b_gh") + 1)
    return {"y": y_in + g_y * (x - y_in), "h": h_in + g_h * (s.h - h_in)}


def augru(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    u, r = (sigmoid(getattr(p, f"W_{g}") @ x + getattr(p, f"U_{g}") @ s.h + getattr(p, f"b_{g}")) for g in "ur")
    candidate = np.tanh(p.W_h @ x + np.diag(r) @ p.U_h @ s.h + p.b_h)
    return {"h": s.h + p.a * u * (candidate - s.h)}


def lstm_time_aware(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    short = np.tanh(p.W_d @ s.c + p.b_d)
    aged = s.c - short + short / np.log(np.e + p.delta_t)
    a = {g: getattr(p, f"W_{g}") @ x + getattr(p, f"U_{g}") @ s.h + getattr(p, f"b_{g}") for g in "fioc"}
    c = sigmoid(a["f"]) * aged + sigmoid(a["i"]) * np.tanh(a["c"])
    return {"c": c, "h": sigmoid(a["o"]) * np.tanh(c)}


def rhn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    state = s.h
    for layer in (1, 2, 3):
        a = {k: getattr(p, f"R_{k}_{layer}") @ state + getattr(p, f"b_{k}_{layer}") for k in "HTC"}
        if layer == 1:
            a = {k: each + getattr(p, f"W_{k}") @ x for k, each in a.items()}
        state = np.tanh(a["H"]) * sigmoid(a["T"]) + state * sigmoid(a["C"])
    return {"h": state}


def lstm_mogrifier(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    x = 2 * sigmoid(p.Q_1 @ s.h) * x
    h = 2 * sigmoid(p.R_2 @ x) * s.h
    x = 2 * sigmoid(p.Q_3 @ h) * x
    h = 2 * sigmoid(p.R_4 @ x) * h
    x = 2 * sigmoid(p.Q_5 @ h) * x
    a = {g: getattr(p, f"W_{g}x") @ x + getattr(p, f"W_{g}h") @ h + getattr(p, f"b_{g}") for g in "fijo"}
    c = sigmoid(a["f"]) * s.c + sigmoid(a["i"]) * np.tanh(a["j"])
    return {"c": c, "h": sigmoid(a["o"]) * np.tanh(c)}


def lstm_ordered(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    def linear(kind: str) -> Array:
        found: Array = getattr(p, f"W_{kind}") @ x + getattr(p, f"U_{kind}") @ s.h + getattr(p, f"b_{kind}")
        return found

    def cumax(a: Array) -> Array:
        found: Array = np.tri(len(a)) @ np.exp(a) / np.exp(a).sum()
        return found

    f, i, o = (sigmoid(linear(g)) for g in "fio")
    keep, take = cumax(linear("f_tilde")), 1 - cumax(linear("i_tilde"))
    both = keep * take
    c = (f * both + keep - both) * s.c + (i * both + take - both) * np.tanh(linear("c"))
    return {"c": c, "h": o * np.tanh(c)}


def gru_skip(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    h, (probability,) = s.h, s.u_tilde
    due = probability >= 0.5
    if due:
        z, r = (sigmoid(getattr(p, f"W_x{k}") @ x + getattr(p, f"W_h{k}") @ h + getattr(p, f"b_{k}")) for k in "zr")
        candidate = np.tanh(p.W_xh @ x + p.W_hh @ (r * h) + p.b_h)
        h = candidate + z * (h - candidate)
    rise = sigmoid(p.w_p @ h + p.b_p)
    return {"h": h, "u_tilde": rise if due else np.minimum(probability + rise, 1)}


def lstm_zoneout(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    new = lstm(p, x, s)
    return {"c": new["c"] + p.d_c * (s.c - new["c"]), "h": new["h"] + p.d_h * (s.h - new["h"])}


def lstm_recurrent_dropout(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    a = {g: getattr(p, f"W_{g}") @ x + getattr(p, f"U_{g}") @ s.h + getattr(p, f"b_{g}") for g in "ifog"}
    c = sigmoid(a["f"]) * s.c + sigmoid(a["i"]) * np.tanh(a["g"]) * p.d
    return {"c": c, "h": sigmoid(a["o"]) * np.tanh(c)}


VARIANTS: Mapping[str, Step] = {
    "lstm_vanilla": Vanilla(),
    "lstm_nig": Vanilla(without="i"),
    "lstm_nfg": Vanilla(without="f"),
    "lstm_nog": Vanilla(without="o"),
    "lstm_niaf": Vanilla(linear="g"),
    "lstm_noaf": Vanilla(linear="h"),
    "lstm_cifg": Vanilla(coupled=True),
    "lstm_fgr": Vanilla(full=True),
    "gru1": Salem(),
    "gru2": Salem(bias=False),
    "gru3": Salem(state=False),
}
"""Cells that differ from another one in a part."""
