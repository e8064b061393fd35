"""What Celery's worker imports. `LATE` tasks are taken off the queue when they end, not when they start."""

from celery import Celery

from benchmarks.peers.drivers.order import NOOP, SUBPROCESS, in_subprocess

app = Celery("benchmark")


def noop(number: int) -> int:
    return 2 * number + 1


EARLY = {
    NOOP: app.task(noop, name=NOOP),
    SUBPROCESS: app.task(in_subprocess, name=SUBPROCESS),
}
LATE = {
    NOOP: app.task(noop, name=f"{NOOP}-late", acks_late=True),
    SUBPROCESS: app.task(in_subprocess, name=f"{SUBPROCESS}-late", acks_late=True),
}
