"""`info`: versions, the processor, and what libraries depend on here.

Reads parsed arguments; returns an exit code and the text to print. Leaves out: what a target says of itself
(`symrnn.targets.target.Builder`).
"""

from __future__ import annotations

import platform
from argparse import Namespace
from collections.abc import Mapping
from importlib.metadata import version

from symrnn.build.cache import cache_directory
from symrnn.build.processor import processor
from symrnn.cli.shared import DONE, Outcome, progress, to_json
from symrnn.targets import registry
from symrnn.version import __version__

_LIBRARIES = ("numpy", "sympy")


def information(arguments: Namespace) -> Outcome:
    """What a report of a fault should say of the machine.

    Raises:
        BuildError: the cache cannot be used, or the environment names what does not exist.
    """
    general = {
        "symrnn": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": str(processor()),
        "cache": str(cache_directory()),
    }
    with progress() as say:
        say("looking at the compiler and the processor")
        backends = {name: _facts(name) for name in registry.loadable()}
    if arguments.json:
        return DONE, to_json({**general, "backends": backends})
    sections = [
        _section(general),
        *(f"{registry.title(name)}\n{_section(facts, '  ')}" for name, facts in backends.items()),
    ]
    return DONE, "\n".join(sections)


def _facts(name: str) -> Mapping[str, str]:
    """What a backend's kernels depend on; why it is unavailable, if it is."""
    target = registry.target(name)
    if reason := target.unavailable():
        return {"unavailable": reason}
    return target.builder.facts() if target.builder else {}


def _section(facts: Mapping[str, str], indent: str = "") -> str:
    width = max(map(len, facts), default=0)
    lines = [f"{indent}{key:{width}}  {value}\n" for key, value in facts.items()]
    return "".join(lines) or f"{indent}runs as it is: nothing is compiled\n"
