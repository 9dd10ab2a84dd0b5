"""Cells that nobody thought of: random valid texts from the grammar, through every oracle, in NumPy and in C.

Names are drawn from words that generated files use themselves (``T``, ``tape``, ``np``), since those are a user's to
take; arguments of ``log``, ``sqrt``, ``/`` and fractional powers are kept in range, and updates bounded, so that
every cell can be evaluated at any point. The examples are the same in every run.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import symrnn
from symrnn.check.cases import EVERY_WIDTH, Case
from symrnn.check.deviations import Report
from symrnn.check.measure import ADJOINT, CENTRAL, COMPLEX_STEP, INTERPRETER
from symrnn.check.suite import not_smooth, run_suite
from symrnn.language.cell import Cell
from symrnn.language.choices import COMPARISONS
from symrnn.language.functions import FUNCTIONS
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.tree import Call, Expression, MatVec, Name, Power, Reduce, VectorCall, walk
from symrnn.language.vectors import VECTORS
from symrnn.plan.planner import plan
from symrnn.plan.policy import Policy
from symrnn.targets.c.policy import POLICY
from symrnn.targets.c.toolchain import Options
from tests.processors import load

T = TypeVar("T")

ORACLES = (INTERPRETER, COMPLEX_STEP, CENTRAL, ADJOINT)
CASES = (Case(3, 2, 2, 3, ORACLES), Case(4, 3, 5, 4, (INTERPRETER, COMPLEX_STEP), ragged=True, reverse=True))
PROFILE = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
)
NUMPY_EXAMPLES = (30, pytest.param(200, marks=pytest.mark.long))
C_EXAMPLES = (3, pytest.param(40, marks=pytest.mark.long))
DRAWN = 1000
"""Examples that must reach the whole language between them."""

WORDS = (
    *("T", "B", "I", "H", "y", "t", "b", "k", "row", "np", "tape", "params", "state", "out", "dy", "dx", "d_h", "x_t"),
    *("grads", "lengths", "reverse", "forward", "backward", "size_t", "memcpy", "vec_f32", "workspace", "dims", "W_xh"),
)
"""Names that a generated file has uses of its own for."""

SMOOTH = (
    *("sigmoid({})", "tanh({})", "softplus({})", "silu({})", "gelu({})", "sin({})", "cos({})", "exp(tanh({}))"),
    *("log(0.5 + softplus({}))", "sqrt({}**2 + 0.5)", "{}**2", "tanh({})**3", "(1 + {}**2)**-1", "(0.5 + {}**2)**1.5"),
    *(
        "-{}",
        "1 / (1.5 + {}**2)",
        "tanh(-{} / 3)",
        "erf({})",
        "gelu_erf({})",
        "mish({})",
        "logsigmoid({})",
        "erfc({})",
        "softmax({})",
        "0.2 * cumsum({})",
    ),
    *("log1p({}**2)", "expm1(tanh({}))", "rsqrt(0.5 + {}**2)", "(1 + sigmoid({}))**0.7"),
)
"""Functions and powers of one operand, differentiable everywhere."""

KINKED = (
    *("relu({})", "leaky_relu({})", "elu({})", "softsign({})", "hard_sigmoid({})", "hard_tanh({})", "abs({})"),
    *("relu6({})", "celu({})", "selu({})", "hard_swish({})", "sign({})", "step({})", "floor({})", "round({})"),
)
BINARY = ("{} + {}", "{} - {}", "{} * {}", "{} / (2 + {}**2)", "(1.5 + tanh({}))**tanh({})")
KINKED_BINARY = (
    "minimum({}, {})",
    "maximum({}, {})",
    *(f"where({{}} {sign} {{}}, {{}}, {{}})" for sign in COMPARISONS),
)
SCALARS = ("mean({})", "sum({}) / 4", "mean({}**2)", "sqrt(mean({}**2) + 0.1)", "logsumexp({})")
KINKED_SCALARS = ("max({})",)
BOUNDED = ("tanh({})", "sigmoid({})", "sin({})", "0.5 * tanh({})")
KINKED_BOUNDED = ("softsign({})", "hard_tanh({})", "hard_sigmoid({})")


HOLE = re.compile(r"\{\}")
SIMPLE = re.compile(r"[A-Za-z0-9_.]+'?")
FORM = re.compile(r"-?\w+(\.T)? @ \w+'?")


def fill(template: str, *operands: str) -> str:
    """``template`` with its holes filled, in parentheses where precedence asks for them and not otherwise."""
    rest = iter(operands)

    def operand(hole: re.Match[str]) -> str:
        text, before, after = next(rest), template[: hole.start()], template[hole.end() :]
        alone = before.endswith(("(", "minimum({}, ", "maximum({}, ")) and after.startswith((")", ","))
        # A linear form binds tighter than what may stand beside it, powers and another matrix's chain apart.
        barred = ("-", "@ ") if text.startswith("-") else ("-",)
        form = FORM.fullmatch(text) and not after.startswith("**") and not before.endswith(barred)
        return text if alone or form or SIMPLE.fullmatch(text) else f"({text})"

    return HOLE.sub(operand, template)


@dataclass
class Writer:
    """Writes one cell, keeping account of the sizes of names and of what has been read."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    kinks: bool = False
    vectors: dict[str, str] = field(default_factory=dict)
    scalars: list[str] = field(default_factory=list)
    matrices: dict[str, tuple[str, str]] = field(default_factory=dict)
    biases: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    sizes: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=lambda: {"x"})

    def pick(self, values: tuple[T, ...] | list[T]) -> T:
        value: T = self.draw(st.sampled_from(values))
        return value

    def often(self, percent: int) -> bool:
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    def fresh(self, stem: str) -> str:
        """A name that is not taken: now and then one that generated files use."""
        if self.often(30) and (free := [word for word in WORDS if word not in self.taken]):
            name = self.pick(free)
        else:
            numbered = (f"{stem}{number or ''}" for number in range(1000))
            name = next(name for name in numbered if name not in self.taken)
        self.taken.add(name)
        return name

    def declare(self, name: str, size: str) -> str:
        if size not in ("hidden", "input"):
            self.sizes[name] = size
        return name

    def read(self, name: str) -> str:
        if name in self.unread:
            self.unread.remove(name)
        return name

    def vector(self, size: str, depth: int) -> str:
        """An operand over the units of ``size``."""
        if depth <= 0 or self.often(15):
            return self.leaf(size)
        form = self.pick(("function", "function", "binary", "binary", "scaled", "matrix"))
        if form == "function":
            return fill(self.pick(SMOOTH + KINKED * self.kinks), self.vector(size, depth - 1))
        if form == "binary":
            template = self.pick(BINARY + KINKED_BINARY * self.kinks)
            return fill(template, *(self.vector(size, depth - 1) for _ in range(template.count("{}"))))
        if form == "scaled":
            return fill("{} * {}", self.scalar(depth - 1), self.vector(size, depth - 1))
        return self.form(size, depth - 1)

    def leaf(self, size: str) -> str:
        known = [name for name, its in self.vectors.items() if its == size]
        if known and self.often(45):
            return self.read(self.pick(known))
        return self.form(size, 0) if self.often(70) else self.bias(size)

    def bias(self, size: str) -> str:
        shared = [name for name, its in self.biases.items() if its == size]
        if shared and self.often(40):
            return self.pick(shared)
        name = self.declare(self.fresh("b_"), size)
        self.biases[name] = size
        return name

    def form(self, rows: str, depth: int) -> str:
        """``W @ v``, ``W.T @ v`` or ``-W @ V @ v``."""
        columns = self.pick(list(dict.fromkeys(self.vectors.values())))
        if depth > 0:
            operand = self.vector(columns, depth)
        else:
            operand = self.read(self.pick([name for name, size in self.vectors.items() if size == columns]))
        if self.often(15):
            operand = fill(f"{self.matrix(columns, columns)} @ {{}}", operand)
        return fill(f"{'-' * self.often(20)}{self.matrix(rows, columns)} @ {{}}", operand)

    def matrix(self, rows: str, columns: str) -> str:
        shared = [name for name, shape in self.matrices.items() if shape == (rows, columns)]
        turned = [f"{name}.T" for name, shape in self.matrices.items() if shape == (columns, rows)]
        if (shared or turned) and self.often(30):
            return self.pick(shared + turned)
        name = self.fresh("W_")
        turn = self.often(15)
        self.matrices[name] = (columns, rows) if turn else (rows, columns)
        return f"{name}.T" if turn else name

    def scalar(self, depth: int) -> str:
        kind = self.pick(("number", "constant", "parameter", "reduction", "name"))
        if kind == "number":
            return self.pick(("2", "0.5", "1.25", "3e-1"))
        if kind == "constant":
            name = self.fresh("alpha_")
            self.constants[name] = self.pick(("0.75", "-1.5", "1e-1"))
            return name
        if kind == "parameter":
            return self.declare(self.fresh("s_"), "1")
        if kind == "name" and self.scalars:
            return self.read(self.pick(self.scalars))
        size = self.pick(list(dict.fromkeys(self.vectors.values())))
        return self.reduction(size, depth)

    def reduction(self, size: str, depth: int) -> str:
        """One number of all units."""
        return fill(self.pick(SCALARS + KINKED_SCALARS * 2 * self.kinks), self.vector(size, depth))

    def intermediate(self) -> str:
        name = self.fresh("m_")
        if self.often(15):
            line = f"{name} = {self.reduction('hidden', 1)}"
            self.scalars.append(name)
        else:
            size = "inner" if self.often(25) else "hidden"
            line = f"{name} = {self.vector(size, 2)}"
            self.vectors[self.declare(name, size)] = size
        self.unread.append(name)
        return line

    def update(self, state: str, size: str, last: bool) -> str:
        """The next value of ``state``, bounded whatever it reads; the last one reads all that is still unread."""
        value = fill(self.pick(BOUNDED + KINKED_BOUNDED * self.kinks), self.vector(size, 3))
        if self.often(35):
            gate = f"sigmoid({self.vector(size, 2)})"
            value = f"{gate} * {state} + (1 - {gate}) * {value}"
        if last:
            for name in tuple(self.unread):
                used = (
                    f"sin({name})"
                    if name in self.scalars
                    else f"tanh({self.matrix(size, self.vectors[name])} @ {name})"
                )
                value = f"{value} + 0.25 * {used}"
            self.unread.clear()
        self.vectors[f"{state}'"] = size
        return f"{state}' = {value}"


@dataclass(frozen=True)
class Draft:
    """The arguments of `symrnn.Cell.from_equations`."""

    text: str
    sizes: tuple[tuple[str, str], ...]
    constants: tuple[tuple[str, str], ...]

    def cases(self) -> tuple[Case, ...]:
        """Those of every cell, and one of those that look at every width."""
        return (*CASES, EVERY_WIDTH[zlib.crc32(self.text.encode()) % len(EVERY_WIDTH)])

    def cell(self) -> Cell:
        sizes, constants = dict(self.sizes), dict(self.constants)
        return symrnn.Cell.from_equations(self.text, name="random", sizes=sizes, constants=constants)


@st.composite
def drafts(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Draft:
    """A valid cell: one to three states, up to three intermediates, in a random order."""
    writer = Writer(draw)
    writer.kinks = writer.often(40)
    writer.vectors["x"] = "hidden" if writer.often(10) else "input"
    states = [writer.fresh(stem) for stem in ("h", "c", "n")[: draw(st.integers(1, 3))]]
    for place, state in enumerate(states):
        writer.vectors[writer.declare(state, "inner" if place and writer.often(20) else "hidden")] = "hidden"
        writer.vectors[state] = writer.sizes.get(state, "hidden")
    order = draw(st.permutations([*states, *[""] * draw(st.integers(0, 3))]))
    final = next(state for state in reversed(order) if state)
    # Intermediates after the last update would never be read.
    order = order[: order.index(final) + 1]
    lines = [
        writer.update(name, writer.vectors[name], name == final) if name else writer.intermediate() for name in order
    ]
    return Draft("\n".join(lines), tuple(writer.sizes.items()), tuple(writer.constants.items()))


@cache
def numpy_report(draft: Draft) -> Report:
    """What the oracles say of the plan and of the NumPy kernels; cached, for Hypothesis repeats some of its examples."""
    cell = draft.cell()
    numpy = symrnn.build(cell, backend="numpy")
    plans = {"numpy": plan(symrnn.derive(cell), Policy())}
    return Report(run_suite(cell, numpy, {"numpy": numpy}, draft.cases(), plans=plans))


@cache
def c_report(draft: Draft) -> Report:
    """What the oracles say of the C kernels."""
    cell = draft.cell()
    numpy = symrnn.build(cell, backend="numpy")
    c = load(symrnn.render(cell, backends=("c",)), cell.name, Options(optimise="-O0"))
    return Report(run_suite(cell, numpy, {"numpy": numpy, "c": c}, draft.cases()))


@pytest.mark.parametrize("examples", NUMPY_EXAMPLES)
def test_numpy_kernels_of_random_cells_pass_every_oracle(examples: int) -> None:
    @settings(PROFILE, max_examples=examples)
    @given(drafts())
    def hold(draft: Draft) -> None:
        report = numpy_report(draft)
        assert report.passed, report.table()

    hold()


@pytest.mark.parametrize("examples", C_EXAMPLES)
def test_c_kernels_of_random_cells_pass_every_oracle(examples: int) -> None:
    # Each example is a run of the compiler: a failing one is shown as it was found, not shrunk.
    @settings(PROFILE, max_examples=examples, phases=(Phase.generate,))
    @given(drafts())
    def hold(draft: Draft) -> None:
        report = c_report(draft)
        assert report.passed, report.table()

    hold()


def nodes(cell: Cell) -> list[Expression]:
    return [node for equation in cell.equations for node in walk(equation.expression)]


def test_the_strategy_reaches_the_whole_language() -> None:
    cells: list[Cell] = []

    @settings(PROFILE, max_examples=DRAWN, phases=(Phase.generate,))
    @given(drafts())
    def collect(draft: Draft) -> None:
        cells.append(draft.cell())

    collect()
    found = [node for cell in cells for node in nodes(cell)]
    called = {node.function for node in found if isinstance(node, Call)} | {
        node.kind for node in found if isinstance(node, Reduce | VectorCall)
    }
    public = {name for name, row in VECTORS.items() if row.public}
    assert called == {name for name, row in FUNCTIONS.items() if row.in_equations} | set(REDUCTIONS) | public
    forms = [node for node in found if isinstance(node, MatVec)]
    assert any(form.transposed for form in forms)
    assert any(not isinstance(form.operand, Name) for form in forms)
    assert {node.exponent for node in found if isinstance(node, Power)} >= {2, 3, -1, 1.5}
    assert {len(cell.states) for cell in cells} == {1, 2, 3}
    assert any(cell.input_is_hidden for cell in cells)
    assert any("inner" in cell.sizes for cell in cells)
    assert any("1" in variable.shape for cell in cells for variable in cell.parameters)
    assert sum(not not_smooth(cell) for cell in cells) > len(cells) // 3
    assert sum(bool(not_smooth(cell)) for cell in cells) > len(cells) // 8
    assert any(name in FUNCTIONS and not FUNCTIONS[name].analytic for cell in cells for name in not_smooth(cell))


def test_a_fused_loop_keeps_the_order_of_what_stays_hoisted_beside_it() -> None:
    # `Q @ x` feeds a second product, so it stays hoisted; `W.T @ x` goes into the loop.
    draft = Draft("c' = tanh(n - W.T @ x)\nn' = tanh(P @ Q @ x) + c'", (), ())
    fused = plan(symrnn.derive(draft.cell()), POLICY).forward.fused
    assert fused is not None
    assert [stage.name for stage in fused.before] == ["fused_hoist_1", "hoist_2"]
    report = c_report(draft)
    assert report.passed, report.table()


@pytest.mark.parametrize("text", ["h' = tanh(h + x)", "h' = 0.5 * h + mean(x)"])
def test_a_cell_without_parameters_has_kernels_in_c(text: str) -> None:
    report = c_report(Draft(text, (), ()))
    assert report.passed, report.table()
