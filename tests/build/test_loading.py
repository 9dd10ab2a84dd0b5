"""A generated module imported from its text: a debugger steps through it, and threads get it whole."""

from __future__ import annotations

import linecache
import sys
import threading

import pytest

from symrnn.build.loading import import_text


def test_a_module_can_be_stepped_through_and_a_failed_one_is_forgotten() -> None:
    module = import_text("def f():\n    return 1\n", "m")
    assert module.f() == 1
    assert linecache.getline(module.f.__code__.co_filename, 2) == "    return 1\n"
    before = set(sys.modules)
    with pytest.raises(ZeroDivisionError):
        import_text("1 / 0", "m")
    assert set(sys.modules) == before


def test_several_threads_get_a_whole_module() -> None:
    text, found = "import time\ntime.sleep(0.05)\nlast = 1\n", []
    threads = [threading.Thread(target=lambda: found.append(import_text(text, "slow").last)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 4
