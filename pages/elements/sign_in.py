"""The part of the login form that signs in."""

from anonchat import ProofOfWork, WorkBudget

from ..i18n.language import Language
from .component import Component
from .screen import Screen


class SignIn(Component, component="sign_in.js", dependencies=["proof_of_work/*.js"]):
    """Posts its form to `/session`, solves challenges for it, and shows why it was refused.

    If every sign-in needs a proof of work, solving starts as soon as the page is shown. The browser
    repeats a failed sign-in as the same attempt, until one has succeeded.
    """

    def __init__(
        self,
        proof_of_work: ProofOfWork,
        *,
        budget: WorkBudget,
        screen: Screen,
        language: Language,
        target: str,
    ) -> None:
        super().__init__(budget)
        self._props.update(
            challenge=proof_of_work.new_challenge() if proof_of_work.bits else "",
            bits=proof_of_work.bits,
            screen=screen.id,
            target=target,
            working=language("One moment: your browser shows that this is not a flood."),
            failed=language("You could not be signed in. Please try again."),
            no_cookie=language(
                "Your browser did not keep our cookie. Allow cookies for this site and try again."
            ),
        )
