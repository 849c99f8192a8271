"""Entry point: serves the chat, or runs an admin command."""

import gc
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Run the command given on the command line; without one, serve until SIGTERM or Ctrl-C.

    Imports are lazy: commands do not load the web framework.
    """
    gc.disable()  # objects made by imports live on, and scanning them repeatedly is slow
    if len(sys.argv) > 1:
        from anonchat.cli.main import cli

        gc.enable()
        cli()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        from pages.server import serve

        gc.enable()
        serve()


if __name__ == "__main__":
    main()
