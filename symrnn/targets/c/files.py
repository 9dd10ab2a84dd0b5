"""The C kernels of a cell: one header and one source, float and double from the same templates.

Reads a `Program`; returns the texts of ``<cell>.h`` and ``<cell>.c``. The texts of one stage come from
`symrnn.targets.c.stages`, addresses from `symrnn.targets.c.arrays`, prototypes from `symrnn.targets.c.interface`. Leaves out:
compiling, and the Python module over the library (`symrnn.targets.c.module`).
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from symrnn.emit.legend import adjoint_lines, buffer_lines, step_lines
from symrnn.emit.provenance import provenance
from symrnn.emit.render import render
from symrnn.emit.request import Request
from symrnn.language.system import ONE
from symrnn.plan.program import Buffer, Direction, Extent, Place, Program, Routine, Stage, reductions
from symrnn.targets.c.abi import AbiContext
from symrnn.targets.c.arrays import Array, Arrays, total
from symrnn.targets.c.context import (
    CBlock,
    CFile,
    CFixed,
    CFunction,
    CLeft,
    COuter,
    CPanel,
    CPrecision,
    CRight,
    CRoom,
    CSum,
    CTagWord,
    CVector,
)
from symrnn.targets.c.expression import primitives, whole_powers
from symrnn.targets.c.flags import ARITHMETIC, NATIVE, OPTIMISE, STANDARD
from symrnn.targets.c.interface import prototypes, signatures
from symrnn.targets.c.names import CNames, c_names, fixed_macro
from symrnn.targets.c.policy import TILE_FILL
from symrnn.targets.c.row import CRow, CState, c_row
from symrnn.targets.c.stages import PRECISIONS, CSegment, CStage, c_stages
from symrnn.targets.c.vector import MOST_LANES, vector_context


def c_files(program: Program, digest: str, request: Request) -> dict[str, str]:
    """The texts of ``<cell>.h`` and ``<cell>.c``.

    Args:
        program: the cell's plan.
        digest: of the interface, which the library repeats when it is loaded.
        request: what was asked for.
    """
    fixed = request.sizes
    context = _Writer(program, digest, request).file()
    nodes = [
        s.expression for f in (program.forward, program.backward) if f for stage in f.stages for s in stage.statements
    ]
    needed = [
        "loadu",
        "storeu",
        "load",
        "store",
        "K",
        "v_fma",
        "transpose",
        *primitives(nodes),
        *(["hsum"] if context.reduces else []),
    ]
    units = {size for routine in program.routines for stage in routine.stages for size in [stage.size]} - {ONE}
    most = max(fixed[size] for size in units) if units <= set(fixed) else None
    values = {"c": context, "vector": tuple(vector_context(precision, needed, most) for precision in PRECISIONS)}
    name = program.cell.name
    return {f"{name}.h": render("c/cell.h.jinja", values), f"{name}.c": render("c/cell.c.jinja", values)}


class _Writer:
    """Collects the context of one cell."""

    def __init__(self, program: Program, digest: str, request: Request) -> None:
        self._program, self._digest, self._cell, self._fixed = program, digest, program.cell, request.sizes
        self._request = request
        self._names: CNames = c_names(program, request.sizes)
        self._panels: dict[CPanel, str] = {}

    def file(self) -> CFile:
        cell, names = self._cell, self._names
        forward = self._routine(self._program.forward)
        backward = self._routine(self._program.backward) if self._program.backward else False
        stages = [*forward.stages, *(backward.stages if isinstance(backward, CFunction) else ())]
        panels = tuple({s.panel: _panel(stage, s) for stage in stages for s in stage.segments}.values())
        functions = [f for f in (self._program.forward, self._program.backward) if f]
        nodes = [s.expression for f in functions for stage in f.stages for s in stage.statements]
        dims = f"{cell.name}_dims"
        heads = signatures(cell.name, dims, isinstance(backward, CFunction))
        vectors = tuple(
            CVector(names.values[v.name], names.parameters[v.name], names.sizes[v.shape[0]])
            for v in cell.parameters
            if len(v.shape) == 1
        )
        return CFile(
            name=cell.name,
            upper=cell.name.upper(),
            guard=f"{cell.name.upper()}_H",
            title=cell.title or cell.name,
            provenance=tuple(textwrap.wrap(provenance(cell, self._request), 115)),
            step=step_lines(self._program),
            adjoint=adjoint_lines(self._program),
            legend=buffer_lines(self._program),
            dims=dims,
            size_fields=tuple(names.fields.values()),
            input_is_hidden=cell.input_is_hidden,
            input_width=names.sizes[cell.size("x")],
            output_size=cell.size(cell.output),
            state_order=", ".join(cell.states),
            parameters=tuple((names.parameters[v.name], " × ".join(v.shape)) for v in cell.parameters),
            states=self._states(),
            precisions=tuple(
                CPrecision(p, real, f"_{p}", dims, {key: text[p] for key, text in heads.items()})
                for p, real in PRECISIONS.items()
            ),
            prototypes=prototypes(cell.name, dims, isinstance(backward, CFunction)),
            abi=AbiContext(cell.name, self._digest),
            flags=" ".join((*STANDARD, OPTIMISE, NATIVE, *ARITHMETIC)),
            vectors=vectors,
            panels=panels,
            packed=self._packed(vectors, panels),
            tag=self._tag(),
            tag_size=self._tag_size(),
            powers=whole_powers(nodes),
            fused=self._program.forward.fused is not None,
            tile_fill=TILE_FILL,
            hoisted_width=self._hoisted_width(),
            hoisted_work=" + ".join(stage.work for stage in forward.stages if stage.name in forward.before) or "0",
            reduces=any(reductions(stage) for f in functions for stage in f.stages),
            forward=forward,
            row=self._row_of(),
            backward=backward,
            fixed=tuple(
                CFixed(names.fields[s], fixed_macro(cell.name, names.fields[s]), n) for s, n in self._fixed.items()
            ),
            room=self._room(vectors, panels),
        )

    def _row_of(self) -> CRow:
        routine = self._program.forward
        return c_row(routine, Arrays(self._program, routine, self._names), self._names, self._states())

    def _room(self, vectors: tuple[CVector, ...], panels: tuple[CPanel, ...]) -> tuple[CRoom, ...]:
        """Where all sizes are fixed, the memory of a stream, so that it can be an array: vectors are as wide as any."""
        if set(self._fixed) != set(self._cell.sizes):
            return ()
        found = []
        for p, lanes in MOST_LANES.items():
            blocks = [CBlock("tag", self._tag_size()), *self._packed(vectors, panels)]
            packed = [block.size[p].replace(f"LANES_{p}", str(lanes)) for block in blocks]
            width = {block.field: block.size[p].rpartition(", ")[2] for block in self._blocks(self._program.forward)}
            work = [
                f"2, 1, {width}" if field.startswith("states_") else f"1, 1, {width}" for field, width in width.items()
            ]
            stem = f"{self._cell.name.upper()}_{p.upper()}"
            found.append(CRoom(f"{stem}_PACKED", "packed weights", tuple(packed)))
            found.append(CRoom(f"{stem}_WORKSPACE", "the workspace of step with one row", tuple(work)))
        return tuple(found)

    def _states(self) -> tuple[CState, ...]:
        cell, names = self._cell, self._names
        sizes = [cell.size(state) for state in cell.states]
        return tuple(
            CState(state, names.sizes[sizes[i]], total(sizes[:i], names) or "0") for i, state in enumerate(cell.states)
        )

    def _hoisted_width(self) -> str:
        """Numbers per row of what is hoisted."""
        spanning = [b for b in self._program.forward.buffers if b.spans and b.extent is not Extent.ONCE]
        return total([column.size for buffer in spanning for column in buffer.columns], self._names) or "0"

    def _tag(self) -> tuple[CTagWord, ...]:
        """What packed weights depend on: a build reads those alone that were packed where all of it is the same.

        Sizes that are fixed are in the digest, and words in the order of bytes of their machine.
        """
        layout = {p: f"((uint64_t)sizeof({real}) << 32 | LANES_{p})" for p, real in PRECISIONS.items()}
        sizes = [field for size, field in self._names.fields.items() if size not in self._fixed]
        return (
            CTagWord("the source: its cell, its generator", _same("word_at(SYMRNN_DIGEST, 0)")),
            CTagWord("and more of its digest", _same("word_at(SYMRNN_DIGEST, 1)")),
            CTagWord("the layout: bytes of a number, numbers in a vector", layout),
            *(CTagWord("a size", _same(f"dims->{field}")) for field in sizes),
        )

    def _tag_size(self) -> dict[str, str]:
        """Three factors of the numbers that the tag takes."""
        words = len(self._tag())
        return {"f32": f"{2 * words}, 1, 1", "f64": f"{words}, 1, 1"}

    def _packed(self, vectors: tuple[CVector, ...], panels: tuple[CPanel, ...]) -> tuple[CBlock, ...]:
        blocks = [CBlock(v.field, _same(f"{v.size}, 1, 1")) for v in vectors]
        for buffer in self._program.forward.buffers:
            if buffer.extent is Extent.ONCE:
                width = total([column.size for column in buffer.columns], self._names)
                blocks.append(CBlock(buffer.name, _same(f"{width}, 1, 1")))
        for panel in panels:
            # Rounded up to whole tiles: each has the same number of vectors.
            size = {
                p: f"({panel.units} - 1) / LANES_{p} + {panel.vectors}, {panel.depth}, {panel.count} * LANES_{p}"
                for p in PRECISIONS
            }
            blocks.append(CBlock(panel.field, size))
        return tuple(blocks)

    def _routine(self, routine: Routine) -> CFunction:
        arrays = Arrays(self._program, routine, self._names)
        stages = self._shared(c_stages(self._program, routine, self._names, self._optional(routine)))
        later = {
            arrays.array(routine.places[form.operand]).field: arrays.array(routine.places[form.operand])
            for stage in routine.stages
            for accumulator in stage.accumulators
            for form in accumulator.forms
            if form.later
        }
        all_arrays = tuple(arrays.all())
        rights, lefts = self._products(routine, arrays)
        return CFunction(
            name=routine.name,
            arrays=all_arrays,
            later=tuple(later.values()),
            bind=tuple(self._bind(routine, all_arrays)),
            blocks=(*self._blocks(routine), *_product_blocks(rights)),
            stages=stages,
            rights=rights,
            lefts=lefts,
            sums=self._sums(routine, arrays),
            zeroed=self._zeroed(routine),
            has_dx=any(array.field == "gradient_x" for array in all_arrays),
            fused=tuple(each.whole.name for each in routine.fused.loop) if routine.fused else (),
            variants=_variants(routine),
            **{name: _names(routine.stages_of(name)) for name in ("once", "before", "loop", "last", "after")},
        )

    def _shared(self, stages: tuple[CStage, ...]) -> tuple[CStage, ...]:
        """``stages`` with panels of the same content under one name."""
        return tuple(
            replace(stage, segments=tuple(replace(s, panel=self._panel_name(stage, s)) for s in stage.segments))
            for stage in stages
        )

    def _panel_name(self, stage: CStage, segment: CSegment) -> str:
        content = replace(_panel(stage, segment), field="")
        return self._panels.setdefault(content, segment.panel)

    def _optional(self, routine: Routine) -> frozenset[str]:
        """Values that nothing but the tape reads: inference does not store them."""
        taped = {c.value for b in routine.buffers if b.taped and not b.spans for c in b.columns}
        home = {s.target: stage.name for stage in routine.stages for s in stage.statements}
        read = {n for stage in routine.stages for n in (*stage.reads, *stage.operands) if home.get(n) != stage.name}
        return frozenset(taped - read)

    def _blocks(self, routine: Routine) -> list[CBlock]:
        """Blocks of the tape and the workspace; ``taped`` blocks of the forward routine lie in the tape if there is one."""
        names, blocks = self._names, []
        if routine.direction is Direction.FORWARD:
            for state in self._states():
                blocks.append(
                    CBlock(
                        f"states_{state.field}", _same(f"taped ? dims->steps + 1 : 2, dims->rows, {state.width}"), True
                    )
                )
        else:
            blocks += [CBlock(f"carry_{s.field}", _same(f"1, dims->rows, {s.width}")) for s in self._states()]
        for buffer in routine.buffers:
            if buffer.extent is not Extent.ONCE:
                width = total([column.size for column in buffer.columns], names)
                blocks.append(
                    CBlock(buffer.name, _same(f"{_steps(routine, buffer)}, dims->rows, {width}"), buffer.taped)
                )
        return blocks

    def _bind(self, routine: Routine, arrays: tuple[Array, ...]) -> list[str]:
        """Lines that point each array of ``base`` at its block or the caller's memory."""
        once = {b.name for b in self._program.forward.buffers if b.extent is Extent.ONCE}
        mine = {b.name: b for b in routine.buffers}
        taped = {b.name for b in self._program.forward.buffers if b.taped}
        callers = {"x": "x", "seed": "dy", "output": "y", "gradient_x": "dx"}
        lines = []
        for array in arrays:
            field = array.field
            state = field.removesuffix("_now").removesuffix("_next")
            if field in callers:
                source = callers[field]
            elif field in once:
                # Packing wrote it; the cast lets one structure serve both.
                source = "({real} *)packed + base.layout.once"
            elif field in mine:
                source = ("block" if mine[field].taped else "workspace") + f" + layout.{field}"
            elif field in taped:
                source = f"tape + forward.{field}"
            elif field.startswith("carry_"):
                source = f"workspace + layout.{field}"
            elif field.startswith("gradient_"):
                continue
            elif routine.direction is Direction.FORWARD:
                source = f"block + layout.states_{state}"
            else:
                source = f"tape + forward.states_{state}"
            lines.append(f"base.{field} = {source};")
        return lines

    def _products(self, routine: Routine, arrays: Arrays) -> tuple[tuple[CRight, ...], tuple[CLeft, ...]]:
        rights: dict[str, CRight] = {}
        lefts: dict[tuple[str, str, str], list[COuter]] = {}
        adds = _additions(routine)
        for product in routine.products:
            for parameter, left in product.entries:
                right, columns = product.right, self._cell.by_name[parameter].shape[1]
                field, stride = self._names.parameters[parameter], self._names.sizes[columns]
                width = self._names.sizes[routine.sizes[right]]
                panel = rights.setdefault(
                    right, CRight(f"panel_{len(rights) + 1}", *self._row(right, routine, arrays), width)
                ).panel
                key = (*self._row(left, routine, arrays), self._names.sizes[routine.sizes[left]])
                lefts.setdefault(key, []).append(
                    COuter(field, _gradient_label(routine, parameter), panel, width, stride, adds[parameter] == 1)
                )
        return tuple(rights.values()), tuple(CLeft(*key, tuple(outers)) for key, outers in lefts.items())

    def _sums(self, routine: Routine, arrays: Arrays) -> tuple[CSum, ...]:
        found, adds = [], _additions(routine)
        for item in routine.sums:
            field, label = self._names.parameters[item.parameter], _gradient_label(routine, item.parameter)
            width, alone = self._names.sizes[routine.sizes[item.value]], adds[item.parameter] == 1
            found.append(CSum(field, label, *self._row(item.value, routine, arrays), width, alone))
        return tuple(found)

    def _zeroed(self, routine: Routine) -> tuple[tuple[str, str], ...]:
        """The gradients that no single product or sum can write: several add to them, or none does."""
        adds = _additions(routine)
        return tuple(
            (
                self._names.parameters[v.name],
                f"PRODUCT(1, {', '.join([*(self._names.sizes[size] for size in v.shape), '1'][:2])})",
            )
            for v in self._cell.parameters
            if adds[v.name] != 1
        )

    def _row(self, value: str, routine: Routine, arrays: Arrays) -> tuple[str, str]:
        """The address of ``value`` in row ``row``, and the numbers from one row to the next."""
        place: Place = routine.places[value]
        return arrays.address(value, place, "row").replace("at->", "at."), arrays.array(place).width


def _product_blocks(rights: tuple[CRight, ...]) -> list[CBlock]:
    """Room for the packed sides of the deferred products."""
    blocks = [
        CBlock(right.panel, {p: f"parts, panel_numbers({right.width}, LANES_{p}), 1" for p in PRECISIONS})
        for right in rights
    ]
    return [*blocks, CBlock("left", _same("parts, CHUNK, LEFT_TILES * TILE_ROWS"))] if blocks else []


def _additions(routine: Routine) -> Counter[str]:
    """How many products and sums add to the gradient of each parameter."""
    products = [parameter for product in routine.products for parameter, _ in product.entries]
    return Counter([*products, *(item.parameter for item in routine.sums)])


def _gradient_label(routine: Routine, parameter: str) -> str:
    """The number of the equation that gives the gradient of ``parameter``."""
    system = routine.system
    return next(system.definition[name].label for name in system.outputs if system.by_name[name].of == parameter)


def _same(size: str) -> dict[str, str]:
    return dict.fromkeys(PRECISIONS, size)


def _panel(stage: CStage, segment: CSegment) -> CPanel:
    """What a segment of a stage reads."""
    return CPanel(segment.panel, stage.units, segment.depth, segment.count, stage.vectors, segment.forms)


def _names(stages: Iterable[Stage]) -> tuple[str, ...]:
    return tuple(stage.name for stage in stages)


def _variants(routine: Routine) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    plain = (_names(routine.stages_of("before")), _names(routine.loop.stages))
    if routine.fused is None:
        return (("", *plain),)
    loop = _names(each.whole for each in routine.fused.loop)
    return (("if (is_fused(dims))", _names(routine.fused.before), loop), ("else", *plain))


def _steps(routine: Routine, buffer: Buffer) -> str:
    """How many steps' rows ``buffer`` holds."""
    if buffer.extent is Extent.STEP:
        return "1"
    if routine.direction is Direction.BACKWARD:
        return "dims->steps"
    now = "chunk" if buffer.spans else "1"
    return f"taped ? dims->steps : {now}" if buffer.taped else now
