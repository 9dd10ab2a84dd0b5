"""From parsed equations and declarations to the parts of a cell: its states, its parameters and their sizes.

Reads equations and the tables of a cell file as plain values; returns a `Composition`, everything of a `Cell` but its
name. The rules that concern more than one equation are checked here. Leaves out: TOML
(`symrnn.language.cellfile`), grammar (`symrnn.language.parser`), unification (`symrnn.language.sizes`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from symrnn.language.decimals import Number, decimal
from symrnn.language.definitions import read_definitions
from symrnn.language.determined import check_determined
from symrnn.language.expansion import expand
from symrnn.language.finite import check_finite
from symrnn.language.following import following
from symrnn.language.located import Assignment, Located, located
from symrnn.language.matrices import Names, of_vectors
from symrnn.language.matrix_form import matrix_form
from symrnn.language.normalise import normalise
from symrnn.language.origin import Origin, nearest, shown
from symrnn.language.own import Entry, OwnFunction, own_functions
from symrnn.language.parameters import ParameterTables, StartEntry
from symrnn.language.parser import function_fault, parse
from symrnn.language.prepared import MatrixKind, Preparing, check_values, name_matrices, preparing
from symrnn.language.scanner import name_fault
from symrnn.language.size_tables import ARGUMENTS, InputEntry, SizeEntry, SizeTables, counts, held_inputs
from symrnn.language.sizes import Shape, Sizes, infer
from symrnn.language.spelling import one_edit_apart
from symrnn.language.system import INPUT, Equation, Role, System, Variable
from symrnn.language.tree import PRIME, Call, MatVec, Name, constants, is_next, names, walk
from symrnn.language.written import Authored, written


@dataclass(frozen=True)
class Declarations:
    """The tables of a cell file, as plain values."""

    sizes: Mapping[str, SizeEntry] = field(default_factory=dict)
    constants: Mapping[str, Number] = field(default_factory=dict)
    init: Mapping[str, StartEntry] = field(default_factory=dict)
    output: tuple[str, ...] = ()
    inputs: Mapping[str, InputEntry] = field(default_factory=dict)
    define: Mapping[str, str] = field(default_factory=dict)
    domain: Mapping[str, str] = field(default_factory=dict)
    fixed: Sequence[str] = ()
    functions: Mapping[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True)
class Composition:
    """Everything of a cell but its name, title and reference; the fields are those of `Cell`."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    equations: tuple[Equation, ...]
    variables: tuple[Variable, ...]
    constants: Mapping[str, str]
    define: Mapping[str, str]
    written: tuple[Authored, ...]
    functions: Mapping[str, OwnFunction]
    init: Mapping[str, str]
    domain: Mapping[str, str]
    returned: tuple[str, ...]
    sizes: tuple[str, ...]
    declared: Mapping[str, Shape]
    input_is_hidden: bool
    tied_by: str
    shared_matrix: str
    normal: System
    preparation: System


def compose(text: str, declarations: Declarations, origin: Origin) -> Composition:
    """The cell that ``text`` and ``declarations`` describe.

    Raises:
        CellError: a rule of the language is broken; with the place, and the nearest right name where there is one.
    """
    return _Composer(text, declarations, origin).compose()


class _Composer:
    def __init__(self, text: str, declarations: Declarations, origin: Origin) -> None:
        self._declarations, self._origin = declarations, origin
        self._constants = self._read_constants()
        self._inputs = ("x", *self._read_inputs())
        self._functions = own_functions(declarations.functions, self._constants, self._inputs, origin)
        known = (self._constants, self._inputs, self._functions)
        definitions = read_definitions(declarations.define, origin, *known)
        given = parse(text, definitions.origin, *known, definitions.calls)
        self._expansion = expand(given, definitions, self._constants, self._inputs, tuple(declarations.sizes))
        self._written = written(given, definitions) if self._expansion.is_new else ()
        self._origin = self._expansion.origin
        taken = (*self._constants, *self._inputs, *declarations.sizes)
        self._assignments = name_matrices(self._expansion.assignments, taken)
        self._targets: dict[str, Assignment] = {}
        self._states: list[str] = []
        self._matrices: list[str] = []
        self._parameters: list[str] = []
        self._preparing = Preparing()

    def compose(self) -> Composition:
        self._collect_targets()
        returned = self._read_returned()
        step = (*self._inputs, *self._states)
        self._preparing = preparing(self._assignments, step, counts(self._declarations.sizes))
        self._check_reads(returned)
        check_values(self._assignments, step, self._preparing, self._origin)
        self._check_returned(returned)
        own = self._preparing.targets
        sizes = self._infer(following([each for each in self._assignments if each.target not in own], returned))
        for assignment in self._assignments:
            check_finite(assignment.expression, self._origin)
        equations = tuple(
            Equation(
                assignment.label,
                assignment.target,
                sizes.trees.get(assignment.target, assignment.expression.node),
                assignment.label,
            )
            for assignment in self._assignments
        )
        tables = self._parameter_tables()
        domain = tables.domains(self._declarations.domain)
        fixed = tables.fixed(self._declarations.fixed)
        variables = self._variables(sizes, fixed)
        check_determined(self._assignments, variables, self._origin)
        taken = [variable.name for variable in variables]
        preparation = matrix_form(equations, sizes.shapes, sizes.oriented, self._preparing, taken, fixed)
        others = tuple(name for name in returned if name not in self._states)
        return Composition(
            inputs=(*self._inputs, *self._states, *self._parameters),
            outputs=(*(state + PRIME for state in self._states), *others),
            equations=equations,
            variables=variables,
            constants={name: text for name, (_, text) in self._constants.items()},
            define=self._declarations.define,
            written=self._written,
            functions=self._functions,
            init=tables.starts(self._declarations.init, domain),
            domain=domain,
            returned=returned,
            sizes=self._size_tables().names(),
            declared=self._size_tables().declared(),
            input_is_hidden=sizes.input_is_hidden,
            tied_by=self._assignments[sizes.tied_by - 1].label if sizes.tied_by else "",
            shared_matrix=sizes.shared_matrix,
            normal=self._normal(equations, variables, others, preparation),
            preparation=preparation,
        )

    def _normal(
        self,
        equations: tuple[Equation, ...],
        variables: tuple[Variable, ...],
        others: tuple[str, ...],
        preparation: System,
    ) -> System:
        """The normal form of the step, to which what is prepared is a parameter like any other."""
        own = self._preparing.targets
        if not own:
            return normalise(equations, variables, others)
        step = tuple(equation for equation in equations if equation.target not in own)
        read = {name for equation in step for name in names(equation.expression)}
        order = sorted(variables, key=lambda variable: _ORDER.index(variable.role))
        kept = tuple(
            replace(variable, role=Role.PARAMETER, gradient=variable.name not in preparation.held)
            if variable.role is Role.PREPARED
            else variable
            for variable in order
            if variable.role not in (Role.PARAMETER, Role.PREPARED) or variable.name in read
        )
        return normalise(step, kept, others)

    def _check_returned(self, returned: Collection[str]) -> None:
        for name in returned:
            if name in self._preparing.targets:
                message = (
                    f"output: `{name}` is computed from parameters alone, once, and is no value of a step; name another"
                )
                raise self._origin.entry_error(message, "output")

    def _read_constants(self) -> dict[str, tuple[Fraction, str]]:
        constants: dict[str, tuple[Fraction, str]] = {}
        for name, value in self._declarations.constants.items():
            if fault := name_fault(name) or ("`x` is the input" if name == "x" else function_fault(name)):
                raise self._origin.entry_error(f"[constants]: {fault}", "constants", name)
            text, fault = decimal(value)
            if fault:
                raise self._origin.entry_error(f"[constants] {name}: {fault}", "constants", name)
            constants[name] = (Fraction(text), text)
        return constants

    def _read_inputs(self) -> Iterator[str]:
        """The names of ``[inputs]``."""
        for name in self._declarations.inputs:
            fault = name_fault(name) or function_fault(name)
            if not fault and name == "x":
                fault = "`x` is an input by itself, of size `input`"
            if not fault and name in self._constants:
                fault = f"`{name}` is a constant from [constants]; give the input another name"
            if not fault and name in ARGUMENTS:
                fault = f"`{name}` is an argument of the kernels; give the input another name"
            if fault:
                raise self._origin.entry_error(f"[inputs]: {fault}", "inputs", name)
            yield name

    def _collect_targets(self) -> None:
        for assignment in self._assignments:
            target, place = assignment.target, assignment.place
            stem = target.removesuffix(PRIME)
            if stem in self._inputs:
                what = "the input of the step" if stem == "x" else "an input from [inputs]"
                raise self._origin.error(f"`{stem}` is {what} and cannot be assigned; use another name", place)
            if stem in self._constants:
                raise self._origin.error(
                    f"`{stem}` is a constant from [constants] and cannot be assigned; use another name", place
                )
            if target in self._targets:
                line = self._origin.at(self._targets[target].place)[0]
                message = f"`{target}` is assigned a second time, after line {line}; use another name"
                raise self._origin.error(message, place)
            other = stem if is_next(target) else stem + PRIME
            if other in self._targets:
                raise self._origin.error(
                    f"`{stem}` is a state, because `{stem}'` is assigned: its value at the start of the step is given; "
                    f"use another name for the intermediate",
                    place if not is_next(target) else self._targets[other].place,
                )
            self._targets[target] = assignment
            if is_next(target):
                self._states.append(stem)
        if not self._states:
            raise self._origin.error(
                "the cell has no state; assign its value at the end of the step, as in `h' = …`", (1, 1)
            )

    def _check_reads(self, returned: Collection[str]) -> None:
        """Check that every name is read below its assignment and in one role, and that every intermediate is read."""
        done: set[str] = set()
        read: set[str] = set()
        vectors: dict[str, Located] = {}
        matrices: dict[str, Located] = {}
        for assignment in self._assignments:
            for node in located(assignment.expression):
                if isinstance(node.node, Name):
                    self._check_name(node.node.name, node, done)
                    read.add(node.node.name)
                    if assignment.target not in self._preparing.targets:
                        vectors.setdefault(node.node.name, node)
                    self._see(node.node.name)
                elif isinstance(node.node, MatVec):
                    matrices.setdefault(node.node.matrix, node)
                    self._check_matrix(node.node.matrix, node, done)
                    read.add(node.node.matrix)
                    self._see(node.node.matrix)
            done.add(assignment.target)
        for name, node in matrices.items():
            if name in vectors:
                later = max(node, vectors[name], key=lambda item: item.place)
                raise self._origin.error(
                    f"`{name}` is a matrix, left of `@`, and a vector, in elementwise arithmetic; they need two names",
                    later.place,
                )
        self._matrices = [name for name in self._parameters if name in matrices or name in self._preparing.matrices]
        for name, assignment in self._targets.items():
            if not is_next(name) and name not in read and name not in returned:
                raise self._origin.error(
                    f"`{name}` is assigned and never used; {self._misspelt(name)}use it, name it under `output`, or remove it",
                    assignment.place,
                )
        for name in self._inputs[1:]:
            if name not in read:
                raise self._origin.entry_error(
                    f"[inputs] {name}: the equations never read it; use it or remove it", "inputs", name
                )
        used = {name for assignment in self._assignments for name in constants(assignment.expression.node)}
        used.update(self._expansion.constants)
        for name in self._constants:
            if name not in used:
                raise self._origin.entry_error(
                    f"[constants] {name}: the equations never use it; use it or remove it", "constants", name
                )

        nodes = [node for assignment in self._assignments for node in walk(assignment.expression.node)]
        called = {node.written for node in nodes if isinstance(node, Call)}
        for name in self._functions:
            if name not in called:
                message = f"[functions] {name}: the equations never call it; use it or remove it"
                raise self._origin.entry_error(message, "functions", name)

    def _misspelt(self, name: str) -> str:
        """The remedy if a parameter, a matrix if ``name`` is one, may be the misspelt name; nothing otherwise."""
        matrix = name in self._preparing.matrices
        alike = (each for each in self._parameters if (each in self._matrices) == matrix and one_edit_apart(name, each))
        meant = next(alike, "")
        return f"if `{meant}`, which nothing assigns, stands for it, correct that; else " if meant else ""

    def _see(self, name: str) -> None:
        known = name in self._inputs or name in self._targets or name.removesuffix(PRIME) in self._states
        if not known and name not in self._parameters:
            self._parameters.append(name)

    def _check_name(self, name: str, node: Located, done: Collection[str]) -> None:
        if name in done or name in self._inputs:
            return
        if name in self._targets:
            line = self._origin.at(self._targets[name].place)[0]
            raise self._origin.error(
                f"`{name}` is read before it is assigned in line {line}; it is readable only below its assignment; if it is a "
                f"state, assign `{name}{PRIME}`, and `{name}` is its value before the step",
                node.place,
            )
        if is_next(name):
            hint = nearest(name, (target for target in self._targets if is_next(target)))
            raise self._origin.error(
                f"`{name}` is never assigned; a name with a prime is the value of a state at the end of the step{hint}",
                node.place,
            )

    def _check_matrix(self, name: str, node: Located, done: Collection[str]) -> None:
        stem = name.removesuffix(PRIME)
        if name in self._preparing.targets:
            self._check_name(name, node, done)
            return
        if name in self._targets and (fault := self._targets[name].expression.remedy):
            raise self._origin.error(fault, self._targets[name].expression.place)
        if stem in self._inputs or name in self._targets or stem in self._states or is_next(name):
            raise self._origin.error(
                f"left of `@` stands a parameter, or its transpose as in `P.T`; `{name}` is a vector of the step; "
                + of_vectors(Name(name), node.parts[0].node, Names((*self._inputs, *self._targets, *self._states))),
                node.place,
            )

    def _infer(self, states_of_input: tuple[str, ...]) -> Sizes:
        tables = self._size_tables()
        declared = tables.declared() | tables.of_inputs()
        before = {state: declared.get(name, (INPUT,)) for state, name in self._expansion.before.items()}
        declared = {**before, **declared}
        vectors = (*self._inputs, *(name for name in self._parameters if name not in self._matrices))
        prepared = (name for name, kind in self._preparing.targets.items() if kind is MatrixKind.MATRIX)
        matrices = (*self._matrices, *prepared)
        known = (declared, matrices, vectors)
        inputs = tuple(self._declarations.inputs)
        return infer(self._assignments, *known, self._origin, states_of_input, self._preparing, inputs)

    def _size_tables(self) -> SizeTables:
        known = ("x", *self._targets, *self._states, *self._parameters)
        matrices = {*self._matrices, *self._preparing.matrices}
        sizes, inputs = self._declarations.sizes, self._declarations.inputs
        return SizeTables(sizes, inputs, known, matrices, tuple(self._constants), self._origin)

    def _parameter_tables(self) -> ParameterTables:
        others = (*self._inputs, *self._states, *self._targets)
        return ParameterTables(self._parameters, self._matrices, tuple(self._constants), others, self._origin)

    def _variables(self, sizes: Sizes, fixed: Sequence[str]) -> tuple[Variable, ...]:
        held = {*fixed, *held_inputs(self._declarations.inputs)}
        roles: dict[str, Role] = dict.fromkeys(self._inputs, Role.INPUT)
        roles |= dict.fromkeys(self._states, Role.STATE)
        roles |= dict.fromkeys(self._parameters, Role.PARAMETER)
        roles |= {target: Role.NEXT if is_next(target) else Role.INTERMEDIATE for target in self._targets}
        roles |= dict.fromkeys(self._preparing.targets, Role.PREPARED)
        shapes, acting = sizes.shapes, sizes.acting
        return tuple(
            Variable(name, role, shapes[name], "", name not in held, name in acting, acting.get(name, 0))
            for name, role in roles.items()
        )

    def _read_returned(self) -> tuple[str, ...]:
        """What the layer returns at every step: states, without primes, or other assigned names."""
        names = self._declarations.output
        if not names:
            return ("h" if "h" in self._states else self._states[0],)
        known = (*self._states, *(target for target in self._targets if not is_next(target)))
        for name in names:
            if name in self._expansion.updated:
                message = (
                    f"output: `{name}` is the value of a pass; give its last one a name below the repeat, `y = {name}`"
                )
                raise self._origin.entry_error(message, "output")
            if name not in known:
                hint = nearest(name, known) or f"; the states are {', '.join(self._states)}"
                message = f"output: `{shown(name, 30)}` is not a state, nor another name that an equation assigns{hint}"
                raise self._origin.entry_error(message, "output")
            if names.count(name) > 1:
                raise self._origin.entry_error(f"output: `{name}` is named twice; name each output once", "output")
        return names


_ORDER = (Role.INPUT, Role.STATE, Role.PARAMETER, Role.PREPARED, Role.INTERMEDIATE, Role.NEXT)
"""The order of the variables of a step."""
