"""Wrong definitions, repeats and inputs before: each file is refused with its place and what to do, and nothing is unrolled."""

from __future__ import annotations

from symrnn.language.repetition import MAX_EQUATIONS
from tests.language.wrong import Wrong

CALL = (
    "h' = F(h) + W @ x"  # with a tail, which then begins in line 5; its definition stands in line 6, from column 10 on
)


def define(*lines: str) -> str:
    return "[define]\n" + "\n".join(lines) + "\n"


def repeated(*lines: str) -> str:
    """Equations in a repeat that begins in line 4."""
    return "\n".join(["s = h", "repeat k = 1..3:", *(f"  {line}" for line in lines), "h' = s + W @ x"])


DEFINITIONS = (
    Wrong("head alone", CALL, (6, 1), "expected a name and its arguments, as in `F(v)`", define("F = 'tanh(v)'")),
    Wrong("no arguments", CALL, (6, 1), "expected a name and its arguments", define("'F()' = 'tanh(h)'")),
    Wrong("argument a number", CALL, (6, 1), "expected a name and its arguments", define("'F(2)' = 'tanh(h)'")),
    Wrong("head not closed", CALL, (6, 1), "expected a name and its arguments", define("'F(v' = 'tanh(v)'")),
    Wrong("body no string", CALL, (6, 1), "expected an expression, which is a string, found 3", define("'F(v)' = 3")),
    Wrong("body a decimal", CALL, (6, 1), "expected an expression in quotation marks", define("'F(v)' = 3.5")),
    Wrong("a string", CALL, (5, 1), "define: expected a table, `[define]`, found 'F'", "define = 'F'\n"),
    Wrong("name of a function", CALL, (6, 1), "`tanh` is a function of the language", define("'tanh(v)' = 'v'")),
    Wrong("name of a reduction", CALL, (6, 1), "`mean` is a function of the language", define("'mean(v)' = 'v'")),
    Wrong("word of C", CALL, (6, 1), "`int` is a word of C", define("'int(v)' = 'v'")),
    Wrong("the input before", CALL, (6, 1), "give the definition another name", define("'previous(v)' = 'v'")),
    Wrong(
        "name of a constant",
        CALL,
        (6, 1),
        "`F` is a constant from [constants]",
        define("'F(v)' = 'v'") + "[constants]\nF = 1\n",
    ),
    Wrong(
        "name of an input",
        "h' = F(h) + W @ F",
        (6, 1),
        "`F` is an input; give the definition another name",
        define("'F(v)' = 'tanh(v)'") + "[inputs]\nF = 'input'\n",
    ),
    Wrong(
        "name of a parameter",
        "h' = F(h) + F @ x",
        (6, 1),
        "`F` is a name of the equations too, in line 3",
        define("'F(v)' = 'tanh(v)'"),
    ),
    Wrong(
        "name of a state",
        "F' = x\nh' = F(h)",
        (7, 1),
        "`F'` is a name of the equations too, in line 3",
        define("'F(v)' = 'tanh(v)'"),
    ),
    Wrong(
        "name used in a body",
        CALL,
        (6, 1),
        "[define] F(v): `F` is a name of the equations too, in line 7",
        define("'F(v)' = 'G(v)'", "'G(v)' = 'F * v'"),
    ),
    Wrong("defined twice", CALL, (7, 1), "`F` is defined twice", define("'F(v)' = 'v'", "'F(v, w)' = 'v + w'")),
    Wrong("argument twice", CALL, (6, 1), "the argument `v` stands there twice", define("'F(v, v)' = 'v'")),
    Wrong("argument a function", CALL, (6, 1), "`tanh` is a function of the language", define("'F(tanh)' = 'tanh'")),
    Wrong(
        "argument a definition",
        CALL,
        (6, 1),
        "the argument `G` has the name of a definition",
        define("'F(G)' = 'G'", "'G(v)' = 'v'"),
    ),
    Wrong("argument not used", CALL, (6, 1), "the body never uses `w`", define("'F(v, w)' = 'tanh(v)'")),
    Wrong("never called", "h' = W @ x", (6, 1), "[define] F(v): nothing calls it", define("'F(v)' = 'tanh(v)'")),
    Wrong(
        "called by what is never called",
        CALL,
        (7, 1),
        "[define] G(v): nothing calls it",
        define("'F(v)' = 'tanh(v)'", "'G(v)' = 'F(v)'"),
    ),
    Wrong("calls itself", CALL, (6, 15), "`F` calls itself (F → F)", define("'F(v)' = 'v + F(v)'")),
    Wrong(
        "calls itself through another",
        CALL,
        (7, 15),
        "`F` calls itself (F → G → F)",
        define("'F(v)' = 'G(v)'", "'G(v)' = '2 * F(v)'"),
    ),
    Wrong(
        "too few arguments", "h' = F(h)", (3, 6), "`F(v, w)` takes 2 arguments, found 1", define("'F(v, w)' = 'v*w'")
    ),
    Wrong("too many arguments", "h' = F(h, x)", (3, 6), "`F(v)` takes 1 argument, found 2", define("'F(v)' = 'v'")),
    Wrong("argument by name", "h' = F(v=h)", (3, 6), "`F(v)` takes plain arguments", define("'F(v)' = 'v'")),
    Wrong("misspelt", "h' = gat(h) + gate(h)", (3, 6), "did you mean `gate`?", define("'gate(v)' = 'tanh(v)'")),
    Wrong("not called", "h' = tanh(F)", (6, 1), "`F` is a name of the equations too", define("'F(v)' = 'tanh(v)'")),
    Wrong("empty body", CALL, (6, 11), "expected an expression, found nothing", define("'F(v)' = ''")),
    Wrong("body an equation", CALL, (6, 13), "expected an expression alone, found `=`", define("'F(v)' = 'y = v'")),
    Wrong("two expressions", CALL, (6, 12), "unexpected `;`", define("'F(v)' = 'v; v'")),
    Wrong("unknown function in a body", CALL, (6, 11), "there is no function `tahn`", define("'F(v)' = 'tahn(v)'")),
    Wrong("open parenthesis in a body", CALL, (6, 15), "never closed", define("'F(v)' = 'tanh(v'")),
    Wrong(
        "fault in a later line of a body",
        CALL,
        (8, 5),
        "there is no function `tahn`",
        define("'F(v)' = '''", "tanh(v)", "  + tahn(v)", "'''"),
    ),
    Wrong(
        "key with an escape",
        CALL,
        (5, 1),
        "there is no function `tahn`",
        define('"F\\u0028v)" = "tanh(v) + tahn(v)"'),
    ),
    Wrong("number as a matrix", "h' = F(2, h)", (3, 8), "`F(A, v)` multiplies by `A`", define("'F(A, v)' = 'A @ v'")),
    Wrong(
        "a call as a matrix",
        "h' = F(G(x), h)",
        (3, 8),
        "the name of a parameter stands for it",
        define("'F(A, v)' = 'A @ v'", "'G(v)' = 'tanh(v)'"),
    ),
    Wrong(
        "sizes within a body",
        "c' = c\nh' = F(h)",
        (7, 15),
        "operands of elementwise arithmetic have one size; in `F(h)` of line 4",
        define("'F(v)' = 'v + c'") + "[sizes]\nc = 'inner'\n",
    ),
    Wrong(
        "a state as a matrix",
        "h' = F(h, x)",
        (6, 14),
        "`h` is a vector of the step",
        define("'F(A, v)' = 'A @ v'"),
    ),
    Wrong(
        "a division by zero in a body",
        "h' = F(h, 1)",
        (6, 18),
        "a division by zero; in `F(h, 1)` of line 3",
        define("'F(v, n)' = 'v + v / (1 - n)'"),
    ),
    Wrong(
        "an index that counts nothing",
        "h' = F(h) + W @ x",
        (6, 11),
        "`k` in `R[k]` counts no passes here",
        define("'F(v)' = 'R[k] @ v'"),
    ),
    Wrong(
        "an index of a fraction",
        "h' = F(h, 0.5)",
        (6, 14),
        "`k` in `R[k]` counts no passes here",
        define("'F(v, k)' = 'R[k] @ v'"),
    ),
)

REPEATS = (
    Wrong("no number", "s = h\nrepeat: s = f\nh' = s", (4, 1), "expected `repeat 3:` or `repeat k = 1..3:`"),
    Wrong("no colon", "s = h\nrepeat 3\n  s = 2 * s\nh' = s", (4, 1), "found `repeat 3`"),
    Wrong("a fraction", "s = h\nrepeat 2.5: s = 2 * s\nh' = s", (4, 1), "expected `repeat 3:`"),
    Wrong("no constant", "s = h\nrepeat n: s = 2 * s\nh' = s", (4, 8), "`n` is no whole number under [constants]"),
    Wrong(
        "a constant that is no whole number",
        "s = h\nrepeat n: s = 2 * s\nh' = s",
        (4, 8),
        "`n` is no whole number",
        "[constants]\nn = 1.5\n",
    ),
    Wrong("no pass", "s = h\nrepeat 0: s = 2 * s\nh' = s", (4, 8), "has no pass"),
    Wrong("downwards", "s = h\nrepeat k = 3..1: s = 2 * s\nh' = s", (4, 12), "run from 3 to 1, upwards"),
    Wrong(
        "a constant below zero",
        "s = h\nrepeat k = n..1: s = 2 * s\nh' = s",
        (4, 12),
        "from -2 to 1",
        "[constants]\nn = -2\n",
    ),
    Wrong("nothing below", "s = h\nrepeat 3:\nh' = s", (4, 1), "`repeat 3:` repeats nothing"),
    Wrong("nothing at the end", "h' = x\nrepeat 3:  # of what", (4, 1), "`repeat 3:` repeats nothing"),
    Wrong("four deep", "repeat 2: repeat 2: repeat 2: repeat 2: s = x", (3, 31), "nested more than 3 deep"),
    Wrong("long", "s = h\nrepeat 1000000000: s = 2 * s\nh' = s", (4, 8), f"at most {MAX_EQUATIONS} equations"),
    Wrong("beyond numbers", f"s = h\nrepeat {'9' * 40}: s = 2 * s\nh' = s", (4, 8), "at most 1000 equations"),
    Wrong(
        "long together",
        "s = h\nrepeat 600: s = 2 * s\nrepeat 600: s = 3 * s\nh' = s",
        (3, 1),
        "written out, the cell has 1202 equations",
    ),
    Wrong(
        "long when nested",
        "s = h\nrepeat 100:\n  repeat 100:\n    s = 2 * s\nh' = s",
        (4, 8),
        "is 100 passes of 100",
    ),
    Wrong("next value", repeated("s = tanh(s)", "c' = s"), (6, 3), "assign it once, below the repeat"),
    Wrong("state", repeated("h = tanh(s)"), (5, 3), "begin with a copy, `s = h`"),
    Wrong("input", repeated("x = tanh(s)"), (5, 3), "`x` is an input; begin with a copy"),
    Wrong("other input", repeated("u = tanh(s) + u"), (5, 3), "`u` is an input; begin", "[inputs]\nu = 'hidden'\n"),
    Wrong("output of a pass", repeated("s = tanh(s)"), (8, 1), "output: `s` is the value of a pass", "output = 's'\n"),
    Wrong("constant", repeated("s = tanh(s) + n", "n = s"), (6, 3), "`n` is a constant", "[constants]\nn = 1\n"),
    Wrong(
        "twice in a pass",
        repeated("s = tanh(s)", "s = 2 * s"),
        (6, 3),
        "`s` is assigned a second time in the same pass",
    ),
    Wrong(
        "again below",
        repeated("s = tanh(s)") + "\ns = x",
        (7, 1),
        "`s` is assigned a second time outside of the repeat",
    ),
    Wrong(
        "again above", "s = h\ns = 2 * x\nrepeat 2: s = 2 * s\nh' = s", (4, 1), "a second time outside of the repeat"
    ),
    Wrong("no start", "repeat 3: s = tanh(s)\nh' = s", (3, 20), "give it one in front of the repeat, as in `s = h`"),
    Wrong("start never used", repeated("s = tanh(x)"), (3, 1), "`s` is assigned and never used"),
    Wrong("never used", repeated("s = tanh(s)", "m = s"), (6, 3), "`m` is assigned and never used"),
    Wrong("used by itself alone", "s = h\nrepeat 2: s = tanh(s)\nh' = x", (4, 11), "`s` is assigned and never used"),
    Wrong("index taken", "s = h\nrepeat h = 1..3: s = tanh(s)\nh' = s", (4, 1), "`h` is taken; count the passes"),
    Wrong(
        "index of another repeat", "s = h\nrepeat k = 1..2: repeat k = 1..2: s = 2 * s\nh' = s", (4, 18), "`k` is taken"
    ),
    Wrong("index a word", "s = h\nrepeat in = 1..3: s = tanh(s)\nh' = s", (4, 1), "`in` is a word of Python"),
    Wrong("other index", repeated("s = tanh(A[j] @ s)"), (5, 12), "write `repeat j = 1..3:` around the equation"),
    Wrong("index of a value", repeated("s = tanh(s[k])"), (5, 12), "its value in this pass is `s`"),
    Wrong("index below zero", repeated("s = tanh(A[k - 2] @ s)"), (5, 12), "`k-2` in `A[k-2]` is -1 here"),
    Wrong("index a product", repeated("s = tanh(A[2 * k] @ s)"), (5, 12), "an index is the name of a count of passes"),
    Wrong("index alone", repeated("s = tanh([k] * s)"), (5, 12), "found `[`"),
    Wrong("index empty", repeated("s = tanh(A[] @ s)"), (5, 14), "expected an operand after `[`"),
    Wrong("index of a function", repeated("s = tanh[k] * s"), (5, 7), "`tanh` is a function"),
    Wrong(
        "index not closed", repeated("s = tanh(A[k @ s)"), (5, 13), "this bracket is never closed; close it with `]`"
    ),
    Wrong("parameter of a long name", repeated(f"s = tanh({'A' * 63}[k] @ s)"), (5, 12), "has 65 characters"),
    Wrong("index outside", "h' = A[1] @ h", (3, 7), "there is no indexing"),
    Wrong("guard of words", repeated("s = tanh(s) for all k"), (5, 15), "expected `for odd k`"),
    Wrong(
        "guard of another index",
        repeated("s = tanh(s) for odd j"),
        (5, 15),
        "the repeats around the equation count no `j`",
    ),
    Wrong("guard without count", "s = h\nrepeat 3: s = 2 * s for odd k\nh' = s", (4, 21), "count no `k`"),
    Wrong("guard that never holds", repeated("s = tanh(s)", "s = x for k > 3"), (6, 9), "`for k > 3` holds in no pass"),
    Wrong("guard alone", repeated("s = tanh(s)", "  for odd k"), (6, 5), "expected an equation in front of `for`"),
    Wrong("guard in parentheses", repeated("s = (tanh(s) for odd k", ")"), (5, 16), "close the parentheses"),
    Wrong("guard outside", "h' = x for odd k", (3, 8), "`for` is a word of Python"),
    Wrong(
        "sizes in a pass",
        repeated("s = tanh(s) + x"),
        (5, 17),
        "operands of elementwise arithmetic have one size",
        "[sizes]\nh = 'inner'\nW = ['inner', 'input']\n",
    ),
)

PREVIOUS = (
    Wrong("of a state", "h' = W @ x + previous(h)", (3, 14), "`previous` is of an input: write `previous(x)`"),
    Wrong("of an expression", "h' = previous(2 * x)", (3, 6), "`previous` is of an input"),
    Wrong(
        "of a parameter",
        "h' = previous(b) + W @ x",
        (3, 6),
        "a state without its prime is its value of the step before",
    ),
    Wrong("of nothing", "h' = previous()", (3, 6), "`previous(x)` takes 1 argument, found 0"),
    Wrong("of two", "h' = previous(x, x)", (3, 6), "takes 1 argument, found 2"),
    Wrong("name taken", "x_previous = 2 * x\nh' = previous(x) + x_previous", (3, 1), "use another name"),
    Wrong(
        "state taken", "h' = previous(x)\nx_previous' = x", (4, 1), "`x_previous` is the state that `previous(x)` makes"
    ),
    Wrong(
        "constant taken",
        "h' = previous(x) + x_previous",
        (6, 1),
        "[constants] x_previous: `x_previous` is the state",
        "[constants]\nx_previous = 1\n",
    ),
    Wrong(
        "input taken",
        "h' = previous(x) + W @ x_previous",
        (6, 1),
        "[inputs] x_previous: `x_previous` is the state",
        "[inputs]\nx_previous = 'input'\n",
    ),
    Wrong(
        "of no input",
        "h' = W @ x + previous(u) + V @ v",
        (3, 14),
        "write `previous(x)` or `previous(v)`",
        "[inputs]\nv = 'input'\n",
    ),
    Wrong("a value called", "previous = 2 * h\nh' = previous(x)", (4, 6), "to multiply write `previous * (…)`"),
)

ALL = (*DEFINITIONS, *REPEATS, *PREVIOUS)
"""All of them."""
