"""The texts of the question for a transcript."""

from anonchat import Language


def consent_texts(language: Language) -> dict[str, str]:
    """Return the texts of `composer/consent.js`."""
    return {
        "label": language("Transcript"),
        "question": language(
            "{name} would like to save everything that was said here until now. It is saved only "
            "if all who are here agree.",
            name="{}",
        ),
        "somebody": language("Somebody"),
        "agree": language("Agree"),
        "refuse": language("Refuse"),
        "waiting": language("All who are here are asked whether you may save the transcript."),
        "cancel": language("Cancel"),
        "seconds": language("{n} s", n="{}"),
        "granted": language("All have agreed: you can save the transcript within ten minutes."),
        "refused": language("Not everybody has agreed: there is no transcript."),
        "as_text": language("Save as text"),
        "as_json": language("Save as JSON"),
        "close": language("Close"),
    }
