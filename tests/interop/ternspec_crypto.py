"""The cryptography of docs/protocol.md, written from that text alone: HKDF, suites, masks, Noise.

SPDX-License-Identifier: MIT
"""

import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SALT = bytes.fromhex("d93146adafb12ce0651e1ccc0a5aef70a6f546f66ab4f60d967248ea253db5b9")
CHACHA = 0x0001


class Unreadable(Exception):
    """A packet, or a message in one, that does not open or makes no sense."""


# --- section 5.2: HKDF ------------------------------------------------------------------------------------


def extract(salt, ikm):
    return hmac.new(salt, ikm, hashlib.sha256).digest()


def expand(secret, info, length):
    out, block, count = b"", b"", 1
    while len(out) < length:
        block = hmac.new(secret, block + info + bytes([count]), hashlib.sha256).digest()
        out += block
        count += 1
    return out[:length]


def expand_label(secret, label, context, length):
    name = b"tern " + label
    info = struct.pack(">HB", length, len(name)) + name + bytes([len(context)]) + context
    return expand(secret, info, length)


def initial_secrets(odcid, key):
    """(client's, server's); `key` is the server's public key, or empty."""
    secret = extract(SALT, odcid + key)
    return expand_label(secret, b"client in", b"", 32), expand_label(secret, b"server in", b"", 32)


def next_secret(secret, mix=None):
    """The secret of the next phase, sections 5.5 and 5.7."""
    return expand_label(secret if mix is None else extract(mix, secret), b"ku", b"", 32)


def rekey_mix(shared, client_public, server_public):
    return extract(b"tern rekey", shared + client_public + server_public)


def retry_tag(key, odcid, retry):
    secret = expand_label(extract(SALT, key), b"retry", b"", 32)
    return hmac.new(secret, bytes([len(odcid)]) + odcid + retry, hashlib.sha256).digest()[:8]


# --- X25519 -----------------------------------------------------------------------------------------------


def public_of(secret):
    key = X25519PrivateKey.from_private_bytes(secret)
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def agree(secret, public):
    return X25519PrivateKey.from_private_bytes(secret).exchange(
        X25519PublicKey.from_public_bytes(public))


# --- section 5.1: suites ----------------------------------------------------------------------------------

MASK64 = (1 << 64) - 1


def siphash(key, data):
    """SipHash-2-4, the eight bytes in the order in which it writes them."""

    def turn(x, n):
        return ((x << n) | (x >> (64 - n))) & MASK64

    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
         k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK64
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK64
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK64
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK64
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    tail = data[len(data) & ~7:] + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    words = data[:len(data) & ~7] + tail
    for (word,) in struct.iter_unpack("<Q", words):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(4)
    return struct.pack("<Q", v[0] ^ v[1] ^ v[2] ^ v[3])


def chacha_mask(key, sample):
    return Cipher(algorithms.ChaCha20(key, sample), mode=None).encryptor().update(bytes(5))


def siphash_mask(key, sample):
    return siphash(key, sample)[:5]


def _aes_table():
    """AES's S-box, then the four products of a round as words."""
    box, p, q = [0] * 256, 1, 1
    while True:
        p ^= (p << 1 & 255) ^ (0x1b if p & 0x80 else 0)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 255
        q ^= 0x09 if q & 0x80 else 0
        x = q
        for shift in range(1, 5):
            x ^= (q << shift | q >> (8 - shift)) & 255
        box[p] = x ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return box


SBOX = _aes_table()


def _double(x):
    return (x << 1 & 255) ^ (0x1b if x & 0x80 else 0)


DOUBLE = [_double(x) for x in range(256)]


def aes_round(block, key):
    out = bytearray(16)
    for column in range(4):
        a, b, c, d = (SBOX[block[(4 * column + 5 * row) % 16]] for row in range(4))
        out[4 * column + 0] = DOUBLE[a] ^ DOUBLE[b] ^ b ^ c ^ d
        out[4 * column + 1] = a ^ DOUBLE[b] ^ DOUBLE[c] ^ c ^ d
        out[4 * column + 2] = a ^ b ^ DOUBLE[c] ^ DOUBLE[d] ^ d
        out[4 * column + 3] = DOUBLE[a] ^ a ^ b ^ c ^ DOUBLE[d]
    return xor(out, key)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def both(a, b):
    return bytes(x & y for x, y in zip(a, b))


AEGIS_C0 = bytes.fromhex("000101020305080d1522375990e97962")
AEGIS_C1 = bytes.fromhex("db3d18556dc22ff12011314273b528dd")


class Aegis128L:
    """draft-irtf-cfrg-aegis-aead, section 4; a tag of 32 bytes."""
    rate = 32

    def __init__(self, key, nonce):
        mixed = xor(key, nonce)
        self.s = [mixed, AEGIS_C1, AEGIS_C0, AEGIS_C1, mixed,
                  xor(key, AEGIS_C0), xor(key, AEGIS_C1), xor(key, AEGIS_C0)]
        for _ in range(10):
            self.update(nonce + key)

    def update(self, block):
        s = self.s
        self.s = [aes_round(s[i - 1], s[i]) for i in range(8)]
        self.s[0] = xor(self.s[0], block[:16])
        self.s[4] = xor(self.s[4], block[16:])

    def stream(self):
        s = self.s
        return (xor(xor(s[6], s[1]), both(s[2], s[3])) + xor(xor(s[2], s[5]), both(s[6], s[7])))

    def tag(self, lengths):
        t = xor(self.s[2], lengths)
        for _ in range(7):
            self.update(t + t)
        s = self.s
        return (xor(xor(s[0], s[1]), xor(s[2], s[3])) + xor(xor(s[4], s[5]), xor(s[6], s[7])))


class Aegis256:
    """The same draft, section 5."""
    rate = 16

    def __init__(self, key, nonce):
        k0, k1, n0, n1 = key[:16], key[16:], nonce[:16], nonce[16:]
        self.s = [xor(k0, n0), xor(k1, n1), AEGIS_C1, AEGIS_C0, xor(k0, AEGIS_C0), xor(k1, AEGIS_C1)]
        for _ in range(4):
            for block in (k0, k1, xor(k0, n0), xor(k1, n1)):
                self.update(block)

    def update(self, block):
        s = self.s
        self.s = [aes_round(s[i - 1], s[i]) for i in range(6)]
        self.s[0] = xor(self.s[0], block)

    def stream(self):
        s = self.s
        return xor(xor(s[1], s[4]), xor(s[5], both(s[2], s[3])))

    def tag(self, lengths):
        t = xor(self.s[3], lengths)
        for _ in range(7):
            self.update(t)
        s = self.s
        return xor(xor(s[0], s[1]), s[2]) + xor(xor(s[3], s[4]), s[5])


class Aegis:
    """The two with the face of the package's ciphers."""

    def __init__(self, kind, key):
        self.kind, self.key = kind, key

    def decrypt(self, nonce, sealed, aad):
        state = self.kind(self.key, nonce)
        rate, body, tag = state.rate, sealed[:-32], sealed[-32:]
        for at in range(0, len(aad), rate):
            state.update(aad[at:at + rate].ljust(rate, b"\0"))
        out = b""
        for at in range(0, len(body), rate):
            part = body[at:at + rate]
            plain = xor(part, state.stream())
            state.update(plain.ljust(rate, b"\0"))
            out += plain
        if state.tag(struct.pack("<QQ", 8 * len(aad), 8 * len(body))) != tag:
            raise InvalidTag
        return out

    def encrypt(self, nonce, plain, aad):
        state = self.kind(self.key, nonce)
        rate, out = state.rate, b""
        for at in range(0, len(aad), rate):
            state.update(aad[at:at + rate].ljust(rate, b"\0"))
        for at in range(0, len(plain), rate):
            part = plain[at:at + rate]
            out += xor(part, state.stream())
            state.update(part.ljust(rate, b"\0"))
        return out + state.tag(struct.pack("<QQ", 8 * len(aad), 8 * len(plain)))


class Suite:
    def __init__(self, key, nonce, tag, mask_key, mask, cipher):
        self.key, self.nonce, self.tag = key, nonce, tag
        self.mask_key, self.mask, self.cipher = mask_key, mask, cipher


SUITES = {
    0x0001: Suite(32, 12, 16, 32, chacha_mask, ChaCha20Poly1305),
    0x0002: Suite(32, 12, 16, 16, siphash_mask, AESGCM),
    0x0004: Suite(16, 16, 32, 16, siphash_mask, lambda key: Aegis(Aegis128L, key)),
    0x0008: Suite(32, 32, 32, 16, siphash_mask, lambda key: Aegis(Aegis256, key)),
}


class PacketKeys:
    """One direction of one level and phase."""

    def __init__(self, suite, secret, mask_secret=None):
        self.suite, self.secret = SUITES[suite], secret
        self.aead = self.suite.cipher(expand_label(secret, b"key", b"", self.suite.key))
        self.iv = expand_label(secret, b"iv", b"", self.suite.nonce)
        self.hp = expand_label(mask_secret or secret, b"hp", b"", self.suite.mask_key)

    def nonce(self, number):
        tail = struct.pack(">IQ", 0, number)
        return self.iv[:-12] + xor(self.iv[-12:], tail)

    def mask(self, sample):
        return self.suite.mask(self.hp, sample)

    def open(self, number, header, sealed):
        if len(sealed) < self.suite.tag:
            raise Unreadable("shorter than its tag")
        try:
            return self.aead.decrypt(self.nonce(number), sealed, header)
        except InvalidTag:
            raise Unreadable("did not open") from None

    def seal(self, number, header, plain):
        return self.aead.encrypt(self.nonce(number), plain, header)


# --- section 4: Noise -------------------------------------------------------------------------------------


class Noise:
    """A handshake read from outside, or written from one end: what one needs of Noise, revision 34."""

    def __init__(self, name, prologue):
        self.h = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self.ck, self.key, self.count = self.h, None, 0
        self.mix_hash(prologue)

    def copy(self):
        other = object.__new__(Noise)
        other.__dict__.update(self.__dict__)
        return other

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def hkdf(self, data, outputs):
        secret, out, block = hmac.new(self.ck, data, hashlib.sha256).digest(), [], b""
        for i in range(outputs):
            block = hmac.new(secret, block + bytes([i + 1]), hashlib.sha256).digest()
            out.append(block)
        return out

    def mix_key(self, data):
        self.ck, self.key = self.hkdf(data, 2)
        self.count = 0

    def mix_key_and_hash(self, data):
        self.ck, middle, self.key = self.hkdf(data, 3)
        self.mix_hash(middle)
        self.count = 0

    def _nonce(self):
        nonce = bytes(4) + struct.pack("<Q", self.count)
        self.count += 1
        return nonce

    def read(self, data):
        """DecryptAndHash."""
        plain = data
        if self.key is not None:
            try:
                plain = ChaCha20Poly1305(self.key).decrypt(self._nonce(), data, self.h)
            except InvalidTag:
                raise Unreadable("a handshake message that does not verify") from None
        self.mix_hash(data)
        return plain

    def write(self, plain):
        """EncryptAndHash."""
        data = plain
        if self.key is not None:
            data = ChaCha20Poly1305(self.key).encrypt(self._nonce(), plain, self.h)
        self.mix_hash(data)
        return data

    def split(self):
        return tuple(self.hkdf(b"", 2))

    def export(self, label, extra=b""):
        block = (b"tern export" + label).ljust(48, b"\0")
        secret = hmac.new(self.ck, block, hashlib.sha256).digest()
        return expand_label(secret, label, self.h + extra, 32)
