"""The fixtures of the cache's tests, for those of the compiler."""

from __future__ import annotations

from tests.build.conftest import cache_directory, real_compiler, script

__all__ = ["cache_directory", "real_compiler", "script"]
