"""The target ``numpy``: a Python module that needs NumPy alone."""
