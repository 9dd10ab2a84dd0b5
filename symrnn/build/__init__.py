"""Generated text becomes loaded kernels: the compiler, the cache of libraries, and the import of a generated module.

Reads the text of generated files; returns paths of libraries and modules. Leaves out: what the text says
(`symrnn.emit`).
"""
