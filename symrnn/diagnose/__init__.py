"""A person's own backward pass held against the derived one, and where it is wrong, why: `symrnn.diagnose`."""
