"""Generated text becomes loaded kernels: what targets share of it.

The cache of libraries, the import of a generated module from its text, and two steps by which a module shows that it runs.
Leaves out: what the text says (`symrnn.emit`), and compilers, which belong to their targets.
"""
