"""What the cell's own part of a module over a C library defines besides; `symrnn/targets/c/module.py` prints it."""

from collections.abc import Mapping

_ABI: bytes
_SIZES: tuple[str, ...]
_FIELDS: tuple[tuple[str, str], ...]
_ENTRIES: dict[str, tuple[str, ...]]
_LED: tuple[str, ...]
_PRECISIONS: dict[str, str]
_STATUS: dict[int, str]
_MOST_PARTS: int
_WORKER_BYTES: int
_BLOCK_NUMBERS: int
_SUFFIXES: dict[str, str]
_OTHER_SUFFIX: str
_MARCHES: dict[str, str]
_MARCH_VARIABLE: str
_COMPILE: tuple[str, str]
_COMPILERS: str

def _on_tape(n: Mapping[str, int], T: int, B: int) -> tuple[int, ...]: ...
