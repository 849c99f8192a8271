"""A plugin that writes down which node calls its listener and its job."""

import os
from pathlib import Path

from anonchat.plugins import MessagePosted, Plugin, PluginSettings


class Witness(PluginSettings):
    file: Path


plugin = Plugin("witness", settings=Witness)


@plugin.on(MessagePosted)
def hear(event: MessagePosted, settings: Witness) -> None:
    _write(settings, f"heard {event.message.text}")


@plugin.every("1s")
def tick(settings: Witness) -> None:
    _write(settings, "ticked")


def _write(settings: Witness, line: str) -> None:
    with settings.file.open("a") as file:
        file.write(f"{os.getpid()} {line}\n")
