"""Takes a little while, prints, sometimes fails its first attempt, starts a daemon, and says who it was.

While it lives it tells the test so, past everything that AO could hold back: task, attempt, time since boot.
"""

import os
import socket
import subprocess
import time


def work(task: dict[str, int]) -> dict[str, int]:
    number, attempt = task["number"], os.environ["AO_ATTEMPT"]
    print(f"start {number}")
    if number % 3 == 0:
        subprocess.Popen(["sleep", "300"], start_new_session=True)  # must not outlive the attempt
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as signs:
        until = time.monotonic() + task["milliseconds"] / 1000
        while True:
            stamp = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            signs.sendto(f"{number} {attempt} {stamp}".encode(), ("127.0.0.1", task["port"]))
            if time.monotonic() > until:
                break
            time.sleep(0.01)
    print(f"end of {number}")
    if task["fails_once"] and attempt == "1":
        raise RuntimeError(f"first attempt of {number} fails")
    return {"number": number, "square": number * number}
