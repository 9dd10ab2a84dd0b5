"""Which processor a library is compiled for: checks a request against the processors of this architecture.

Reads a name of `symrnn.targets.c.flags.MARCHES`, the environment and the machine's architecture; returns the name, or the
compiler's flag for it. Leaves out: which flag a compiler takes (`symrnn.targets.c.toolchain`).
"""

from __future__ import annotations

import os
import platform

from symrnn.errors import BuildError
from symrnn.targets.c.flags import ARCHITECTURES, MARCH_BASELINE, MARCH_NATIVE, MARCH_VARIABLE, MARCHES, TARGETS


def architecture() -> str:
    """The architecture of this machine, by its name in `TARGETS`, or else the system's name."""
    machine = platform.machine().lower()
    return ARCHITECTURES.get(machine, machine)


def known_marches() -> tuple[str, ...]:
    """The processors that libraries can be compiled for on this architecture, best first."""
    return (MARCH_NATIVE, *TARGETS.get(architecture(), (MARCH_BASELINE,)))


def spellings(march: str) -> tuple[str, ...]:
    """The flag for a processor as different compilers spell it; none if it is their default."""
    return TARGETS.get(architecture(), {}).get(march, ())


def refuse_unknown(march: str, place: str = "") -> None:
    """Refuse processors that this architecture does not have.

    Args:
        march: a name.
        place: where it comes from, for the message.

    Raises:
        BuildError: ``march`` is not one of `known_marches`.
    """
    if march in known_marches():
        return
    where = f" on {architecture()}, this machine's architecture" if march in MARCHES else ""
    raise BuildError(f"march {march!r}{place}: unknown processor{where}; choose from {', '.join(known_marches())}")


def chosen_march(march: str | None) -> str:
    """``march``, or the processor that the environment names, or native.

    Raises:
        BuildError: the processor is unknown, or ``march`` and the environment differ.
    """
    named = os.environ.get(MARCH_VARIABLE, "")
    if march and named not in ("", march):
        raise BuildError(
            f"march {march!r} was requested, but modules load what the environment variable {MARCH_VARIABLE} names, "
            f"{named!r}; unset it"
        )
    chosen = march or named or MARCH_NATIVE
    refuse_unknown(chosen, "" if march else f" in the environment variable {MARCH_VARIABLE}")
    return chosen
