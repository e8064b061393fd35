"""Prints the history of a repository as input for the agent: `python export.py PATH > input.json`."""

import json
import subprocess
import sys

COMMAND = ["git", "log", "--no-merges", "--numstat", "--format=commit %h%x09%cI%x09%s"]

if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else "."
    log = subprocess.run(COMMAND, cwd=where, check=True, capture_output=True, text=True).stdout
    json.dump({"log": log}, sys.stdout)
