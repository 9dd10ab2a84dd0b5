"""Which processor a library is compiled for: what was asked for, held against what this architecture has.

Reads a name of `symrnn.targets.c.flags.MARCHES`, the environment and the machine's architecture; returns the name, or the
compiler's flag for it. Leaves out: which flag a compiler takes (`symrnn.targets.c.toolchain`).
"""

from __future__ import annotations

import os
import platform

from symrnn.errors import BuildError
from symrnn.targets.c.flags import ARCHITECTURES, MARCH_BASELINE, MARCH_NATIVE, MARCH_VARIABLE, MARCHES, TARGETS


def architecture() -> str:
    """This machine's, as `TARGETS` names it, or as the system does."""
    machine = platform.machine().lower()
    return ARCHITECTURES.get(machine, machine)


def known_marches() -> tuple[str, ...]:
    """What libraries can be compiled for on this architecture, best first."""
    return (MARCH_NATIVE, *TARGETS.get(architecture(), (MARCH_BASELINE,)))


def spellings(march: str) -> tuple[str, ...]:
    """The flag for a processor as different compilers spell it; none where it is what they compile for by themselves."""
    return TARGETS.get(architecture(), {}).get(march, ())


def refuse_unknown(march: str, place: str = "") -> None:
    """Refuse what this architecture does not have.

    Args:
        march: a name.
        place: where it comes from, for the message.

    Raises:
        BuildError: ``march`` is not one of `known_marches`.
    """
    if march in known_marches():
        return
    where = f" on {architecture()}, this machine's architecture" if march in MARCHES else ""
    raise BuildError(
        f"march {march!r}{place}: there is no such processor{where}; choose from {', '.join(known_marches())}"
    )


def chosen_march(march: str | None) -> str:
    """``march``, or what the environment names, or native.

    Raises:
        BuildError: there is no such processor; or two that differ were asked for.
    """
    named = os.environ.get(MARCH_VARIABLE, "")
    if march and named not in ("", march):
        raise BuildError(
            f"march {march!r} was asked for, but modules load what the environment variable {MARCH_VARIABLE} names, "
            f"{named!r}; unset it"
        )
    chosen = march or named or MARCH_NATIVE
    refuse_unknown(chosen, "" if march else f" in the environment variable {MARCH_VARIABLE}")
    return chosen
