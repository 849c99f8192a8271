"""The form field that solves the proof-of-work challenge of the login page."""

from anonchat import ChallengeUnsolved, ProofOfWork, WorkBudget

from ..i18n.language import Language
from .component import Component


class ProofOfWorkField(
    Component, component="proof_of_work_field.js", dependencies=["proof_of_work/*.js"]
):
    """A field that disables the submit button of its form while the browser solves a challenge.

    If every sign-in needs one, solving starts as soon as the page is shown.
    """

    def __init__(
        self, proof_of_work: ProofOfWork, *, budget: WorkBudget, language: Language
    ) -> None:
        super().__init__(budget)
        self._props.update(
            challenge=proof_of_work.new_challenge() if proof_of_work.bits else "",
            bits=proof_of_work.bits,
            working=language("One moment: your browser shows that this is not a flood."),
        )

    def solve(self, error: ChallengeUnsolved) -> None:
        """Solve the challenge of the error that rejected the form, then submit the form again."""
        self.run_method("solve", error.details["challenge"], error.details["bits"], True)
