"""The command `report`: pages about cells, written into one directory.

Reads parsed arguments; writes files; returns an exit code and the text to print. Leaves out: the pages
(`symrnn.report`), and how files are replaced (`symrnn.emit.manifest`).
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from symrnn.cli.shared import DONE, Outcome, chosen_cells, progress, to_json
from symrnn.emit import manifest
from symrnn.errors import GenerateError
from symrnn.language.bundled import first_cells
from symrnn.report.site import ATLAS, INDEX, site

_SITE = "report"
"""The site's name in the manifest."""


def report(arguments: Namespace) -> Outcome:
    """Write the pages of the named cells, and the page that compares them; with --all, the atlas of every cell too.

    Raises:
        SymrnnError: something is wrong with a cell or the directory; nothing was written.
    """
    out = Path(arguments.out)
    if out.is_file():
        raise GenerateError(f"{out} is a file; give --out a directory")
    cells = chosen_cells(arguments)
    with progress() as say:
        files = site(cells, progress=say, compared=first_cells() if arguments.all else None)
    paths = manifest.write(out, files, cell=_SITE)
    if arguments.json:
        return DONE, to_json({"out": arguments.out, "written": [path.name for path in paths]})
    start = ATLAS if ATLAS in files else INDEX
    return DONE, f"wrote {', '.join(files)}\nopen {out / start} in a browser\n"
