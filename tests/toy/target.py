"""The target ``toy``: a Python module in which each equation of the step, and of its adjoint, is a line.

Reads the systems of equations that a plan was made from; leaves out the plan itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from symrnn.build.loading import import_text, module_name
from symrnn.emit.render import render_source
from symrnn.emit.request import Request
from symrnn.emit.source import Mark, Marked, Source
from symrnn.language.fold import Fold
from symrnn.language.system import Equation, System
from symrnn.language.tree import (
    MATRICES,
    PRIME,
    Binary,
    Broadcast,
    Call,
    Constant,
    MatVec,
    Name,
    Negate,
    Number,
    Outer,
    Power,
    Reduce,
    SizeOf,
    VectorCall,
)
from symrnn.plan.policy import Policy
from symrnn.plan.program import Program
from symrnn.targets.description import Description
from symrnn.targets.target import Builder, Target
from tests.toy import DESCRIPTION
from tests.toy.functions import REDUCTIONS, SPELLINGS, VECTORS


class _Text(Fold[str], refuses=(Broadcast, *MATRICES)):
    """An expression in Python: values are rows of ``v`` by name, sizes are numbers of ``n``."""

    def _of_number(self, node: Number) -> str:
        return repr(float(node.value))

    def _of_constant(self, node: Constant) -> str:
        return repr(float(node.value))

    def _of_name(self, node: Name) -> str:
        return f'v["{node.name}"]'

    def _of_negate(self, node: Negate) -> str:
        return f"(-{self(node.operand)})"

    def _of_binary(self, node: Binary) -> str:
        return f"({self(node.left)} {node.op} {self(node.right)})"

    def _of_power(self, node: Power) -> str:
        exponent = node.exponent
        return f"({self(node.base)} ** {exponent if exponent.denominator == 1 else float(exponent)})"

    def _of_call(self, node: Call) -> str:
        return f"({SPELLINGS[node.function].format(*map(self, node.arguments))})"

    def _of_form(self, node: MatVec) -> str:
        return f'({self(node.operand)} @ v["{node.matrix}"]{"" if node.transposed else ".T"})'

    def _of_reduction(self, node: Reduce) -> str:
        return REDUCTIONS[node.kind].format(self(node.operand))

    def _of_vector(self, node: VectorCall) -> str:
        return VECTORS[node.kind].format(self(node.operand))

    def _of_outer(self, node: Outer) -> str:
        return f"({self(node.left)}.T @ {self(node.right)})"

    def _of_size(self, node: SizeOf) -> str:
        return f'n["{node.size}"]'


def _lines(system: System, function: str) -> Iterator[Marked]:
    for equation in system.equations:
        yield Marked(f"    {_statement(system, equation)}  # ({equation.label})", Mark((equation.label,), "", function))


def _statement(system: System, equation: Equation) -> str:
    """A vector is broadcast to all rows and units; the gradient of a matrix is one already."""
    text, shape = _Text()(equation.expression), system.by_name[equation.target].shape
    if len(shape) == 1:
        text = f'np.broadcast_to({text}, (rows, n["{shape[0]}"]))'
    return f'v["{equation.target}"] = {text}'


def _adjoints(system: System, names: Iterable[str]) -> dict[str, str]:
    """Those of ``names`` that are a gradient, by what they belong to; of a state's next value, the state."""
    return {system.by_name[name].of.removesuffix(PRIME): name for name in names if system.by_name[name].of}


class _Toy:
    """Whole arrays, a statement a line."""

    description: Description = DESCRIPTION
    functions: Collection[str] = SPELLINGS
    reductions: Collection[str] = REDUCTIONS
    vectors: Collection[str] = VECTORS
    policy: Policy = Policy(tangent=False, fused=False)
    builder: Builder | None = None

    def files(self, program: Program, request: Request) -> dict[str, Source]:
        """One module."""
        cell, step = program.cell, program.forward.system
        adjoint = program.backward.system if program.backward is not None else None
        context = {
            "cell": cell.name,
            "dtype": request.dtype,
            "shapes": {v.name: v.shape for v in cell.parameters},
            "init": {v.name: cell.init.get(v.name, "uniform") for v in cell.parameters},
            "states": {state: cell.size(state) for state in cell.states},
            "output": cell.output_values[0],
            "output_size": cell.size(cell.output_values[0]),
            "step_head": Marked("def _step(v, n, rows):", Mark((), "", "_step")),
            "step": tuple(_lines(step, "_step")),
            "adjoint_head": Marked("def _adjoint(v, n, rows):", Mark((), "", "_adjoint")),
            "adjoint": tuple(_lines(adjoint, "_adjoint")) if adjoint is not None else (),
            "seeds": _adjoints(adjoint, adjoint.inputs) if adjoint is not None else {},
            "gradients": _adjoints(adjoint, adjoint.outputs) if adjoint is not None else {},
        }
        name = module_name(cell.name, DESCRIPTION.name)
        return {f"{name}.py": render_source("module.py.jinja", context, Path(__file__).parent)}

    def load(self, files: Mapping[str, str], cell: str, march: str | None = None) -> ModuleType:
        """The module as it is."""
        name = module_name(cell, DESCRIPTION.name)
        return import_text(files[f"{name}.py"], name)

    def unavailable(self) -> str:
        """Nothing."""
        return ""


TARGET: Target = _Toy()
