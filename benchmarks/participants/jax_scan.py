"""JAX: ``jit`` over ``lax.scan``, for any cell; parameters in the best layout for it, for training too."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import jaxlib

from benchmarks.grid import Mode
from benchmarks.participants import Prepared, Unsupported
from benchmarks.scan import ArrayProgram, array_program
from benchmarks.workload import Array, Task, Workload, draw
from symrnn.build.loading import import_text


def versions() -> dict[str, str]:
    """Package to version."""
    return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}


def prepare(task: Task) -> Prepared:
    """Inference, or the forward pass and every gradient by ``jax.vjp``.

    Raises:
        Unsupported: ragged rows.
    """
    if task.point.ragged:
        raise Unsupported("a scan takes all steps")
    problem = draw(task)
    # Found by trying: separate arrays suit XLA's inference, sums that share a product its gradients.
    training = task.mode is Mode.TRAINING
    program = array_program(problem.cell, problem.sizes, shared_sums=training)
    layer = import_text(program.text, f"{problem.cell.name}_scan").layer
    packed = {name: jnp.asarray(array) for name, array in program.pack(problem.params).items()}
    x, dy = jnp.asarray(problem.x), jnp.asarray(problem.dy)
    state = {name: jnp.zeros((x.shape[1], size)) for name, size in problem.states.items()}
    if not training:
        infer = jax.jit(layer)
        return Prepared(lambda: jax.block_until_ready(infer(packed, x, state)), _outputs)

    def train(packed: Any, x: Any, state: Any, dy: Any) -> Any:
        (y, last), pull = jax.vjp(layer, packed, x, state)
        return y, last, pull((dy, jax.tree.map(jnp.zeros_like, last)))

    compiled = jax.jit(train)
    return Prepared(
        lambda: jax.block_until_ready(compiled(packed, x, state, dy)),
        lambda returned: _gradients(program, problem, returned),
    )


def _outputs(returned: Any) -> dict[str, Array]:
    y, last = returned
    return {"y": jax.device_get(y)} | {f"state {name}": jax.device_get(a) for name, a in last.items()}


def _gradients(program: ArrayProgram, problem: Workload, returned: Any) -> dict[str, Array]:
    y, last, (dpacked, dx, dstate) = jax.device_get(returned)
    shapes = {name: array.shape for name, array in problem.params.items()}
    found = {f"gradient {name}": array for name, array in program.unpack(dpacked, shapes).items()}
    found |= {f"gradient state {name}": array for name, array in dstate.items()}
    return _outputs((y, last)) | found | {"gradient x": dx}
