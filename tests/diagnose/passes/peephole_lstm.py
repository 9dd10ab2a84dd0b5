"""A peephole LSTM's backward pass, by hand."""

import numpy as np


def backward_step(params, cache, dstate):
    x, h, c_old, c = cache["x"], cache["h"], cache["c"], cache["c'"]
    i, f, g, o = cache["i"], cache["f"], cache["g"], cache["o"]
    dh = dstate["h"]
    da_o = dh * np.tanh(c) * o * (1 - o)
    dc = dstate["c"] + dh * o * (1 - np.tanh(c) ** 2) + da_o * params["p_o"]
    da_i = dc * g * i * (1 - i)
    da_f = dc * c_old * f * (1 - f)
    da_g = dc * i * (1 - g**2)
    dc_old = dc * f + da_i * params["p_i"] + da_f * params["p_f"]
    grads = {
        "p_i": (da_i * c_old).sum(0),
        "p_f": (da_f * c_old).sum(0),
        "p_o": (da_o * c).sum(0),
    }
    dx, dh_old = 0, 0
    for k, da in {"i": da_i, "f": da_f, "g": da_g, "o": da_o}.items():
        grads["W_x" + k], grads["W_h" + k], grads["b_" + k] = da.T @ x, da.T @ h, da.sum(0)
        dx = dx + da @ params["W_x" + k]
        dh_old = dh_old + da @ params["W_h" + k]
    return grads, {"h": dh_old, "c": dc_old}, dx
