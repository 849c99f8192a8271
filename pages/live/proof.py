"""What solves a challenge on the login page, where one is posed."""

from anonchat import Puzzle, PuzzleUnsolved, WorkBudget

from ..language import Language
from .part import Part


class Proof(Part, component="proof.js", dependencies=["proof/*.js"]):
    """A line of a form that keeps its button still while the browser solves a challenge.

    Where everybody has to solve one, it begins as soon as the page is shown.
    """

    def __init__(self, puzzle: Puzzle, *, budget: WorkBudget, language: Language) -> None:
        super().__init__(budget)
        self._props.update(
            challenge=puzzle.pose() if puzzle.bits else "",
            bits=puzzle.bits,
            working=language("One moment: your browser shows that this is not a flood."),
        )

    def solve(self, error: PuzzleUnsolved) -> None:
        """Solve the challenge for which the form was refused, and send it again."""
        self.run_method("solve", error.details["challenge"], error.details["bits"], True)
