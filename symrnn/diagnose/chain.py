"""Slips outside the equations of a step: in sums over rows and steps, and in what a step passes to the step before it.

Reads a `Model`; returns settings with their kind and a sentence. Leaves out: how a model runs with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from symrnn.diagnose.model import Aspect, Model, Setting
from symrnn.diagnose.rules import SlipKind
from symrnn.language.system import Role

Slip = tuple[SlipKind, str, tuple[Setting, ...]]

ROWS: Mapping[str, str] = {
    "kept": "one gradient for each row of the batch is returned; the sum over the rows is missing",
    "mean": "the mean over the rows of the batch is taken in place of their sum",
    "last": "only the last row of the batch is used; the sum over the rows is missing",
    "first": "only the first row of the batch is used; the sum over the rows is missing",
    "units": "the sum is taken over the units (`axis=1`) where it belongs over the rows (`axis=0`)",
    "axis": "the axis of the batch is kept in the sum, so that the gradient has one axis too many",
}
_VECTORS = ("units", "axis")
"""Slips in a sum that only a vector has."""
STEPS: Mapping[str, str] = {
    "last taken": "only the gradient of the step that is taken last, t = 0, is left: it is overwritten at every step (`=`) "
    "and should be added (`+=`)",
    "first taken": "only the gradient of the step that is taken first, t = T - 1, is returned",
    "mean": "the mean over the steps is taken in place of their sum",
}
CARRY: Mapping[str, str] = {
    "none": "what a step hands to the one before it is not passed on",
    "stale": "every step gets the given `dstate`, not what the step after it hands back",
    "unchanged": "the given `dstate` is returned; it is never replaced by what a step hands back",
    "accumulated": "what a step hands to the one before it is added to what it received itself; it should replace that",
    "arrived": "a step hands on what arrived at it, `dy` included, instead of its own result",
}
LOSS: Mapping[str, str] = {
    "none": "`dy` is not added",
    "last alone": "`dy` is added at the last step alone; the loss reads the output of every step",
    "earlier": "`dy[t - 1]` is added at step t in place of `dy[t]`",
    "later": "`dy[t + 1]` is added at step t in place of `dy[t]`",
    "mirrored": "`dy` is read from the other end: `dy[T - 1 - t]` is added at step t",
    "first": "`dy[0]` is added at every step in place of `dy[t]`",
    "last": "`dy[T - 1]` is added at every step in place of `dy[t]`",
    "all but the last": "`dy` is not added at the last step, where it belongs beside `dstate`",
}
INPUTS: Mapping[str, tuple[SlipKind, str]] = {
    "mirrored": (
        SlipKind.ORDER,
        "the gradients of `{name}` are in the order in which the steps are taken, the last step first",
    ),
    "accumulated": (SlipKind.CARRY, "the gradient of `{name}` at a step is added to those of the steps after it"),
}


def chain_slips(model: Model, whole: bool, wrong: frozenset[str]) -> Iterator[Slip]:
    """Every slip in the chain that changes only gradients of ``wrong``; of a single step unless ``whole``."""
    for group in groups_of_parameters(model, wrong):
        for choice, detail in ROWS.items():
            if choice not in _VECTORS or all(len(model.cell.by_name[name].shape) == 1 for name in group):
                yield SlipKind.ROWS, detail, _settings(Aspect.ROWS, group, choice)
        for choice, detail in STEPS.items() if whole else ():
            yield SlipKind.OVERWRITTEN, detail, _settings(Aspect.STEPS, group, choice)
    if whole and wrong:
        every = [each.name for each in model.cell.parameters if each.name in wrong]
        both = _settings(Aspect.ROWS, every, "mean") + _settings(Aspect.STEPS, every, "mean")
        yield SlipKind.ROWS, "the mean over rows and steps is taken in place of their sum", both
        yield from _of_states(model)
        yield from _of_pass(model)


def groups_of_parameters(model: Model, wrong: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Parameters whose gradients are wrong: all, the vectors, the matrices, those of one shape, and each by itself."""
    parameters = [each for each in model.cell.parameters if each.name in wrong and each.name in model.returned]
    by_shape: dict[tuple[str, ...], list[str]] = {}
    for each in parameters:
        by_shape.setdefault(each.shape, []).append(each.name)
    vectors = tuple(each.name for each in parameters if len(each.shape) == 1)
    matrices = tuple(each.name for each in parameters if len(each.shape) == 2)
    every = tuple(each.name for each in parameters)
    groups = (every, vectors, matrices, *map(tuple, by_shape.values()), *((name,) for name in every))
    yield from dict.fromkeys(group for group in groups if group)


def _of_states(model: Model) -> Iterator[Slip]:
    states = model.cell.states
    for group in dict.fromkeys((*((state,) for state in states), states)):
        names = " and ".join(f"`{name}`" for name in group)
        for choice, detail in CARRY.items():
            yield SlipKind.CARRY, f"of {names}: {detail}", _settings(Aspect.CARRY, group, choice)
        detail = f"the gradient that arrives at the last {names}, `dstate`, is not used"
        yield SlipKind.CARRY, detail, _settings(Aspect.FINAL, group, "none")
        both = _settings(Aspect.CARRY, group, "none") + _settings(Aspect.FINAL, group, "none")
        detail = f"of {names}: neither the given `dstate` nor what a step hands to the one before it is used"
        yield SlipKind.CARRY, detail, both
        detail = f"of {names}, what arrives at the first step is returned in place of what that step hands back"
        yield SlipKind.CARRY, detail, _settings(Aspect.INITIAL, group, "arrives")


def _of_pass(model: Model) -> Iterator[Slip]:
    for choice, detail in LOSS.items():
        yield SlipKind.CARRY, detail, (Setting(Aspect.LOSS, "", choice),)
    yield SlipKind.CARRY, "the steps are taken from the first to the last", (Setting(Aspect.ORDER, "", "forwards"),)
    for choice in ("first", "last"):
        yield SlipKind.CARRY, f"the {choice} step is left out", (Setting(Aspect.SKIPPED, "", choice),)
    for variable in model.cell.of_role(Role.INPUT):
        for choice, (kind, detail) in INPUTS.items():
            yield kind, detail.format(name=variable.name), (Setting(Aspect.INPUTS, variable.name, choice),)
    for one, other in _alike(model):
        swapped = (Setting(Aspect.CARRY, one, f"of {other}"), Setting(Aspect.CARRY, other, f"of {one}"))
        yield SlipKind.CARRY, f"what a step hands back to `{one}` and to `{other}` is swapped", swapped
        yield SlipKind.CARRY, f"what a step hands back to `{other}` is handed to `{one}` too", swapped[:1]
        yield SlipKind.CARRY, f"what a step hands back to `{one}` is handed to `{other}` too", swapped[1:]
    for state in model.cell.states:
        if len(model.cell.returned) > 1:
            break  # there is no one `dy` to add in another place
        if (state, model.cell.output) in _alike(model) or (model.cell.output, state) in _alike(model):
            detail = f"`dy` is added to the gradient of `{state}`; it belongs to that of `{model.cell.output}`"
            yield SlipKind.CARRY, detail, (Setting(Aspect.ONTO, "", state),)


def _alike(model: Model) -> list[tuple[str, str]]:
    """Pairs of states of one size."""
    pairs = combinations(model.cell.states, 2)
    return [(one, other) for one, other in pairs if model.cell.size(one) == model.cell.size(other)]


def _settings(aspect: Aspect, names: Sequence[str], choice: str) -> tuple[Setting, ...]:
    return tuple(Setting(aspect, name, choice) for name in names)
