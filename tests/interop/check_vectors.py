#!/usr/bin/env python3
"""The reader's own cryptography against published vectors, so that it does not merely agree with the library.

SPDX-License-Identifier: MIT
"""

import hashlib
import sys

try:
    import ternspec_cpace as cpace
    import ternspec_crypto as crypto
except ImportError as why:
    print("skipped: %s" % why)
    sys.exit(77)


def hexes(text):
    return bytes.fromhex(text.replace(" ", ""))


def check(name, found, expected):
    if found != expected:
        sys.exit("%s: %s, not %s" % (name, found.hex(), expected.hex()))
    print("%s: as published" % name)


def main():
    # SipHash: the paper's appendix A.
    check("SipHash-2-4", crypto.siphash(bytes(range(16)), bytes(range(15))), hexes("e545be4961ca29a1"))
    # RFC 9001, appendix A.5: a ChaCha20 header mask.
    check("ChaCha20 mask", crypto.chacha_mask(
        hexes("25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4"),
        hexes("5e5cd55c41f69080575d7999c25a5bfb")), hexes("aefefe7d03"))
    # RFC 5869, appendix A.1.
    prk = crypto.extract(hexes("000102030405060708090a0b0c"), b"\x0b" * 22)
    check("HKDF", crypto.expand(prk, hexes("f0f1f2f3f4f5f6f7f8f9"), 42), hexes(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"))
    # draft-irtf-cfrg-aegis-aead, appendix A, first vectors with tags of 32 bytes.
    nonce = "10000200000000000000000000000000"
    aegis = crypto.SUITES[4].cipher(hexes("10010000000000000000000000000000"))
    check("AEGIS-128L", aegis.encrypt(hexes(nonce), bytes(16), b""), hexes(
        "c1c0e58bd913006feba00f4b3cc3594e"
        "25835bfbb21632176cf03840687cb968cace4617af1bd0f7d064c639a5c79ee4"))
    aegis = crypto.SUITES[8].cipher(hexes("1001000000000000") + bytes(24))
    check("AEGIS-256", aegis.encrypt(hexes("1000020000000000") + bytes(24), bytes(16), b""), hexes(
        "754fc3d8c973246dcc6d741412a4b236"
        "1181a1d18091082bf0266f66297d167d2e68b845f61a3b0527d31fc7b7b89f13"))
    # RFC 9496, appendix A: small multiples of the generator, and the last label of A.3.
    y = 4 * pow(5, cpace.P - 2, cpace.P) % cpace.P
    x = 15112221349535400772501151409588531511454012693041857206046113283949847762202
    base = (x, y, 1, x * y % cpace.P)
    check("ristretto255, 1", cpace.encode(base),
          hexes("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))
    check("ristretto255, 2", cpace.encode(cpace.multiply(2, base)),
          hexes("6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919"))
    check("ristretto255, back and forth", cpace.encode(cpace.decode(cpace.encode(cpace.multiply(9, base)))),
          cpace.encode(cpace.multiply(9, base)))
    # Section 15 of docs/protocol.md says where the salt is from.
    check("salt", crypto.SALT, hashlib.sha256(b"tern version 0x54524e01 initial salt").digest())


if __name__ == "__main__":
    main()
