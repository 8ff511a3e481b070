"""Bodies as data: what is let in, with what is stored of it, and what is turned away, with the reason."""

import gzip
import zlib

MEBIBYTE = 1024 * 1024


def raw_deflate(data: bytes) -> bytes:
    """Deflate without zlib's header, as some senders understand the word."""
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return machine.compress(data) + machine.flush()


# name: (body, the events that are stored)
LET_IN: dict[str, tuple[bytes, list[bytes]]] = {
    "an event": (b'{"type":"track"}', [b'{"type":"track"}']),
    "white space around it": (b' \n{"a": 1}\t\r\n', [b'{"a": 1}']),
    "a byte order mark": (b'\xef\xbb\xbf{"a":1}', [b'{"a":1}']),
    "an array": (b'[{"a":1}, {"b" : 2}]', [b'{"a":1}', b'{"b" : 2}']),
    "a batch": (b'{"batch":[{"a":1},{"b":2}],"sentAt":"x"}', [b'{"a":1}', b'{"b":2}']),
    "an empty array": (b"[]", []),
    "an empty batch": (b'{"batch":[]}', []),
    "an empty event in an array": (b"[{}]", [b"{}"]),
    "scalars in an array": (b'[1,"x",null,[2]]', [b"1", b'"x"', b"null", b"[2]"]),
    "a batch that is no array": (b'{"batch":7}', [b'{"batch":7}']),
    "a type that is not imported": (b'{"type":"page","userId":"u1"}', [b'{"type":"page","userId":"u1"}']),
    "a NUL": (b'{"a":"x\\u0000y"}', [b'{"a":"x\\u0000y"}']),
    "a lone surrogate": (b'{"a":"\\ud800"}', [b'{"a":"\\ud800"}']),
    "NaN and infinities": (b'{"a":NaN,"b":[Infinity,-Infinity]}', [b'{"a":NaN,"b":[Infinity,-Infinity]}']),
    "a huge integer": (b'{"a":1' + b"0" * 6000 + b"}", [b'{"a":1' + b"0" * 6000 + b"}"]),
    "a huge exponent": (b'{"a":1e999999999}', [b'{"a":1e999999999}']),
    "duplicate keys": (b'{"a":1,"a":2}', [b'{"a":1,"a":2}']),
    "512 levels": (b"[" * 512 + b"]" * 512, [b"[" * 511 + b"]" * 511]),
    "an event of just 1 MiB": (
        b'{"a":"' + b"x" * (MEBIBYTE - 8) + b'"}',
        [b'{"a":"' + b"x" * (MEBIBYTE - 8) + b'"}'],
    ),
    "characters of every kind": ('{"ä":"💡"}'.encode(), ['{"ä":"💡"}'.encode()]),
}

# name: (headers, body) that all carry {"a":1}
PACKED: dict[str, tuple[str, bytes]] = {
    "identity": ("identity", b'{"a":1}'),
    "gzip": ("gzip", gzip.compress(b'{"a":1}')),
    "capitals": (" GZip ", gzip.compress(b'{"a":1}')),
    "its old name": ("x-gzip", gzip.compress(b'{"a":1}')),
    "gzip in two members": ("gzip", gzip.compress(b'{"a"') + gzip.compress(b":1}")),
    "gzip in a thousand members, each with padding": (
        "gzip",
        (gzip.compress(b"") + b"\0" * 70) * 999 + gzip.compress(b'{"a":1}'),
    ),
    "gzip of which a member is longer than a piece": (
        "gzip",
        gzip.compress(b" " * MEBIBYTE, 0) + gzip.compress(b'{"a":1}'),
    ),
    "gzip with padding": ("gzip", gzip.compress(b'{"a":1}') + b"\0" * 12),
    "deflate with zlib's header": ("deflate", zlib.compress(b'{"a":1}')),
    "deflate without": ("deflate", raw_deflate(b'{"a":1}')),
    "one in the other": ("deflate, gzip", gzip.compress(zlib.compress(b'{"a":1}'))),
    "one and none": ("gzip, identity", gzip.compress(b'{"a":1}')),
}

_BOMB = gzip.compress(b"[" + b" " * (64 * MEBIBYTE) + b"]")

# name: (headers, body, status, the beginning of the reason)
TURNED_AWAY: dict[str, tuple[dict[str, str], bytes, int, str]] = {
    "nothing": ({}, b"", 400, "the body is not JSON"),
    "text": ({}, b"hello", 400, "the body is not JSON"),
    "half an object": ({}, b'{"a":', 400, "the body is not JSON"),
    "two objects": ({}, b'{"a":1}{"b":2}', 400, "the body is not JSON"),
    "a trailing comma": ({}, b'{"a":1,}', 400, "the body is not JSON"),
    "a form": ({}, b"a=1&b=2", 400, "the body is not JSON"),
    "a number": ({}, b"12", 400, "the body is neither"),
    "a text": ({}, b'"x"', 400, "the body is neither"),
    "null": ({}, b"null", 400, "the body is neither"),
    "not UTF-8": ({}, b'{"a":"\xff"}', 400, "the body is not UTF-8"),
    "UTF-16": ({}, '{"a":1}'.encode("utf-16"), 400, "the body is not UTF-8"),
    "513 levels": ({}, b"[" * 513 + b"]" * 513, 400, "the body nests more than 512"),
    "a million levels": ({}, b"[" * 1_000_000, 400, "the body"),
    "broken gzip": (
        {"HTTP_CONTENT_ENCODING": "gzip"},
        b"\x1f\x8b nonsense",
        400,
        "the body cannot be inflated",
    ),
    "plain text called gzip": (
        {"HTTP_CONTENT_ENCODING": "gzip"},
        b'{"a":1}',
        400,
        "the body cannot be inflated",
    ),
    "half a gzip": (
        {"HTTP_CONTENT_ENCODING": "gzip"},
        gzip.compress(b'{"a":1}')[:-9],
        400,
        "the body cannot be inflated",
    ),
    "rubbish behind a gzip": (
        {"HTTP_CONTENT_ENCODING": "gzip"},
        gzip.compress(b'{"a":1}') + b"rubbish",
        400,
        "the body cannot be inflated",
    ),
    "half a deflate": (
        {"HTTP_CONTENT_ENCODING": "deflate"},
        zlib.compress(b'{"a":1}')[:-5],
        400,
        "the body cannot be inflated",
    ),
    "an empty gzip": ({"HTTP_CONTENT_ENCODING": "gzip"}, b"", 400, "the body cannot be inflated"),
    "an unknown coding": ({"HTTP_CONTENT_ENCODING": "br"}, b"x", 415, "this Content-Encoding is not known"),
    "an unknown one among others": (
        {"HTTP_CONTENT_ENCODING": "gzip, zstd"},
        b"x",
        415,
        "this Content-Encoding is not known",
    ),
    "a tower of codings": (
        {"HTTP_CONTENT_ENCODING": ", ".join(["gzip"] * 50)},
        b"x",
        415,
        "this Content-Encoding is not known",
    ),
    "a length that is no number": (
        {"CONTENT_LENGTH": "many"},
        b"{}",
        400,
        "the Content-Length is not a number",
    ),
    "a length below zero": ({"CONTENT_LENGTH": "-1"}, b"{}", 400, "the Content-Length is not a number"),
    "less than announced": ({"CONTENT_LENGTH": "100"}, b'{"a":1}', 400, "the body ended before"),
    "an event past 1 MiB": (
        {},
        b'{"a":"' + b"x" * (MEBIBYTE - 7) + b'"}',
        413,
        "an event has more than 1,048,576 bytes",
    ),
    "such an event in a batch": (
        {},
        b'{"batch":[{"b":1},{"a":"' + b"x" * MEBIBYTE + b'"}]}',
        413,
        "an event has more than 1,048,576 bytes",
    ),
    "a body past 5 MiB": ({}, b"[" + b" " * (5 * MEBIBYTE) + b"]", 413, "the body has more than 5,242,880"),
    "a bomb": ({"HTTP_CONTENT_ENCODING": "gzip"}, _BOMB, 413, "the body has more than 5,242,880"),
    "a bomb in a bomb": (
        {"HTTP_CONTENT_ENCODING": "gzip, gzip"},
        gzip.compress(_BOMB),
        413,
        "the body has more than 5,242,880",
    ),
    "a bomb of time: so many members that come to nothing": (
        {"HTTP_CONTENT_ENCODING": "gzip, gzip"},
        gzip.compress(gzip.compress(b"") * 250_000),
        400,
        "the body is gzip in more than 10,000 members",
    ),
    "gzip that is cut in its second member": (
        {"HTTP_CONTENT_ENCODING": "gzip"},
        gzip.compress(b"[") + gzip.compress(b"]")[:-3],
        400,
        "the body cannot be inflated",
    ),
    "a length past 5 MiB, unread": (
        {"CONTENT_LENGTH": "999999999999"},
        b"",
        413,
        "the body has more than 5,242,880",
    ),
}
