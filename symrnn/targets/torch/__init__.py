"""The target ``torch``: a Python module in operations of PyTorch, for any device and any floating dtype."""

from __future__ import annotations

from symrnn.targets.description import Capabilities, Description

DESCRIPTION = Description(
    name="torch",
    title="PyTorch",
    dtypes=("float32", "float64", "bfloat16", "float16"),
    home="symrnn.targets.torch.target:TARGET",
    can=Capabilities(stream=False),
    needs="torch",
)
