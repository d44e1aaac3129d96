"""CPace over ristretto255, for section 4.7 of docs/protocol.md (draft-irtf-cfrg-cpace-21, RFC 9496).

SPDX-License-Identifier: MIT
"""

import hashlib
import hmac

from ternspec_crypto import Unreadable, expand, extract

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def is_negative(x):
    return x & 1


def sqrt_ratio(u, v):
    """(is u/v a square, the non-negative root of it or of ROOT * u/v): RFC 9496, section 4.2."""
    r = u * v**3 % P * pow(u * pow(v, 7, P) % P, (P - 5) // 8, P) % P
    check = v * r * r % P
    right, flipped, flipped_i = check == u % P, check == -u % P, check == -u * ROOT % P
    if flipped or flipped_i:
        r = r * ROOT % P
    return right or flipped, P - r if is_negative(r) else r


INV_SQRT_A_MINUS_D = sqrt_ratio(1, (-1 - D) % P)[1]
SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    p, q = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    r, s = 2 * t1 * t2 * D, 2 * z1 * z2
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    out = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            out = add(out, point)
        point, scalar = add(point, point), scalar >> 1
    return out


def decode(data):
    s = int.from_bytes(data, "little")
    if s >= P or is_negative(s):
        raise Unreadable("no point of ristretto255")
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, inverse = sqrt_ratio(1, v * u2 * u2 % P)
    x_den = inverse * u2 % P
    y_den = inverse * x_den * v % P
    x = 2 * s * x_den % P
    x = P - x if is_negative(x) else x
    y = u1 * y_den % P
    if not square or is_negative(x * y % P) or y == 0:
        raise Unreadable("no point of ristretto255")
    return x, y, 1, x * y % P


def encode(point):
    x, y, z, t = point
    u1, u2 = (z + y) * (z - y) % P, x * y % P
    inverse = sqrt_ratio(1, u1 * u2 * u2 % P)[1]
    d1, d2 = inverse * u1 % P, inverse * u2 % P
    z_inverse = d1 * d2 * t % P
    if is_negative(t * z_inverse % P):
        x, y, d = y * ROOT % P, x * ROOT % P, d1 * INV_SQRT_A_MINUS_D % P
    else:
        d = d2
    y = -y % P if is_negative(x * z_inverse % P) else y
    s = d * (z - y) % P
    return (P - s if is_negative(s) else s).to_bytes(32, "little")


def elligator(data):
    """MAP of RFC 9496, section 4.3.4."""
    r = int.from_bytes(data, "little") & (1 << 255) - 1
    r = ROOT * r * r % P
    u, v = (r + 1) * (1 - D * D) % P, (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    if not square:
        s = s * (int.from_bytes(data, "little") & (1 << 255) - 1) % P
        s = s if is_negative(s) else -s % P
    c = -1 if square else r
    n = (c * (r - 1) * (D - 1) ** 2 - v) % P
    w0, w1, w2, w3 = 2 * s * v, n * SQRT_AD_MINUS_ONE, 1 - s * s, 1 + s * s
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def hash_to_group(data):
    return add(elligator(data[:32]), elligator(data[32:64]))


def lv(data):
    """A length as LEB128, then the bytes: the draft's prepend_len."""
    out, n = b"", len(data)
    while True:
        out += bytes([n & 0x7f | (0x80 if n > 0x7f else 0)])
        n >>= 7
        if n == 0:
            return out + data


def generator(prs, ci, sid):
    dsi = b"CPaceRistretto255"
    zeros = max(0, 128 - len(lv(prs)) - len(lv(dsi)) - 1)
    text = lv(dsi) + lv(prs) + lv(bytes(zeros)) + lv(ci) + lv(sid)
    return hash_to_group(hashlib.sha512(text).digest())


def normal(code):
    """The one form of a code: section 4.7."""
    out = ""
    for letter in code.lower():
        if letter.isascii() and letter.isalnum():
            out += letter
        elif out and not out.endswith("-"):
            out += "-"
    return out.rstrip("-").encode()


def psk(code, sid, share_a, share_b, draws):
    """The key of both, if one of the secret scalars is among the draws."""
    if code is None:
        raise Unreadable("the one-time code is not known here")
    ci = lv(b"tern-code-1") + lv(b"initiator") + lv(b"responder")
    base = generator(normal(code), ci, sid)
    for draw in (one for one in draws if len(one) == 64):
        scalar = int.from_bytes(draw, "little") % L
        mine = encode(multiply(scalar, base))
        if mine in (share_a, share_b):
            other = share_b if mine == share_a else share_a
            shared = encode(multiply(scalar, decode(other)))
            break
    else:
        raise Unreadable("neither scalar of CPace is known")
    transcript = lv(share_a) + lv(b"") + lv(share_b) + lv(b"")
    isk = hashlib.sha512(lv(b"CPaceRistretto255_ISK") + lv(sid) + lv(shared) + transcript).digest()
    return expand(extract(b"", isk), b"tern cpace psk", 32)
