"""The plan of a cell's kernels, checked like kernels: run from its records, without a target.

Reads a `Program` and a `Problem`; returns a `Result` as kernels give one. If the plan is right and kernels are wrong, the
fault is in a target. If both are wrong alike, it is in the plan or in the derivation. Leaves out: what is right
(`symrnn.check.oracles`), and what a plan means (`symrnn.plan.execute`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from symrnn.check.cases import Problem
from symrnn.check.kernels import Arrays, Outputs, Result, X, labelled, of_input, of_state, of_tape
from symrnn.check.measure import Array
from symrnn.derive.evaluate import flat, shaped
from symrnn.derive.preparation import pushed
from symrnn.errors import CheckError
from symrnn.language.axes import Numbers, shape_axes
from symrnn.language.system import ONE
from symrnn.language.tree import PRIME
from symrnn.plan import execute
from symrnn.plan.batch import Ran
from symrnn.plan.program import Program


def run_plan(program: Program, problem: Problem) -> dict[str, Result]:
    """What a program computes: with its plain loop (``forward``), and with its fused loop (``fused``) if it has one.

    Args:
        program: with a backward routine.
        problem: the point and the loss.
    """
    plan = PlanKernels(program, problem.sizes)
    ways = {"forward": False} | ({"fused": True} if program.forward.fused else {})
    return {name: _result(plan, problem, name, fused) for name, fused in ways.items()}


def _result(plan: PlanKernels, problem: Problem, name: str, fused: bool) -> Result:
    reverse = problem.case.reverse
    given = {X: problem.x, **problem.inputs}
    ran = plan.run(problem.params, given, problem.state, problem.lengths, reverse, fused=fused)
    # Implementations keep the states of reversed rows in different orders.
    over_time = {} if reverse else {of_tape(state): array for state, array in plan.named(ran.states, 2).items()}
    variables, sizes = plan.program.cell.variables, Numbers({**problem.sizes, ONE: 1})
    dstate = flat(variables, problem.dstate or {state: np.zeros_like(array) for state, array in ran.state.items()}, 1)
    dys = {name: array.reshape(*array.shape[:2], math.prod(array.shape[2:])) for name, array in problem.dys.items()}
    grads = execute.backward(plan.program, problem.sizes, ran, dys, dstate, flat(variables, problem.params))
    gradients = shaped(variables, grads.params, sizes)
    gradients |= {of_state(state): array for state, array in plan.named(grads.state).items()}
    inputs = shaped(variables, grads.inputs, sizes, 2)
    gradients |= {
        X if each == X else of_input(each): inputs.get(each, np.zeros_like(array))
        for each, array in given.items()
        if each not in problem.held
    }
    return Result({name: labelled(plan.outputs(ran), plan.named(ran.state)) | over_time}, gradients)


@dataclass(frozen=True)
class PlanKernels:
    """A program as a module whose derivatives can be taken.

    Attributes:
        program: to run.
        sizes: a number for each size name.
    """

    program: Program
    sizes: Mapping[str, int]

    def run(
        self,
        params: Arrays,
        inputs: Arrays,
        state: Arrays | None,
        lengths: Array | None,
        reverse: bool,
        *,
        fused: bool = False,
    ) -> Ran:
        """The forward routine; ``x`` is among the inputs."""
        params = execute.prepared(self.program, self.sizes, self._flat(params))
        given = {**params, **self._rows(inputs), **self._states(state, inputs[X])}
        return execute.forward(self.program.forward, self.sizes, given, lengths=lengths, reverse=reverse, fused=fused)

    def forward(
        self,
        params: Arrays,
        x: Array,
        state: Arrays | None = None,
        *,
        lengths: Array | None = None,
        reverse: bool = False,
        inputs: Arrays | None = None,
    ) -> tuple[Outputs, Arrays, Ran]:
        """Outputs, final states, and what the run leaves for the backward routine."""
        ran = self.run(params, {X: x, **(inputs or {})}, state, lengths, reverse)
        return self.outputs(ran), self.named(ran.state), ran

    def jvp(
        self,
        params: Arrays,
        x: Array,
        state: Arrays | None,
        dparams: Arrays,
        dx: Array,
        dstate: Arrays | None,
        inputs: Arrays | None = None,
        dinputs: Arrays | None = None,
    ) -> tuple[Outputs, Arrays]:
        """Tangents of the outputs and of the final states.

        Raises:
            CheckError: the program has no tangent.
        """
        tangent = self.program.tangent
        if tangent is None:
            raise CheckError(f"{self.program.cell.name}: the plan has no tangent; ask for one in its policy")
        params, dparams = self._flat(params), self._flat(dparams)
        if self.program.preparation:
            dparams = pushed(self.program.preparation, params, dparams, self.sizes)
            params = execute.prepared(self.program, self.sizes, params)
        values = {**params, **self._rows({X: x, **(inputs or {})}), **self._states(state, x)}
        directions = {**dparams, **self._rows({X: dx, **(dinputs or {})}), **self._states(dstate, x)}
        of = {variable.name: variable.of for variable in tangent.system.variables if variable.of}
        given = {n: directions[of[n]] if n in of else values[n] for n in tangent.system.inputs}
        ran = execute.forward(tangent, self.sizes, given)
        by_state = {of[name]: array for name, array in ran.state.items() if name in of}
        outputs = {of.get(name, name).removesuffix(PRIME): array for name, array in ran.outputs.items()}
        return self._outputs(outputs), self.named(by_state)

    def _states(self, state: Arrays | None, x: Array) -> Arrays:
        """Initial states; zeros where they are not given."""
        numbers = Numbers({**self.sizes, ONE: 1})
        widths = {name: numbers[self.program.forward.sizes[next_]] for name, next_ in self.program.forward.states}
        found = state or {name: np.zeros((x.shape[1], width)) for name, width in widths.items()}
        return flat(self.program.cell.variables, found, 1)

    def _rows(self, inputs: Arrays) -> Arrays:
        """Inputs as plans have them."""
        return flat(self.program.cell.variables, inputs, 2)

    def _flat(self, params: Arrays) -> Arrays:
        """Parameters as plans have them."""
        return flat(self.program.cell.variables, params)

    def named(self, states: Arrays, lead: int = 1) -> Arrays:
        """States, or their gradients, with an array axis for each of theirs."""
        return shaped(self.program.cell.variables, states, self.sizes, lead)

    def outputs(self, ran: Ran) -> Arrays:
        """The outputs, likewise."""
        return self._outputs(ran.outputs)

    def _outputs(self, found: Arrays) -> Arrays:
        cell = self.program.cell
        of = dict(zip(cell.returned, cell.output_values, strict=True))
        names = {name: of.get(name, cell.output_values[0]) for name in found}
        sizes = Numbers({**self.sizes, ONE: 1})
        axes = {name: [sizes[axis] for axis in shape_axes((cell.size(value),))] for name, value in names.items()}
        return {name: array.reshape(*array.shape[:2], *axes[name]) for name, array in found.items()}
