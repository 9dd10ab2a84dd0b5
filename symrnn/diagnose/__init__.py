"""`symrnn.diagnose` compares a hand-written backward pass with the derived one and explains what is wrong."""
