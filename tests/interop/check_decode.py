#!/usr/bin/env python3
"""Does the second reader see on the wire what the library says that it sent? One recorded scenario, read twice: with
the secret keys of the ends, from which the reader computes everything, and with the key log alone.

    check_decode.py RECORDER SCENARIO FOLDER

SPDX-License-Identifier: MIT
"""

import contextlib
import difflib
import io
import os
import re
import subprocess
import sys

SKIPPED = 77
try:
    import ternspec
except ImportError as why:
    print("skipped: %s" % why)
    sys.exit(SKIPPED)

SECRET = b"thirty-two bytes that both know\0".hex()
# An observer cannot see how many connections an end has had before.
NUMBER = re.compile(r"^(\S+) #\d+ ")
# What nobody can compute from outside with X25519 keys alone: it depends on ML-KEM's secret.
NEEDS_KEY_LOG = {"hybrid"}


def read(arguments):
    """(exit status, frame lines, notes) of the reader."""
    out = io.StringIO()
    sys.argv = ["ternspec.py"] + arguments
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = ternspec.main()
    lines = out.getvalue().splitlines()
    return (status, [NUMBER.sub(r"\1 ", line) for line in lines if not line.startswith("#")],
            [line for line in lines if line.startswith("#")])


def check(how, expected, found):
    status, lines, notes = found
    if status != 0 or lines != expected:
        print("%s: the reader and the library disagree (status %d)" % (how, status))
        print("\n".join(list(difflib.unified_diff(expected, lines, "library", "reader", n=1))[:40]))
        print("\n".join(notes))
        sys.exit(1)
    print("%s: %d packets, %d frames, all as the library said" % (
        how, len(lines), sum(line.count(" | ") + 1 for line in lines)))


def main():
    recorder, scenario, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    status = subprocess.run([recorder, scenario, folder], check=False).returncode
    if status:
        print("the recorder ended with %d" % status)
        sys.exit(status if status == SKIPPED else 1)
    place = {name: os.path.join(folder, name) for name in ("capture.pcap", "known.txt", "keys.log", "sent.txt")}
    with open(place["sent.txt"], encoding="ascii") as file:
        expected = [NUMBER.sub(r"\1 ", line) for line in file.read().splitlines()]
    with_keys = ["--known", place["known.txt"], "--secret", SECRET, "--code", "7-orbit-salmon"]
    if scenario not in NEEDS_KEY_LOG:
        found = read([place["capture.pcap"]] + with_keys)
        check("with secret keys", expected, found)
        if scenario != "refused" and "computed: 1-RTT, Handshake" not in "\n".join(found[2]):
            sys.exit("the reader has not computed the handshake itself")
    check("with the key log", expected, read([place["capture.pcap"], "--keys", place["keys.log"]]))
    if read([place["capture.pcap"]])[0] == 0 and scenario != "refused":
        sys.exit("the reader needs no keys, which cannot be")


if __name__ == "__main__":
    main()
