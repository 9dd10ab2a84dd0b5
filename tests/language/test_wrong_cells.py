"""Wrong cell files: each is refused with its line, its column, what was expected and the nearest right name.

Nothing is run on the way, nothing imported and nothing written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from symrnn.errors import CellError
from symrnn.language.cellfile import load


@dataclass(frozen=True)
class Wrong:
    """A wrong cell file.

    Attributes:
        text: the equations, from line 3 on; or the whole file.
        place: line and column in the file.
        message: part of what is said.
        tail: tables behind the equations.
    """

    label: str
    text: str
    place: tuple[int, int]
    message: str
    tail: str = ""
    whole: bool = field(default=False, kw_only=True)

    @property
    def file(self) -> str:
        return self.text if self.whole else f'name = "bad"\nequations = """\n{self.text}\n"""\n{self.tail}'


GOOD = "h' = tanh(W @ x + U @ h + b)"  # with a tail, which then begins in line 5
AXES = "[sizes]\nS = ['value', 'key']\n"

WRONG = (
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
    Wrong("no state", "m = x", (3, 1), "the cell has no state"),
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
    Wrong("word of C", "h' = W @ x + register", (3, 14), "`register` is a word of C and cannot be a name"),
    Wrong("word of Python", "h' = W @ x + is", (3, 14), "`is` is a word of Python and cannot be a name"),
    Wrong("name too long", f"h' = {'a' * 64}", (3, 6), "has 64 characters; the most is 63"),
    Wrong("name with an underscore in front", "h' = _b", (3, 6), "`_b` is not a name"),
    Wrong("Greek letter", "h' = α * x", (3, 6), "unexpected `α` (GREEK SMALL LETTER ALPHA): names are of a-z"),
    Wrong("minus of a word processor", "h' = x − h", (3, 8), "unexpected `−`: write `-`"),
    Wrong("unbalanced quote", "h' = W @ 'x", (3, 10), "quotation marks have no other use"),
    Wrong("string", 'h\' = x + \\"a\\"', (3, 10), "equations hold no strings"),
    Wrong("huge exponent", "h' = x ** 1e9", (3, 11), "the exponent 1e9 is too large: at most 64"),
    Wrong("power of powers", "h' = x ** 2 ** 3", (3, 11), "an exponent holds no power of numbers; write its value"),
    Wrong("exponent over zero", "h' = x ** (1 / 0)", (3, 12), "the exponent divides by zero"),
    Wrong("matrix as an exponent", "h' = exp(W @ x) + x ** W", (3, 24), "`W` is a matrix, left of `@`, and a vector"),
    Wrong("huge number", "h' = x * 1e999999999", (3, 10), "beyond what a float holds"),
    Wrong("hexadecimal number", "h' = x * 0x1f", (3, 10), "numbers are decimal"),
    Wrong("imaginary number", "h' = x * 2j", (3, 10), "numbers are decimal"),
    Wrong("import", "h' = __import__('os').getpid() * x", (3, 6), "`__import__` is not a name"),
    Wrong("import statement", "import os\nh' = x", (3, 1), "`import` is a word of Python"),
    Wrong("attribute", "h' = x.real", (3, 6), "the only attribute is `.T`"),
    Wrong("call of an attribute", "h' = x.mean(h)", (3, 6), "a function is called by its name alone"),
    Wrong("lambda", "h' = lambda: x", (3, 6), "`lambda` is a word of Python"),
    Wrong("comparison", "h' = x < h", (3, 6), "a comparison is the condition of `where`, as in `where(a < b, c, d)`"),
    Wrong("equality", "h' = x == h", (3, 6), "stands nowhere else"),
    Wrong("comparison as a factor", "h' = x * (h >= 1)", (3, 11), "a comparison is the condition of `where`"),
    Wrong("comparison as a value", "h' = where(x < h, x < 1, h)", (3, 19), "a comparison is the condition of `where`"),
    Wrong(
        "no condition",
        "h' = where(x, x, h)",
        (3, 12),
        "the condition of `where` is a comparison, as in `where(a < b, c, d)`; found `x`",
    ),
    Wrong("chained comparison", "h' = where(0 < x < 1, x, h)", (3, 12), "`0 < x < 1` compares more than two values"),
    Wrong("choice of two", "h' = where(x > 0, x)", (3, 6), "`where` takes 3 arguments, found 2"),
    Wrong("half a comparison", "h' = where(x <, x, h)", (3, 15), "expected an operand after `<`, found `,`"),
    Wrong("one sign in a comparison", "h' = where(x ! h, x, h)", (3, 14), "the comparison is written `!=`"),
    Wrong("sign of a paper", "h' = where(x ≤ h, x, h)", (3, 14), "unexpected `≤`: write `<=`"),
    Wrong("conditional of C", "h' = x > 0 ? x : h", (3, 12), "a choice is written `where(a < b, c, d)`"),
    Wrong("assignment as a condition", "h' = where(x = h, x, h)", (3, 14), "the comparison is written `==`"),
    Wrong(
        "sizes of a choice",
        "c' = c\nh' = where(c > 0, h, 1)",
        (4, 19),
        "`c > 0` has size inner, `h` has size hidden",
        '[sizes]\nc = "inner"\n',
    ),
    Wrong("logarithm of zero in a choice", "h' = where(x > 0, x, log(0))", (3, 22), "it has no real, finite value"),
    Wrong("subscript", "h' = x[0]", (3, 7), "there is no indexing"),
    Wrong("concatenated in brackets", "h' = W @ [h, x]", (3, 10), "one after the other is `W @ x + U @ h`"),
    Wrong("concatenated in parentheses", "h' = W @ (h, x)", (3, 10), "one after the other is `W @ x + U @ h`"),
    Wrong("an index in braces", "h' = U @ h_{t-1}", (3, 12), "`h` is the value before the step"),
    Wrong("an output that is not named", "h' = x\ny = V @ h'", (4, 1), "name it under `output`"),
    Wrong("dropout", "h' = dropout(x)", (3, 6), "`m * a`, its mask m under [inputs]"),
    Wrong("condition", "h' = x if h else b", (3, 8), "`if` is a word of Python"),
    Wrong("walrus", "h' = (a := x)", (3, 9), "unexpected `:`"),
    Wrong("tuple", "h' = x, h", (3, 6), "one value on its right side"),
    Wrong("two statements", "h' = x; c' = x", (3, 7), "each equation has a line of its own"),
    Wrong("two assignments", "h' = c' = x", (3, 6), "an equation has one `=`"),
    Wrong("augmented assignment", "h' += x", (3, 4), "expected `=` after `h'`, found `+`"),
    Wrong("no assignment", "h' = x\ntanh(h)", (4, 5), "expected `=` after `tanh`, found `(`"),
    Wrong("left side an expression", "2 * h' = x", (3, 1), "expected a name in front of `=`, found `2`"),
    Wrong("floor division", "h' = x // h", (3, 6), "division is written `/`"),
    Wrong("power of a spreadsheet", "h' = x^2", (3, 7), "a power is written `**`"),
    Wrong("missing operator", "h' = 2 x", (3, 8), "expected an operator between `2` and `x`"),
    Wrong("missing operand", "h' = x * / h", (3, 10), "expected an operand after `*`, found `/`"),
    Wrong("unfinished line", "h' = x +\nc' = h", (3, 9), "to go on in the next line, use parentheses"),
    Wrong("open parenthesis", "h' = tanh(x\nc' = (h", (4, 6), "this parenthesis is never closed"),
    Wrong("closed parenthesis", "h' = tanh(x))", (3, 13), "this parenthesis closes nothing"),
    Wrong("deep nesting", "h' = " + "(" * 150 + "x" + ")" * 150, (3, 106), "nested more than 100 deep"),
    Wrong("deep signs", "h' = " + "-" * 50_000 + "x", (3, 1), "nested more than 100 deep"),
    Wrong("long equations", "h' = x #" + "a" * 70_000, (3, 1), "the most is 65536"),
    Wrong("end of a comment", "h' = x  # */", (3, 11), "unexpected `*/` in a comment"),
    Wrong("prime apart", "h ' = x", (3, 3), "a prime stands directly after the name"),
    Wrong("two primes", "h'' = x", (3, 3), "a prime stands directly after the name"),
    Wrong("division by zero", "h' = x / 0", (3, 6), "`x / 0` gives no number, whatever the input: a division by zero"),
    Wrong("division by a zero of constants", "h' = h + x / (1 - k)", (3, 10), "zero", "[constants]\nk = 1\n"),
    Wrong("negative power of zero", "h' = h + (1 - 1)**-1 * x", (3, 10), "`(1 - 1)**(-1)` gives no number"),
    Wrong("division by what cancels", "h' = x / (h - h)", (3, 6), "whatever the input"),
    Wrong("division by what cancels, in a form", "h' = W @ (x / (x - x)) + h", (3, 11), "whatever the input"),
    Wrong("logarithm of zero", "h' = log(0) * x", (3, 6), "`log(0)` gives no number"),
    Wrong("root of a negative number", "h' = h * sqrt(2 - 3)", (3, 10), "no real, finite value"),
    Wrong("exponential beyond a float", "h' = exp(exp(exp(40))) * x", (3, 10), "beyond what a float holds"),
    Wrong("product beyond a float", "h' = x * 1e38 * 1e38", (3, 6), "beyond what a float holds"),
    Wrong("reduction of a number", "h' = mean(2) * x", (3, 11), "`2` is a number"),
    Wrong("unknown key", GOOD, (5, 1), "`tilte` is not a key of a cell file; did you mean `title`?", "tilte = 'a'\n"),
    Wrong(
        "unknown table", GOOD, (5, 1), "`sises` is not a key of a cell file; did you mean `sizes`?", "[sises]\nh = 1\n"
    ),
    Wrong("number as a title", GOOD, (6, 1), "title: expected a string, found 3", "\ntitle = 3\n"),
    Wrong("float as a title", GOOD, (5, 1), "title: expected a string, found '3.5'", "title = 3.5\n"),
    Wrong("string as a table", GOOD, (5, 1), "sizes: expected a table, `[sizes]`, found 'h'", "sizes = 'h'\n"),
    Wrong("list as a table", GOOD, (5, 1), "init: expected a table", "init = ['ones']\n"),
    Wrong("family unknown", GOOD, (5, 1), "there is no family `gatd`; did you mean `gated`?", 'family = "gatd"'),
    Wrong("family, none near", GOOD, (5, 1), "there is no family `x`; expected simple, gated,", 'family = "x"'),
    Wrong("family as a list", GOOD, (5, 1), "family: expected a string, found ['gated']", 'family = ["gated"]'),
    Wrong("parent that is no name", GOOD, (5, 1), "parent: `my cell` is not a name", 'parent = "my cell"'),
    Wrong("parent of itself", GOOD, (5, 1), "parent: `bad` is the cell itself", 'parent = "bad"'),
    Wrong("difference of two lines", GOOD, (5, 1), "difference: expected one line", 'difference = "a\\nb"'),
    Wrong("difference that ends a comment", GOOD, (5, 1), "plain text without */", 'difference = "a */ b"'),
    Wrong(
        "departures as a string", GOOD, (5, 1), "departures: expected a list of lines, found 'a'", 'departures = "a"'
    ),
    Wrong(
        "departures as a table", GOOD, (5, 1), "departures: expected a list of lines, found {", "[departures]\na = 1"
    ),
    Wrong(
        "departure that is no text",
        GOOD,
        (5, 1),
        "expected a line of text, found 3 as number 2",
        'departures = ["a", 3]',
    ),
    Wrong("departure of two lines", GOOD, (5, 1), "departures, number 1: expected one line", 'departures = ["a\\nb"]'),
    Wrong("empty departure", GOOD, (5, 1), "departures, number 2: expected a line of text", 'departures = ["a", ""]'),
    Wrong("misspelt key of the atlas", GOOD, (5, 1), "did you mean `departures`?", 'departure = ["a"]'),
    Wrong("title of two lines", GOOD, (5, 1), "title: expected one line", 'title = "a\\nb"\n'),
    Wrong("init of an unknown name", GOOD, (6, 1), "[init] b_f: unknown parameter", '[init]\nb_f = "ones"\n'),
    Wrong("init of a state", GOOD, (6, 3), "the parameters are W, U, b", '[init]\n  h = "ones"\n'),
    Wrong("init misspelt", GOOD, (7, 1), "did you mean `zeros`?", '[init]\nW = "ones"\nb = "zeroes"\n'),
    Wrong("init of the wrong kind", GOOD, (6, 1), "only a matrix can be orthogonal", '[init]\nb = "orthogonal"\n'),
    Wrong("init a number in quotes", GOOD, (6, 1), "write a number without quotation marks", "[init]\nb = '0.5'\n"),
    Wrong("fixed a string", GOOD, (5, 1), "fixed: expected a list, `fixed = [\"…\"]`, found 'W'", "fixed = 'W'\n"),
    Wrong("fixed a number", GOOD, (5, 1), "fixed: expected names of parameters, which are strings", "fixed = [1]\n"),
    Wrong(
        "fixed of an unknown name", GOOD, (5, 1), "`V` is no parameter of the cell; the parameters", "fixed = ['V']\n"
    ),
    Wrong("fixed misspelt", "h' = W_xh @ x + b", (5, 1), "did you mean `W_xh`?", "fixed = ['W_hx']\n"),
    Wrong("fixed a state", GOOD, (5, 1), "`h` is no parameter; what is fixed is never assigned", "fixed = ['h']\n"),
    Wrong("fixed the input", GOOD, (5, 1), "`x` is no parameter; what is fixed is never", "fixed = ['U', 'x']\n"),
    Wrong("fixed a constant", "h' = k * x", (5, 1), "`k` is no parameter", "fixed = ['k']\n[constants]\nk = 1\n"),
    Wrong("fixed twice", GOOD, (5, 1), "`W` stands in it twice", "fixed = ['W', 'U', 'W']\n"),
    Wrong(
        "fixed beside others in a stack",
        "h' = W @ x + V @ x",
        (7, 1),
        "`W` is fixed and `V` is not",
        "fixed = ['W']\n[layouts.a]\nw = ['V', 'W']\n",
    ),
    Wrong("domain of an unknown name", GOOD, (6, 1), "[domain] k: unknown parameter", "[domain]\nk = 'positive'\n"),
    Wrong("domain of a state", GOOD, (6, 1), "the parameters are W, U, b", "[domain]\nh = 'positive'\n"),
    Wrong("domain misspelt", GOOD, (6, 1), "found 'positiv'; did you mean `positive`?", "[domain]\nb = 'positiv'\n"),
    Wrong(
        "domain a number", GOOD, (6, 1), "[domain] b: expected positive, unit, nonzero, found 1", "[domain]\nb = 1\n"
    ),
    Wrong(
        "domain of a constant",
        "h' = k * x",
        (6, 1),
        "[domain] k: a constant has no domain",
        "[domain]\nk = 'unit'\n[constants]\nk = 1\n",
    ),
    *(
        Wrong(
            f"{start} against {domain}",
            GOOD,
            (8, 3),
            f"{says}, but [domain] says {domain}",
            f"[domain]\nU = '{domain}'\n[init]\n  U = {start}\n",
        )
        for domain, start, says in (
            ("positive", "'zeros'", "zeros gives 0"),
            ("positive", "'identity'", "identity gives numbers from 0 to 1"),
            ("positive", "'uniform'", "uniform gives numbers from -1 to 1"),
            ("positive", "-0.5", "-0.5 gives -0.5"),
            ("positive", "1e-60", "1e-60 gives 1e-60"),
            ("positive", "'normal'", "normal gives numbers from -inf to inf"),
            ("positive", "{ kind = 'uniform', low = 0, high = 1 }", "uniform, low 0, high 1 gives numbers from 0 to 1"),
            ("unit", "1", "1 gives 1"),
            ("unit", "0.999999999999", "0.999999999999 gives 1"),
            ("unit", "'ones'", "ones gives 1"),
            ("unit", "'positive'", "positive gives numbers from 1.17549e-38 to 1.5"),
            ("unit", "{ kind = 'log_uniform', low = 0.1, high = 2.0 }", "high 2.0 gives numbers from 0.1 to 2"),
            ("nonzero", "'zeros'", "zeros gives 0"),
            ("nonzero", "'orthogonal'", "orthogonal gives numbers from -1 to 1"),
        )
    ),
    *(
        Wrong(f"start {entry}", GOOD, (6, column), message, f"[init]\nU = {entry}\n")
        for entry, column, message in (
            ("{ low = 1, high = 2 }", 1, "expected as `kind` one of uniform, zeros,"),
            ("{ kind = 'unifrom' }", 1, "found 'unifrom'; did you mean `uniform`?"),
            ("{ kind = 3 }", 1, "found 3"),
            ("{ kind = 'zeros', low = 1 }", 23, "zeros has no option `low`; it has none"),
            ("{ kind = 'uniform', min = 1 }", 25, "uniform has no option `min`; it has low and high"),
            ("{ kind = 'uniform', low = 1 }", 1, "uniform has low and high together; `high` is missing"),
            ("{ kind = 'uniform', low = 2, high = 1 }", 1, "uniform: low must be below high, found 2 and 1"),
            ("{ kind = 'uniform', low = 1, high = 1.0 }", 1, "uniform: low must be below high"),
            ("{ kind = 'uniform', low = '1', high = 2 }", 25, "write a number without quotation marks, found '1'"),
            ("{ kind = 'uniform', low = nan, high = 2 }", 25, "low: expected a finite number, found 'nan'"),
            ("{ kind = 'uniform', low = [1], high = 2 }", 25, "an option is a name and a number"),
            ("{ kind = 'log_uniform', low = 0, high = 2 }", 29, "low: expected a number above 0, found 0"),
            ("{ kind = 'normal', std = -1 }", 24, "std: expected a number above 0, found -1"),
            ("{ kind = 'orthogonal', blocks = 1.5 }", 28, "blocks: expected a whole number of at least 1, found 1.5"),
            ("{ kind = 'orthogonal', blocks = 0 }", 28, "blocks: expected a whole number of at least 1, found 0"),
        )
    ),
    Wrong(
        "blocks of a vector", GOOD, (6, 1), "only a matrix can be orthogonal", "[init]\nb = { kind = 'orthogonal' }\n"
    ),
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
    Wrong("size of an unknown name", GOOD, (6, 1), "[sizes] V: the equations have no such name", "[sizes]\nV = 'p'\n"),
    Wrong("one size for a matrix", GOOD, (6, 1), '`["rows", "columns"]`', "[sizes]\nW = 'hidden'\n"),
    Wrong("size a number", GOOD, (6, 1), "the name of another size, or 1, found 8", "[sizes]\nb = 8\n"),
    Wrong("size in an inline table", GOOD, (5, 11), "the name of another size, or 1, found 8", "sizes = { b = 8 }\n"),
    Wrong(
        "constant in quotes",
        GOOD,
        (6, 1),
        "[constants] k: expected a number, found the string '1'",
        "[constants]\nk = '1'\n",
    ),
    Wrong(
        "constant infinite",
        GOOD,
        (6, 1),
        "[constants] k: expected a finite number, found 'inf'",
        "[constants]\nk = inf\n",
    ),
    Wrong("constant a list", GOOD, (6, 1), "[constants] k: expected a finite number", "[constants]\nk = [1]\n"),
    Wrong("constant unused", GOOD, (6, 1), "[constants] k: the equations never use it", "[constants]\nk = 1\n"),
    Wrong("constant huge", GOOD, (5, 11), "beyond what a float holds", f"constants.k = 0x{'f' * 9000}\n"),
    Wrong("output no state", GOOD, (5, 1), "output: `c` is not a state", "output = 'c'\n"),
    Wrong("no name", 'equations = "h\' = x"\n', (1, 1), "`name` is missing", whole=True),
    Wrong("no equations", 'name = "a"\n', (1, 1), "`equations` is missing", whole=True),
    Wrong(
        "name of two words", 'name = "a b"\nequations = "h\' = x"\n', (1, 1), "name: `a b` is not a name", whole=True
    ),
    Wrong("equations in one line", "name = 'a'\nequations = \"z = x\\nh' = y\"\n", (2, 14), "never used", whole=True),
    Wrong(
        "equations with an escape",
        'name = "a"\nequations = "h\\u0027 = x; h"\n',
        (2, 25),
        "line of its own",
        whole=True,
    ),
    Wrong("no TOML", "name = 'a'\nequations = \n", (2, 13), "this is not TOML: Invalid value", whole=True),
    Wrong("TOML string not closed", 'name = "a"\nequations = """\nh\' = x\n', (4, 1), "this is not TOML", whole=True),
    Wrong(
        "key twice", "name = 'a'\nname = 'b'\n", (2, 1), "`name` is defined twice, in line 1 and in line 2", whole=True
    ),
    Wrong(
        "constant twice",
        "h' = k * x",
        (7, 3),
        "`k` is defined twice, in line 6 and in line 7",
        "[constants]\nk = 1\n  k = 2\n",
    ),
    Wrong(
        "key twice in another table",
        GOOD,
        (8, 1),
        "`b` is defined twice, in line 6",
        "[init]\nb = 1\nU = 'zeros'\nb = 2\n",
    ),
    Wrong(
        "equations twice",
        GOOD,
        (5, 1),
        "`equations` is defined twice, in line 2 and in line 5; remove one of them",
        'equations = """\nh\' = x\n"""\n',
    ),
    Wrong(
        "table twice",
        GOOD,
        (7, 1),
        "[init] is defined twice, in line 5 and in line 7",
        "[init]\nb = 1\n[init]\nW = 1\n",
    ),
    Wrong("deep TOML", f"name = {'[' * 100_000}\n", (1, 0), "nested too deeply", whole=True),
    Wrong("long TOML number", f"name = {'1' * 9000}\n", (1, 1), "this is not TOML", whole=True),
    Wrong("nothing", "", (1, 1), "`name` is missing", whole=True),
)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.label)
def test_a_wrong_file_is_refused_with_its_place(wrong: Wrong, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(wrong.file, encoding="utf-8")
    with pytest.raises(CellError) as raised:
        load(path)
    assert wrong.message in raised.value.message
    assert (raised.value.line, raised.value.column) == wrong.place
    assert str(raised.value).startswith(f"{path}:{wrong.place[0]}:")
    assert len(raised.value.message) < 400


HOSTILE = (
    "h' = __import__('os').system('touch gone')",
    "h' = exec('1')",
    "h' = (lambda: open('gone', 'w'))()",
    "h' = x.__class__.__mro__",
    "h' = tanh(x)\nimport os",
    "h' = [open('gone', 'w') for a in x]",
)

Event = tuple[str, tuple[Any, ...]]


class Listener:
    """Collects what the interpreter reports of itself (`sys.audit`), while it is asked to.

    An audit hook stays until the process ends, so there is one, and it is deaf outside `hear`.
    """

    def __init__(self) -> None:
        self.events: list[Event] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.events is not None:
            self.events.append((event, arguments))

    @contextmanager
    def hear(self) -> Iterator[list[Event]]:
        self.events = []
        try:
            yield self.events
        finally:
            self.events = None


@pytest.fixture(scope="session")
def listener() -> Listener:
    hook = Listener()
    sys.addaudithook(hook)
    return hook


@pytest.mark.parametrize("text", [*HOSTILE, "h' = tanh(W @ x + U @ h)"])
def test_nothing_is_run_and_nothing_is_written(text: str, tmp_path: Path, listener: Listener) -> None:
    file = tmp_path / "cell.toml"
    file.write_text(f'name = "hostile"\nequations = """\n{text}\n"""\n')
    with listener.hear() as events:
        if text in HOSTILE:
            with pytest.raises(CellError):
                load(file)
        else:
            load(file)
    kinds = {event for event, _ in events}
    assert "open" in kinds
    assert not kinds & {"exec", "import", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "os.remove"}
    assert {mode for event, arguments in events if event == "open" for mode in arguments[1:2]} <= {"r", "rb"}
    assert [path.name for path in tmp_path.iterdir()] == ["cell.toml"]
