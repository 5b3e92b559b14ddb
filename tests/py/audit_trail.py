"""The audit log read from outside: an independent check of its chain, written from the format's description alone.

Each line is one JSON record whose member `chain` names its writer, its place in that writer's sequence and the SHA-256
of the writer's line before it, over the bytes of that line without the newline; the first has 64 zeros.
"""

import hashlib
import json
from pathlib import Path

START = "0" * 64


class Broken(Exception):
    """The log was changed."""


def files(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.suffix in (".jsonl", ".log"))


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
    chains, counts = {}, {}
    for path, number, line in lines(folder):
        try:
            chain = json.loads(line)["chain"]
        except (ValueError, KeyError) as error:
            raise Broken(f"{path.name}:{number}: not a record") from error
        writer, sequence = chain["writer"], chain["sequence"]
        digest, expected = chains.get(writer, (START, None))
        if chain["previous"] != digest or (expected is not None and sequence != expected):
            raise Broken(f"{path.name}:{number}: does not follow the record before it")
        chains[writer] = (hashlib.sha256(line).hexdigest(), sequence + 1)
        counts[writer] = counts.get(writer, 0) + 1
    return counts
