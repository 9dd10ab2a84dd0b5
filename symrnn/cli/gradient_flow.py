"""The command `flow`: gradient flow of cells at several recurrent scales and holding biases, as a table and a figure.

Reads parsed arguments; writes the figure if requested; returns an exit code and the text to print. Leaves out:
what is computed (`symrnn.flow`).
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from symrnn.cli.shared import DONE, Outcome, chosen_cells, progress, to_json
from symrnn.errors import FlowError
from symrnn.flow.canvas import FORMATS, write_figure
from symrnn.flow.panorama import draw_sweep
from symrnn.flow.summary import sweep_text, sweep_values
from symrnn.flow.sweep import Setup, sweep
from symrnn.optional import load_optional


def flow(arguments: Namespace) -> Outcome:
    """Run the requested sweep.

    Raises:
        SymrnnError: something is wrong with a cell or a size, or the figure cannot be drawn or written.
    """
    plot = Path(arguments.plot) if arguments.plot else None
    if plot:  # before anything is computed
        load_optional("matplotlib", extra="plot", purpose="--plot")
        if plot.suffix.lower() not in FORMATS:
            raise FlowError(f"--plot {plot}: expected a file that ends in {', '.join(FORMATS)}")
    shape = Setup(
        steps=arguments.steps,
        batch=arguments.batch,
        input=arguments.input,
        hidden=arguments.hidden,
        sizes=dict(arguments.size),
        drive=arguments.drive,
        seed=arguments.seed,
        spectra=arguments.spectra,
    )
    cells = chosen_cells(arguments)
    with progress() as say:
        say("deriving")
        found = sweep(cells, scales=arguments.scales, biases=arguments.biases, shape=shape, progress=say)
        if plot:
            say(f"drawing {plot}")
            write_figure(draw_sweep(found), plot)
    limits = {"norm": arguments.clip_norm, "value": arguments.clip_value}
    limits = {how: limit for how, limit in limits.items() if limit is not None}
    return DONE, to_json(sweep_values(found, limits)) if arguments.json else sweep_text(found, limits)
