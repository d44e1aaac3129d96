#!/usr/bin/env python3
"""Does Wireshark's dissector show what the library says that it sent?

    check_tshark.py RECORDER SCENARIO FOLDER    a recorded scenario, with its key log and without
    check_tshark.py CAPTURE KEYS                any capture: lists its packets, fails if one was not decrypted

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import shutil
import subprocess
import sys

SKIPPED = 77
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/wireshark/tern.lua")
# Time and number of the connection, which no observer knows.
PREFIX = re.compile(r"^\S+ #\d+ ")


def dissect(capture, keys):
    """What the dissector says of each packet, in the order of the capture."""
    command = ["tshark", "-X", "lua_script:" + SCRIPT, "-r", capture, "-T", "json", "-e", "tern.packet", "-e", "_ws.expert"]
    if keys:
        command += ["-o", "tern.key_log:" + keys]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit("tshark failed: " + run.stderr)
    if "Lua Error" in run.stdout + run.stderr:
        sys.exit("the dissector failed: " + run.stdout[-2000:] + run.stderr)
    out = []
    for record in json.loads(run.stdout):
        out += record["_source"]["layers"].get("tern.packet", [])
    return out


def check_scenario(recorder, scenario, folder):
    os.makedirs(folder, exist_ok=True)
    status = subprocess.run([recorder, scenario, folder], check=False).returncode
    if status:
        sys.exit(status if status == SKIPPED else 1)
    capture, keys = os.path.join(folder, "capture.pcap"), os.path.join(folder, "keys.log")
    with open(os.path.join(folder, "sent.txt"), encoding="ascii") as file:
        expected = [PREFIX.sub("", line) for line in file.read().splitlines()]
    found = [line for line in dissect(capture, keys) if line != "Retry"]
    if found != expected:
        for ours, theirs in zip(expected, found):
            if ours != theirs:
                print("library:   %s\ndissector: %s" % (ours, theirs))
                break
        sys.exit("%s: %d packets, the dissector has %d, and they differ" % (
            scenario, len(expected), len(found)))
    bare = [line for line in dissect(capture, None) if " sent " in line]
    if bare:
        sys.exit("decrypted without keys: " + bare[0])
    print("%s: %d packets, all as the library said" % (scenario, len(found)))


def check_capture(capture, keys):
    found = dissect(capture, keys)
    for line in found:
        print(line)
    sealed = [line for line in found if " sent " not in line and line != "Retry"]
    if not found or sealed:
        sys.exit("%d packets, %d of them not decrypted" % (len(found), len(sealed)))


def main():
    if shutil.which("tshark") is None:
        print("skipped: no tshark")
        sys.exit(SKIPPED)
    if len(sys.argv) == 4:
        check_scenario(*sys.argv[1:])
    else:
        check_capture(*sys.argv[1:])


if __name__ == "__main__":
    main()
