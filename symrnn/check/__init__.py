"""The oracles: kernels are held to what shares no code with them."""
