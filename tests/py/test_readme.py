"""The README's tour, run against a fresh demo region: what its blocks print must be what the README shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import running
from region import ROOT, Region, binary

TOUR = re.compile(r"```sh tour\n(.*?)```\n+```text\n(.*?)```", re.DOTALL)


def printed(line, output):
    """Whether a line of the output is this one; `...` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in line.split("..."))
    return re.search(f"^{pattern}$", output, re.MULTILINE)


@pytest.fixture
def fresh(folder):
    with running(Region(folder / "kannuki-data")) as started:
        yield started


def test_the_tour(fresh, folder):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true"}
    blocks = TOUR.findall((ROOT / "README.md").read_text())
    assert len(blocks) == 4
    for script, shown in blocks:
        # One region of many on this machine, and a binary that is built already.
        script = script.replace("pkill -HUP -x kannuki", f"kill -HUP {fresh.process.pid}")
        script = script.replace("cargo run --release --", f"'{binary()}'")
        done = subprocess.run(["sh", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=120)
        missing = [line for line in shown.splitlines() if not printed(line, done.stdout + done.stderr)]
        assert not missing, f"{script}\nprinted\n{done.stdout}{done.stderr}\nand not\n" + "\n".join(missing)
