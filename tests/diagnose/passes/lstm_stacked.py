"""An LSTM's backward pass as lecture notes have it: a row times stacked weights, gates i, f, o, g side by side."""

import numpy as np


def backward_step(params, cache, dstate):
    Wx, Wh = params["Wx"], params["Wh"]
    prev_c, next_c = cache["c"], cache["c'"]
    i, f, o, g = cache["i"], cache["f"], cache["o"], cache["g"]
    dnext_h, dnext_c = dstate["h"], dstate["c"]
    dnext_c = dnext_c + dnext_h * o * (1 - np.tanh(next_c) ** 2)
    da_i = dnext_c * g * i * (1 - i)
    da_f = dnext_c * prev_c * f * (1 - f)
    da_o = dnext_h * np.tanh(next_c) * o * (1 - o)
    da_g = dnext_c * i * (1 - g**2)
    da = np.hstack((da_i, da_f, da_o, da_g))
    dx = da @ Wx.T
    dprev_h = da @ Wh.T
    dprev_c = dnext_c * f
    dWx = cache["x"].T @ da
    dWh = cache["h"].T @ da
    db = da.sum(axis=0)
    return {"Wx": dWx, "Wh": dWh, "b": db}, {"h": dprev_h, "c": dprev_c}, dx
