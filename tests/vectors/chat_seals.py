#!/usr/bin/env python3
"""Makes chat_seals.h: sealed words and keys of ternchat by docs/ternchat-protocol.md section 11 alone.

    python3 tests/vectors/chat_seals.py > tests/vectors/chat_seals.h

Shares no code with the program: hashes are Python's, X25519, Ed25519 and ChaCha20-Poly1305 those of OpenSSL (Debian:
python3-cryptography), HChaCha20 is below.
SPDX-License-Identifier: MIT
"""

import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def keyed(key, text):
    return hashlib.blake2b(text, key=key, digest_size=32).digest()


def hash_of(*parts):
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()


def rotate(x, n):
    return (x << n | x >> 32 - n) & 0xFFFFFFFF


def quarter(s, a, b, c, d):
    for left, right, turn, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[left] = (s[left] + s[right]) & 0xFFFFFFFF
        s[turn] = rotate(s[turn] ^ s[left], by)


def hchacha20(key, front):
    """draft-irtf-cfrg-xchacha section 2.2."""
    s = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", front))
    for _ in range(10):
        for i in range(4):
            quarter(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *(s[:4] + s[12:]))


assert hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")).hex() == (
    "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"  # section 2.2.1
)


def aead(key, about, plain):
    return ChaCha20Poly1305(hchacha20(key, bytes(16))).encrypt(bytes(12), plain, about)


class Person:
    def __init__(self, seed):
        self.bytes = bytes(range(seed, seed + 32))
        self.secret = X25519PrivateKey.from_private_bytes(self.bytes)
        self.key = raw(self.secret.public_key())

    def agree(self, key):
        return self.secret.exchange(X25519PublicKey.from_public_bytes(key))


class Chain:
    def __init__(self, sender, room, program, epoch, index, seed):
        self.sender, self.program, self.epoch, self.index = sender, program, epoch, index
        self.room = hash_of(b"tern chat room", room)
        self.seed = bytes(range(seed, seed + 32))
        self.sign_seed = bytes(range(seed + 32, seed + 64))
        self.sign = Ed25519PrivateKey.from_private_bytes(self.sign_seed)
        self.key = self.seed

    def front(self, form):
        return struct.pack(">BIII", form, self.program, self.epoch, self.index)

    def word(self, number, kind, clock, words):
        front = self.front(3)
        about = b"tern chat word" + self.room + self.sender.key + struct.pack(">QB", number, kind) + front
        plain = struct.pack(">Q", clock) + words + b"\x80"
        plain += bytes(-len(plain) % 32)
        sealed = aead(keyed(self.key, b"tern chat word"), about, plain)
        signed = self.sign.sign(hashlib.blake2b(about + sealed).digest())
        self.key = keyed(self.key, b"tern chat next")
        self.index += 1
        return front + sealed + signed

    def keys(self, number, ephemeral, readers):
        body = self.front(1) + raw(self.sign.public_key()) + ephemeral.key
        front = body
        for reader in readers:
            shared = ephemeral.agree(reader), self.sender.agree(reader)
            key = hash_of(b"tern chat box", ephemeral.key, self.sender.key, reader, *shared)
            about = b"tern chat keys" + self.room + self.sender.key + reader + struct.pack(">Q", number) + front
            body += reader[:8] + aead(key, about, self.key)
        return body


def put(name, value):
    text = value.hex()
    lines = [text[i : i + 92] for i in range(0, len(text), 92)]
    print(f"#define {name} \\")
    print(" \\\n".join(f'    "{line}"' for line in lines))


ann, bob, carl, once = Person(1), Person(65), Person(129), Person(33)
ROOM, PROGRAM = "höhle".encode(), 0x01020304
first = Chain(ann, ROOM, PROGRAM, 1, 0, 160)
keys = first.keys(0x1122334400000001, once, [bob.key, ann.key, carl.key])
words = [
    first.word(0x5566778800000001, 1, 1700000000000, b"hello"),
    first.word(0x5566778800000002, 2, 1700000000001, b"waves, and fills a block exact"[:23]),
    first.word(0x5566778800000003, 1, 1700000000002, b""),
    first.word(0x5566778800000004, 1, 2**64 - 1, "grüße, \U0001f984".encode() * 5),
]
second = Chain(ann, ROOM, PROGRAM, 2, first.index, 96)
more_keys = second.keys(0x1122334400000002, once, [bob.key])
more = second.word(0x5566778800000005, 1, 1700000000009, b"by another chain")

print("/* Sealed words and keys that were computed by another program: made by chat_seals.py.")
print(" * SPDX-License-Identifier: MIT */")
print("#ifndef TERN_VECTORS_CHAT_SEALS_H")
print("#define TERN_VECTORS_CHAT_SEALS_H")
print("/* clang-format off */")
put("SEALS_ROOM", ROOM)
for name, person in (("ANN", ann), ("BOB", bob), ("ONCE", once)):
    put(f"SEALS_{name}_SECRET", person.bytes)
    put(f"SEALS_{name}_KEY", person.key)
for n, chain in ((1, first), (2, second)):
    put(f"SEALS_CHAIN_{n}", chain.seed)
    put(f"SEALS_SIGN_{n}", chain.sign_seed)
put("SEALS_KEYS_1", keys)
for n, word in enumerate(words):
    put(f"SEALS_WORD_{n}", word)
put("SEALS_CHAIN_1_AFTER", first.key)
put("SEALS_KEYS_2", more_keys)
put("SEALS_WORD_4", more)
print("/* clang-format on */")
print("#endif")
