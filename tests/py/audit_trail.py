"""The audit log read from outside: an independent check of its chain, written from the format's description alone.

Each line is one JSON record whose last member `chain` names its writer, its place in that writer's sequence counted
from 1, the SHA-256 of the writer's line before it without the newline (64 zeros for the first), and the SHA-256 of the
line itself up to the end of that.
"""

import hashlib
import json
from pathlib import Path

START = "0" * 64


class Broken(Exception):
    """The log was changed."""


def files(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.suffix == ".jsonl")


def lines(folder):
    """All lines, oldest file first: a writer's files sort by name."""
    for path in files(folder):
        for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
            if line:
                yield path, number, line


def records(folder):
    return [json.loads(line) for _, _, line in lines(folder)]


def verify(folder):
    """The number of records of each writer, or `Broken`. The end of a chain can be cut without being seen here."""
    chains = {}
    for path, number, line in lines(folder):
        try:
            chain = json.loads(line)["chain"]
            place = chain["writer"], chain["sequence"], chain["previous"], chain["hash"]
        except (ValueError, KeyError, TypeError) as error:
            raise Broken(f"{path.name}:{number}: not a record") from error
        writer, sequence, previous, own = place
        last, digest = chains.get(writer, (0, START))
        if (sequence, previous) != (last + 1, digest):
            raise Broken(f"{path.name}:{number}: does not follow the record before it")
        if hashlib.sha256(line.rsplit(b',"hash":"', 1)[0]).hexdigest() != own:
            raise Broken(f"{path.name}:{number}: was changed")
        chains[writer] = (sequence, hashlib.sha256(line).hexdigest())
    return {writer: sequence for writer, (sequence, _) in chains.items()}
