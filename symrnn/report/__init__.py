"""Pages for people: what a cell computes, what was derived from it and the code that came from both, as a small site."""
