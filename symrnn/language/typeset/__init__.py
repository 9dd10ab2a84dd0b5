"""LaTeX and MathML: expressions, names, long lines, and what a browser sets. No plan and no target imports it."""
