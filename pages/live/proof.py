"""What solves the puzzle of the login page, while its visitor types."""

from anonchat import Puzzle, WorkBudget

from ..language import Language
from .part import Part


class Proof(Part, component="proof.js"):
    """A line of a form that keeps its button still until the browser has solved the puzzle."""

    def __init__(self, puzzle: Puzzle, *, budget: WorkBudget, language: Language) -> None:
        super().__init__(budget)
        self._puzzle = puzzle
        self._props.update(
            challenge=puzzle.pose(),
            bits=puzzle.bits,
            working=language("One moment: your browser shows that this is not a flood."),
        )

    def again(self) -> None:
        """Pose another challenge, for the last one has been used."""
        self.run_method("solve", self._puzzle.pose())
