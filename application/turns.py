"""Whose turn it is to be asked: each model once, in order, and again when its time has come."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from attrs import define, field

from tollkeeper.application.asked import Asked, Choice
from tollkeeper.domain.retries import Step

A = TypeVar("A")


@define(eq=False)
class Turn(Generic[A]):
    """One model's turn, with as many requests as the policy allows.

    *tried* counts them, *refused* are the labels of the keys that the provider refused, or that
    have no secret. *ready_at* is when the next may go out, a moment of the event loop's clock.
    """

    choice: Choice[A]
    tried: int = 0
    refused: set[str] = field(factory=set)
    ready_at: float = 0.0

    @property
    def model(self) -> str:
        """Whose turn it is."""
        return self.choice.route.model


@define(eq=False)
class Turns(Generic[A]):
    """The turns of one chain of *choices*."""

    asked: Asked[A]
    choices: Sequence[Choice[A]]
    _waiting: list[Turn[A]] = field(init=False)
    _later: list[Turn[A]] = field(factory=list, init=False)
    _done: set[str] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._waiting = [Turn(choice) for choice in self.choices]

    def next(self) -> Turn[A] | None:
        """Return the next turn: of a model that was not asked yet, if there is any such.

        None says that nobody is left.
        """
        while self._waiting:
            turn = self._waiting.pop(0)
            if turn.tried or turn.model not in self._done:
                self._done.add(turn.model)
                return turn
        if not self._later:
            return None
        soonest = min(self._later, key=lambda turn: turn.ready_at)
        self._later.remove(soonest)
        return soonest

    def others(self) -> bool:
        """Whether another model can be asked than the one whose turn it is."""
        return bool(self._later) or any(each.model not in self._done for each in self._waiting)

    def failed(self, turn: Turn[A], step: Step) -> None:
        """Put *turn* back, or another model in its place, as *step* says."""
        if step in (Step.RETRY, Step.OTHER_KEY):
            self._waiting.insert(0, turn)
        elif step is Step.LATER:
            self._later.append(turn)
        elif step in (Step.LARGER, Step.UNFILTERED):
            table = self.asked.larger if step is Step.LARGER else self.asked.unfiltered
            other = table.get(turn.model)
            if other is not None:
                self._waiting.insert(0, Turn(other))
            elif turn.model == self.asked.wanted:
                self.end()  # the settings name nobody for such requests
        elif step is Step.STOP:
            self.end()

    def end(self) -> None:
        """Ask nobody any more."""
        self._waiting.clear()
        self._later.clear()
