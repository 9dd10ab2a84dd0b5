"""The target ``numpy``: a Python module that needs NumPy alone."""

from __future__ import annotations

from symrnn.targets.description import Capabilities, Description

DESCRIPTION = Description(
    name="numpy",
    title="NumPy",
    dtypes=("float16", "float32", "float64", "longdouble", "complex64", "complex128", "clongdouble"),
    home="symrnn.targets.numpy.target:TARGET",
    can=Capabilities(tangent=True),
)
