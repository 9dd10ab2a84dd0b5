"""The processor of this machine: its name for people, and its model for tables of what was measured.

Reads what the system says of it (`symrnn.build.cache.cpu_identity`); returns a `Processor`. Leaves out: its instructions,
which compilers know.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

from symrnn.build.cache import cpu_identity


@dataclass(frozen=True)
class Processor:
    """A processor.

    Attributes:
        name: for people.
        vendor: as the processor itself spells it, ``AuthenticAMD``; empty if the system does not tell.
        family: of x86, else 0.
        model: of x86, else 0.
    """

    name: str
    vendor: str = ""
    family: int = 0
    model: int = 0

    def __str__(self) -> str:
        """Its name, and its numbers if it has some: the names of rented machines may hide the model."""
        numbers = f" ({self.vendor}, family {self.family}, model {self.model})" if self.vendor and self.family else ""
        return self.name + numbers


def processor() -> Processor:
    """The processor of this machine."""
    return described(cpu_identity())


def described(identity: str) -> Processor:
    r"""The processor that a text of `cpu_identity` describes.

    >>> described("vendor_id: AuthenticAMD\ncpu family: 25\nmodel: 1\nmodel name: AMD EPYC 7B13")
    Processor(name='AMD EPYC 7B13', vendor='AuthenticAMD', family=25, model=1)
    """
    fields = dict(line.split(": ", 1) for line in identity.splitlines() if ": " in line)
    name = fields.get("model name") or platform.processor() or platform.machine()
    numbers = [int(fields[key]) if fields.get(key, "").isdecimal() else 0 for key in ("cpu family", "model")]
    return Processor(name, fields.get("vendor_id", ""), *numbers)
