"""`Mask`: what a transformation says of an input that is one, so that arrays for it can be drawn.

Reads nothing; holds numbers. Leaves out: the drawing (`symrnn.language.transform.masks`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mask:
    """How an input of random numbers is drawn: ``value`` with a probability, else 0, for each unit of each row.

    Attributes:
        probability: of ``value``, from 0 to 1.
        value: what is not 0.
        every_step: whether each step has numbers of its own; else one mask is the same for all steps of a row.
    """

    probability: float
    value: float = 1.0
    every_step: bool = True

    @property
    def mean(self) -> float:
        """The expectation, which stands for the mask in inference.

        >>> Mask(0.75, 4 / 3).mean
        1.0
        """
        return self.probability * self.value
