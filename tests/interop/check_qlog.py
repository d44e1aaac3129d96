#!/usr/bin/env python3
"""Is it qlog? Reads files of JSON text sequences as strictly as draft-ietf-quic-qlog-main-schema-14 and
draft-ietf-quic-qlog-quic-events-13 allow: names, required members, types, and nothing that they do not define but for
the frames that docs/observing.md declares under the event schema tern:qlog:quic#tern-1.

    check_qlog.py FILE...                          each of them
    check_qlog.py --recorded RECORDER SCENARIO FOLDER    both ends of a recorded scenario
    check_qlog.py --run FOLDER COMMAND...          what the command writes there as *.qlog and *.qlog.server
    check_qlog.py --self-test FILE                 that mistakes made in it are found

SPDX-License-Identifier: MIT
"""

import copy
import glob
import json
import os
import re
import subprocess
import sys

SKIPPED = 77
EVENTS = "urn:ietf:params:qlog:events:quic-13"
OURS = "tern:qlog:quic#tern-1"


class Wrong(Exception):
    pass


def demand(holds, what):
    if not holds:
        raise Wrong(what)


# --- kinds of values --------------------------------------------------------------------------------------


def uint(bits):
    def check(value):
        demand(isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << bits,
               "%r is no uint%d" % (value, bits))
    return check


def number(value):
    demand(isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0,
           "%r is no number" % (value,))


def boolean(value):
    demand(isinstance(value, bool), "%r is no bool" % (value,))


def text(value):
    demand(isinstance(value, str), "%r is no text" % (value,))


def hexes(value):
    demand(isinstance(value, str) and re.fullmatch("([0-9a-f]{2})*", value), "%r is no hexstring" % (value,))


def one_of(*values):
    def check(value):
        demand(value in values, "%r is none of %s" % (value, ", ".join(values)))
    return check


def list_of(kind, least=0):
    def check(value):
        demand(isinstance(value, list) and len(value) >= least, "%r is no list of %d or more" % (value, least))
        for one in value:
            kind(one)
    return check


def any_map(value):
    demand(isinstance(value, dict), "%r is no map" % (value,))


def record(required=None, optional=None, rule=None):
    """A map with these members and no others."""
    required, optional = required or {}, optional or {}

    def check(value):
        demand(isinstance(value, dict), "%r is no map" % (value,))
        for name in required:
            demand(name in value, "no %s in %r" % (name, value))
        for name, one in value.items():
            kind = required.get(name) or optional.get(name)
            demand(kind is not None, "the schema has no %s in %r" % (name, value))
            try:
                kind(one)
            except Wrong as why:
                raise Wrong("%s: %s" % (name, why)) from None
        if rule is not None:
            rule(value)
    return check


U8, U16, U32, U64 = uint(8), uint(16), uint(32), uint(64)
RAW = record(optional={"length": U64, "payload_length": U64, "data": hexes})


def ack_range(value):
    list_of(U64, 1)(value)
    demand(len(value) <= 2 and value == sorted(value), "%r is no range, the lowest first" % (value,))


# --- frames -----------------------------------------------------------------------------------------------

TRANSPORT_ERRORS = [
    "no_error", "internal_error", "connection_refused", "flow_control_error", "stream_limit_error",
    "stream_state_error", "final_size_error", "frame_encoding_error", "transport_parameter_error",
    "connection_id_limit_error", "protocol_violation", "invalid_token", "application_error",
    "crypto_buffer_exceeded", "key_update_error", "aead_limit_reached", "no_viable_path", "unknown"]


def error_name(value):
    demand(value in TRANSPORT_ERRORS or re.fullmatch("crypto_error_0x1[0-9a-f][0-9a-f]", str(value)),
           "%r is no name of an error" % (value,))


def coded(frame):
    demand(("error_code" in frame) == (frame.get("error") == "unknown"),
           "error_code stands beside the error \"unknown\", and there alone: %r" % (frame,))


def close_rule(frame):
    coded(frame)
    if frame.get("error_space") == "application":
        demand(frame.get("error") == "unknown", "an application's errors have no names")


UNKNOWN = one_of("unknown")
STREAM_TYPE = one_of("unidirectional", "bidirectional")
ORDER = one_of("unordered", "ordered", "latest")
TOKEN = record(optional={"type": one_of("retry", "resumption"), "details": any_map, "raw": RAW})


def frame(required=None, optional=None, rule=None):
    required = dict(required or {}, frame_type=text)
    optional = dict(optional or {}, raw=RAW)
    for name in required:
        optional.pop(name, None)
    return record(required, optional, rule)


FRAMES = {
    "padding": frame(),
    "ping": frame(),
    "ack": frame(optional={"ack_delay": number, "acked_ranges": list_of(ack_range, 1),
                           "ect1": U64, "ect0": U64, "ce": U64}),
    "reset_stream": frame({"stream_id": U64, "error": UNKNOWN, "final_size": U64}, {"error_code": U64}, coded),
    "stop_sending": frame({"stream_id": U64, "error": UNKNOWN}, {"error_code": U64}, coded),
    "crypto": frame({"offset": U64, "raw": RAW}),
    "new_token": frame({"token": TOKEN}),
    "stream": frame({"stream_id": U64}, {"offset": U64, "fin": boolean}),
    "max_data": frame({"maximum": U64}),
    "max_stream_data": frame({"stream_id": U64, "maximum": U64}),
    "max_streams": frame({"stream_type": STREAM_TYPE, "maximum": U64}),
    "data_blocked": frame({"limit": U64}),
    "stream_data_blocked": frame({"stream_id": U64, "limit": U64}),
    "streams_blocked": frame({"stream_type": STREAM_TYPE, "limit": U64}),
    "new_connection_id": frame({"sequence_number": U64, "retire_prior_to": U64, "connection_id": hexes},
                               {"connection_id_length": U8, "stateless_reset_token": hexes}),
    "retire_connection_id": frame({"sequence_number": U64}),
    "path_challenge": frame(optional={"data": hexes}),
    "path_response": frame(optional={"data": hexes}),
    "connection_close": frame(optional={
        "error_space": one_of("transport", "application"), "error": error_name, "error_code": U64,
        "reason": text, "reason_bytes": hexes, "trigger_frame_type": U64}, rule=close_rule),
    "handshake_done": frame(),
    "unknown": frame({"frame_type_bytes": U64}),
    "datagram": frame(),
}
# tern:qlog:quic#tern-1
OUR_FRAMES = {
    "immediate_ack": frame(),
    "ack_frequency": frame({"sequence_number": U64, "ack_eliciting_threshold": U64,
                            "requested_max_ack_delay": U64, "reordering_threshold": U64}),
    "rekey": frame({"number": U64}),
    "clock": frame({"time": U64}),
    "message": frame({"channel": U64, "order": ORDER, "number": U64, "offset": U64, "total": U64,
                      "credit": boolean, "raw": RAW}),
    "message_skip": frame({"channel": U64, "order": ORDER, "first": U64, "count": U64, "cost": U64}),
    "max_message_data": frame({"maximum": U64}),
    "repair": frame({"channel": U64, "order": ORDER, "size": U64, "message": U64, "messages": U64,
                     "skip": U64, "first": U8, "symbols": U64, "number": U8, "raw": RAW}),
}


def any_frame(value):
    any_map(value)
    kind = FRAMES.get(value.get("frame_type")) or OUR_FRAMES.get(value.get("frame_type"))
    demand(kind is not None, "no frame is called %r" % (value.get("frame_type"),))
    try:
        kind(value)
    except Wrong as why:
        raise Wrong("%s: %s" % (value["frame_type"], why)) from None


# --- events -----------------------------------------------------------------------------------------------

PACKET_TYPES = ["initial", "handshake", "0RTT", "1RTT", "retry", "version_negotiation", "stateless_reset", "unknown"]
NUMBERED = PACKET_TYPES[:4]


def header_rule(header):
    kind = header["packet_type"]
    demand("packet_number" not in header or kind in NUMBERED, "a %s packet has no number" % kind)
    demand(kind == "1RTT" or not {"key_phase", "key_phase_bit", "spin_bit"} & set(header),
           "a %s packet has no key phase" % kind)


HEADER = record({"packet_type": one_of(*PACKET_TYPES)}, {
    "packet_type_bytes": U64, "spin_bit": boolean, "key_phase": U64, "key_phase_bit": boolean,
    "packet_number_length": U8, "packet_number": U64, "token": TOKEN, "length": U16, "version": hexes,
    "scil": U8, "dcil": U8, "scid": hexes, "dcid": hexes}, header_rule)
PACKET = {"frames": list_of(any_frame), "stateless_reset_token": hexes, "supported_versions": list_of(hexes, 1),
          "raw": RAW, "datagram_payload_checksum": U32}
STATES = one_of("attempted", "handshake_started", "handshake_complete", "closed", "peer_validated", "early_write",
                "handshake_confirmed", "closing", "draining")
KEY_TYPES = one_of(*["%s_%s_secret" % (end, level) for end in ("server", "client")
                     for level in ("initial", "handshake", "0rtt", "1rtt")])

NAMES = {
    "quic:packet_sent": record({"header": HEADER}, dict(
        PACKET, is_mtu_probe_packet=boolean,
        trigger=one_of("retransmit_reordered", "retransmit_timeout", "pto_probe", "retransmit_crypto",
                       "cc_bandwidth_probe"))),
    "quic:packet_received": record({"header": HEADER}, dict(PACKET, trigger=one_of("keys_available"))),
    "quic:packet_dropped": record(optional={
        "header": HEADER, "raw": RAW, "datagram_payload_checksum": U32, "details": any_map,
        "trigger": one_of("internal_error", "rejected", "unsupported", "invalid", "duplicate",
                          "connection_unknown", "decryption_failure", "key_unavailable", "general")}),
    "quic:packet_lost": record(optional={
        "header": HEADER, "frames": list_of(any_frame), "is_mtu_probe_packet": boolean,
        "trigger": one_of("reordering_threshold", "time_threshold", "pto_expired")}),
    "quic:recovery_metrics_updated": record(optional={
        "min_rtt": number, "smoothed_rtt": number, "latest_rtt": number, "rtt_variance": number, "pto_count": U16,
        "congestion_window": U64, "bytes_in_flight": U64, "ssthresh": U64, "packets_in_flight": U64,
        "pacing_rate": U64}),
    "quic:connection_state_updated": record({"new": STATES}, {"old": STATES}),
    "quic:key_updated": record({"key_type": KEY_TYPES}, {
        "old": hexes, "new": hexes, "key_phase": U64,
        "trigger": one_of("tls", "remote_update", "local_update")}),
}


def event_name(value):
    demand(value in NAMES, "no event of ours is called %r" % (value,))


EVENT = record({"time": number, "name": event_name, "data": any_map}, {
    "tuple": text, "time_format": one_of("relative_to_epoch", "relative_to_previous_event"), "group_id": text,
    "system_info": record(optional={"processor_id": U32, "process_id": U32, "thread_id": U32})})


def epoch_rule(reference):
    demand(reference["clock_type"] != "monotonic" or reference["epoch"] == "unknown",
           "a monotonic clock has no epoch that is known")


def epoch(value):
    demand(value == "unknown" or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", str(value)),
           "%r is no time of RFC 3339" % (value,))


def schema_uri(value):
    demand(isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9+.-]*:[!-~]+", value), "%r is no absolute URI" % (value,))


HEAD = record({
    "file_schema": one_of("urn:ietf:params:qlog:file:sequential"),
    "serialization_format": one_of("application/qlog+json-seq"),
    "trace": record({"event_schemas": list_of(schema_uri, 1)}, {
        "title": text, "description": text,
        "common_fields": record(optional={
            "tuple": text, "group_id": text,
            "time_format": one_of("relative_to_epoch", "relative_to_previous_event"),
            "reference_time": record({"clock_type": text, "epoch": epoch}, {"wall_clock_time": epoch}, epoch_rule)}),
        "vantage_point": record({"type": one_of("client", "server", "network", "unknown")}, {
            "name": text, "flow": one_of("client", "server", "unknown")})}),
}, {"title": text, "description": text})


# --- files ------------------------------------------------------------------------------------------------


def no_twins(pairs):
    names = [name for name, _ in pairs]
    demand(len(set(names)) == len(names), "a member comes twice: %r" % (names,))
    return dict(pairs)


def no_constant(name):
    raise Wrong("JSON has no %s" % name)


def records_of(data):
    """RFC 7464: each record begins with an octet 1e and ends with a newline."""
    demand(data[:1] == b"\x1e", "it does not begin with a record separator")
    for part in data[1:].split(b"\x1e"):
        demand(part.endswith(b"\n"), "a record does not end with a newline: %r" % part[:80])
        try:
            yield json.loads(part.decode("utf-8"), object_pairs_hook=no_twins, parse_constant=no_constant)
        except ValueError as why:
            raise Wrong("no JSON: %s: %r" % (why, part[:200])) from None


def uses_ours(event):
    return any(one["frame_type"] in OUR_FRAMES for one in event["data"].get("frames", []))


class File:
    """A file, record by record."""

    def __init__(self):
        self.schemas, self.now, self.counts = None, 0, {}

    def take(self, value):
        if self.schemas is None:
            HEAD(value)
            self.schemas = value["trace"]["event_schemas"]
            demand(EVENTS in self.schemas, "it does not say that it has events of %s" % EVENTS)
            return
        EVENT(value)
        name, data = value["name"], value["data"]
        try:
            NAMES[name](data)
        except Wrong as why:
            raise Wrong("%s: %s" % (name, why)) from None
        demand(value["time"] >= self.now, "time runs backwards")
        demand(not uses_ours(value) or OURS in self.schemas, "frames of %s, which it does not name" % OURS)
        self.now = value["time"]
        self.counts[name] = self.counts.get(name, 0) + 1


def check_values(values):
    file = File()
    for i, value in enumerate(values):
        try:
            file.take(value)
        except Wrong as why:
            raise Wrong("record %d: %s" % (i, why)) from None
    demand(file.counts, "no events")
    return file.counts


def check_file(name):
    with open(name, "rb") as file:
        data = file.read()
    try:
        counts = check_values(records_of(data))
    except Wrong as why:
        sys.exit("%s: %s" % (name, why))
    print("%s: %s" % (os.path.basename(name), ", ".join(
        "%d %s" % (count, kind[5:]) for kind, count in sorted(counts.items()))))
    return counts


# --- that it finds mistakes -------------------------------------------------------------------------------


def places(value, path=()):
    """The path of every value inside."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in items:
        yield from places(one, path + (name,))


def at(value, path):
    for name in path:
        value = value[name]
    return value


def is_free(path):
    """Where a strict reader takes what it gets: any title, any details of a drop."""
    return "details" in path


def self_test(name):
    with open(name, "rb") as file:
        values = list(records_of(file.read()))
    check_values(values)
    head, kinds, tried = values[0], {}, 0
    for value in values[1:]:
        shape = (value["name"],) + tuple(sorted({one["frame_type"] for one in value["data"].get("frames", [])}))
        kinds.setdefault(shape, value)
    for sample in [head] + list(kinds.values()):
        for path in list(places(sample)):
            if is_free(path):
                continue
            for mistake in ("member", "type"):
                broken = copy.deepcopy(sample)
                target = at(broken, path)
                if mistake == "member" and isinstance(target, dict):
                    target["surprise"] = 1
                elif mistake == "type" and path:
                    at(broken, path[:-1])[path[-1]] = None
                else:
                    continue
                tried += 1
                try:
                    check_values([broken, next(iter(kinds.values()))] if sample is head else [head, broken])
                except Wrong:
                    continue
                sys.exit("not found: %s at %r of %r" % (mistake, path, sample))
    demand_bytes(name)
    print("%d mistakes were made in %d kinds of records, and all found" % (tried, len(kinds) + 1))


def demand_bytes(name):
    """Mistakes of form."""
    with open(name, "rb") as file:
        data = file.read()
    for broken in (data[1:], data[:-1], data.replace(b"\n", b"", 1), data + b"\x1e{\"time\":NaN}\n",
                   data + b"\x1e{\"a\":1,\"a\":1}\n", data + b"\x1e{} {}\n", data.replace(b"quic-13", b"quic"),
                   data.replace(b",\"tern:qlog:quic#tern-1\"", b"")):
        try:
            check_values(records_of(broken))
        except Wrong:
            continue
        sys.exit("not found: a mistake of form")


def run(command):
    status = subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode
    if status:
        sys.exit(status if status == SKIPPED else "%s ended with %d" % (command[0], status))


def main():
    args = sys.argv[1:]
    if args[:1] == ["--self-test"]:
        self_test(args[1])
    elif args[:1] == ["--recorded"]:
        recorder, scenario, folder = args[1:]
        os.makedirs(folder, exist_ok=True)
        run([recorder, scenario, folder])
        for end in ("client", "server"):
            check_file(os.path.join(folder, end + ".qlog"))
        if scenario == "pinned":
            self_test(os.path.join(folder, "client.qlog"))
    elif args[:1] == ["--run"]:
        folder = args[1]
        os.makedirs(folder, exist_ok=True)
        for old in glob.glob(os.path.join(folder, "*.qlog*")):
            os.unlink(old)
        run(args[2:])
        files = sorted(glob.glob(os.path.join(folder, "*.qlog*")))
        if not files:
            sys.exit("it wrote no qlog")
        total = {}
        for name in files:
            for kind, count in check_file(name).items():
                total[kind] = total.get(kind, 0) + count
        if "quic:packet_lost" not in total and "--lossy" in args:
            sys.exit("nothing was lost")
    else:
        for name in args:
            check_file(name)


if __name__ == "__main__":
    main()
