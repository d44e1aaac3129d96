#!/usr/bin/env python3
"""A client of another make, which speaks from the specification alone and says what no honest one would: a server
must answer with the right error code, stay up, and write qlog that a strict reader takes.

    check_hostile.py TERNCP FOLDER

SPDX-License-Identifier: MIT
"""

import glob
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys

try:
    import ternspec_crypto as crypto
    import ternspec_wire as wire
except ImportError as why:
    print("skipped: %s" % why)
    sys.exit(77)
import check_qlog

TRANSPORT_PARAMETER_ERROR, VERSION_NEGOTIATION_ERROR = 0x08, 0x11
NO_COMMON_SUITE, WRONG_PATTERN = 0x101, 0x103


def parameter(number, value):
    return wire.varint(number) + wire.varint(len(value)) + value


def honest(scid):
    return {
        0x01: wire.varint(30000), 0x04: wire.varint(1 << 20), 0x05: wire.varint(1 << 18), 0x06: wire.varint(1 << 18),
        0x08: wire.varint(10), 0x09: wire.varint(10), 0x0e: wire.varint(4), 0x0f: scid,
        0x11: struct.pack(">II", wire.VERSION, wire.VERSION),
    }


def said(parameters):
    return b"".join(parameter(number, value) for number, value in parameters.items())


# What is said, and the code of CONNECTION_CLOSE that must follow; None: message 2 instead.
CASES = [
    ("honest", lambda p: said(p), {}, None),
    ("unknown ones are ignored", lambda p: said(p) + parameter(0x3f5a, b"x" * 40), {}, None),
    ("twice the same", lambda p: said(p) + parameter(0x04, wire.varint(7)), {}, TRANSPORT_PARAMETER_ERROR),
    ("cut in the middle", lambda p: said(p) + wire.varint(0x04) + b"\x08\xff", {}, TRANSPORT_PARAMETER_ERROR),
    ("a length beyond all", lambda p: said(p) + wire.varint(0x04) + wire.varint((1 << 62) - 1), {},
     TRANSPORT_PARAMETER_ERROR),
    ("an integer that does not fill its length", lambda p: said(dict(p, **{})) .replace(
        parameter(0x08, wire.varint(10)), parameter(0x08, wire.varint(10) + b"\0")), {}, TRANSPORT_PARAMETER_ERROR),
    ("another identifier", lambda p: said({**p, 0x0f: b"somebody"}), {}, TRANSPORT_PARAMETER_ERROR),
    ("no identifier", lambda p: said({k: v for k, v in p.items() if k != 0x0f}), {}, TRANSPORT_PARAMETER_ERROR),
    ("datagrams of ten bytes", lambda p: said({**p, 0x03: wire.varint(10)}), {}, TRANSPORT_PARAMETER_ERROR),
    ("an exponent of 21", lambda p: said({**p, 0x0a: wire.varint(21)}), {}, TRANSPORT_PARAMETER_ERROR),
    ("an ACK delay of 2^14", lambda p: said({**p, 0x0b: wire.varint(1 << 14)}), {}, TRANSPORT_PARAMETER_ERROR),
    ("one identifier", lambda p: said({**p, 0x0e: wire.varint(1)}), {}, TRANSPORT_PARAMETER_ERROR),
    ("2^61 streams", lambda p: said({**p, 0x08: wire.varint(1 << 61)}), {}, TRANSPORT_PARAMETER_ERROR),
    ("what servers say", lambda p: said({**p, 0x00: b"12345678"}), {}, TRANSPORT_PARAMETER_ERROR),
    ("a preferred address", lambda p: said({**p, 0x0d: b"x" * 41}), {}, TRANSPORT_PARAMETER_ERROR),
    ("a channel too many", lambda p: said({**p, 0x74656e07: wire.varint(65537)}), {}, TRANSPORT_PARAMETER_ERROR),
    ("messages of 2^24 and one", lambda p: said({**p, 0x74656e05: wire.varint((1 << 24) + 1)}), {},
     TRANSPORT_PARAMETER_ERROR),
    ("a switch with bytes", lambda p: said({**p, 0x74656e09: b"on"}), {}, TRANSPORT_PARAMETER_ERROR),
    ("another version inside", lambda p: said({**p, 0x11: struct.pack(">I", 1)}), {}, VERSION_NEGOTIATION_ERROR),
    ("no suite in common", lambda p: said(p), {"suites": 0x8000}, NO_COMMON_SUITE),
    ("a secret that nobody asked for", lambda p: said(p), {"pattern": 0x11}, WRONG_PATTERN),
]


class Client:
    """First contact, one Initial, and what comes back."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(60)
        self.socket.connect(address)
        self.odcid, self.scid = os.urandom(8), os.urandom(8)
        self.keys = [crypto.PacketKeys(crypto.CHACHA, one) for one in crypto.initial_secrets(self.odcid, b"")]
        self.secret = os.urandom(32)

    def message_1(self, parameters, pattern, suites):
        prologue = (b"tern hs 1" + struct.pack(">IBI", wire.VERSION, 1, wire.VERSION) + bytes([pattern]) +
                    struct.pack(">H", suites) + b"\0" + bytes([8]) + self.odcid + bytes([8]) + self.scid + b"\0" +
                    b"\0\0")
        name = b"Noise_XXpsk3_25519_ChaChaPoly_SHA256" if pattern & 0x10 else b"Noise_XX_25519_ChaChaPoly_SHA256"
        noise, public = crypto.Noise(name, prologue), crypto.public_of(self.secret)
        noise.mix_hash(public)
        if pattern & 0x10:
            noise.mix_key(public)
        message = public + noise.write(parameters)
        return bytes([1, pattern]) + struct.pack(">H", suites) + b"\0" + b"\0\0" + struct.pack(">H", len(message)) + message

    def initial(self, payload):
        payload = payload.ljust(1200 - 16 - 30, b"\0")
        keys = self.keys[0]
        head = (b"\xc3" + struct.pack(">I", wire.VERSION) + bytes([8]) + self.odcid + bytes([8]) + self.scid + b"\0" +
                struct.pack(">H", 0x4000 | (4 + len(payload) + 16)))
        number = struct.pack(">I", 0)
        sealed = keys.seal(0, head + number, payload)
        mask = keys.mask(sealed[:16])
        return (bytes([head[0] ^ mask[0] & 0x0f]) + head[1:] + crypto.xor(number, mask[1:]) + sealed)

    def say(self, parameters, pattern=0x01, suites=0x0003):
        """The code of CONNECTION_CLOSE, or "message 2"."""
        message = self.message_1(parameters, pattern, suites)
        crypto_frame = b"\x06\x00" + wire.varint(len(message)) + message
        self.socket.send(self.initial(crypto_frame))
        while True:
            datagram = self.socket.recv(65535)
            header = wire.Header(datagram, 0, 8)
            if header.type != wire.INITIAL or header.dcid != self.scid:
                continue
            _first, number, clear, sealed = wire.unmask(self.keys[1], datagram, header, 0)
            for text, fact in wire.frames(self.keys[1].open(number, clear, sealed)):
                found = re.match(r"CONNECTION_CLOSE transport code=0x([0-9a-f]+)", text)
                if found:
                    return int(found.group(1), 16)
                if fact is not None and fact[0] == "crypto":
                    return "message 2"


def check_noise(address):
    """Bytes that mean nothing, in Initial packets that open: forgotten, and no more than that."""
    client = Client(address)
    client.socket.settimeout(0.3)
    for payload in (b"\x06\x00\x05junk!", b"\x06\x00\x00", b"\x02\x00\x00\x00\x00", b"\x3f\xff", b"\x1c\x00\x00\x00",
                    b"\x06\x3f\xff", b"\x08\x00x"):
        client.socket.send(client.initial(payload))
    try:
        client.socket.recv(65535)
    except socket.timeout:
        return
    sys.exit("an answer to what makes no sense")


def main():
    terncp, folder = sys.argv[1:]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "root"))
    command = [terncp, "serve", "--anonymous", "--root", os.path.join(folder, "root"), "--listen", "127.0.0.1:0",
               "--qlog", os.path.join(folder, "qlog")]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True,
                              env=dict(os.environ, XDG_CONFIG_HOME=os.path.join(folder, "config")))
    try:
        for line in server.stderr:
            found = re.search(r"serving .* on ([0-9.]+):([0-9]+)", line)
            if found:
                address = found.group(1), int(found.group(2))
                break
        else:
            sys.exit("the server did not start")
        for name, parameters, more, expected in CASES:
            client = Client(address)
            found = Client.say(client, parameters(honest(client.scid)), **more)
            if found != (expected if expected is not None else "message 2"):
                sys.exit("%s: %s, not %s" % (name, found, expected))
        check_noise(address)
        client = Client(address)
        if client.say(said(honest(client.scid))) != "message 2":
            sys.exit("an honest client is not let in any more")
    finally:
        server.send_signal(signal.SIGHUP)
        server.stderr.read()
        status = server.wait(200)
    if status != 0:
        sys.exit("the server ended with %d" % status)
    files = glob.glob(os.path.join(folder, "qlog", "*.qlog"))
    if not files:
        sys.exit("no qlog")
    for name in files:
        check_qlog.check_file(name)
    print("%d clients, all answered as the specification says" % len(CASES))


if __name__ == "__main__":
    main()
