"""A multiplicative LSTM's backward pass, by hand."""

import numpy as np


def backward_step(params, cache, dstate):
    x, h, m = cache["x"], cache["h"], cache["m"]
    i, f, o, g = cache["i"], cache["f"], cache["o"], cache["g"]
    from_x, from_h = x @ params["W_xm"].T, h @ params["W_hm"].T
    tanh_c = np.tanh(cache["c'"])
    dc = dstate["c"] + dstate["h"] * o * (1 - tanh_c**2)
    gates = {
        "i": dc * g * i * (1 - i),
        "f": dc * cache["c"] * f * (1 - f),
        "o": dstate["h"] * tanh_c * o * (1 - o),
        "g": dc * i * (1 - g**2),
    }
    dm = sum(da @ params["W_m" + k] for k, da in gates.items())
    dfrom_x, dfrom_h = dm * from_h, dm * from_x
    dx = dfrom_x @ params["W_xm"] + sum(da @ params["W_x" + k] for k, da in gates.items())
    dh = dfrom_h @ params["W_hm"]
    grads = {"W_xm": dfrom_x.T @ x, "W_hm": dfrom_h.T @ h}
    for k, da in gates.items():
        grads["W_x" + k] = da.T @ x
        grads["W_m" + k] = da.T @ m
        grads["b_" + k] = da.sum(0)
    return grads, {"h": dh, "c": dc * f}, dx
