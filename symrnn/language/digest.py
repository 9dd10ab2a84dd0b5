"""A digest of texts: different sources have different digests.

Reads texts; returns hexadecimal digits.
"""

from __future__ import annotations

import hashlib


def digest(*texts: str) -> str:
    """32 hexadecimal digits that change with any of ``texts`` or with how they are divided.

    >>> digest("ab", "c") == digest("a", "bc")
    False
    """
    state = hashlib.sha256()
    for text in texts:
        data = text.encode()
        state.update(f"{len(data)}:".encode() + data)
    return state.hexdigest()[:32]
