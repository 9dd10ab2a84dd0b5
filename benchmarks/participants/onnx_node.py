"""ONNX Runtime: a model of one operator node, weights as initialisers, which it packs when the session starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.grid import Mode
from benchmarks.participants import Prepared, Unsupported
from benchmarks.participants.fused_layers import FusedLayer, layout
from benchmarks.workload import Array, Task, Workload, cell_of, draw

_OPSET = 14
_IR_VERSION = 8
_OPTIONAL = {"RNN": ("X", "W", "R", "B", "sequence_lens"), "GRU": ("X", "W", "R", "B", "sequence_lens")}
_INPUTS = {**_OPTIONAL, "LSTM": ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")}


def versions() -> dict[str, str]:
    """Package to version."""
    return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}


def prepare(task: Task) -> Prepared:
    """Inference alone.

    Raises:
        Unsupported: training, or a cell without an operator.
    """
    if task.mode is not Mode.INFERENCE:
        raise Unsupported("ONNX Runtime has no backward pass")
    found, problem = layout(cell_of(task.cell).name, "onnx"), draw(task)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.threads
    options.inter_op_num_threads = 1
    model = _model(found, problem).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {"X": problem.x}
    if problem.lengths is not None:
        feed["sequence_lens"] = problem.lengths.astype(np.int32)
    return Prepared(lambda: session.run(None, feed), lambda returned: _outputs(found, returned))


def _model(found: FusedLayer, problem: Workload) -> Any:
    units = problem.states[found.states[0]]
    weights = {name: found.stacked(name, problem)[np.newaxis] for name in found.stacks}
    given = {"X", *weights} | ({"sequence_lens"} if problem.lengths is not None else set())
    names = [name if name in given else "" for name in _INPUTS[found.layer]]
    outputs = ["Y", *(f"Y_{state}" for state in found.states)]
    node = helper.make_node(found.layer, names, outputs, hidden_size=units, **found.attributes)
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, problem.x.shape)]
    if problem.lengths is not None:
        inputs.append(helper.make_tensor_value_info("sequence_lens", TensorProto.INT32, problem.lengths.shape))
    graph = helper.make_graph(
        [node],
        "layer",
        inputs,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)


def _outputs(found: FusedLayer, returned: list[Array]) -> Mapping[str, Array]:
    y, *states = returned
    return {"y": y[:, 0]} | {f"state {name}": array[0] for name, array in zip(found.states, states, strict=True)}
