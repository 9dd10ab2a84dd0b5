"""The version of symrnn: the one place that names it, read by the package, by generated files and by the build."""

from __future__ import annotations

__version__ = "0.1.0"
