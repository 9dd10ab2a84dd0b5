"""Inference alone: a missing function raises an error that says why."""

from __future__ import annotations

from typing import NoReturn

from templates.python.cell import _LEFT_OUT


def __getattr__(name: str) -> NoReturn:
    if name in _LEFT_OUT:
        raise AttributeError(
            f"{__name__} has no {name!r}: it was generated with --no-backward; generate it without that option"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
