"""A minimal gated unit's backward pass, by hand."""


def backward_step(params, cache, dstate):
    x, h, f, n = cache["x"], cache["h"], cache["f"], cache["h_tilde"]
    dnew = dstate["h"]
    dan = dnew * f * (1 - n**2)
    dfh = dan @ params["W_hh"]
    df = dnew * (n - h) + dfh * h
    daf = df * f * (1 - f)
    dh = dnew * (1 - f) + dfh * f + daf @ params["W_hf"]
    dx = daf @ params["W_xf"] + dan @ params["W_xh"]
    grads = {
        "W_xf": daf.T @ x,
        "W_hf": daf.T @ h,
        "b_f": daf.sum(0),
        "W_xh": dan.T @ x,
        "W_hh": dan.T @ (f * h),
        "b_h": dan.sum(0),
    }
    return grads, {"h": dh}, dx
