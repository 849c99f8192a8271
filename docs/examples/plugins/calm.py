"""A filter: long messages in capital letters are refused, and many exclamation marks shortened."""

import re

from anonchat.plugins import Draft, Plugin, PluginSettings, Refused


class Calm(PluginSettings):  # ANONCHAT_CALM_LETTERS
    letters: int = 12


plugin = Plugin("calm", settings=Calm)


@plugin.filter
def calm(draft: Draft, settings: Calm) -> None:
    if draft.text.isupper() and len(draft.text) >= settings.letters:
        raise Refused("Please do not shout.")
    draft.text = re.sub(r"!{2,}", "!", draft.text)
