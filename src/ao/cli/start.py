"""Where the command starts: Ctrl-C while the rest is being imported ends it at once, without a traceback."""

import signal


def main() -> None:
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ao.cli.main import main as run  # noqa: PLC0415 - the import is what takes long

    signal.signal(signal.SIGINT, handler)
    run()
