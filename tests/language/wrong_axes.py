"""Wrong named axes: of values, matrices and inputs; each is refused with its place, and told what to declare."""

from __future__ import annotations

from tests.language.wrong import Wrong

AXES = "[sizes]\nS = ['value', 'key']\n"

VALUES = (
    Wrong(
        "axes mixed and not declared",
        "h' = tanh((V @ x) * (K @ x))",
        (3, 22),
        "`V @ x` has size value and `K @ x` has size key, and no name here has all of these axes; declare "
        '`h = ["value", "key"]` under [sizes]',
        "[sizes]\nV = ['value', 'input']\nK = ['key', 'input']\n",
    ),
    Wrong(
        "axes mixed in an intermediate",
        "m = v * k\nS' = m + S",
        (3, 9),
        'declare `m = ["value", "key"]` under [sizes] if it is to have all of these axes; else name their combination',
        "[sizes]\nS = ['value', 'key']\nv = 'value'\nk = 'key'\n",
    ),
    Wrong(
        "axes mixed, where the target has its own",
        "m' = sum(k + v, key)\nS' = S",
        (3, 14),
        'in an equation of its own, `p = k + v`, and declare `p = ["value", "key"]` under [sizes]',
        "[sizes]\nm = 'value'\nv = 'value'\nk = 'key'\nS = ['value', 'key']\n",
    ),
    Wrong(
        "input beside axes that are not its own",
        "S' = S + x",
        (3, 10),
        "`S` has the axes value, key and `x` has size input, and no name here has all of these axes; name their",
        AXES,
    ),
    Wrong(
        "axes in another order",
        "S' = S + M",
        (3, 10),
        "`M` has the axes key, value, and meets a value whose axes stand in another order, value, key; declare them in one "
        'order under [sizes], here `M = ["value", "key"]`',
        f"{AXES}M = ['key', 'value']\n",
    ),
    Wrong(
        "rows in another order",
        "S' = S + Q @ x",
        (3, 10),
        'here `Q = ["value", "key", "input"]`',
        f"{AXES}Q = ['key', 'value', 'input']\n",
    ),
    Wrong(
        "state of a state in another order",
        "S' = S * x\nT' = S'",
        (4, 6),
        'here `S = ["input", "value"]`',
        "[sizes]\nS = ['value', 'input']\nT = ['input', 'value']\n",
    ),
    Wrong(
        "sum over an axis that is not there",
        "S' = S - sum(S, head)",
        (3, 10),
        "`S` has the axes value, key, so `head` is no axis of it: write `value` or `key`",
        AXES,
    ),
    Wrong(
        "sum over rows", "S' = S - sum(S, rows)", (3, 10), "so `rows` is no axis of it: write `value` or `key`", AXES
    ),
    Wrong("mean over columns", "S' = S - mean(S, columns)", (3, 10), "so `columns` is no axis of it", AXES),
    Wrong(
        "sum over an axis twice",
        "m = sum(S, key)\nS' = S - sum(m, key)",
        (4, 10),
        "`m` has size value, so `key` is no axis of it: write `value`",
        AXES,
    ),
    Wrong("sum over two axes", "S' = S - sum(S, value, key)", (3, 10), "`sum` takes 1 argument, found 3", AXES),
    Wrong("axis a number", "S' = S - sum(S, 1)", (3, 17), "takes the name of an axis", AXES),
)

MATRICES = (
    Wrong(
        "matrix of a value with axes",
        "S' = S * x\nm' = W @ S'",
        (4, 6),
        "`W @` acts on the last axis of what has several, and `S'` has the axes value, input; declare the rows and columns of "
        '`W` under [sizes], as in `W = ["rows", "input"]`',
        "[sizes]\nS = ['value', 'input']\n",
    ),
    Wrong(
        "matrix of what has axes only below",
        "m' = W @ a\nS' = S * a",
        (3, 6),
        '`W @` meets `a` before its axes, value, key, are known; declare `a = ["value", "key"]` and '
        '`W = ["rows", "key"]` under [sizes]',
        AXES,
    ),
    Wrong(
        "transpose of a value with axes",
        "m' = W.T @ S\nS' = S",
        (3, 6),
        "`W.T @` acts on the last axis of what has several, and `S` has the axes value, key; declare the rows and columns of "
        '`W` under [sizes], as in `W = ["key", "columns"]`',
        AXES,
    ),
    Wrong(
        "matrix of another axis",
        "m' = W @ S\nS' = S",
        (3, 6),
        "`W @` acts on the last axis of what has several, and `S` has the axes value, key; `W` takes a value of size input; "
        "use another matrix",
        f"{AXES}W = ['hidden', 'input']\n",
    ),
    Wrong(
        "matrix of an axis that is not the last",
        "m' = sum(W @ S)\nS' = S",
        (3, 10),
        "`W` has the axes hidden, value; write the sum out, `p = W * S` and `sum(p, value)`, and declare "
        '`p = ["hidden", "value", "key"]` under [sizes]',
        f"{AXES}W = ['hidden', 'value']\n",
    ),
    Wrong(
        "matrix with an axis of the value in its rows",
        "m' = sum(R @ S)\nS' = S",
        (3, 10),
        "`R` has the axes value, key; write the sum out, `p = R * S` and `sum(p, key)`, and declare "
        '`p = ["value", "key"]` under [sizes]',
        f"{AXES}R = ['value', 'key']\n",
    ),
    Wrong(
        "matrix with an axis of the value behind another",
        "m' = sum(R @ S)\nS' = S",
        (3, 10),
        '`R` has a matrix for each unit of `value`: declare this axis first, as in `R = ["value", "hidden", "key"]`',
        f"{AXES}R = ['hidden', 'value', 'key']\n",
    ),
    Wrong(
        "matrix with two axes of the value in another order",
        "m' = sum(R @ S)\nS' = S",
        (3, 10),
        "`R` has a matrix for each unit of `head` and `value`: declare these axes first, as in "
        '`R = ["head", "value", "hidden", "key"]`',
        "[sizes]\nS = ['head', 'value', 'key']\nR = ['value', 'head', 'hidden', 'key']\n",
    ),
    Wrong(
        "square matrix of an axis that is not the last",
        "m' = sum(W @ S)\nS' = S",
        (3, 10),
        '`W` has the axes value, value; declare the value with `value` last, as in `S = ["key", "value"]`',
        f"{AXES}W = ['value', 'value']\n",
    ),
    Wrong(
        "transpose of a matrix for each unit of an axis",
        "S' = R @ S\nm' = sum(R.T @ S)",
        (4, 10),
        "`R @` has a matrix for each unit of `value`, and `R.T @` sums over all rows, `value` too; use another matrix",
        f"{AXES}R = ['value', 'key', 'key']\n",
    ),
    Wrong(
        "transpose of a matrix for each unit of an axis above",
        "m' = sum(R.T @ S)\nS' = R @ S",
        (3, 10),
        "`R @` has a matrix for each unit of `value`, and `R.T @` sums over all rows, `value` too; use another matrix",
        f"{AXES}R = ['value', 'key', 'key']\n",
    ),
    Wrong(
        "matrix whose rows become an axis of the value by an equation below",
        "m = W @ S\nS' = S + sum(m)\nh' = h + x",
        (3, 5),
        "`W` has the axes hidden, key; write the sum out",
        "[sizes]\nS = ['input', 'key']\nW = ['hidden', 'key']\n",
    ),
    Wrong(
        "matrix with an axis twice in its rows",
        "S' = tanh(R @ S)",
        (7, 1),
        "[sizes] R: a name has an axis once among its rows, found ['key', 'key', 'key']",
        f"{AXES}R = ['key', 'key', 'key']\n",
    ),
    Wrong(
        "axis with the mark of a second name",
        "S' = S",
        (6, 1),
        "`key'` is not a name",
        "[sizes]\nS = ['value', \"key'\"]\n",
    ),
    Wrong(
        "matrix of one row and a value with axes",
        "S' = S * (W @ S)",
        (3, 11),
        "`W` has an axis of size 1; write the sum out, `p = W * S` and `sum(p, key)`, and declare",
        f"{AXES}W = [1, 'key']\n",
    ),
    Wrong(
        "prepared matrix of a value with axes",
        "W = 2 * V\nS' = S * sum(W @ S)",
        (4, 14),
        "`W` is prepared from parameters, or in their equations; write the sum out, `p = W * S` and `sum(p, key)`, and declare",
        f"{AXES}W = ['hidden', 'key']\n",
    ),
    Wrong(
        "prepared square matrix of a value with axes",
        "W = 2 * V\nS' = S * sum(W @ S)",
        (4, 14),
        "`W` is prepared from parameters, or in their equations; use another matrix",
        f"{AXES}W = ['key', 'key']\n",
    ),
    Wrong(
        "transpose with axes of rows",
        "S' = S\nm' = Q.T @ x",
        (4, 6),
        "`Q.T` takes a vector with the axes value, key, but `x` has size input; use another matrix",
        f"{AXES}Q = ['value', 'key', 'input']\n",
    ),
)

FUNCTIONS = (
    Wrong(
        "softmax of axes",
        "S' = softmax(S)",
        (3, 14),
        "`softmax` takes a vector; `S` has the axes value, key; name the one that it runs over, as in `softmax(S, key)`",
        AXES,
    ),
    Wrong(
        "softmax over another axis",
        "S' = softmax(S, head)",
        (3, 6),
        "`softmax` runs over an axis of its operand; `S` has the axes value, key, so `head` is no axis of it: write `value` or",
        AXES,
    ),
    Wrong(
        "softmax over another size",
        "S' = S\nh' = softmax(h, key)",
        (4, 6),
        "`h` has size hidden, so `key` is no axis of it: write `hidden`",
        AXES,
    ),
    Wrong("softmax over two axes", "S' = softmax(S, value, key)", (3, 6), "`softmax` takes 1 argument, found 3", AXES),
    Wrong("softmax over a number", "S' = softmax(S, 1)", (3, 6), "`softmax` takes 1 argument, found 2", AXES),
    Wrong("softmax over a value", "S' = softmax(S, x)", (3, 6), "`softmax` takes 1 argument, found 2", AXES),
    Wrong(
        "cumsum of axes",
        "S' = cumsum(S)",
        (3, 13),
        "`cumsum` takes a vector; `S` has the axes value, key; it runs over a vector alone, so reduce it to one axis first",
        AXES,
    ),
    Wrong(
        "cumsum over one of several axes",
        "S' = cumsum(S, key)",
        (3, 6),
        "`S` has the axes value, key; it runs over a vector alone, so reduce it to one axis first",
        AXES,
    ),
    Wrong("value with axes transposed", "S' = S + S.T", (3, 10), "`S.T` is a matrix; in the step a matrix", AXES),
    Wrong("identity beside axes", "S' = S + eye", (3, 10), "`eye` is a matrix; in the step", AXES),
)

DECLARED = (
    Wrong(
        "target of fewer axes",
        "m = S + 1\nS' = S * m",
        (3, 1),
        '`m` has size value, but its right side has the axes value, key; declare `m = ["value", "key"]` under [sizes], or sum '
        "over an axis, as in `sum(…, key)`",
        f"{AXES}m = 'value'\n",
    ),
    Wrong(
        "state of fewer axes",
        "h' = S * h\nS' = S",
        (3, 1),
        'declare `h = ["hidden", "key"]` under [sizes]',
        "[sizes]\nS = ['hidden', 'key']\n",
    ),
    Wrong(
        "value of two places",
        "S' = S + a\nT' = T + a",
        (4, 10),
        "`a` has the axes value, key, and meets a value with the axes value, head; declare under [sizes] along which it stands",
        f"{AXES}T = ['value', 'head']\n",
    ),
    Wrong(
        "axis twice",
        "S' = S",
        (6, 1),
        "[sizes] S: a name has an axis once, found ['key', 'key']",
        "[sizes]\nS = ['key', 'key']\n",
    ),
    Wrong("1 as an axis", "S' = S", (6, 1), "[sizes] S: 1 is no axis; leave it out", "[sizes]\nS = [1, 'key']\n"),
    Wrong("1 as a word as an axis", "S' = S", (6, 1), "1 is no axis; leave it out", "[sizes]\nS = ['key', '1']\n"),
    Wrong("number as an axis", "S' = S", (6, 1), "or 1, found 3", "[sizes]\nS = ['key', 3]\n"),
    Wrong("no axes", "S' = S", (6, 1), "a vector takes one size, or a list of axes, found []", "[sizes]\nS = []\n"),
    Wrong(
        "axis that is a name",
        "S' = S",
        (6, 1),
        "`S` is taken; give the size another name",
        "[sizes]\nS = ['S', 'key']\n",
    ),
    Wrong("axis that is a function", "S' = S", (6, 1), "`sum` is a function of", "[sizes]\nS = ['sum', 'key']\n"),
    Wrong("axes in one word", "S' = S", (6, 1), "`value*key` is not a name", "[sizes]\nS = 'value*key'\n"),
    Wrong(
        "axis twice in rows",
        "S' = S + Q @ x",
        (7, 1),
        "a name has an axis once",
        f"{AXES}Q = ['key', 'key', 'input']\n",
    ),
    Wrong(
        "input of a size of its own",
        "h' = W @ x",
        (6, 1),
        "[sizes] x: the input has size `input`, `hidden` where the two are one number, or several axes",
        "[sizes]\nx = 'features'\n",
    ),
    Wrong(
        "input with an axis twice",
        "S' = S * x",
        (6, 1),
        "[sizes] x: a name has an axis once, found ['key', 'key']",
        "[sizes]\nx = ['key', 'key']\n",
    ),
    Wrong(
        "further input with an axis twice",
        "h' = W @ x + sum(u)",
        (6, 1),
        "[inputs] u: a name has an axis once, found ['key', 'key']",
        "[inputs]\nu = ['key', 'key']\n",
    ),
    Wrong(
        "further input with 1 as an axis",
        "h' = W @ x + sum(u)",
        (6, 1),
        "[inputs] u: 1 is no axis; leave it out, found ['key', 1]",
        "[inputs]\nu = { size = ['key', 1], gradient = false }\n",
    ),
    Wrong(
        "further input with a number as an axis",
        "h' = W @ x + sum(u)",
        (6, 1),
        "[inputs] u: expected `input`, `hidden`, the name of another size, or 1, found 3",
        "[inputs]\nu = ['key', 3]\n",
    ),
    Wrong(
        "further input with a table as an axis",
        "h' = W @ x + sum(u)",
        (6, 3),
        "[inputs] u: size: expected `input`, `hidden`, the name of another size, or 1, or a list of axes, found ['key', True]",
        "[inputs]\nu.size = ['key', true]\n",
    ),
    Wrong(
        "further input without axes",
        "h' = W @ x + sum(u)",
        (6, 1),
        "[inputs] u: a vector takes one size, or a list of axes, found []",
        "[inputs]\nu = []\n",
    ),
    Wrong(
        "further input with axes in another order",
        "S' = S + u",
        (3, 10),
        "`u` has the axes key, value, and meets a value whose axes stand in another order, value, key; declare them in one "
        'order under [inputs], here `u = ["value", "key"]`',
        f"{AXES}[inputs]\nu = ['key', 'value']\n",
    ),
    Wrong(
        "state of one axis beside an input with axes",
        "h' = h + x",
        (3, 1),
        '`h\'` has size hidden, but its right side has the axes hidden, tap; declare `h = ["hidden", "tap"]` under [sizes], '
        "or sum over an axis, as in `sum(…, tap)`",
        "[sizes]\nx = ['hidden', 'tap']\n",
    ),
    Wrong(
        "axes of an input that become one",
        "S' = S * x * sum(u)\nh' = h + x",
        (9, 1),
        "[inputs] u: equation 2 makes `input` and `hidden` one number, so they are one axis twice",
        "[sizes]\nS = 'input'\n[inputs]\nu = ['hidden', 'input']\n",
    ),
    Wrong(
        "axes that become one",
        "S' = S * h\nh' = h + x",
        (7, 1),
        "[sizes] S: equation 2 makes `input` and `hidden` one number, so they are one axis twice; keep them apart by a matrix",
        "[sizes]\nS = ['hidden', 'input']\n",
    ),
)
"""Axes of names, of inputs among them, as [sizes] and [inputs] declare them."""

ALL = (*VALUES, *MATRICES, *FUNCTIONS, *DECLARED)
"""All of them."""
