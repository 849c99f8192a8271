"""The part of the login form that signs in."""

from nicegui import ui

from anonchat import Language, ProofOfWork


class SignIn(ui.element, component="sign_in.js", dependencies=["proof_of_work/*.js", "reason.js"]):
    """Posts its form to `/session`, solves challenges for it, and shows why it was refused.

    If every sign-in needs a proof of work, solving starts as soon as the page is shown. The browser
    repeats a failed sign-in as the same attempt, until one has succeeded. `target` is the path of
    the page to open then.
    """

    def __init__(self, proof_of_work: ProofOfWork, *, language: Language, target: str) -> None:
        super().__init__()
        self._props.update(
            challenge=proof_of_work.new_challenge() if proof_of_work.bits else "",
            bits=proof_of_work.bits,
            target=target,
            working=language("One moment: your browser shows that this is not a flood."),
            forgotten=language(
                "You are forgotten. Your nickname, your rooms and everything you wrote are gone."
            ),
            failed=language("You could not be signed in. Please try again."),
            no_cookie=language(
                "Your browser did not keep our cookie. Allow cookies for this site and try again."
            ),
        )

    def fill(self, name: str, text: str) -> None:
        """Set the text of the field of that name."""
        self.run_method("fill", name, text)

    def refuse(self, name: str, reason: str, seconds: int = 0) -> None:
        """Show why the field of that name is refused, for that long if not 0, and focus it."""
        self.run_method("refuse", name, reason, seconds)
