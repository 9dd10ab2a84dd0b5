"""Pages for people: a cell's equations, their derivatives and the generated code, as a small site."""
