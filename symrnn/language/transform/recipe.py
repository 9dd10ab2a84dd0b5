"""Recipes: a cell and its transformations as one text, ``lstm+layer_norm+zoneout:h=0.1,c=0.05``.

Reads such a text; returns the cell's name, and a `RecipeStep` for each transformation. Arguments stand behind a colon, which
a shell leaves alone, or in parentheses. Imports nothing that takes a while, for the help of the command line names the
transformations. Leaves out: whether there is such a transformation, and what it does
(`symrnn.language.transform.transformed`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

SUMMARIES: Mapping[str, str] = {
    "zoneout": "states keep some of their units for a step",
    "recurrent_dropout": "recurrent matrices read a part of the units, the same at all steps",
    "layer_norm": "matrix products in activations are normalised",
    "residual": "the input is added to the output",
    "stack": "several layers in one step",
}
"""What each transformation does, in a line."""

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "zoneout": ("zoneout", "zoneout:0.2", "zoneout:h=0.1,c=0.05"),
    "recurrent_dropout": ("recurrent_dropout", "recurrent_dropout:0.3"),
    "layer_norm": ("layer_norm", "layer_norm:c", "layer_norm:epsilon=1e-3"),
    "residual": ("residual", "residual:projection=true"),
    "stack": ("stack:2", "stack:2,share_hidden=true"),
}
"""How each is written behind the ``+`` of a recipe."""

_LONGEST, _DIGITS = 63, 8
_STEP = r"\+[A-Za-z_]\w*(?:\([^()]*\)|:[^+:()]*)?"
_RECIPE = re.compile(rf"(?P<cell>.+?)(?P<steps>(?:{_STEP})+)")


@dataclass(frozen=True)
class RecipeStep:
    """One transformation of a recipe, with its arguments as texts.

    Attributes:
        name: of the transformation.
        values: the arguments without a name.
        named: the arguments with one, ``h=0.1``.
        repeated: a name that stands twice; empty if none does.
    """

    name: str
    values: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    repeated: str = ""


def read_recipe(text: str) -> tuple[str, tuple[RecipeStep, ...]] | None:
    """The cell and the steps of a recipe; None where ``text`` is no recipe.

    >>> read_recipe("my_cell.toml+zoneout:h=0.1")
    ('my_cell.toml', (RecipeStep(name='zoneout', values=(), named={'h': '0.1'}, repeated=''),))
    >>> read_recipe("a+b/my_cell.toml") is None
    True
    """
    found = _RECIPE.fullmatch(text)
    if not found:
        return None
    return found["cell"], tuple(_step(step.group()[1:]) for step in re.finditer(_STEP, found["steps"]))


def _step(text: str) -> RecipeStep:
    name, arguments = re.fullmatch(r"(\w+)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]  # _STEP matched
    values: list[str] = []
    named: dict[str, str] = {}
    repeated = ""
    for argument in filter(None, (part.strip() for part in arguments.strip("():").split(","))):
        key, equals, value = (part.strip() for part in argument.partition("="))
        if not equals:
            values.append(key)
            continue
        repeated = key if key in named else repeated
        named[key] = value
    return RecipeStep(name, tuple(values), named, repeated)


def written(name: str, values: tuple[str, ...] = (), named: Mapping[str, str] | None = None) -> str:
    """A transformation with its arguments as a recipe has it.

    >>> written("zoneout", ("0.1",), {"c": "0.5"}), written("zoneout")
    ('zoneout:0.1,c=0.5', 'zoneout')
    """
    arguments = [*values, *(f"{key}={value}" for key, value in (named or {}).items())]
    return name + (f":{','.join(arguments)}" if arguments else "")


def joined_name(parts: Iterable[str]) -> str:
    """The name of a cell that is made of others: theirs and those of transformations, arguments left out.

    One that is too long is cut, and ends with digits that tell it from others.

    >>> joined_name(["gru", "zoneout:h=0.1"]), len(joined_name(["gru"] * 40))
    ('gru_zoneout', 63)
    """
    name = "_".join(part.partition(":")[0] for part in parts)
    if len(name) <= _LONGEST:
        return name
    digits = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{name[: _LONGEST - _DIGITS - 1]}_{digits}"
