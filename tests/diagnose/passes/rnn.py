"""A vanilla RNN's backward pass, by hand."""

import numpy as np


def backward_step(params, cache, dstate):
    x, h, h_next = cache["x"], cache["h"], cache["h'"]
    dh_next = dstate["h"]
    da = dh_next * (1 - h_next**2)
    dW_xh = da.T @ x
    dW_hh = da.T @ h
    db = da.sum(axis=0)
    dx = da @ params["W_xh"]
    dh = da @ params["W_hh"]
    return {"W_xh": dW_xh, "W_hh": dW_hh, "b_h": db}, {"h": dh}, dx


def backward(params, caches, dy, dstate):
    T = len(caches)
    dW_xh = np.zeros_like(params["W_xh"])
    dW_hh = np.zeros_like(params["W_hh"])
    db = np.zeros_like(params["b_h"])
    dx = np.zeros((T, *caches[0]["x"].shape))
    dh = dstate["h"]
    for t in reversed(range(T)):
        x, h_prev, h = caches[t]["x"], caches[t]["h"], caches[t]["h'"]
        dh = dh + dy[t]
        da = dh * (1 - h**2)
        dW_xh += da.T @ x
        dW_hh += da.T @ h_prev
        db += da.sum(axis=0)
        dx[t] = da @ params["W_xh"]
        dh = da @ params["W_hh"]
    return {"W_xh": dW_xh, "W_hh": dW_hh, "b_h": db}, {"h": dh}, dx
