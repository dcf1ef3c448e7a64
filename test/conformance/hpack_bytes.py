# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Field blocks byte by byte, as RFC 7541 has them, right ones and wrong ones."""

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

INDEXED, WITH_INDEXING, SIZE_UPDATE, NEVER_INDEXED, WITHOUT_INDEXING = 0x80, 0x40, 0x20, 0x10, 0
PREFIX_BITS = {INDEXED: 7, WITH_INDEXING: 6, SIZE_UPDATE: 5, NEVER_INDEXED: 4, WITHOUT_INDEXING: 4}
STATIC_ENTRIES = 61
_huffman = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


def integer(value, bits, first=0, zeros=0):
    """An integer with a prefix of so many bits, in `first`; `zeros`: needless bytes behind it."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out = bytearray([first | limit])
    value -= limit
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    out.append(value | (128 if zeros else 0))
    for left in range(zeros, 0, -1):
        out.append(128 if left > 1 else 0)
    return bytes(out)


def string(text, huffman=False):
    data = text if isinstance(text, bytes) else text.encode("latin-1")
    if huffman:
        data = _huffman.encode(data)
    return integer(len(data), 7, 128 if huffman else 0) + data


def indexed(index):
    return integer(index, 7, INDEXED)


def literal(name, value, kind=WITHOUT_INDEXING, huffman=False):
    """The name as text, or as an index."""
    if isinstance(name, int):
        return integer(name, PREFIX_BITS[kind], kind) + string(value, huffman)
    return bytes([kind]) + string(name, huffman) + string(value, huffman)


def size_update(size):
    return integer(size, 5, SIZE_UPDATE)


def request(client, path="/h2test/info", *more):
    """The pseudo-fields of a GET without use of the dynamic table, then more bytes."""
    return (indexed(2) + literal(":scheme", client.scheme) + literal(":path", path)
            + literal(":authority", client.authority) + b"".join(more))
