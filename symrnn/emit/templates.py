"""Where the templates are: inside the installed package, or beside it in a checkout.

Reads nothing but the file system around this package; returns one directory. Leaves out: rendering
(`symrnn.emit.render`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from symrnn.errors import GenerateError

_PACKAGE = Path(__file__).resolve().parents[1]
_MARKER = "README.md"


@cache
def template_directory() -> Path:
    """The directory that holds ``c/``, ``numpy/``, ``python/`` and ``report/``.

    Raises:
        GenerateError: the installation is incomplete.
    """
    return _locate(_PACKAGE)


def _locate(package: Path) -> Path:
    """``package/_templates`` as a wheel has it, or ``templates`` beside ``package`` as a checkout has it.

    Another ``templates`` folder may be beside an installed package; the heading of the marker identifies ours.
    """
    installed, checkout = package / "_templates", package.parent / "templates"
    for directory in (installed, checkout):
        marker = directory / _MARKER
        if marker.is_file() and marker.read_text(encoding="utf-8").startswith("# Templates\n"):
            return directory
    raise GenerateError(
        f"templates: neither {installed} nor {checkout} holds them, so this installation of symrnn is incomplete; "
        "install it again with: python -m pip install --force-reinstall symrnn"
    )
