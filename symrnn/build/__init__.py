"""Generated text becomes loaded kernels: what targets share of it.

The cache of libraries, the import of a generated module from its text, and a short run that shows that a module works.
Leaves out: what the text says (`symrnn.emit`), and compilers, which belong to their targets.
"""
