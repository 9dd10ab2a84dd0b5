"""What the module over a compiled library expects of it.

Reads the text of a generated module; returns the digest that the library must repeat (`templates/c/loader.py` asks for it).
Leaves out: where the digest comes from (`symrnn.targets.c.files`).
"""

from __future__ import annotations

import re

_EXPECTED: re.Pattern[str] = re.compile(r'^_ABI = b"([0-9a-f]+)"$', re.MULTILINE)


def expected_digest(module: str) -> str:
    """The digest that a library must repeat to the generated module whose text is given.

    >>> expected_digest('_ABI = b"00ff"')
    '00ff'
    """
    (found,) = _EXPECTED.findall(module)
    return str(found)
