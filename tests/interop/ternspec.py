#!/usr/bin/env python3
"""A second reader of the protocol: follows captured connections, decrypts them and prints every frame.

Written from docs/protocol.md alone, over Python's standard library and the package `cryptography`. It needs either
secret keys of the two ends, by which it computes the Noise handshake itself, or a key log (section 5.9).

    ternspec.py CAPTURE [--known FILE] [--secret HEX] [--code CODE] [--keys FILE]

CAPTURE is a classic pcap. FILE of --known has secret keys, a line of 64 hexadecimal digits each: static ones and, for
one of the two ends, the ephemeral ones; and 128 digits for each number that CPace makes a scalar of. The lines are those of tern_trace_text for the packets that an end sent;
others begin with "#". Exit status: 0 all packets were opened, 1 some were not.

SPDX-License-Identifier: MIT
"""

import argparse
import struct
import sys

import ternspec_cpace
import ternspec_crypto as crypto
import ternspec_wire as wire
from ternspec_crypto import Unreadable

CLIENT, SERVER = "c", "s"
LABELS = {wire.INITIAL: "INITIAL", wire.ZERO_RTT: "EARLY", wire.HANDSHAKE: "HANDSHAKE", wire.ONE_RTT: "TRAFFIC"}
XX, XK = 1, 2
PSK, CODE, HYBRID = 0x10, 0x20, 0x40


# --- captures ---------------------------------------------------------------------------------------------


def packets_of(data):
    """(time in ns, link type, bytes) of each record of a classic pcap."""
    orders = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\x4d\x3c\xb2\xa1": ("<", 1),
              b"\xa1\xb2\xc3\xd4": (">", 1000), b"\xa1\xb2\x3c\x4d": (">", 1)}
    if data[:4] not in orders:
        raise SystemExit("ternspec: not a classic pcap; tcpdump and `tshark -F pcap` write them")
    order, unit = orders[data[:4]]
    link = struct.unpack(order + "I", data[20:24])[0] & 0xffff
    at = 24
    while at + 16 <= len(data):
        seconds, part, kept, _length = struct.unpack(order + "IIII", data[at:at + 16])
        yield seconds * 10**9 + part * unit, link, data[at + 16:at + 16 + kept]
        at += 16 + kept


def udp_of(link, data):
    """(source, destination, payload), or None: something else."""
    skip = {0: 4, 1: 14, 101: 0, 113: 16, 228: 0, 229: 0, 276: 20}.get(link)
    if skip is None:
        raise SystemExit("ternspec: link type %d is not known here" % link)
    data = data[skip:]
    if len(data) >= 28 and data[0] >> 4 == 4 and data[9] == 17:
        head, source, target = 4 * (data[0] & 15), data[12:16], data[16:20]
    elif len(data) >= 48 and data[0] >> 4 == 6 and data[6] == 17:
        head, source, target = 40, data[8:24], data[24:40]
    else:
        return None
    ports = struct.unpack(">HHH", data[head:head + 6])
    payload = data[head + 8:head + ports[2]]
    return (source, ports[0]), (target, ports[1]), payload


# --- what one knows ---------------------------------------------------------------------------------------


class Knowledge:
    def __init__(self, known, secret, code, keys):
        self.secrets = {crypto.public_of(one): one for one in known if len(one) == 32}
        self.draws = known
        self.secret, self.code = secret, code
        self.log = {}
        for line in keys:
            parts = line.split()
            if not parts or parts[0].startswith("#"):
                continue
            label, connection, phase, suite, one = parts
            place = self.log.setdefault((label, connection, int(phase)), [])
            entry = (int(suite, 16), bytes.fromhex(one))
            if entry not in place:
                place.append(entry)
        self.tickets = {}  # ticket: (resumption secret, suite)
        self.resets = set()  # what a stateless reset of these connections may end in

    def agree(self, one, other):
        """What the owners of two public keys share, if the secret of either is known."""
        for public, peer in ((one, other), (other, one)):
            if public in self.secrets:
                return crypto.agree(self.secrets[public], peer)
        raise Unreadable("neither secret key is known")


class Attempt:
    """A handshake from a message 1 on. After a Retry a client makes another."""

    def __init__(self, noise, pattern, client_key):
        self.noise, self.pattern, self.e_client = noise, pattern, client_key
        self.e_server = self.psk = self.share = self.early = None
        self.suite = crypto.CHACHA


# --- connections ------------------------------------------------------------------------------------------


class Connection:
    def __init__(self, number, odcid, knowledge):
        self.number, self.odcid, self.knowledge = number, odcid, knowledge
        self.retry_scid, self.client_scid = None, b""
        self.attempts = {}  # by the identifier that the Initial keys follow from
        self.secrets = {}   # (type, sender, phase): [(suite, secret)]
        self.keys = {}      # what opened last: (type, sender): PacketKeys
        self.phase = {CLIENT: 0, SERVER: 0}
        self.largest = {}
        self.parts = {}     # CRYPTO bytes by (type, sender, base)
        self.asked, self.mix = {}, None
        self.resumption = self.half_resumption = None
        self.computed = set()

    # Secrets that were computed come first, those of the key log after them.
    def candidates(self, kind, sender, phase):
        label = ("CLIENT_" if sender == CLIENT else "SERVER_") + LABELS[kind]
        mine = self.secrets.get((kind, sender, phase), [])
        return mine + self.knowledge.log.get((label, self.odcid[:8].hex(), phase), [])

    def learn(self, kind, phase, suite, client, server):
        for sender, secret in ((CLIENT, client), (SERVER, server)):
            if secret is not None:
                self.secrets.setdefault((kind, sender, phase), []).insert(0, (suite, secret))

    # --- sections 5.2 to 5.5: opening ---

    def expected(self, kind, sender):
        space = wire.ONE_RTT if kind == wire.ZERO_RTT else kind
        return self.largest.get((space, sender), -1) + 1

    def note(self, kind, sender, number):
        space = wire.ONE_RTT if kind == wire.ZERO_RTT else kind
        self.largest[space, sender] = max(number, self.largest.get((space, sender), -1))

    def initial_keys(self, sender):
        """(base, server's key or None, keys) of all that an Initial may be sealed with."""
        for base in [self.odcid] + ([self.retry_scid] if self.retry_scid else []):
            for key in [b""] + list(self.knowledge.secrets):
                secrets = crypto.initial_secrets(base, key)
                yield base, key, crypto.PacketKeys(crypto.CHACHA, secrets[sender == SERVER])
        for suite, secret in self.candidates(wire.INITIAL, sender, 0):
            yield None, None, crypto.PacketKeys(suite, secret)

    def open_initial(self, datagram, header, sender):
        for base, key, keys in self.initial_keys(sender):
            try:
                return (base, key) + self.open_with(keys, datagram, header, sender)
            except Unreadable:
                continue
        raise Unreadable("no key for this Initial")

    def open_with(self, keys, datagram, header, sender):
        first, number, clear, sealed = wire.unmask(keys, datagram, header,
                                                   self.expected(header.type, sender))
        return first, number, keys.open(number, clear, sealed)

    def phase_candidates(self, sender, phase):
        """All secrets that this phase may have, given those of the phase before."""
        out = self.candidates(wire.ONE_RTT, sender, phase)
        if phase > 0:
            for suite, secret in self.candidates(wire.ONE_RTT, sender, phase - 1)[:1]:
                for mix in (self.mix, None):
                    out = out + [(suite, crypto.next_secret(secret, mix))]
        return out

    def open_one_rtt(self, datagram, header, sender):
        base = self.candidates(wire.ONE_RTT, sender, 0)
        if not base:
            raise Unreadable("no secret for 1-RTT packets")
        mask_suite, mask_secret = base[0]
        masking = crypto.PacketKeys(mask_suite, mask_secret)
        first, number, clear, sealed = wire.unmask(masking, datagram, header,
                                                   self.expected(header.type, sender))
        now, bit = self.phase[sender], first >> 2 & 1
        phases = [now] if bit == now & 1 else [now + 1, now - 1]
        for phase in [p for p in phases if p >= 0]:
            for suite, secret in self.phase_candidates(sender, phase):
                try:
                    keys = crypto.PacketKeys(suite, secret, mask_secret)
                    payload = keys.open(number, clear, sealed)
                except Unreadable:
                    continue
                self.settle(sender, phase, suite, secret)
                return first, number, payload
        raise Unreadable("no 1-RTT key opens it")

    def settle(self, sender, phase, suite, secret):
        """A packet has shown what the secret of a phase is. What was mixed in, the other way has as well."""
        if phase <= self.phase[sender] and (wire.ONE_RTT, sender, phase) in self.secrets:
            return
        place = self.secrets.setdefault((wire.ONE_RTT, sender, phase), [])
        if (suite, secret) in place:
            place.remove((suite, secret))
        place.insert(0, (suite, secret))
        if phase > self.phase[sender]:
            self.phase[sender] = phase
            if self.phase[CLIENT] == self.phase[SERVER]:
                self.mix = None  # both have taken it in, or neither had

    def open(self, datagram, header, sender):
        """(base, key, first byte, number, payload)"""
        if header.type == wire.INITIAL:
            return self.open_initial(datagram, header, sender)
        if header.type == wire.ONE_RTT:
            return (None, None) + self.open_one_rtt(datagram, header, sender)
        for suite, secret in self.candidates(header.type, sender, 0):
            try:
                keys = crypto.PacketKeys(suite, secret)
                return (None, None) + self.open_with(keys, datagram, header, sender)
            except Unreadable:
                continue
        raise Unreadable("no %s key opens it" % wire.TYPE_NAMES[header.type])

    # --- section 4: the handshake ---

    def psk_of(self, attempt):
        if not attempt.pattern & PSK:
            return None
        if attempt.pattern & CODE:
            return attempt.psk
        return self.knowledge.secret

    def prologue(self, base, pattern, suites, slot, ticket):
        retry = base if base == self.retry_scid else b""
        version = struct.pack(">I", wire.VERSION)
        return (b"tern hs 1" + version + b"\x01" + version + bytes([pattern]) + suites +
                bytes([len(slot)]) + slot + bytes([len(self.odcid)]) + self.odcid +
                bytes([len(self.client_scid)]) + self.client_scid +
                bytes([len(retry)]) + retry + struct.pack(">H", len(ticket)) + ticket)

    def read_message_1(self, base, key, data):
        r = wire.Reader(data)
        if r.uint(1) != 1:
            raise Unreadable("not a message 1")
        pattern, suites, slot = r.uint(1), r.bytes(2), r.block(1)
        ticket, message = r.block(2), wire.Reader(r.block(2))
        if pattern & HYBRID:
            raise Unreadable("the hybrid needs a key log")
        kind = pattern & 0x0f
        name = {XX: b"Noise_XX", XK: b"Noise_XK"}[kind] + (b"psk3" if pattern & PSK else b"")
        noise = crypto.Noise(name + b"_25519_ChaChaPoly_SHA256",
                             self.prologue(base, pattern, suites, slot, ticket))
        if kind == XK:
            noise.mix_hash(key)
        attempt = Attempt(noise, pattern, message.bytes(32))
        noise.mix_hash(attempt.e_client)
        if pattern & PSK:
            noise.mix_key(attempt.e_client)
        if kind == XK:
            noise.mix_key(self.knowledge.agree(attempt.e_client, key))
        said = wire.parameters(noise.read(message.bytes(message.left())))
        attempt.share = said.get(0x74656e02)
        attempt.server_key = key if kind == XK else None
        self.attempts[base] = attempt
        if ticket in self.knowledge.tickets:
            resumption, suite = self.knowledge.tickets[ticket]
            self.learn(wire.ZERO_RTT, 0, suite, noise.export(b"early", resumption), None)
            attempt.early = resumption

    def read_message_2(self, base, data):
        if base not in self.attempts:
            raise Unreadable("an answer to nothing")
        attempt, r = self.attempts[base], wire.Reader(data)
        if r.uint(1) != 2:
            raise Unreadable("not a message 2")
        message, noise = wire.Reader(r.block(2)), attempt.noise.copy()
        attempt.e_server = message.bytes(32)
        noise.mix_hash(attempt.e_server)
        if attempt.pattern & PSK:
            noise.mix_key(attempt.e_server)
        noise.mix_key(self.knowledge.agree(attempt.e_client, attempt.e_server))
        if attempt.pattern & 0x0f == XX:
            server_key = noise.read(message.bytes(48))
            noise.mix_key(self.knowledge.agree(attempt.e_client, server_key))
        said = wire.parameters(noise.read(message.bytes(message.left())))
        attempt.suite = int.from_bytes(said[0x74656e01], "big")
        self.knowledge.resets.add(said.get(0x02))
        if attempt.pattern & CODE:
            attempt.psk = ternspec_cpace.psk(self.knowledge.code, attempt.e_client, attempt.share,
                                             said[0x74656e02], self.knowledge.draws)
        attempt.noise_2 = noise
        self.attempt = attempt
        self.learn(wire.HANDSHAKE, 0, crypto.CHACHA, noise.export(b"client hs"), noise.export(b"server hs"))
        if attempt.early is not None and 0x74656e04 in said and not attempt.pattern & PSK:
            self.learn(wire.ZERO_RTT, 0, attempt.suite, None, noise.export(b"half", attempt.early))
            self.half_resumption = noise.export(b"half resumption", attempt.early)
        self.computed.add("Handshake")

    def read_message_3(self, data):
        attempt, r = self.attempt, wire.Reader(data)
        if r.uint(1) != 3:
            raise Unreadable("not a message 3")
        message, noise = wire.Reader(r.block(2)), attempt.noise_2.copy()
        client_key = noise.read(message.bytes(48))
        noise.mix_key(self.knowledge.agree(client_key, attempt.e_server))
        if attempt.pattern & PSK:
            psk = self.psk_of(attempt)
            if psk is None:
                raise Unreadable("the secret that both know is not known here")
            noise.mix_key_and_hash(psk)
        noise.read(message.bytes(message.left()))
        self.resumption = noise.export(b"resumption")
        self.learn(wire.ONE_RTT, 0, attempt.suite, *noise.split())
        self.computed.add("1-RTT")

    def read_tickets(self, data):
        """Those that stand whole: 4 after message 3, 5 before it (section 4.10)."""
        r = wire.Reader(data)
        while r.left() > 7:
            secret = {4: self.resumption, 5: self.half_resumption}.get(r.uint(1))
            r.uint(4)
            size = r.uint(2)
            if r.left() < size:
                break
            ticket = r.bytes(size)
            if secret is not None:
                self.knowledge.tickets[ticket] = (secret, self.attempt.suite)

    def on_crypto(self, kind, sender, base, key, offset, data):
        """Bytes of a handshake message: whatever stands whole is read."""
        if kind == wire.ZERO_RTT:  # one stream with that of 1-RTT
            kind = wire.ONE_RTT
        place = self.parts.setdefault((kind, sender, base), {})
        place[offset] = data
        whole, at = b"", 0
        while at in place:
            whole, at = whole + place[at], at + len(place[at])
        try:
            if kind == wire.INITIAL and base is not None:
                if sender == CLIENT and base not in self.attempts:
                    self.read_message_1(base, key, whole)
                elif sender == SERVER and "Handshake" not in self.computed:
                    self.read_message_2(base, whole)
            elif kind == wire.HANDSHAKE and sender == CLIENT and "Handshake" in self.computed and \
                    "1-RTT" not in self.computed:
                self.read_message_3(whole)
            elif kind == wire.ONE_RTT and sender == SERVER:
                self.read_tickets(whole)
        except Unreadable as why:
            return "# handshake: %s" % why
        return None

    # --- section 5.7 ---

    def on_rekey(self, sender, number, public):
        if sender == CLIENT:
            self.asked[number] = public
        elif number in self.asked:
            try:
                shared = self.knowledge.agree(self.asked[number], public)
                self.mix = crypto.rekey_mix(shared, self.asked[number], public)
            except Unreadable:
                pass  # the key log has what follows


class Follower:
    def __init__(self, knowledge):
        self.knowledge = knowledge
        self.connections = []
        self.routes = {}  # identifier: (connection, who sends to it)
        self.failed = 0

    def begin(self, header):
        connection = Connection(len(self.connections), header.dcid, self.knowledge)
        connection.client_scid = header.scid
        self.connections.append(connection)
        self.routes[header.dcid] = (connection, CLIENT)
        self.routes[header.scid] = (connection, SERVER)
        return connection, CLIENT

    def find(self, datagram, start):
        """(header, connection, sender); None for the latter two: nobody's."""
        if datagram[start] & 0x80:
            header = wire.Header(datagram, start, 0)
            if header.dcid in self.routes:
                return (header,) + self.routes[header.dcid]
            if header.type == wire.INITIAL and len(datagram) >= 1200:
                return (header,) + self.begin(header)
            return header, None, None
        for length in sorted({len(cid) for cid in self.routes}, reverse=True):
            cid = datagram[start + 1:start + 1 + length]
            if cid in self.routes:
                return (wire.Header(datagram, start, length),) + self.routes[cid]
        return wire.Header(datagram, start, 0), None, None

    def on_retry(self, connection, datagram, header):
        retry = datagram[header.start:header.end - 16]
        keys = [key for key in self.knowledge.secrets]
        is_keyed = any(crypto.retry_tag(key, connection.odcid, retry) == header.tag[:8] for key in keys)
        if crypto.retry_tag(b"", connection.odcid, retry) != header.tag[8:] or (keys and not is_keyed):
            raise Unreadable("a Retry with a wrong tag")
        connection.retry_scid = header.scid
        self.routes[header.scid] = (connection, CLIENT)
        return "# Retry with a token of %d bytes" % len(header.token)

    def on_packet(self, datagram, header, connection, sender):
        if connection is None or header.type is None:
            return ["# of no connection that began here, or of another version: %d bytes" % len(datagram)]
        if header.type == wire.RETRY:
            return [self.on_retry(connection, datagram, header)]
        base, key, first, number, payload = connection.open(datagram, header, sender)
        if first & (0x0c if header.is_long else 0x18):
            raise Unreadable("reserved bits are set")
        if header.is_long and sender == SERVER:
            self.routes[header.scid] = (connection, CLIENT)
        connection.note(header.type, sender, number)
        notes, texts = [], []
        for text, fact in wire.frames(payload):
            texts.append(text)
            if fact is None:
                continue
            if fact[0] == "crypto":
                notes.append(connection.on_crypto(header.type, sender, base, key, *fact[1:]))
            elif fact[0] == "cid":
                self.routes[fact[1]] = (connection, SERVER if sender == CLIENT else CLIENT)
                self.knowledge.resets.add(fact[2])
            elif fact[0] == "rekey":
                connection.on_rekey(sender, *fact[1:])
        line = "#%d %s sent %s pn=%d size=%d %s" % (
            connection.number, sender, wire.TYPE_NAMES[header.type], number,
            header.end - header.start, " | ".join(texts))
        return [line] + [note for note in notes if note]

    def on_datagram(self, datagram):
        start = 0
        if len(datagram) >= 21 and datagram[0] & 0xc0 == 0x40 and datagram[-16:] in self.knowledge.resets:
            yield "# a stateless reset of %d bytes" % len(datagram)
            return
        while start < len(datagram):
            try:
                header, connection, sender = self.find(datagram, start)
                end = header.end
                yield from self.on_packet(datagram, header, connection, sender)
            except Unreadable as why:
                self.failed += 1
                yield "# %d bytes: %s" % (len(datagram) - start, why)
                return
            start = end


def read_lines(name):
    if name is None:
        return []
    with open(name, encoding="ascii") as file:
        return file.read().splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("capture")
    parser.add_argument("--known", help="secret keys of X25519, a line each")
    parser.add_argument("--secret", help="the secret that both ends know, in hexadecimal")
    parser.add_argument("--code", help="the one-time code that both ends know")
    parser.add_argument("--keys", help="a key log")
    args = parser.parse_args()
    knowledge = Knowledge([bytes.fromhex(line) for line in read_lines(args.known)],
                          bytes.fromhex(args.secret) if args.secret else None,
                          args.code, read_lines(args.keys))
    follower = Follower(knowledge)
    with open(args.capture, "rb") as file:
        data = file.read()
    for now, link, raw in packets_of(data):
        udp = udp_of(link, raw)
        if udp is None:
            continue
        for line in follower.on_datagram(udp[2]):
            comment = "# " if line.startswith("# ") else ""
            print("%s%d.%06d %s" % (comment, now // 10**9, now % 10**9 // 1000, line[len(comment):]))
    for connection in follower.connections:
        print("# connection %d: computed: %s" % (
            connection.number, ", ".join(sorted(connection.computed)) or "nothing"))
    if follower.failed:
        print("ternspec: %d datagrams were not read to their end" % follower.failed, file=sys.stderr)
    return 1 if follower.failed else 0


if __name__ == "__main__":
    sys.exit(main())
