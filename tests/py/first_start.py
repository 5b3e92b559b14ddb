"""A new user's first minutes: the binary in an empty folder, and the printed commands pasted into a shell.

Run by tests/run; prints what it pasted. Ends with 0 when the printed commands work, the first of them within 2 seconds.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import region

FIRST_WITHIN_S = 2.0


def main():
    folder = Path(tempfile.mkdtemp(prefix="kannuki-first-"))
    port = region.free_port()
    arguments = [] if port == 8443 else ["serve", "--port", str(port)]
    output = folder / "output"
    with open(output, "wb") as sink:
        process = subprocess.Popen([region.binary(), *arguments], cwd=folder, stdout=sink, stderr=sink)
    try:
        paste(folder, output, process)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def paste(folder, output, process):
    began = time.monotonic()
    commands = []
    while len(commands) < 3:
        if process.poll() is not None or time.monotonic() - began > FIRST_WITHIN_S:
            sys.exit(f"no three commands within {FIRST_WITHIN_S} s:\n{output.read_text()}")
        time.sleep(0.01)
        exports, commands = printed(output.read_text())
    if not exports:
        sys.exit(f"no export lines:\n{output.read_text()}")
    # Answered without the command line's own start-up time, which is Python's and not the service's.
    print(f"printed after {time.monotonic() - began:.2f} s")
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder)}
    for number, command in enumerate(commands):
        script = "\n".join([*exports, command])
        done = subprocess.run(["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
        print(f"$ {command}\n{done.stdout.strip()}{done.stderr.strip()}")
        if done.returncode:
            sys.exit(f"command {number + 1} failed")


def printed(text):
    """The export lines (or the line that sources an env file) and the aws commands, as a user would copy them."""
    lines = [line.strip().removeprefix("$ ") for line in text.splitlines()]
    exports = [line for line in lines if line.startswith("export AWS_") or re.match(r"(\.|source) \S+env$", line)]
    return exports, [line for line in lines if line.startswith("aws ")]


if __name__ == "__main__":
    main()
