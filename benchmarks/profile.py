from __future__ import annotations
def table(x): return ""
def profile(*a): return None
