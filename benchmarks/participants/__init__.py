"""What is timed: modules of participants, each with ``versions()`` and functions that prepare a call.

A module imports its library at the top, so a missing library shows when its worker starts. Such a function
reads a `Task` and returns a `Prepared`, or raises `Unsupported` with a reason if the participant does not compute it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.workload import Array


class Unsupported(Exception):
    """A participant does not compute this cell, mode or point; the message says why."""


@dataclass(frozen=True)
class Prepared:
    """A call, ready to be timed.

    Attributes:
        call: does the whole of it, waits until it is done, and returns what it returns.
        labelled: the result of a call as arrays: ``y``, ``state c``, ``gradient W_xi``, ``gradient x``; None if it has
            no result.
        work: FLOPs or bytes of a call, for calls that measure these.
    """

    call: Callable[[], Any]
    labelled: Callable[[Any], Mapping[str, Array]] | None = None
    work: float = 0.0


OURS, NUMPY, PADDED = "symrnn", "numpy", "symrnn padded"
PEAK, BANDWIDTH, ELEMENTWISE, IDLE = "peak", "bandwidth", "elementwise", "idle"
TORCH, TORCH_EAGER = "torch", "torch eager"
TORCH_STEP, TORCH_LOOP, TORCH_SCAN = "torch compiled step", "torch compiled loop", "torch compiled scan"
ONNX, JAX = "onnxruntime", "jax"
HOME = "symrnn.torch"

FUNCTIONS = {
    OURS: ("ours", "in_c"),
    NUMPY: ("ours", "in_numpy"),
    PADDED: ("ours", "padded"),
    PEAK: ("limits", "peak"),
    BANDWIDTH: ("limits", "bandwidth"),
    ELEMENTWISE: ("limits", "elementwise"),
    IDLE: ("limits", "idle"),
    HOME: ("torch_home", "prepare"),
    TORCH: ("torch_layer", "prepare"),
    TORCH_EAGER: ("torch_loop", "eager"),
    TORCH_STEP: ("torch_loop", "compiled_step"),
    TORCH_LOOP: ("torch_loop", "compiled_loop"),
    TORCH_SCAN: ("torch_loop", "compiled_scan"),
    ONNX: ("onnx_node", "prepare"),
    JAX: ("jax_scan", "prepare"),
}
"""The module and function of every participant: ``function(task)`` prepares it."""

PEERS = (TORCH, ONNX, JAX)
"""Other libraries, timed wherever they can compute the task."""
OPTIONAL = (TORCH_EAGER, TORCH_STEP)
"""Slow ways to use a library, timed on request."""
CUSTOM_PEERS = (HOME, TORCH_EAGER, TORCH_STEP, TORCH_LOOP, TORCH_SCAN, JAX)
"""What people use for a cell of their own, and our kernels as a layer of PyTorch."""
CUSTOM_KNOWN = (*CUSTOM_PEERS, TORCH)
"""With the layers that PyTorch has for some cells, timed on request."""
