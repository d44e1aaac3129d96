-- Shows tern in Wireshark and tshark: headers, and every frame where a key log has the secrets.
-- SPDX-License-Identifier: MIT
--
--     tshark -X lua_script:tern.lua -o tern.key_log:keys.log -r capture.pcap
--
-- Written from docs/protocol.md, whose sections are cited as [P §n]; docs/observing.md says how to use it. What it
-- needs of cryptography it brings along, since Wireshark's Lua has none before 4.2: it decrypts, and does not verify
-- tags; that a packet was read with the right key shows in its reserved bits and in frames that make sense. A
-- stream's bytes are not put together again.

local VERSION = 0x54524e01
local INITIAL, ZERO_RTT, HANDSHAKE, RETRY, ONE_RTT = 0, 1, 2, 3, 4
local TYPE_NAMES = { [0] = "Initial", "0-RTT", "Handshake", "Retry", "1-RTT" }
local WORD = 4294967296

-- --- words of 32 bits: Lua 5.2 has a library for them, later ones operators ---------------------------------

local band, bxor, rol, shr
if bit32 then
    band, bxor, rol, shr = bit32.band, bit32.bxor, bit32.lrotate, bit32.rshift
else
    band, bxor, rol, shr = load([[
        return function(a, b) return a & b end,
            function(a, b, c, d)
                local x = a ~ b
                if c then x = x ~ c end
                if d then x = x ~ d end
                return x
            end,
            function(a, n) n = n & 31 return ((a << n) | (a >> (32 - n))) & 0xffffffff end,
            function(a, n) return a >> n end
    ]])()
end

local function from_hex(text)
    return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function to_hex(bytes)
    return (bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

local function be32(s, at)
    local a, b, c, d = s:byte(at, at + 3)
    return a * 16777216 + b * 65536 + c * 256 + d
end

local function le32(s, at)
    local a, b, c, d = s:byte(at, at + 3)
    return d * 16777216 + c * 65536 + b * 256 + a
end

local function to_be32(x)
    return string.char(band(shr(x, 24), 255), band(shr(x, 16), 255), band(shr(x, 8), 255), band(x, 255))
end

local function to_le32(x)
    return string.char(band(x, 255), band(shr(x, 8), 255), band(shr(x, 16), 255), band(shr(x, 24), 255))
end

local function xor_bytes(a, b)
    local out = {}
    for i = 1, #a do
        out[i] = string.char(bxor(a:byte(i), b:byte(i)))
    end
    return table.concat(out)
end

-- --- SHA-256, HMAC, HKDF-Expand-Label [P §5.2] --------------------------------------------------------------

local K = {}
local H0 = {}
do -- the first 32 bits of the fractions of the roots of the first primes, FIPS 180-4
    local n, count = 2, 0
    while count < 64 do
        local is_prime = true
        for i = 2, math.floor(math.sqrt(n)) do
            is_prime = is_prime and n % i ~= 0
        end
        if is_prime then
            count = count + 1
            local root = n ^ (1 / 3)
            K[count] = math.floor((root - math.floor(root)) * WORD)
            if count <= 8 then
                root = math.sqrt(n)
                H0[count] = math.floor((root - math.floor(root)) * WORD)
            end
        end
        n = n + 1
    end
end

local function sha256(data)
    local h = { table.unpack(H0) }
    local length = #data
    data = data .. "\128" .. string.rep("\0", (55 - length) % 64) .. "\0\0\0" ..
        string.char(math.floor(length / 536870912) % 256) .. to_be32(length * 8 % WORD)
    local w = {}
    for block = 1, #data, 64 do
        for i = 1, 16 do
            w[i] = be32(data, block + 4 * (i - 1))
        end
        for i = 17, 64 do
            local x, y = w[i - 15], w[i - 2]
            w[i] = (w[i - 16] + bxor(rol(x, 25), rol(x, 14), shr(x, 3)) + w[i - 7] +
                bxor(rol(y, 15), rol(y, 13), shr(y, 10))) % WORD
        end
        local a, b, c, d, e, f, g, k = table.unpack(h)
        for i = 1, 64 do
            local t = k + bxor(rol(e, 26), rol(e, 21), rol(e, 7)) + bxor(band(e, f), band(WORD - 1 - e, g)) + K[i] + w[i]
            local u = bxor(rol(a, 30), rol(a, 19), rol(a, 10)) + bxor(band(a, b), band(a, c), band(b, c))
            k, g, f, e, d, c, b, a = g, f, e, (d + t) % WORD, c, b, a, (t + u) % WORD
        end
        local now = { a, b, c, d, e, f, g, k }
        for i = 1, 8 do
            h[i] = (h[i] + now[i]) % WORD
        end
    end
    local out = {}
    for i = 1, 8 do
        out[i] = to_be32(h[i])
    end
    return table.concat(out)
end

local function hmac(key, data)
    key = key .. string.rep("\0", 64 - #key)
    return sha256(xor_bytes(key, string.rep("\92", 64)) .. sha256(xor_bytes(key, string.rep("\54", 64)) .. data))
end

local function expand_label(secret, label, length)
    local name = "tern " .. label
    local info = string.char(0, length, #name) .. name .. "\0"
    return hmac(secret, info .. "\1"):sub(1, length)
end

-- --- ciphers [P §5.1] ---------------------------------------------------------------------------------------

-- The keystream of ChaCha20 from a block on, as many bytes as wanted (RFC 8439 §2.3).
local function chacha20(key, counter, nonce, length)
    local start = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }
    for i = 0, 7 do
        start[5 + i] = le32(key, 1 + 4 * i)
    end
    for i = 0, 2 do
        start[14 + i] = le32(nonce, 1 + 4 * i)
    end
    local out = {}
    local function quarter(s, a, b, c, d)
        local x, y, z, w = s[a], s[b], s[c], s[d]
        x = (x + y) % WORD; w = rol(bxor(w, x), 16)
        z = (z + w) % WORD; y = rol(bxor(y, z), 12)
        x = (x + y) % WORD; w = rol(bxor(w, x), 8)
        z = (z + w) % WORD; y = rol(bxor(y, z), 7)
        s[a], s[b], s[c], s[d] = x, y, z, w
    end
    for block = 0, math.ceil(length / 64) - 1 do
        start[13] = (counter + block) % WORD
        local s = { table.unpack(start) }
        for _ = 1, 10 do
            quarter(s, 1, 5, 9, 13); quarter(s, 2, 6, 10, 14); quarter(s, 3, 7, 11, 15); quarter(s, 4, 8, 12, 16)
            quarter(s, 1, 6, 11, 16); quarter(s, 2, 7, 12, 13); quarter(s, 3, 8, 9, 14); quarter(s, 4, 5, 10, 15)
        end
        for i = 1, 16 do
            out[#out + 1] = to_le32((s[i] + start[i]) % WORD)
        end
    end
    return table.concat(out):sub(1, length)
end

local SBOX, DOUBLE = {}, {}
do
    local p, q = 1, 1
    repeat
        p = band(bxor(p, p * 2, p >= 128 and 0x11b or 0), 255)
        q = bxor(q, band(q * 2, 255))
        q = bxor(q, band(q * 4, 255))
        q = bxor(q, band(q * 16, 255))
        q = bxor(q, q >= 128 and 9 or 0)
        local x = q
        for shift = 1, 4 do
            x = bxor(x, band(q * 2 ^ shift, 255), shr(q, 8 - shift))
        end
        SBOX[p] = bxor(x, 0x63)
    until p == 1
    SBOX[0] = 0x63
    for i = 0, 255 do
        DOUBLE[i] = band(bxor(i * 2, i >= 128 and 0x11b or 0), 255)
    end
end

-- SubBytes, ShiftRows and, but for the last round, MixColumns of a table of 16 bytes; then the key.
local function aes_round(s, key, is_last)
    local out = {}
    for column = 0, 3 do
        local at = 4 * column
        local a, b = SBOX[s[at + 1]], SBOX[s[(at + 5) % 16 + 1]]
        local c, d = SBOX[s[(at + 10) % 16 + 1]], SBOX[s[(at + 15) % 16 + 1]]
        if is_last then
            out[at + 1], out[at + 2], out[at + 3], out[at + 4] = a, b, c, d
        else
            local all = bxor(a, b, bxor(c, d))
            out[at + 1] = bxor(DOUBLE[bxor(a, b)], all, a)
            out[at + 2] = bxor(DOUBLE[bxor(b, c)], all, b)
            out[at + 3] = bxor(DOUBLE[bxor(c, d)], all, c)
            out[at + 4] = bxor(DOUBLE[bxor(d, a)], all, d)
        end
    end
    for i = 1, 16 do
        out[i] = bxor(out[i], key[i])
    end
    return out
end

local function aes_256_keys(key)
    local w = { key:byte(1, 32) }
    local rcon = 1
    for i = 32, 239, 4 do
        local t = { w[i - 3], w[i - 2], w[i - 1], w[i] }
        if i % 32 == 0 then
            t = { bxor(SBOX[t[2]], rcon), SBOX[t[3]], SBOX[t[4]], SBOX[t[1]] }
            rcon = DOUBLE[rcon]
        elseif i % 32 == 16 then
            t = { SBOX[t[1]], SBOX[t[2]], SBOX[t[3]], SBOX[t[4]] }
        end
        for j = 1, 4 do
            w[i + j] = bxor(w[i - 32 + j], t[j])
        end
    end
    local rounds = {}
    for r = 0, 14 do
        rounds[r] = { table.unpack(w, 16 * r + 1, 16 * r + 16) }
    end
    return rounds
end

local function aes_256_ctr(keys, nonce, length)
    local out = {}
    for block = 0, math.ceil(length / 16) - 1 do
        local s = { (nonce .. to_be32(2 + block)):byte(1, 16) }
        for i = 1, 16 do
            s[i] = bxor(s[i], keys[0][i])
        end
        for r = 1, 14 do
            s = aes_round(s, keys[r], r == 14)
        end
        out[#out + 1] = string.char(table.unpack(s))
    end
    return table.concat(out):sub(1, length)
end

local function bytes_of(s)
    return { s:byte(1, -1) }
end

local function mix(a, b, c)
    local out = {}
    for i = 1, 16 do
        out[i] = c and bxor(a[i], b[i], c[i]) or bxor(a[i], b[i])
    end
    return out
end

local function both(a, b)
    local out = {}
    for i = 1, 16 do
        out[i] = band(a[i], b[i])
    end
    return out
end

local C0 = bytes_of(from_hex("000101020305080d1522375990e97962"))
local C1 = bytes_of(from_hex("db3d18556dc22ff12011314273b528dd"))

-- draft-irtf-cfrg-aegis-aead; what is authenticated goes into the state before the ciphertext.
local function aegis(wide, key, nonce, header, sealed)
    local s
    local function update(m0, m1)
        local n = #s
        local t = {}
        for i = 1, n do
            t[i] = aes_round(s[(i - 2) % n + 1], s[i])
        end
        t[1] = mix(t[1], m0)
        if wide then
            t[5] = mix(t[5], m1)
        end
        s = t
    end
    local rate = wide and 32 or 16
    local function absorb(part)
        part = part .. string.rep("\0", rate - #part)
        update(bytes_of(part:sub(1, 16)), bytes_of(part:sub(17)))
    end
    if wide then
        local k, n = bytes_of(key), bytes_of(nonce)
        local kn = mix(k, n)
        s = { kn, C1, C0, C1, kn, mix(k, C0), mix(k, C1), mix(k, C0) }
        for _ = 1, 10 do
            update(n, k)
        end
    else
        local k0, k1 = bytes_of(key:sub(1, 16)), bytes_of(key:sub(17))
        local m0, m1 = mix(k0, bytes_of(nonce:sub(1, 16))), mix(k1, bytes_of(nonce:sub(17)))
        s = { m0, m1, C1, C0, mix(k0, C0), mix(k1, C1) }
        for _ = 1, 4 do
            update(k0) update(k1) update(m0) update(m1)
        end
    end
    for at = 1, #header, rate do
        absorb(header:sub(at, at + rate - 1))
    end
    local out = {}
    for at = 1, #sealed, rate do
        local stream
        if wide then
            stream = string.char(table.unpack(mix(s[7], s[2], both(s[3], s[4])))) ..
                string.char(table.unpack(mix(s[3], s[6], both(s[7], s[8]))))
        else
            stream = string.char(table.unpack(mix(mix(s[2], s[5]), s[6], both(s[3], s[4]))))
        end
        local plain = xor_bytes(sealed:sub(at, at + rate - 1), stream)
        out[#out + 1] = plain
        absorb(plain)
    end
    return table.concat(out)
end

-- SipHash-2-4 in halves of 32 bits.
local function siphash(key, data)
    local function word(s, at)
        return { le32(s, at + 4), le32(s, at) }
    end
    local function exclusive(a, b)
        return { bxor(a[1], b[1]), bxor(a[2], b[2]) }
    end
    local function add(a, b)
        local low = a[2] + b[2]
        return { (a[1] + b[1] + (low >= WORD and 1 or 0)) % WORD, low % WORD }
    end
    local function turn(a, n)
        local high, low = a[1], a[2]
        if n >= 32 then
            high, low, n = low, high, n - 32
        end
        if n == 0 then
            return { high, low }
        end
        return { (high * 2 ^ n) % WORD + shr(low, 32 - n), (low * 2 ^ n) % WORD + shr(high, 32 - n) }
    end
    local k0, k1 = word(key, 1), word(key, 9)
    local v0, v1 = exclusive(k0, { 0x736f6d65, 0x70736575 }), exclusive(k1, { 0x646f7261, 0x6e646f6d })
    local v2, v3 = exclusive(k0, { 0x6c796765, 0x6e657261 }), exclusive(k1, { 0x74656462, 0x79746573 })
    local function rounds(count)
        for _ = 1, count do
            v0 = add(v0, v1); v1 = exclusive(turn(v1, 13), v0); v0 = turn(v0, 32)
            v2 = add(v2, v3); v3 = exclusive(turn(v3, 16), v2)
            v0 = add(v0, v3); v3 = exclusive(turn(v3, 21), v0)
            v2 = add(v2, v1); v1 = exclusive(turn(v1, 17), v2); v2 = turn(v2, 32)
        end
    end
    data = data .. string.rep("\0", 7 - #data % 8) .. string.char(#data % 256)
    for at = 1, #data, 8 do
        local m = word(data, at)
        v3 = exclusive(v3, m)
        rounds(2)
        v0 = exclusive(v0, m)
    end
    v2 = exclusive(v2, { 0, 255 })
    rounds(4)
    local out = exclusive(exclusive(v0, v1), exclusive(v2, v3))
    return to_le32(out[2]) .. to_le32(out[1])
end

local SUITES = {
    [1] = { name = "ChaCha20-Poly1305", key = 32, nonce = 12, tag = 16, hp = 32 },
    [2] = { name = "AES-256-GCM", key = 32, nonce = 12, tag = 16, hp = 16 },
    [4] = { name = "AEGIS-128L", key = 16, nonce = 16, tag = 32, hp = 16 },
    [8] = { name = "AEGIS-256", key = 32, nonce = 32, tag = 32, hp = 16 },
}

local made = {} -- keys by secret: they take a millisecond to derive

local function keys_of(suite, secret)
    local id = suite .. secret
    if not made[id] then
        local row = SUITES[suite]
        made[id] = {
            suite = suite,
            key = expand_label(secret, "key", row.key),
            iv = expand_label(secret, "iv", row.nonce),
            hp = expand_label(secret, "hp", row.hp),
        }
        made[id].rounds = suite == 2 and aes_256_keys(made[id].key) or nil
    end
    return made[id]
end

local function mask_of(keys, sample)
    if keys.suite == 1 then
        return chacha20(keys.hp, le32(sample, 1), sample:sub(5), 5)
    end
    return siphash(keys.hp, sample):sub(1, 5)
end

local function decrypt(keys, number, header, sealed)
    local row = SUITES[keys.suite]
    local body = sealed:sub(1, -row.tag - 1)
    local tail = "\0\0\0\0" .. to_be32(math.floor(number / WORD)) .. to_be32(number % WORD)
    local nonce = keys.iv:sub(1, -13) .. xor_bytes(keys.iv:sub(-12), tail)
    if keys.suite == 1 then
        return xor_bytes(body, chacha20(keys.key, 1, nonce, #body))
    elseif keys.suite == 2 then
        return xor_bytes(body, aes_256_ctr(keys.rounds, nonce, #body))
    end
    return aegis(keys.suite == 4, keys.key, nonce, header, body)
end

-- --- the protocol, its preferences and fields ---------------------------------------------------------------

local tern = Proto("tern", "tern")
tern.prefs.key_log = Pref.string("Key log", "", "A file with secrets, as `--keylog FILE` writes it")

local TYPE_VALUES = TYPE_NAMES
local f = {
    packet = ProtoField.string("tern.packet", "Packet"),
    form = ProtoField.bool("tern.long", "Long header", 8, nil, 0x80),
    type = ProtoField.uint8("tern.type", "Type", base.DEC, TYPE_VALUES),
    version = ProtoField.uint32("tern.version", "Version", base.HEX),
    dcid = ProtoField.bytes("tern.dcid", "Destination identifier"),
    scid = ProtoField.bytes("tern.scid", "Source identifier"),
    token = ProtoField.bytes("tern.token", "Token"),
    tag = ProtoField.bytes("tern.retry_tag", "Integrity tag of the Retry"),
    length = ProtoField.uint64("tern.length", "Length"),
    number = ProtoField.uint64("tern.number", "Packet number"),
    phase = ProtoField.uint32("tern.key_phase", "Key phase"),
    from = ProtoField.string("tern.from", "Sent by"),
    sealed = ProtoField.bytes("tern.sealed", "Sealed"),
    frame = ProtoField.string("tern.frame", "Frame"),
    frame_type = ProtoField.uint64("tern.frame.type", "Type", base.HEX),
    data = ProtoField.bytes("tern.frame.data", "Data"),
    stream = ProtoField.uint64("tern.stream", "Stream"),
    channel = ProtoField.uint64("tern.channel", "Channel"),
    offset = ProtoField.uint64("tern.offset", "Offset"),
    cid = ProtoField.bytes("tern.cid", "New identifier"),
    pattern = ProtoField.uint8("tern.handshake.pattern", "Pattern", base.HEX),
    suites = ProtoField.uint16("tern.handshake.suites", "Suites offered", base.HEX),
    slot = ProtoField.string("tern.handshake.slot", "Slot of the one-time code"),
    ticket = ProtoField.bytes("tern.handshake.ticket", "Ticket"),
    noise = ProtoField.bytes("tern.handshake.noise", "Noise message"),
    handshake = ProtoField.uint8("tern.handshake.message", "Handshake message"),
}
do
    local all = {}
    for _, field in pairs(f) do
        all[#all + 1] = field
    end
    tern.fields = all
end
local unread = ProtoExpert.new("tern.unread", "Not decrypted", expert.group.DECRYPTION, expert.severity.NOTE)
local broken = ProtoExpert.new("tern.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
tern.experts = { unread, broken }

-- --- the key log [P §5.9] -----------------------------------------------------------------------------------

local log = { name = nil, size = -1, secrets = {} }

-- Read again when the file has grown: a capture may run while the program does.
local function read_log()
    local name = tern.prefs.key_log
    if name == "" then
        return
    end
    local file = io.open(name, "r")
    if not file then
        return
    end
    local size = file:seek("end")
    if name ~= log.name or size ~= log.size then
        log = { name = name, size = size, secrets = {} }
        file:seek("set", 0)
        for line in file:lines() do
            local label, connection, phase, suite, secret =
                line:match("^(%u+_%u+) (%x+) (%d+) (%x+) (%x+)%s*$")
            suite = suite and tonumber(suite, 16)
            if suite and #connection == 16 and #secret == 64 and SUITES[suite] then
                local id = label .. " " .. connection:lower() .. " " .. phase
                log.secrets[id] = log.secrets[id] or {}
                table.insert(log.secrets[id], { suite = suite, secret = from_hex(secret) })
            end
        end
    end
    file:close()
end

local LABELS = { [INITIAL] = "INITIAL", [ZERO_RTT] = "EARLY", [HANDSHAKE] = "HANDSHAKE", [ONE_RTT] = "TRAFFIC" }

local function secrets_of(connection, type, from, phase)
    local id = string.format("%s_%s %s %d", from == "c" and "CLIENT" or "SERVER", LABELS[type],
        connection.name, phase)
    if not log.secrets[id] then
        read_log()
    end
    return log.secrets[id] or {}
end

-- --- connections --------------------------------------------------------------------------------------------

local routes, results = {}, {} -- by identifier: who sends to it; by frame: what was found the first time

function tern.init()
    routes, results = {}, {}
    log = { name = nil, size = -1, secrets = {} }
end

local function begin(dcid, scid)
    local connection = { name = to_hex(dcid:sub(1, 8)), largest = {}, phase = { c = 0, s = 0 } }
    routes[dcid] = { connection = connection, from = "c" }
    if #scid > 0 then
        routes[scid] = { connection = connection, from = "s" }
    end
    return routes[dcid]
end

-- RFC 9000, appendix A.3.
local function full_number(truncated, size, expected)
    local window = 256 ^ size
    local number = expected - expected % window + truncated
    if number <= expected - window / 2 then
        return number + window
    elseif number > expected + window / 2 and number >= window then
        return number - window
    end
    return number
end

-- --- frames [P §6] ------------------------------------------------------------------------------------------

-- Reads a decrypted payload. Lua's numbers are exact up to 2^53; varint gives a UInt64 besides.
local function reader(bytes)
    local r = { at = 1, bytes = bytes }
    function r.take(count)
        if r.at + count - 1 > #bytes then
            error("cut short", 0)
        end
        r.at = r.at + count
        return bytes:sub(r.at - count, r.at - 1)
    end
    function r.u8()
        return r.take(1):byte()
    end
    function r.left()
        return #bytes - r.at + 1
    end
    function r.varint()
        local first = r.u8()
        local value, high = first % 64, 0
        local more = 2 ^ math.floor(first / 64) - 1
        if more < 7 then
            for _ = 1, more do
                value = value * 256 + r.u8()
            end
            return math.floor(value), UInt64(value)
        end
        high = value * 16777216 + r.u8() * 65536 + r.u8() * 256 + r.u8()
        local low = be32(r.take(4), 1)
        value = high * WORD + low
        return value, UInt64(low, high)
    end
    function r.exact()
        local _, exact = r.varint()
        return exact
    end
    function r.shown()
        return tostring(r.exact())
    end
    return r
end

local ORDERS = { [0] = "unordered", "ordered", "latest" }

local function ack(r, kind)
    local largest, exact = r.varint()
    local out = { "ACK largest=" .. tostring(exact) .. " delay=" .. r.shown() }
    local count = r.varint()
    local low = largest - r.varint()
    out[#out + 1] = string.format(" ranges=%d %d-%d", count + 1, low, largest)
    for i = 1, count do
        local top = low - r.varint() - 2
        low = top - r.varint()
        if i < 4 then
            out[#out + 1] = string.format(" %d-%d", low, top)
        end
        if low < 0 then
            error("a range below zero", 0)
        end
    end
    if kind == 3 then
        out[#out + 1] = " ecn=" .. r.shown() .. "/" .. r.shown() .. "/" .. r.shown()
    end
    return table.concat(out)
end

local function plain(name, ...)
    local names = { ... }
    return function(r)
        local out = { name }
        for _, field in ipairs(names) do
            out[#out + 1] = " " .. field .. "=" .. r.shown()
        end
        return table.concat(out)
    end
end

local function stream(r, kind, facts)
    facts.stream = r.exact()
    facts.offset = band(kind, 4) ~= 0 and r.exact() or UInt64(0)
    local length = band(kind, 2) ~= 0 and r.varint() or r.left()
    facts.data_at = r.at
    facts.data = r.take(length)
    return string.format("STREAM id=%s off=%s len=%d%s", tostring(facts.stream), tostring(facts.offset), length,
        band(kind, 1) ~= 0 and " fin" or "")
end

local function crypto(r, _, facts)
    facts.offset = r.exact()
    local length = r.varint()
    facts.data_at = r.at
    facts.data = r.take(length)
    facts.is_crypto = facts.offset == UInt64(0)
    return string.format("CRYPTO off=%s len=%d", tostring(facts.offset), length)
end

local function close(r, kind)
    local code = r.exact():tohex():gsub("^0+(.)", "%1")
    if kind == 0x1c then
        r.varint()
    end
    local reason = r.take(r.varint()):gsub(".", function(c)
        local is_plain = c:byte() >= 0x20 and c:byte() < 0x7f and c ~= '"' and c ~= "\\"
        return is_plain and c or string.format("\\x%02x", c:byte())
    end)
    return string.format('CONNECTION_CLOSE %s code=0x%s reason="%s"',
        kind == 0x1c and "transport" or "application", code, reason)
end

local function message(r, kind, facts)
    facts.channel = r.exact()
    local text = string.format("MESSAGE channel=%s %s number=%s", tostring(facts.channel),
        ORDERS[math.floor(kind / 4) % 4], r.shown())
    if band(kind, 2) ~= 0 then
        facts.offset = r.exact()
        text = text .. " off=" .. tostring(facts.offset) .. " total=" .. r.shown()
    end
    local length = r.varint()
    facts.data_at = r.at
    facts.data = r.take(length)
    return text .. " len=" .. length .. (band(kind, 1) ~= 0 and " credit" or "")
end

local function message_skip(r, _, facts)
    facts.channel = r.exact()
    local order = ORDERS[r.varint()] or error("no such order", 0)
    return string.format("MESSAGE_SKIP channel=%s %s first=%s count=%s cost=%s", tostring(facts.channel), order,
        r.shown(), r.shown(), r.shown())
end

local function repair(r, _, facts)
    facts.channel = r.exact()
    local order = ORDERS[r.varint()] or error("no such order", 0)
    local size, number, skip, symbols = r.shown(), r.shown(), r.shown(), r.shown()
    local messages = r.varint()
    local first, which = r.u8(), r.u8()
    for _ = 1, messages do
        r.varint()
    end
    local length = r.varint()
    r.take(length)
    return string.format("REPAIR channel=%s %s size=%s message=%s+%d skip=%s symbols=%d+%s repair=%d len=%d",
        tostring(facts.channel), order, size, number, messages, skip, first, symbols, which, length)
end

local function new_connection_id(r, _, facts)
    local text = "NEW_CONNECTION_ID seq=" .. r.shown() .. " retire_prior_to=" .. r.shown()
    facts.cid = r.take(r.u8())
    r.take(16)
    return text
end

local function new_token(r)
    local length = r.varint()
    r.take(length)
    return "NEW_TOKEN len=" .. length
end

local function rekey(r)
    local text = "REKEY number=" .. r.shown()
    r.take(32)
    return text
end

local function path(name)
    return function(r)
        r.take(8)
        return name
    end
end

local FRAMES = {
    [0x01] = plain("PING"),
    [0x02] = ack, [0x03] = ack,
    [0x04] = plain("RESET_STREAM", "id", "code", "final"),
    [0x05] = plain("STOP_SENDING", "id", "code"),
    [0x06] = crypto,
    [0x07] = new_token,
    [0x10] = plain("MAX_DATA", "limit"),
    [0x11] = plain("MAX_STREAM_DATA", "id", "limit"),
    [0x12] = plain("MAX_STREAMS_BIDI", "limit"),
    [0x13] = plain("MAX_STREAMS_UNI", "limit"),
    [0x14] = plain("DATA_BLOCKED", "limit"),
    [0x15] = plain("STREAM_DATA_BLOCKED", "id", "limit"),
    [0x16] = plain("STREAMS_BLOCKED_BIDI", "limit"),
    [0x17] = plain("STREAMS_BLOCKED_UNI", "limit"),
    [0x18] = new_connection_id,
    [0x19] = plain("RETIRE_CONNECTION_ID", "seq"),
    [0x1a] = path("PATH_CHALLENGE"), [0x1b] = path("PATH_RESPONSE"),
    [0x1c] = close, [0x1d] = close,
    [0x1e] = plain("HANDSHAKE_DONE"),
    [0x1f] = plain("IMMEDIATE_ACK"),
    [0x2c] = message_skip,
    [0x2d] = plain("MAX_MESSAGE_DATA", "limit"),
    [0x2e] = repair,
    [0x38] = rekey,
    [0x39] = plain("CLOCK", "time"),
    [0xaf] = plain("ACK_FREQUENCY", "seq", "threshold", "delay", "reordering"),
}
for kind = 0x08, 0x0f do
    FRAMES[kind] = stream
end
for kind = 0x20, 0x2b do
    FRAMES[kind] = message
end

-- A list of {at, length, kind, text, facts}, and whether all of it made sense.
local function frames_of(payload)
    local r, out = reader(payload), {}
    while r.left() > 0 do
        local at, facts = r.at, {}
        if payload:byte(at) == 0 then
            local last = payload:find("[^%z]", at) or #payload + 1
            r.at = last
            out[#out + 1] = { at = at, length = last - at, kind = 0, text = "PADDING len=" .. last - at, facts = facts }
        else
            local kind
            local ok, text = pcall(function()
                kind = r.varint()
                local read = FRAMES[kind] or error("a frame of another type", 0)
                return read(r, kind, facts)
            end)
            if not ok then
                out[#out + 1] = { at = at, length = #payload - at + 1, kind = kind or 0, text = "(malformed)", facts = {} }
                return out, false
            end
            out[#out + 1] = { at = at, length = r.at - at, kind = kind, text = text, facts = facts }
        end
    end
    return out, #out > 0
end

-- --- opening [P §5.3 to §5.5] -------------------------------------------------------------------------------

local function space_of(type, from)
    return from .. (type == ZERO_RTT and ONE_RTT or type)
end

-- What one secret makes of a packet: nil, or what is in it. `mask_keys`: those of phase 0.
local function try(header, keys, mask_keys, connection, from)
    local bytes, at = header.bytes, header.number_at
    local sample = bytes:sub(at + 4, at + 19)
    if #sample < 16 then
        return nil
    end
    local mask = mask_of(mask_keys, sample)
    local first = bxor(bytes:byte(1), band(mask:byte(1), header.is_long and 15 or 31))
    local size = first % 4 + 1
    if band(first, header.is_long and 0x0c or 0x18) ~= 0 then
        return nil
    end
    local number_bytes = xor_bytes(bytes:sub(at, at + size - 1), mask:sub(2, size + 1))
    local truncated = 0
    for i = 1, size do
        truncated = truncated * 256 + number_bytes:byte(i)
    end
    local expected = (connection.largest[space_of(header.type, from)] or -1) + 1
    local number = full_number(truncated, size, expected)
    local clear = string.char(first) .. bytes:sub(2, at - 1) .. number_bytes
    return { first = first, number = number, clear = clear, sealed = bytes:sub(at + size) }
end

local function open_as(header, entry, mask_entry, connection, from, phase)
    local keys = keys_of(entry.suite, entry.secret)
    local found = try(header, keys, keys_of(mask_entry.suite, mask_entry.secret), connection, from)
    if not found or #found.sealed <= SUITES[entry.suite].tag then
        return nil
    end
    if header.type == ONE_RTT and band(found.first, 4) ~= (phase % 2) * 4 then
        return nil
    end
    found.payload = decrypt(keys, found.number, found.clear, found.sealed)
    found.frames, found.is_sound = frames_of(found.payload)
    found.phase, found.suite = phase, entry.suite
    return found.is_sound and found or nil
end

local function open(header, connection, from)
    if header.type ~= ONE_RTT then
        for _, entry in ipairs(secrets_of(connection, header.type, from, 0)) do
            local found = open_as(header, entry, entry, connection, from, 0)
            if found then
                return found
            end
        end
        return nil
    end
    local base = secrets_of(connection, ONE_RTT, from, 0)[1]
    local now = connection.phase[from]
    for _, phase in ipairs({ now, now + 1, now - 1 }) do
        for _, entry in ipairs(base and phase >= 0 and secrets_of(connection, ONE_RTT, from, phase) or {}) do
            local found = open_as(header, entry, base, connection, from, phase)
            if found then
                connection.phase[from] = math.max(now, phase)
                return found
            end
        end
    end
    return nil
end

-- --- headers [P §3] -----------------------------------------------------------------------------------------

-- nil: not one of ours.
local function header_of(bytes)
    local first = bytes:byte(1)
    if not first or band(first, 0x40) == 0 then
        return nil
    end
    local h = { bytes = bytes, is_long = first >= 128, type = ONE_RTT, parts = {}, total = #bytes }
    if not h.is_long then
        for length = math.min(20, #bytes - 1), 1, -1 do
            local cid = bytes:sub(2, 1 + length)
            if routes[cid] then
                h.dcid, h.number_at = cid, 2 + length
                -- A capture on the sending machine shows a train before the kernel has cut it (GSO): the next
                -- packet begins where the identifier comes again.
                local again = bytes:find(cid, 20 + length, true)
                if again then
                    h.total = again - 2
                    h.bytes = bytes:sub(1, h.total)
                end
                return h
            end
        end
        return nil
    end
    local ok = pcall(function()
        local r = reader(bytes)
        r.u8()
        h.version = be32(r.take(4), 1)
        h.dcid = r.take(r.u8())
        h.scid_at = r.at + 1
        h.scid = r.take(r.u8())
        if h.version ~= VERSION then
            error("another version", 0)
        end
        h.type = math.floor(first / 16) % 4
        if h.type == RETRY then
            h.token_at = r.at
            h.token = r.take(r.left() - 16)
            return
        end
        if h.type == INITIAL then
            local length = r.varint()
            h.token_at = r.at
            h.token = r.take(length)
        end
        local length = r.varint()
        h.number_at = r.at
        r.take(length)
        h.length, h.total = length, r.at - 1
        h.bytes = bytes:sub(1, h.total)
    end)
    return ok and h or nil
end

-- --- showing ------------------------------------------------------------------------------------------------

local function show_handshake(tree, range, data)
    local ok = pcall(function()
        local r = reader(data)
        local kind = r.u8()
        tree:add(f.handshake, range(0, 1))
        if kind == 1 then
            tree:add(f.pattern, range(1, 1))
            tree:add(f.suites, range(2, 2))
            r.take(3)
            local slot = r.u8()
            r.take(slot)
            tree:add(f.slot, range(5, slot))
            local ticket = r.u8() * 256 + r.u8()
            if ticket > 0 then
                tree:add(f.ticket, range(r.at - 1, ticket))
            end
            r.take(ticket)
        elseif kind ~= 2 and kind ~= 3 then
            return
        end
        local noise = r.u8() * 256 + r.u8()
        tree:add(f.noise, range(r.at - 1, noise))
    end)
    if not ok then
        tree:add_proto_expert_info(broken)
    end
end

local function show_frames(tree, found)
    local tvb = ByteArray.new(to_hex(found.payload)):tvb("tern, decrypted")
    for _, frame in ipairs(found.frames) do
        local range = tvb(frame.at - 1, frame.length)
        local item = tree:add(f.frame, range, frame.text)
        item:add(f.frame_type, range, UInt64(frame.kind))
        local facts = frame.facts
        for _, name in ipairs({ "stream", "channel", "offset" }) do
            if facts[name] then
                item:add(f[name], range, facts[name])
            end
        end
        if facts.cid and #facts.cid > 0 then
            item:add(f.cid, tvb(frame.at - 1 + frame.length - 16 - #facts.cid, #facts.cid))
        end
        if facts.data and #facts.data > 0 then
            local data = tvb(facts.data_at - 1, #facts.data)
            item:add(f.data, data)
            if facts.is_crypto then
                show_handshake(item, data, facts.data)
            end
        end
        if frame.text == "(malformed)" then
            item:add_proto_expert_info(broken)
        end
    end
end

local function show(tree, range, header, found, from)
    tree:add(f.form, range(0, 1))
    tree:add(f.type, range(0, 1), header.type):set_generated()
    if header.is_long then
        tree:add(f.version, range(1, 4))
    end
    if #header.dcid > 0 then
        tree:add(f.dcid, range(header.is_long and 6 or 1, #header.dcid))
    end
    if header.scid and #header.scid > 0 then
        tree:add(f.scid, range(header.scid_at - 1, #header.scid))
    end
    if header.token and #header.token > 0 then
        tree:add(f.token, range(header.token_at - 1, #header.token))
    end
    if header.type == RETRY then
        tree:add(f.tag, range(range:len() - 16, 16))
        return
    end
    if header.length then
        tree:add(f.length, UInt64(header.length))
    end
    if from then
        tree:add(f.from, from == "c" and "client" or "server"):set_generated()
    end
    if not found then
        tree:add(f.sealed, range(header.number_at - 1))
        tree:add_proto_expert_info(unread, "Not decrypted: no key for it")
        return
    end
    tree:add(f.number, range(header.number_at - 1, found.first % 4 + 1),
        UInt64(found.number % WORD, math.floor(found.number / WORD)))
    if header.type == ONE_RTT then
        tree:add(f.phase, found.phase):set_generated()
    end
    show_frames(tree, found)
end

-- What a datagram's packets are, found when it is first seen and in the order of the capture.
local function look(bytes)
    local list, at = {}, 1
    while at <= #bytes do
        local header = header_of(bytes:sub(at))
        if not header then
            break
        end
        local route = routes[header.dcid]
        if not route and header.type == INITIAL and #bytes >= 1200 then
            route = begin(header.dcid, header.scid)
        end
        local packet = { at = at, header = header, from = route and route.from }
        if route and header.type == RETRY then
            routes[header.scid] = { connection = route.connection, from = "c" }
        elseif route then
            local connection = route.connection
            if header.is_long and route.from == "s" then
                routes[header.scid] = { connection = connection, from = "c" }
            end
            packet.found = open(header, connection, route.from)
            if packet.found then
                local space = space_of(header.type, route.from)
                connection.largest[space] = math.max(packet.found.number, connection.largest[space] or -1)
                for _, frame in ipairs(packet.found.frames) do
                    if frame.facts.cid then
                        routes[frame.facts.cid] = { connection = connection, from = route.from == "c" and "s" or "c" }
                    end
                end
            end
        end
        list[#list + 1] = packet
        at = at + header.total
    end
    return list
end

local function text_of(packet)
    local header, found = packet.header, packet.found
    local name = TYPE_NAMES[header.type]
    if not found then
        return name
    end
    local texts = {}
    for i, frame in ipairs(found.frames) do
        texts[i] = frame.text
    end
    return string.format("%s sent %s pn=%d size=%d %s", packet.from, name, found.number, header.total,
        table.concat(texts, " | "))
end

function tern.dissector(tvb, pinfo, root)
    local bytes = tvb:raw(0, tvb:len())
    local id = pinfo.number .. "/" .. bytes:sub(1, 32)
    local list = results[id]
    if not list then
        list = look(bytes)
        results[id] = list
    end
    if #list == 0 then
        return 0
    end
    pinfo.cols.protocol = "tern"
    local summary = {}
    for i, packet in ipairs(list) do
        local range = tvb(packet.at - 1, packet.header.total)
        local text = text_of(packet)
        local tree = root:add(tern, range)
        tree:append_text(", " .. TYPE_NAMES[packet.header.type])
        tree:add(f.packet, range, text):set_generated()
        show(tree, range, packet.header, packet.found, packet.from)
        summary[i] = text
    end
    pinfo.cols.info = table.concat(summary, " + ")
    return tvb:len()
end

-- A long header of our version, or an identifier that a connection of ours has issued.
local function guess(tvb, pinfo, root)
    if tvb:len() < 21 then
        return false
    end
    if not header_of(tvb:raw(0, tvb:len())) then
        return false
    end
    tern.dissector(tvb, pinfo, root)
    return true
end

tern:register_heuristic("udp", guess)
DissectorTable.get("udp.port"):add_for_decode_as(tern)
