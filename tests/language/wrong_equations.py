"""Wrong equations: functions and arguments, names and their order, sizes, matrices; each is refused with its place."""

from __future__ import annotations

from tests.language.wrong import Wrong

FUNCTIONS = (
    Wrong("unknown function", "h' = sigmod(W @ x)", (3, 6), "there is no function `sigmod`; did you mean `sigmoid`?"),
    Wrong("unknown function, none near", "h' = 2 * zzz(x)", (3, 10), "the functions are sigmoid, tanh,"),
    Wrong("a state called", "h' = h(x)", (3, 6), "to multiply write `h * (…)`"),
    Wrong("a function of derivatives", "h' = prefer(x, h)", (3, 6), "there is no function `prefer`"),
    Wrong("function without argument", "h' = tanh * x", (3, 6), "`tanh` is a function: its argument follows"),
    Wrong("too few arguments", "h' = maximum(x)", (3, 6), "`maximum` takes 2 arguments, found 1"),
    Wrong("too many arguments", "h' = mean(x, h)", (3, 6), "`mean` takes 1 argument, found 2"),
    Wrong("max of two", "h' = max(x, 0)", (3, 6), "found 2; the larger of two, unit by unit, is `maximum(a, b)`"),
    Wrong(
        "the largest of a number", "h' = max(2) * x", (3, 10), "`max` runs over the units of a vector; `2` is a number"
    ),
    Wrong("softmax of a number", "h' = softmax(2) * x", (3, 14), "`softmax` takes a vector; `2` is a number"),
    Wrong(
        "softmax of one number for all units", "m = mean(x)\nh' = h * softmax(m)", (4, 18), "`m` has size 1, one number"
    ),
    Wrong(
        "softmax of a scalar parameter",
        "h' = softmax(s) * x",
        (3, 14),
        "`s` has size 1, one number for all units",
        "[sizes]\ns = 1\n",
    ),
    Wrong(
        "softmax of another size",
        "a = softmax(P @ x)\nh' = a * h",
        (4, 10),
        "`a` has size inner, `h` has size hidden",
        "[sizes]\na = 'inner'\n",
    ),
    Wrong("cumsum of a number", "h' = cumsum(0.5) + x", (3, 13), "`cumsum` takes a vector; `0.5` is a number"),
    Wrong(
        "a function of derivatives, of vectors", "h' = revcumsum(x)", (3, 6), "there is no function `revcumsum`; write"
    ),
    Wrong("a name of derivatives", "revcumsum = W @ x\nh' = revcumsum", (3, 1), "`revcumsum` is a function of"),
    Wrong("softmax along an axis", "h' = softmax(h, 1) * x", (3, 6), "`softmax` takes 1 argument, found 2"),
    Wrong("a vector function's name", "softmax = W @ x\nh' = softmax", (3, 1), "`softmax` is a function"),
    Wrong("a reduction's name", "max = W @ x\nh' = max", (3, 1), "`max` is a function of the language"),
    Wrong("keyword argument", "h' = tanh(a=x)", (3, 6), "`tanh` takes plain arguments"),
)

NAMES = (
    Wrong(
        "next value above its assignment", "h' = c' + x\nc' = h", (3, 6), "`c'` is read before it is assigned in line 4"
    ),
    Wrong("intermediate above its assignment", "h' = m\nm = x", (3, 6), "`m` is read before it is assigned in line 4"),
    Wrong("intermediate of itself", "m = m + x\nh' = m", (3, 5), "`m` is read before it is assigned in line 3"),
    Wrong("next value never assigned", "cell' = x\nh' = cel'", (4, 6), "`cel'` is never assigned"),
    Wrong("next value misspelt", "cell' = x\nh' = cel'", (4, 6), "did you mean `cell'`?"),
    Wrong("assigned twice", "h' = x\n\nh' = h", (5, 1), "`h'` is assigned a second time, after line 3"),
    Wrong("state assigned as intermediate", "h' = x\nh = x", (4, 1), "`h` is a state, because `h'` is assigned"),
    Wrong("intermediate that becomes a state", "h = x\nh' = h", (3, 1), "`h` is a state, because `h'` is assigned"),
    Wrong("input assigned", "x = h\nh' = x", (3, 1), "`x` is the input of the step and cannot be assigned"),
    Wrong("next value of the input", "x' = h\nh' = h", (3, 1), "`x` is the input of the step and cannot be assigned"),
    Wrong("function assigned", "exp = x\nh' = h", (3, 1), "`exp` is a function of the language"),
    Wrong("hidden function as a name", "sign = x\nh' = sign", (3, 1), "`sign` is a function of the language"),
    Wrong("function assigned and read", "tanh = x\nh' = tanh", (3, 1), "`tanh` is a function of the language"),
    Wrong("constant assigned", "k = x\nh' = k", (3, 1), "cannot be assigned; use another name", "[constants]\nk = 1\n"),
    Wrong(
        "size of a constant",
        "h' = k * x",
        (8, 1),
        "[sizes] k: a constant has no",
        "[constants]\nk = 1\n[sizes]\nk = 1\n",
    ),
    Wrong(
        "start of a constant",
        "h' = k * x",
        (8, 1),
        "[init] k: a constant has no",
        "[constants]\nk = 1\n[init]\nk = 1\n",
    ),
    Wrong("unused intermediate", "h' = x\n  m = x", (4, 3), "`m` is assigned and never used"),
    Wrong(
        "misspelt where it is read",
        "cand = tanh(x)\nh' = h + cnd + b_cand",
        (3, 1),
        "`cand` is assigned and never used; if `cnd`, which nothing assigns, stands for it, correct that; else use it",
    ),
    Wrong(
        "a vector is no misspelt matrix",
        "Wg = tanh(x)\nh' = h + W_g @ x",
        (3, 1),
        "`Wg` is assigned and never used; use it, name it",
    ),
    Wrong(
        "a prepared matrix that is misspelt where it is read",
        "W_skew = W - W.T\nh' = W_skwe @ h + x",
        (3, 1),
        "`W_skew` is assigned and never used; if `W_skwe`, which nothing assigns, stands for it, correct that; else use it",
    ),
    Wrong("no state", "m = x", (3, 1), "the cell has no state"),
)

MATRICES = (
    Wrong(
        "size conflict",
        "c' = c\nh' = c + h",
        (4, 10),
        "`c` has size inner, `h` has size hidden",
        '[sizes]\nc = "inner"\n',
    ),
    Wrong("matrix used elementwise", "h' = W * h + W @ x", (3, 14), "`W` is a matrix, left of `@`, and a vector"),
    Wrong(
        "matrix between sizes", "h' = U @ h\nc' = U @ c", (4, 6), "takes a vector of size hidden", '[sizes]\nc = "p"\n'
    ),
    Wrong("sum of matrices of the step", "r = x\nh' = (U - r * U.T) @ h", (4, 7), "write `U @ h - (r * (U.T @ h))`"),
    Wrong("product of vectors", "h' = tanh((W @ x) @ h)", (3, 12), "found `W @ x`; for elementwise products write `*`"),
    Wrong("product of states", "c' = x\nh' = (W @ c) @ h", (4, 7), "found `W @ c`; for elementwise products write `*`"),
    Wrong("scaled matrix", "r = x\nh' = (r * W) @ h", (4, 7), "write `r * (W @ h)`"),
    Wrong(
        "vector as a matrix",
        "r = x\nh' = r @ h",
        (4, 6),
        "`r` is a vector of the step; for elementwise products write `*`",
    ),
    Wrong("input as a matrix", "h' = x.T @ h", (3, 6), "`x` is a vector of the step"),
    Wrong(
        "transposed matrix as a value",
        "h' = h * b.T",
        (3, 10),
        "`b.T` is a matrix; in the step a matrix stands left of `@`",
    ),
    Wrong("transposed state", "h' = x + h.T", (3, 10), "`h.T` is a matrix; in the step"),
    Wrong("attribute", "h' = h * W.shape", (3, 10), "the only attribute is `.T`"),
    Wrong("identity in the step", "h' = x + eye", (3, 10), "`eye` is a matrix; in the step"),
    Wrong(
        "identity as a name", "eye = x\nh' = eye", (3, 1), "`eye` is the identity matrix and cannot name anything else"
    ),
    Wrong(
        "axis of a vector",
        "h' = x / sum(h, input)",
        (3, 10),
        "`h` has size hidden, so `input` is no axis of it: write `hidden`",
    ),
    Wrong("axis that is a number", "V = W / sum(W, 1)\nh' = V @ x", (3, 16), "takes the name of an axis"),
    Wrong(
        "axis that no matrix has",
        "V = W / sum(W, rank)\nh' = V @ x",
        (3, 9),
        "has no single axis `rank`: its axes are hidden and input; write `columns` for the sum of each row",
    ),
    Wrong(
        "axis that both sides have",
        "V = U / sum(U, hidden)\nh' = V @ h",
        (3, 9),
        "has no single axis `hidden`: both axes are hidden; write `columns`",
    ),
    Wrong(
        "nothing tells the matrix",
        "v = a * b\nh' = v @ x",
        (3, 5),
        "`v` is a matrix, but nothing tells which part of `a * b` is one; a capital letter does",
    ),
    Wrong("matrix prepared and a value", "V = 2 * W\nh' = V @ x + V", (4, 14), "`V` is a matrix"),
    Wrong("matrix of the state", "V = h * W\nh' = V @ x", (4, 6), "`V` is a vector of the step"),
    Wrong("prepared below its use", "h' = V @ x\nV = 2 * W", (3, 6), "`V` is read before it is assigned in line 4"),
    Wrong("prepared and never used", "V = W - W.T\nh' = x + h", (3, 1), "`V` is assigned and never used"),
    Wrong(
        "matrices that do not fit",
        "V = A @ B + C\nh' = V @ x",
        (3, 13),
        "`C` has size other where input is needed",
        '[sizes]\nA = ["hidden", "rank"]\nC = ["hidden", "other"]\n',
    ),
    Wrong(
        "largest of a matrix",
        "V = W / max(W)\nh' = V @ x",
        (3, 9),
        "`max` of parameters alone is not prepared; `sum` and `mean` are",
    ),
    Wrong(
        "vector function of parameters",
        "V = W * softmax(a)\nh' = V @ x",
        (3, 9),
        "`softmax` of parameters alone is not prepared",
    ),
)
"""Sizes, matrices in the step, and matrices that are prepared from parameters."""

ALL = (*FUNCTIONS, *NAMES, *MATRICES)
"""All of them."""
