"""Serves the chat, or does what a command says."""

import gc
import sys


def main() -> None:
    """Do what the words on the command line say; without any, serve until told to stop.

    Either imports only what it needs: a command does without the whole web framework.
    """
    gc.disable()  # what an import makes stays, and looking through it again and again takes long
    if len(sys.argv) > 1:
        from anonchat.commands import run_command

        gc.enable()
        sys.exit(run_command(sys.argv[1:]))
    from pages.server import serve

    gc.enable()
    serve()


if __name__ == "__main__":
    main()
