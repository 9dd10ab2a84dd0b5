"""Wrong entries around the equations, and files that are no TOML: each is refused with its place."""

from __future__ import annotations

from tests.language.wrong import GOOD, Wrong

KEYS = (
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
)

PARAMETERS = (
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
)
"""Starts, what is fixed, and domains."""

SIZES_AND_CONSTANTS = (
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
)

TOML = (
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

ALL = (*KEYS, *PARAMETERS, *SIZES_AND_CONSTANTS, *TOML)
"""All of them."""
