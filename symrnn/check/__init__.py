"""The oracles: they share no code with the kernels that they check."""
