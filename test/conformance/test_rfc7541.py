# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""RFC 7541: field blocks, byte by byte, in both directions."""

import pytest

from h2client import (COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM,
                      ENHANCE_YOUR_CALM, HEADER_TABLE_SIZE, HEADERS, PROTOCOL_ERROR, REFUSED_STREAM)
from hpack_bytes import (INDEXED, NEVER_INDEXED, SIZE_UPDATE, STATIC_ENTRIES, WITH_INDEXING,
                         WITHOUT_INDEXING, indexed, integer, literal, request, size_update, string)
from rules import Answer, Goaway, Reset, is_alive

FIRST = STATIC_ENTRIES + 1      # index of the newest entry of the dynamic table
ENV = "/cgi/env"
KINDS = {WITH_INDEXING: "with indexing", WITHOUT_INDEXING: "without indexing",
         NEVER_INDEXED: "never indexed"}
COMPRESSION = Goaway(COMPRESSION_ERROR)


def send(client, block, end=True):
    """A request of this block. The client's own encoder must not be used afterwards where the block
    has changed the table: use `ask` then."""
    stream = client.open()
    client.send_frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream.id, block)
    return stream


def ask(client, *more, path="/h2test/info"):
    """The same and its complete response."""
    stream = client.wait(send(client, request(client, path, *more)))
    assert stream.status == 200 and stream.complete, client.tail()
    return stream


def environment(client, *more):
    """What a script sees of the fields of such a request."""
    return ask(client, *more, path=ENV).text


def block(*more):
    return lambda client: send(client, request(client, "/h2test/info", *more))


def before(*first):
    """These bytes before the request's."""
    return lambda client: send(client, b"".join(first) + request(client))


def run(cases):
    return pytest.mark.parametrize(
        "act, outcome", [pytest.param(act, outcome, id=name) for name, act, outcome in cases])


class Asked(Answer):
    """As Answer; the table is no more the one of the client's encoder."""

    def check(self, client, stream):
        client.wait_for(lambda: stream.done or client.goaways, "an end")
        assert stream.status == self.status and stream.complete, client.tail()
        ask(client)
        assert not client.goaways


def entry(name="x-entry", value="its value"):
    return literal(name, value, WITH_INDEXING)


# -- 2.3 ------------------------------------------------------------------------------------------

SECTION_2_3 = [
    ("2.3.3 index 62 of an empty table is an error", block(indexed(FIRST)), COMPRESSION),
    ("2.3.3 an index behind the only entry is an error", block(entry(), indexed(FIRST + 1)),
     COMPRESSION),
    ("2.3.3 an index far behind is an error", block(indexed(1000)), COMPRESSION),
    *[("2.3.3 a name behind the table of a literal %s is an error" % name,
       block(literal(FIRST, "x", kind)), COMPRESSION) for kind, name in KINDS.items()],
    ("2.3.3 the entry that a block has added can be used in it", block(entry(), indexed(FIRST)),
     Asked()),
    ("6.1 index 0 is an error", block(indexed(0)), COMPRESSION),
    ("6.1 index 0 as the first byte is an error", before(indexed(0)), COMPRESSION),
]


@run(SECTION_2_3)
def test_indexes(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_2_3_2_entries_are_found_newest_first(h2):
    text = environment(h2, entry("x-a", "1"), entry("x-b", "2"), literal(FIRST + 1, "again"),
                       literal("x-c", "3"))
    assert "HTTP_X_A=1, again\n" in text and "HTTP_X_B=2\n" in text


def test_2_3_2_entries_stay_for_later_blocks(h2):
    ask(h2, entry("x-a", "1"), entry("x-b", "2"))
    text = environment(h2, indexed(FIRST), indexed(FIRST + 1))
    assert "HTTP_X_A=1\n" in text and "HTTP_X_B=2\n" in text


@pytest.mark.parametrize("index, name, value", [
    pytest.param(index, name, value, id="6.1 entry %d of the static table" % index)
    for index, name, value in ((16, "HTTP_ACCEPT_ENCODING", "gzip, deflate"),
                               (19, "HTTP_ACCEPT", ""), (58, "HTTP_USER_AGENT", ""))])
def test_static_entries(h2, index, name, value):
    assert "%s=%s\n" % (name, value) in environment(h2, indexed(index))


@pytest.mark.parametrize("index", [
    pytest.param(index, id="6.1 :status as entry %d of the static table is malformed" % index)
    for index in (8, 14)])
def test_static_status(h2, index):
    Reset(PROTOCOL_ERROR).check(h2, send(h2, request(h2) + indexed(index)))


# -- 4 --------------------------------------------------------------------------------------------

SECTION_4 = [
    ("4.2 a size update behind a field is an error", block(size_update(100)), COMPRESSION),
    ("4.2 a size update between fields is an error",
     block(size_update(4096), literal("x", "y")), COMPRESSION),
    ("4.2 a size update behind an added entry is an error", block(entry(), size_update(0)),
     COMPRESSION),
    ("4.2 a size update at the start is right", before(size_update(100)), Asked()),
    ("4.2 a size update of 0 is right", before(size_update(0)), Asked()),
    ("4.2 a size update of the size that is set is right", before(size_update(4096)), Asked()),
    ("4.2 two size updates at the start are right", before(size_update(0), size_update(4096)),
     Asked()),
    ("6.3 a size update beyond the size that is set is an error", before(size_update(4097)),
     COMPRESSION),
    ("6.3 a size update far beyond is an error", before(size_update(1 << 30)), COMPRESSION),
    ("6.3 the second of two size updates must be right, too",
     before(size_update(0), size_update(4097)), COMPRESSION),
    ("6.3 the first of two size updates must be right, too",
     before(size_update(4097), size_update(0)), COMPRESSION),
    ("4.4 an entry larger than the table is no error",
     block(entry("x-large", "x" * 4100)), Asked()),
    ("4.4 an entry larger than the table empties it",
     block(entry(), entry("x-large", "x" * 4100), indexed(FIRST)), COMPRESSION),
    ("4.1 an entry just as large as the table stays",
     block(entry("x-large", "x" * (4096 - 32 - 7)), indexed(FIRST)), Asked()),
    ("4.1 an entry a byte larger than the table does not stay",
     block(entry("x-large", "x" * (4096 - 32 - 6)), indexed(FIRST)), COMPRESSION),
    ("4.4 an added entry evicts the oldest one",
     block(entry(), entry("x-b", "b" * 4020), indexed(FIRST + 1)), COMPRESSION),
    ("4.3 after a size update of 0 there are no entries",
     lambda client: (ask(client, entry()),
                     send(client, size_update(0) + request(client) + indexed(FIRST)))[1],
     COMPRESSION),
    ("4.3 after a smaller size the oldest entry is gone", lambda client: (
        ask(client, entry("x-a", "1"), entry("x-b", "2")),
        send(client, size_update(40) + request(client) + indexed(FIRST + 1)))[1], COMPRESSION),
    ("4.3 after a smaller size the newest entry stays", lambda client: (
        ask(client, entry("x-a", "1"), entry("x-b", "2")),
        send(client, size_update(40) + request(client) + indexed(FIRST)))[1], Asked()),
    ("4.3 a smaller size holds for later entries", lambda client: (
        client.wait(send(client, size_update(50) + request(client))),
        send(client, request(client) + entry("x-a", "1") + entry("x-b", "2") + indexed(FIRST + 1))
    )[1], COMPRESSION),
    ("4.4 an entry may have the name of the one that it evicts", lambda client: (
        client.wait(send(client, size_update(60) + request(client) + entry("x-name", "1"))),
        send(client, request(client) + literal(FIRST, "another", WITH_INDEXING) + indexed(FIRST))
    )[1], Asked()),
]


@run(SECTION_4)
def test_tables(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_4_2_a_size_update_at_the_start_of_continuation_is_within_the_block(h2):
    stream = h2.open()
    h2.send_frame(HEADERS, END_STREAM, stream.id, request(h2))
    h2.send_frame(CONTINUATION, END_HEADERS, stream.id, size_update(100))
    COMPRESSION.check(h2)


def test_4_2_a_size_update_may_be_split_by_continuation(h2):
    stream = h2.open()
    update = size_update(4096)
    h2.send_frame(HEADERS, END_STREAM, stream.id, update[:1])
    h2.send_frame(CONTINUATION, END_HEADERS, stream.id, update[1:] + request(h2))
    Asked().check(h2, stream)


def test_4_2_a_size_update_in_trailers_is_right_at_their_start(h2):
    stream = send(h2, request(h2, "/h2test/read?trailers=all").replace(indexed(2), indexed(3)),
                  end=False)
    h2.send_frame(HEADERS, END_HEADERS | END_STREAM, stream.id,
                  size_update(0) + literal("x-a", "1"))
    assert h2.wait(stream).text == "x-a: 1\nread 0\n"


# -- 5.1 ------------------------------------------------------------------------------------------

ENDLESS = b"\xff" * 20
SECTION_5_1 = [
    ("5.1 an index without end is an error", block(bytes([INDEXED | 127]) + ENDLESS), COMPRESSION),
    ("5.1 an index beyond 32 bits is an error", block(integer(1 << 40, 7, INDEXED)), COMPRESSION),
    ("5.1 an index beyond 64 bits is an error", block(integer(1 << 70, 7, INDEXED)), COMPRESSION),
    ("5.1 an index that wraps to a right one is an error",
     block(integer((1 << 32) + 2, 7, INDEXED)), COMPRESSION),
    ("5.1 an index that ends with the block is an error",
     block(bytes([INDEXED | 127]) + b"\x80"), COMPRESSION),
    ("5.1 a name's length without end is an error",
     block(b"\x00\x7f" + ENDLESS), COMPRESSION),
    ("5.1 a value's length beyond 32 bits is an error",
     block(b"\x00" + string("x") + integer(1 << 40, 7)), COMPRESSION),
    ("5.1 a value's length that ends with the block is an error",
     block(b"\x00" + string("x") + b"\x7f\x80"), COMPRESSION),
    ("5.1 a size update beyond 32 bits is an error",
     before(integer(1 << 40, 5, SIZE_UPDATE)), COMPRESSION),
    ("5.1 a size update that ends with the block is an error",
     lambda client: send(client, b"\x3f\x80"), COMPRESSION),
    ("5.1 an index with a needless byte is a number",
     block(entry(), *[entry("x-%d" % i, "y") for i in range(70)],
           integer(FIRST + 70, 7, INDEXED, zeros=1)), Asked()),
    ("5.1 a length with needless bytes is a number",
     block(b"\x00" + string("x-long") + integer(200, 7, zeros=2) + b"v" * 200), Asked()),
]


@run(SECTION_5_1)
def test_integers(h2, act, outcome):
    outcome.check(h2, act(h2))


# -- 5.2 ------------------------------------------------------------------------------------------


def huffman_value(data):
    """A field whose value has these bytes as Huffman code."""
    return b"\x00" + string("x-huffman") + integer(len(data), 7, 128) + data


SECTION_5_2 = [
    ("5.2 padding of a whole byte is an error", block(huffman_value(b"\x1f\xff")), COMPRESSION),
    ("5.2 padding of zeros is an error", block(huffman_value(b"\x18")), COMPRESSION),
    ("5.2 padding with one zero is an error", block(huffman_value(b"\x1e")), COMPRESSION),
    ("5.2 the code of EOS is an error", block(huffman_value(b"\xff\xff\xff\xff")), COMPRESSION),
    ("5.2 the code of EOS behind a letter is an error",
     block(huffman_value(b"\x1f\xff\xff\xff\xff")), COMPRESSION),
    ("5.2 EOS and more is an error", block(huffman_value(b"\xff\xff\xff\xfc\x1f")), COMPRESSION),
    ("5.2 a code that ends in its middle is an error", block(huffman_value(b"\xff\xfe")),
     COMPRESSION),
    ("5.2 padding of ones is right", block(huffman_value(b"\x1f")), Asked()),
    ("5.2 no code at all is an empty string", block(huffman_value(b"")), Asked()),
    ("5.2 a value longer than the block is an error",
     block(b"\x00" + string("x") + integer(10, 7) + b"short"), COMPRESSION),
    ("5.2 a name longer than the block is an error",
     block(b"\x00" + integer(10, 7) + b"short"), COMPRESSION),
    ("5.2 a literal without a value is an error", block(b"\x00" + string("x")), COMPRESSION),
    ("5.2 a literal without a name is an error", block(b"\x00"), COMPRESSION),
    ("5.2 a literal with the name of an index and no value is an error", block(b"\x0f\x01"),
     COMPRESSION),
]


@run(SECTION_5_2)
def test_strings(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_5_2_each_printable_character_has_its_huffman_code(h2):
    value = "".join(map(chr, range(0x21, 0x7f)))
    text = environment(h2, literal("x-all", value, huffman=True))
    assert "HTTP_X_ALL=%s\n" % value in text


def test_5_2_octets_above_0x7f_have_their_huffman_code(h2):
    value = bytes(range(0x80, 0x100)).decode("latin-1")
    stream = ask(h2, literal("x-high", value, huffman=True), path=ENV)
    assert b"HTTP_X_HIGH=" + value.encode("latin-1") + b"\n" in stream.body


# -- 6.2 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, huffman, by_index", [
    pytest.param(kind, huffman, by_index, id="6.2 a literal %s%s%s" % (
        name, ", as Huffman code" if huffman else "", ", its name by index" if by_index else ""))
    for kind, name in KINDS.items() for huffman in (False, True) for by_index in (False, True)])
def test_literals(h2, kind, huffman, by_index):
    text = environment(h2, literal(58 if by_index else "user-agent", "some text", kind, huffman))
    assert "HTTP_USER_AGENT=some text\n" in text


@pytest.mark.parametrize("kind", [
    pytest.param(kind, id="6.2 a literal %s adds no entry" % KINDS[kind])
    for kind in (WITHOUT_INDEXING, NEVER_INDEXED)])
def test_literals_that_are_not_added(h2, kind):
    COMPRESSION.check(h2, send(h2, request(h2) + literal("x-a", "1", kind) + indexed(FIRST)))


# -- 2.2: the table is one for all blocks, also of those that are of no use -----------------------


def use_entry(client):
    """The entry of the block before is there."""
    assert "HTTP_X_ENTRY=its value\n" in environment(client, indexed(FIRST))


def test_2_2_a_malformed_request_adds_entries(h2):
    stream = send(h2, request(h2) + literal("connection", "close") + entry())
    h2.wait_reset(stream)
    use_entry(h2)


def test_2_2_a_malformed_pseudo_field_does_not_end_the_decoding(h2):
    h2.wait_reset(send(h2, literal(":unknown", "x") + request(h2) + entry()))
    use_entry(h2)


def test_2_2_a_request_that_is_too_large_adds_entries(h2):
    large = b"".join(literal("x-%d" % i, "v" * 4000) for i in range(4))
    h2.send_frame(HEADERS, END_STREAM, h2.open().id, request(h2))
    for _ in range(5):
        h2.send_frame(CONTINUATION, 0, 1, large)
    h2.send_frame(CONTINUATION, END_HEADERS, 1, entry())
    h2.wait_for(lambda: h2.streams[1].reset is not None, "RST_STREAM")
    assert h2.streams[1].reset == ENHANCE_YOUR_CALM
    use_entry(h2)


def test_2_2_trailers_add_entries(h2):
    stream = send(h2, request(h2, "/h2test/read").replace(indexed(2), indexed(3)), end=False)
    h2.send_frame(HEADERS, END_HEADERS | END_STREAM, stream.id, entry())
    assert h2.wait(stream).complete
    use_entry(h2)


def test_2_2_trailers_of_a_stream_that_the_server_has_reset_add_entries(h2):
    stream = send(h2, request(h2) + literal("connection", "close"), end=False)
    h2.wait_reset(stream)
    h2.send_frame(HEADERS, END_HEADERS | END_STREAM, stream.id, entry())
    use_entry(h2)


def test_2_2_trailers_behind_an_early_response_add_entries(h2):
    stream = send(h2, request(h2, "/h2test/noread?n=1").replace(indexed(2), indexed(3)), end=False)
    h2.wait_reset(stream)
    h2.send_frame(DATA, 0, stream.id, b"late")
    h2.send_frame(HEADERS, END_HEADERS | END_STREAM, stream.id, entry())
    use_entry(h2)


def test_2_2_a_request_that_is_cancelled_in_the_same_segment_adds_entries(h2):
    with h2.cork():
        stream = send(h2, request(h2) + entry())
        h2.send_reset(stream)
    use_entry(h2)


def test_2_2_a_refused_request_adds_entries(connect, counter):
    client = connect("_few")
    client.wait_settings()
    path = "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter)
    held = [send(client, request(client, path)) for _ in range(3)]
    beyond = send(client, request(client) + entry())
    assert client.wait_reset(beyond).reset == REFUSED_STREAM
    counter.open()
    client.wait(*held)
    use_entry(client)


def test_2_2_a_broken_block_of_a_stream_that_is_reset_is_an_error_of_the_connection(h2):
    stream = send(h2, request(h2) + literal("connection", "close"), end=False)
    h2.wait_reset(stream)
    h2.send_frame(HEADERS, END_HEADERS | END_STREAM, stream.id, indexed(0))
    COMPRESSION.check(h2)


def test_2_2_a_broken_block_of_trailers_is_an_error_of_the_connection(h2):
    stream = send(h2, request(h2, "/h2test/read").replace(indexed(2), indexed(3)), end=False)
    h2.send_frame(HEADERS, END_HEADERS | END_STREAM, stream.id, indexed(FIRST + 5))
    COMPRESSION.check(h2)


# -- what the server sends ------------------------------------------------------------------------


def response_blocks(client):
    return [f.payload for f in client.received(HEADERS)]


def starts_with_updates(payload):
    """The sizes that a block begins with."""
    sizes, at = [], 0
    while payload[at] & 0xe0 == SIZE_UPDATE:
        value, at = payload[at] & 31, at + 1
        if value == 31:
            shift = 0
            while True:
                value += (payload[at] & 127) << shift
                shift += 7
                at += 1
                if not payload[at - 1] & 128:
                    break
        sizes.append(value)
    return sizes


def test_4_2_a_table_of_0_is_signalled_and_used_for_nothing(connect):
    client = connect(settings={HEADER_TABLE_SIZE: 0})
    client.decoder.max_allowed_table_size = 0
    for _ in range(3):
        assert client.get("/h2test/write?n=10").complete
    blocks = response_blocks(client)
    assert starts_with_updates(blocks[0]) == [0]
    assert all(not starts_with_updates(block) for block in blocks[1:])
    # nothing is said to be added: neither 01xxxxxx nor an index beyond the static table
    assert not client.decoder.header_table.dynamic_entries


def test_4_2_a_smaller_table_is_signalled_and_respected(connect):
    client = connect(settings={HEADER_TABLE_SIZE: 100})
    client.decoder.max_allowed_table_size = 100
    for _ in range(3):
        assert client.get("/h2test/write?n=10").complete
    assert starts_with_updates(response_blocks(client)[0]) == [100]
    assert client.decoder.header_table_size == 100


def test_4_2_a_table_that_shrinks_between_blocks_is_signalled(h2):
    assert h2.get("/h2test/write?n=10").complete
    acks = h2.settings_acks
    h2.send_settings({HEADER_TABLE_SIZE: 64})
    h2.wait_for(lambda: h2.settings_acks > acks, "the ACK")
    h2.decoder.max_allowed_table_size = 64
    assert h2.get("/h2test/write?n=10").complete
    assert starts_with_updates(response_blocks(h2)[-1]) == [64]


def test_4_2_of_a_table_that_shrinks_and_grows_between_blocks_the_smallest_size_is_signalled(h2):
    assert h2.get("/h2test/write?n=10").complete
    acks = h2.settings_acks
    h2.send_settings({HEADER_TABLE_SIZE: 0})
    h2.send_settings({HEADER_TABLE_SIZE: 4096})
    h2.wait_for(lambda: h2.settings_acks == acks + 2, "the ACKs")
    assert h2.get("/h2test/write?n=10").complete
    updates = starts_with_updates(response_blocks(h2)[-1])
    assert updates[:1] == [0] and len(updates) <= 2


@pytest.mark.parametrize("size", [
    pytest.param(size, id="4.2 a table of %d may be used or not" % size)
    for size in (65536, 2 ** 32 - 1)])
def test_larger_tables(connect, size):
    """The server keeps to what it has said in an update, if any."""
    client = connect(settings={HEADER_TABLE_SIZE: size})
    client.decoder.max_allowed_table_size = size
    for path in ("/h2test/write?n=10", "/cgi/env", "/nothing/there"):
        assert client.get(path).complete
    assert all(n <= size for block in response_blocks(client) for n in starts_with_updates(block))
    is_alive(client)


def test_4_2_no_update_is_sent_without_need(h2):
    for _ in range(3):
        assert h2.get("/h2test/write?n=10").complete
    assert not any(starts_with_updates(block) for block in response_blocks(h2))


def test_4_4_a_response_s_fields_larger_than_the_table_arrive(connect):
    """Trailers of 6000 bytes, twice: they cannot be an entry."""
    client = connect()
    for _ in range(2):
        stream = client.get("/h2test/write?n=10&trailer_bytes=6000")
        assert stream.complete and len(dict(stream.trailers)["x-large"]) == 6000
    is_alive(client)
