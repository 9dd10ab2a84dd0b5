"""What is no expression of the language, and what has no value: each is refused with its place."""

from __future__ import annotations

from tests.language.wrong import Wrong

WORDS = (
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
)
"""Words and numbers."""

SYNTAX = (
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
)

WITHOUT_VALUE = (
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
)

ALL = (*WORDS, *SYNTAX, *WITHOUT_VALUE)
"""All of them."""
