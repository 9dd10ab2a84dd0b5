"""The target ``c``: standalone C, and a Python module over the compiled library."""
