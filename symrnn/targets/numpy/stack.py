"""Operations of one kind on neighbouring columns as one call: which are stacked, and in what order columns lie.

Reads the operations of a stage and where values lie; returns `Stacked` operations, each after those that it
reads. The rule knows functions and storage alone: operations of the same function, at the same depth, whose
arguments lie in the same arrays, become one call for every run of them that is adjacent in all of these arrays.
`arrange` orders columns so that runs are long. Leaves out: arrays of temporaries (`symrnn.targets.numpy.storer`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from symrnn.targets.numpy.functions import is_whole
from symrnn.targets.numpy.ir import CALL, Array, Literal, Operation, Position, Stacked

Key = tuple[object, ...]


def arrange(items: Sequence[str], sets: Iterable[Collection[str]]) -> list[str]:
    """``items`` in an order that makes the members of each set neighbours, as far as the sets agree.

    Sets are taken largest first, equal ones in the order given; one that cuts across a set taken before is left out.
    Otherwise the order of ``items`` is kept.

    >>> arrange(["i", "f", "g", "o", "tanh_c"], [{"i", "f", "o"}, {"g", "tanh_c"}])
    ['i', 'f', 'o', 'g', 'tanh_c']
    """
    return [item for block in blocks(items, sets) for item in block]


def blocks(items: Sequence[str], sets: Iterable[Collection[str]]) -> list[list[str]]:
    """``items`` as `arrange` orders them, in blocks that no set connects.

    >>> blocks(["i", "f", "g", "o", "tanh_c"], [{"i", "f", "o"}, {"g", "tanh_c"}])
    [['i', 'f', 'o'], ['g', 'tanh_c']]
    """
    wanted = [found for each in sets if len(found := frozenset(each) & frozenset(items)) > 1]
    taken: list[frozenset[str]] = []
    for each in sorted(wanted, key=len, reverse=True):
        if all(each <= other or each.isdisjoint(other) for other in taken):
            taken.append(each)
    place = {item: index for index, item in enumerate(items)}

    def divided(members: frozenset[str], inner: Sequence[frozenset[str]]) -> list[list[str]]:
        top = [each for i, each in enumerate(inner) if not any(each <= other for other in inner[:i])]
        found = [[item for part in divided(each, [s for s in inner if s < each]) for item in part] for each in top]
        found += [[item] for item in members.difference(*top)]
        return sorted(found, key=lambda block: min(place[item] for item in block))

    return divided(frozenset(items), list(dict.fromkeys(taken)))


@dataclass(frozen=True)
class Storage:
    """What stacking needs to know about a value.

    Attributes:
        array: where a stored value lies.
        stackable: whether the array has other columns (a state has none).
    """

    array: Array
    stackable: bool


class Stacker:
    """Stacks the operations of one stage.

    Args:
        operations: in order.
        storage: of every value except temporaries.
        sizes: of every value.
        makers: the function that computes each temporary of earlier stages; those of this stage join it.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        storage: Mapping[str, Storage],
        sizes: Mapping[str, str],
        makers: dict[str, str],
    ) -> None:
        self._storage, self._sizes, self._makers = storage, sizes, makers
        self._producer = {operation.target: operation for operation in operations}
        self._order = {operation.target: index for index, operation in enumerate(operations)}
        self._needs: dict[str, frozenset[str]] = {}
        groups: dict[Key, list[Operation]] = {}
        for operation in operations:
            read = [a for a in operation.arguments if isinstance(a, str) and a in self._producer]
            self._needs[operation.target] = frozenset(read).union(*(self._needs[value] for value in read))
            self._makers[operation.target] = operation.function
            groups.setdefault(self._key(operation), []).append(operation)
        self._groups = self._compatible([part for group in groups.values() for part in self._split(group)])

    def _key(self, operation: Operation) -> Key:
        arguments = tuple(self._argument(argument, operation.size) for argument in operation.arguments)
        stored = self._storage.get(operation.target)
        target = ("temporary",) if stored is None else self._array(operation.target, stored)
        return (operation.function, operation.size, arguments, target)

    def _argument(self, argument: str | Literal, size: str) -> Key:
        if isinstance(argument, Literal):
            return ("number", argument)
        if self._sizes[argument] != size:
            return ("value", argument)
        stored = self._storage.get(argument)
        return ("temporary", self._makers[argument]) if stored is None else self._array(argument, stored)

    @staticmethod
    def _array(value: str, stored: Storage) -> Key:
        return ("array", stored.array) if stored.stackable else ("value", value)

    def _split(self, group: list[Operation]) -> list[list[Operation]]:
        """The group, if each argument differs in every operation or is a shared column; else its members."""
        first = group[0]
        alone = is_whole(first.function) or any(
            self._needs[one.target] & {other.target for other in group} for one in group
        )
        for place, argument in enumerate(first.arguments):
            if isinstance(argument, Literal) or self._sizes[argument] != first.size:
                continue
            alone |= len({operation.arguments[place] for operation in group}) < len(group)
        return [[operation] for operation in group] if alone else [group]

    def _compatible(self, groups: list[list[Operation]]) -> list[list[Operation]]:
        """The groups. A group that would have to run both before and after another is divided."""
        result = list(groups)
        for group in sorted(groups, key=len, reverse=True):
            if len(group) > 1 and not self._has_order(result):
                result.remove(group)
                result += [[operation] for operation in group]
        return result

    def _has_order(self, groups: list[list[Operation]]) -> bool:
        waiting, done = list(groups), set[str]()
        while waiting:
            ready = [group for group in waiting if self._is_ready(group, done)]
            if not ready:
                return False
            waiting = [group for group in waiting if group not in ready]
            done.update(operation.target for group in ready for operation in group)
        return True

    def sets(self, feeds: Iterable[Collection[str]] = ()) -> list[frozenset[str]]:
        """The values that should be neighbours: arguments and targets of each group, back to what feeds them.

        Args:
            feeds: values that one matrix product computes; what is computed from them should be neighbours too.
        """
        found: dict[frozenset[str], None] = {}
        work = [tuple(group) for each in feeds for group in self._follow(frozenset(each))]
        work += [tuple(group) for group in self._groups if len(group) > 1]
        seen: set[tuple[str, ...]] = set()
        while work:
            group = work.pop(0)
            targets = tuple(operation.target for operation in group)
            if targets in seen:
                continue
            seen.add(targets)
            found[frozenset(targets)] = None
            for place in range(len(group[0].arguments)):
                values = [value for o in group if isinstance(value := o.arguments[place], str)]
                found[frozenset(values)] = None
                made = tuple(self._producer[value] for value in values if value in self._producer)
                if len(made) == len(group) and len({(each.function, len(each.arguments)) for each in made}) == 1:
                    work.append(made)
        return list(found)

    def _follow(self, values: frozenset[str]) -> list[list[Operation]]:
        """The operations of one group that read ``values``, one each, and what follows from their targets."""
        for group in self._groups:
            for place in range(len(group[0].arguments)):
                readers = [o for o in group if o.arguments[place] in values]
                if len(readers) == len(values) > 1:
                    return [readers, *self._follow(frozenset(o.target for o in readers))]
        return []

    def stacked(self, order: dict[str, Position], vectors: Collection[str]) -> list[Stacked]:
        """The calls, each after what it reads.

        Args:
            order: array and column of every value that has them; the targets of the calls join it.
            vectors: values of one row, which are neighbours in any order.
        """
        waiting = sorted(self._groups, key=lambda group: min(self._order[o.target] for o in group))
        done: set[str] = set()
        result: list[Stacked] = []
        while waiting:
            ready = next(group for group in waiting if self._is_ready(group, done))
            waiting.remove(ready)
            for run in self._runs(self._lanes(ready, order), order, vectors):
                result.append(_call(run))
                fresh = Array(CALL, str(len(order)))  # no two calls see the same number of values
                order.update((o.target, (fresh, i)) for i, o in enumerate(run) if o.target not in self._storage)
            done.update(operation.target for operation in ready)
        return result

    def _is_ready(self, group: list[Operation], done: set[str]) -> bool:
        read = {a for operation in group for a in operation.arguments if isinstance(a, str)}
        return all(value in done for value in read if value in self._producer)

    def _lanes(self, group: list[Operation], order: Mapping[str, Position]) -> list[Operation]:
        """The operations in the order of the columns that they read, or write; others keep their order."""
        places = [[o.arguments[place] for o in group] for place in range(len(group[0].arguments))]
        targets: list[str | Literal] = [operation.target for operation in group]
        for values in (*places, targets):
            known = [order[value] for value in values if isinstance(value, str) and value in order]
            if len(set(known)) == len(group) and len({array for array, _ in known}) == 1:
                return [o for _, o in sorted(zip(known, group, strict=True), key=lambda pair: pair[0])]
        names = arrange([operation.target for operation in group], self.sets())
        return sorted(group, key=lambda operation: names.index(operation.target))

    def _runs(
        self, lanes: list[Operation], order: dict[str, Position], vectors: Collection[str]
    ) -> list[list[Operation]]:
        """``lanes`` as maximal runs that are neighbours in every argument and in the target.

        Temporaries that separate calls compute become neighbours.
        """
        runs: list[list[Operation]] = []
        for operation in lanes:
            if runs and self._joins(runs[-1], operation, order, vectors):
                runs[-1].append(operation)
            else:
                runs.append([operation])
        return runs

    def _joins(
        self, run: list[Operation], after: Operation, order: dict[str, Position], vectors: Collection[str]
    ) -> bool:
        before, trial = run[-1], dict(order)
        for one, other in (*zip(before.arguments, after.arguments, strict=True), (before.target, after.target)):
            if isinstance(one, Literal) or isinstance(other, Literal) or self._sizes[one] != before.size:
                continue
            fresh = one == before.target and one not in trial and other not in trial
            if fresh or (one in vectors and other in vectors):
                continue
            here, there = trial.get(one), trial.get(other)
            if here is None or there is None:
                return False
            if (here[0], here[1] + 1) != there:
                if not self._is_loose(other, trial) or not self._is_last(one, trial):
                    return False
                trial[other] = (here[0], here[1] + 1)
        order.update(trial)
        return True

    def _is_loose(self, value: str, order: Mapping[str, Position]) -> bool:
        """Whether ``value`` is a temporary that has no neighbours."""
        alone = sum(place[0] == order[value][0] for place in order.values()) == 1
        return alone and value not in self._storage

    def _is_last(self, value: str, order: Mapping[str, Position]) -> bool:
        """Whether ``value`` is a temporary with room beside it."""
        array, column = order[value]
        return value not in self._storage and (array, column + 1) not in order.values()


def _call(run: list[Operation]) -> Stacked:
    first = run[0]
    arguments: list[tuple[str, ...] | Literal] = []
    for place, argument in enumerate(first.arguments):
        values = tuple(value for o in run if isinstance(value := o.arguments[place], str))
        arguments.append(argument if isinstance(argument, Literal) else tuple(dict.fromkeys(values)))
    labels = tuple(dict.fromkeys(operation.label for operation in run if operation.label))
    return Stacked(first.function, tuple(arguments), tuple(o.target for o in run), tuple(o.size for o in run), labels)
