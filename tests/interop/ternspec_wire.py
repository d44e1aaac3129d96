"""The bytes of docs/protocol.md, sections 3, 6 and 7, and frames as the lines of docs/observing.md.

SPDX-License-Identifier: MIT
"""

from ternspec_crypto import Unreadable

VERSION = 0x54524e01
INITIAL, ZERO_RTT, HANDSHAKE, RETRY, ONE_RTT = range(5)
TYPE_NAMES = ["Initial", "0-RTT", "Handshake", "Retry", "1-RTT"]
ORDERS = ["unordered", "ordered", "latest"]


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def bytes(self, count):
        if count > self.left():
            raise Unreadable("cut short")
        self.at += count
        return self.data[self.at - count:self.at]

    def uint(self, size):
        return int.from_bytes(self.bytes(size), "big")

    def varint(self):
        first = self.uint(1)
        value = first & 0x3f
        for _ in range((1 << (first >> 6)) - 1):
            value = value << 8 | self.uint(1)
        return value

    def block(self, size):
        return self.bytes(self.uint(size))


def varint(value):
    for size, bits in ((1, 6), (2, 14), (4, 30), (8, 62)):
        if value < 1 << bits:
            return (value | (size.bit_length() - 1) << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(value)


# --- section 3: headers -----------------------------------------------------------------------------------


class Header:
    """All of a packet that needs no keys. `end` is where the datagram goes on."""

    def __init__(self, datagram, start, cid_length):
        self.start, r = start, Reader(datagram)
        r.at = start
        first = r.uint(1)
        self.is_long, self.token, self.scid = first & 0x80 != 0, b"", b""
        self.type, self.version = ONE_RTT, VERSION
        if not self.is_long:
            self.dcid = r.bytes(cid_length)
            self.number_at, self.end = r.at, len(datagram)
            # A capture on the sending machine shows a train before the kernel has cut it (GSO): the next packet
            # begins where the identifier comes again.
            again = datagram.find(self.dcid, r.at + 18) if cid_length else -1
            if again > 0:
                self.end = again - 1
            return
        self.version = r.uint(4)
        self.dcid, self.scid = r.block(1), r.block(1)
        if self.version != VERSION:
            self.type, self.end = None, len(datagram)
            return
        self.type = first >> 4 & 3
        if self.type == RETRY:
            self.end = len(datagram)
            self.token = r.bytes(r.left() - 16)
            self.tag = r.bytes(16)
            return
        if self.type == INITIAL:
            self.token = r.bytes(r.varint())
        length = r.varint()
        self.number_at, self.end = r.at, r.at + length
        r.bytes(length)


def full_number(truncated, size, expected):
    """RFC 9000, appendix A.3."""
    window = 1 << 8 * size
    number = expected & ~(window - 1) | truncated
    if number <= expected - window // 2 and number + window < 1 << 62:
        return number + window
    if number > expected + window // 2 and number >= window:
        return number - window
    return number


def unmask(keys, datagram, header, expected):
    """(first byte, packet number, header without mask, payload as sealed)."""
    sample = datagram[header.number_at + 4:header.number_at + 20]
    if len(sample) < 16:
        raise Unreadable("too short for a sample")
    mask = keys.mask(sample)
    first = datagram[header.start] ^ (mask[0] & (0x0f if header.is_long else 0x1f))
    size = (first & 3) + 1
    at = header.number_at
    number = bytes(a ^ b for a, b in zip(datagram[at:at + size], mask[1:]))
    clear = bytes([first]) + datagram[header.start + 1:at] + number
    full = full_number(int.from_bytes(number, "big"), size, expected)
    return first, full, clear, datagram[at + size:header.end]


# --- section 6: frames ------------------------------------------------------------------------------------


def ack(r, kind):
    largest, delay, count, first = r.varint(), r.varint(), r.varint(), r.varint()
    if first > largest:
        raise Unreadable("a range below zero")
    ranges = [(largest - first, largest)]
    for _ in range(count):
        top = ranges[-1][0] - r.varint() - 2
        ranges.append((top - r.varint(), top))
        if ranges[-1][0] < 0:
            raise Unreadable("a range below zero")
    shown = " ".join("%d-%d" % pair for pair in ranges[:4])
    text = "ACK largest=%d delay=%d ranges=%d %s" % (largest, delay, count + 1, shown)
    if kind == 3:
        text += " ecn=%d/%d/%d" % (r.varint(), r.varint(), r.varint())
    return text, None


def crypto(r, _kind):
    offset = r.varint()
    data = r.bytes(r.varint())
    return "CRYPTO off=%d len=%d" % (offset, len(data)), ("crypto", offset, data)


def stream(r, kind):
    number = r.varint()
    offset = r.varint() if kind & 4 else 0
    data = r.bytes(r.varint() if kind & 2 else r.left())
    text = "STREAM id=%d off=%d len=%d%s" % (number, offset, len(data), " fin" if kind & 1 else "")
    return text, ("stream", number, offset, data)


def new_connection_id(r, _kind):
    sequence, retire = r.varint(), r.varint()
    cid = r.block(1)
    return "NEW_CONNECTION_ID seq=%d retire_prior_to=%d" % (sequence, retire), ("cid", cid, r.bytes(16))


def close(r, kind):
    code = r.varint()
    if kind == 0x1c:
        r.varint()
    reason = r.bytes(r.varint())
    shown = "".join(chr(b) if 0x20 <= b < 0x7f and b not in b'"\\' else "\\x%02x" % b for b in reason)
    sort = "transport" if kind == 0x1c else "application"
    return 'CONNECTION_CLOSE %s code=0x%x reason="%s"' % (sort, code, shown), None


def message(r, kind):
    order = kind >> 2 & 3
    text = "MESSAGE channel=%d %s" % (r.varint(), ORDERS[order])
    text += " number=%d" % r.varint()
    if kind & 2:
        text += " off=%d" % r.varint()
        text += " total=%d" % r.varint()
    data = r.bytes(r.varint())
    return text + " len=%d%s" % (len(data), " credit" if kind & 1 else ""), ("message", data)


def message_skip(r, _kind):
    channel, order, first, count, cost = (r.varint() for _ in range(5))
    if order > 1:
        raise Unreadable("an order that cannot be skipped")
    return "MESSAGE_SKIP channel=%d %s first=%d count=%d cost=%d" % (
        channel, ORDERS[order], first, count, cost), None


def repair(r, _kind):
    channel, order, size, number, skip, symbols, messages = (r.varint() for _ in range(7))
    first, which = r.uint(1), r.uint(1)
    for _ in range(messages):
        r.varint()
    data = r.bytes(r.varint())
    return "REPAIR channel=%d %s size=%d message=%d+%d skip=%d symbols=%d+%d repair=%d len=%d" % (
        channel, ORDERS[order], size, number, messages, skip, first, symbols, which, len(data)), None


def rekey(r, _kind):
    number = r.varint()
    return "REKEY number=%d" % number, ("rekey", number, r.bytes(32))


def fields(template, *read):
    """A frame whose fields are numbers, all of them shown."""
    return lambda r, kind: (template % tuple(r.varint() for _ in read), None)


def path(name):
    def frame(r, _kind):
        r.bytes(8)
        return name, None
    return frame


def new_token(r, _kind):
    return "NEW_TOKEN len=%d" % len(r.bytes(r.varint())), None


FRAMES = {
    0x01: fields("PING"),
    0x02: ack, 0x03: ack,
    0x04: fields("RESET_STREAM id=%d code=%d final=%d", 1, 2, 3),
    0x05: fields("STOP_SENDING id=%d code=%d", 1, 2),
    0x06: crypto,
    0x07: new_token,
    0x10: fields("MAX_DATA limit=%d", 1),
    0x11: fields("MAX_STREAM_DATA id=%d limit=%d", 1, 2),
    0x12: fields("MAX_STREAMS_BIDI limit=%d", 1),
    0x13: fields("MAX_STREAMS_UNI limit=%d", 1),
    0x14: fields("DATA_BLOCKED limit=%d", 1),
    0x15: fields("STREAM_DATA_BLOCKED id=%d limit=%d", 1, 2),
    0x16: fields("STREAMS_BLOCKED_BIDI limit=%d", 1),
    0x17: fields("STREAMS_BLOCKED_UNI limit=%d", 1),
    0x18: new_connection_id,
    0x19: fields("RETIRE_CONNECTION_ID seq=%d", 1),
    0x1a: path("PATH_CHALLENGE"), 0x1b: path("PATH_RESPONSE"),
    0x1c: close, 0x1d: close,
    0x1e: fields("HANDSHAKE_DONE"),
    0x1f: fields("IMMEDIATE_ACK"),
    0x2c: message_skip,
    0x2d: fields("MAX_MESSAGE_DATA limit=%d", 1),
    0x2e: repair,
    0x38: rekey,
    0x39: fields("CLOCK time=%d", 1),
    0xaf: fields("ACK_FREQUENCY seq=%d threshold=%d delay=%d reordering=%d", 1, 2, 3, 4),
}
FRAMES.update({kind: stream for kind in range(0x08, 0x10)})
FRAMES.update({kind: message for kind in range(0x20, 0x2c)})


def frames(payload):
    """[(text, fact or None)] of each frame."""
    r, out = Reader(payload), []
    while r.left() > 0:
        if payload[r.at] == 0:
            start = r.at
            while r.left() > 0 and payload[r.at] == 0:
                r.at += 1
            out.append(("PADDING len=%d" % (r.at - start), None))
            continue
        try:
            kind = r.varint()
            if kind not in FRAMES:
                raise Unreadable("a frame of type %x" % kind)
            out.append(FRAMES[kind](r, kind))
        except Unreadable:
            out.append(("(malformed)", None))
            break
    return out


# --- section 7: parameters --------------------------------------------------------------------------------


def parameters(data):
    r, out = Reader(data), {}
    while r.left() > 0:
        number = r.varint()
        value = r.bytes(r.varint())
        if number in out:
            raise Unreadable("a parameter twice")
        out[number] = value
    return out
