# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""gRPC: a real client, our module, mod_proxy_http2, a real server; nobody of them knows of it."""

import asyncio
import contextlib
import itertools
import queue
import re
import socket
import threading
import time
from statistics import median

import grpc
import grpc.aio
import pytest

import environment as env
from conftest import open_client
from demosite import pattern
from environment import wait_until
from grpc_server import GrpcServer
from grpc import StatusCode
from h2client import CONTINUATION, DATA, HEADERS, frame_bytes
from scripted import ScriptedHttp2
from servers import SITE

ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1)]
names = map("call-{}".format, itertools.count())
MIB = 1 << 20
SOON = 0.05 * env.SLOWER        # mod_proxy_http2 itself looks at its client each 0.1 s at best

VHOST = """
<VirtualHost *:{port_%s}>
    ServerName a.test
    Protocols h2 h2c
    %s
    ProxyPass / %s
</VirtualHost>
"""
CONFIG = SITE.replace("ProxyPass /proxy/ http://127.0.0.1:{backend}/", "") + """
Timeout 20
SSLProxyEngine on
SSLProxyVerify none
SSLProxyCheckPeerName off
<Proxy balancer://grpc>
    BalancerMember h2c://127.0.0.1:{grpc}
</Proxy>
""" + "".join(VHOST % lines for lines in (
    ("tls", "{tls}", "h2c://127.0.0.1:{grpc}/"),
    ("clear", "", "h2c://127.0.0.1:{grpc}/"),
    ("tlsback", "{tls}", "h2://127.0.0.1:{grpctls}/"),
    ("balancer", "", "balancer://grpc/"),
    ("none", "", "h2c://127.0.0.1:1/ retry=0"),
    ("dies", "", "h2c://127.0.0.1:{dies}/ retry=0"),
    ("ping", "LogLevel http2:debug", "h2c://127.0.0.1:{grpc}/"),
    ("impatient", "Timeout 1", "h2c://127.0.0.1:{grpc}/ timeout=10"),
))
PORTS = ("tls", "clear", "tlsback", "balancer", "none", "dies", "ping", "impatient")

# Each call that is open holds a thread and a connection to the back end. A connection of a client
# has half of the threads.
MANY, CONNECTIONS = 1000, 4
MANY_CONFIG = SITE + """
H2MaxWorkers %d
H2MaxSessionStreams %d
ThreadStackSize 262144
""" % (MANY, MANY // CONNECTIONS) + VHOST % ("clear", "", "h2c://127.0.0.1:{grpc}/")


@pytest.fixture(scope="module")
def backend(servers):
    server = GrpcServer(servers.certs)
    yield server
    server.close()


@pytest.fixture(scope="module")
def mortal(servers):
    """One that a test ends."""
    server = GrpcServer(servers.certs)
    yield server
    server.close()


def expand(config, backend, mortal=None):
    for name, value in (("grpc", backend.port), ("grpctls", backend.tls_port),
                        ("dies", mortal.port if mortal else 1)):
        config = config.replace("{%s}" % name, str(value))
    return config


@pytest.fixture
def httpd(servers, mpm, backend, mortal):
    # The worker MPM needs a thread for each connection.
    return servers.get("grpc", mpm, expand(CONFIG, backend, mortal), threads=32, ports=PORTS,
                       modules=["proxy_http2", "proxy_balancer", "lbmethod_byrequests",
                                "slotmem_shm"])


class Calls:
    """A client's connection; `to` is the address and port."""

    def __init__(self, port, certs=None, options=()):
        to, options = "127.0.0.1:%d" % port, [*ANY_SIZE, *options]
        if certs:
            options.append(("grpc.ssl_target_name_override", "a.test"))
            root = grpc.ssl_channel_credentials((certs / "cert.pem").read_bytes())
            self.channel = grpc.secure_channel(to, root, options)
        else:
            self.channel = grpc.insecure_channel(to, options)
        self.unary = self._calls(self.channel.unary_unary)
        self.to_stream = self._calls(self.channel.unary_stream)
        self.from_stream = self._calls(self.channel.stream_unary)
        self.both = self._calls(self.channel.stream_stream)

    @staticmethod
    def _calls(make):
        def call(name, request=b"", metadata=(), timeout=20 * env.SLOWER):
            return make("/calls/" + name)(request, metadata=tuple(metadata), timeout=timeout)

        def start(name, request=b"", metadata=(), timeout=20 * env.SLOWER):
            return make("/calls/" + name).future(request, metadata=tuple(metadata),
                                                 timeout=timeout)

        def with_call(name, request=b"", metadata=(), timeout=20 * env.SLOWER):
            return make("/calls/" + name).with_call(request, metadata=tuple(metadata),
                                                    timeout=timeout)
        call.start, call.with_call = start, with_call
        return call


@pytest.fixture
def connection(httpd, servers):
    """Makes connections to one of the server's ports."""
    with contextlib.ExitStack() as stack:
        def connection(port="clear", **options):
            calls = Calls(httpd.ports[port], servers.certs if port.startswith("tls") else None,
                          **options)
            stack.callback(calls.channel.close)
            return calls
        yield connection


@pytest.fixture
def calls(connection, transport):
    return connection(transport)


@pytest.fixture
def plain(connection):
    """The same in clear text, where TLS makes no difference."""
    return connection("clear")


@pytest.fixture
def control(backend):
    """To the back end itself."""
    calls = Calls(backend.port)
    yield calls.unary
    calls.channel.close()


class Messages:
    """What a client streams: an iterator that gives what is put."""

    def __init__(self, *first):
        self.queue = queue.Queue()
        for message in first:
            self.queue.put(message)

    def __iter__(self):
        return iter(self.queue.get, None)

    def put(self, message):
        self.queue.put(message)

    def end(self):
        self.queue.put(None)


def error_of(call):
    """The error that a call ends with, after what messages."""
    messages = []
    with pytest.raises(grpc.RpcError) as info:
        result = call()
        for message in result if hasattr(result, "__next__") else ():
            messages.append(message)
    return info.value, messages


def ended(control, name):
    """How the call of this name ended at the server, and when."""
    how, when = control("ended", name.encode()).decode().split()
    return how, float(when)


# -- messages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 16384, 65536, 4 * MIB])
def test_a_message_comes_back(calls, size):
    assert calls.unary("echo", pattern(size)) == pattern(size)


@pytest.mark.parametrize("size", [1, 100000, 4 * MIB])
def test_each_kind_of_call_works(calls, size):
    name, messages = next(names), [pattern(size, i) for i in range(3)]
    assert len(calls.unary("size", b"%d" % size)) == size
    found = list(calls.to_stream("count", b"3 %d" % size))
    assert [message[:1] for message in found] == [b"0", b"1", b"2"]
    assert all(len(message) == max(size, 2) for message in found)
    answer = calls.from_stream("hash", iter(messages), metadata=[("call", name)])
    assert answer.startswith(b"3 %d " % (3 * size))
    assert list(calls.both("chat", iter(messages))) == messages


def test_streams_without_a_message_end_well(calls):
    assert list(calls.to_stream("count", b"0 0")) == []
    assert calls.from_stream("hash", iter([]), [("call", next(names))]).startswith(b"0 0 ")
    assert list(calls.both("chat", iter([]))) == []


def test_a_back_end_may_be_asked_over_tls(connection):
    calls = connection("tlsback")
    for size in (0, 1, MIB):
        assert calls.unary("echo", pattern(size)) == pattern(size)
        assert list(calls.both("chat", iter([pattern(size)] * 3))) == [pattern(size)] * 3
    error, _ = error_of(lambda: calls.unary("fail", b"DATA_LOSS all of it"))
    assert (error.code(), error.details()) == (StatusCode.DATA_LOSS, "all of it")


# -- when messages come -----------------------------------------------------------------------------


def test_a_message_of_the_server_comes_before_it_sends_the_next(calls, control):
    name = next(names)
    stream = calls.to_stream("steps", b"5", metadata=[("call", name)])
    for number in range(5):
        assert next(stream) == b"%d" % number
        control("release", name.encode())
    assert list(stream) == []


def test_a_message_of_the_client_is_there_before_it_sends_the_next(calls, control):
    name, messages = next(names), Messages()
    call = calls.from_stream.start("hash", iter(messages), metadata=[("call", name)])
    for number in range(1, 6):
        messages.put(b"message")
        control("received", b"%s %d" % (name.encode(), number))
    messages.end()
    assert call.result().startswith(b"5 35 ")


def test_a_thousand_messages_go_to_and_fro(calls):
    messages = Messages()
    stream = calls.both("chat", iter(messages))
    for number in range(1000):
        messages.put(b"%d" % number)
        assert next(stream) == b"%d" % number
    messages.end()
    assert list(stream) == []


def test_a_message_after_a_pause_is_passed_on_at_once(connection):
    """For mod_proxy_http2 alone it would be the next time it looks."""
    for port in ("clear", "tlsback"):
        messages, times = Messages(b"first"), []
        stream = connection(port).both("chat", iter(messages))
        next(stream)
        for _ in range(9):
            time.sleep(0.15)        # so long that it looks as seldom as it ever does
            started = time.monotonic()
            messages.put(b"x")
            next(stream)
            times.append(time.monotonic() - started)
        messages.end()
        assert list(stream) == [] and median(times) < 0.4 * SOON, times


def test_a_message_of_the_client_does_not_break_up_a_head_of_the_server(servers):
    """Between a HEADERS frame and its CONTINUATION no other frame may stand (RFC 9113, 6.10), and
    so none of those that tell mod_proxy_http2 of a message."""
    begun, requests = threading.Event(), []

    def script(exchange, type, stream_id):
        if type == HEADERS:
            exchange.send(frame_bytes(HEADERS, 0, stream_id, b"\x88"))      # :status 200, and more
            requests.append(stream_id)
            begun.set()
        elif type == DATA:
            exchange.send(frame_bytes(CONTINUATION, 4, stream_id, b"\0\6x-late\3yes")
                          + frame_bytes(DATA, 1, stream_id, b"the body"))

    back = ScriptedHttp2(script)
    httpd = servers.get("split", "event", SITE + VHOST % (
        "clear", "", "h2c://127.0.0.1:%d/" % back.port), modules=["proxy_http2"])
    client = open_client(httpd, "clear")
    stream = client.request("POST", "/", end=False)
    assert begun.wait(10)
    time.sleep(0.1)             # so that mod_proxy_http2 waits
    client.send_data(stream, b"message")
    client.wait_bytes(stream, len("the body"))
    assert stream.status == 200 and stream.headers["x-late"] == "yes"
    assert stream.text == "the body"
    assert len(requests) == 1           # else mod_proxy_http2 has asked again after an error
    back.close()


def test_a_server_may_answer_all_before_the_client_has_sent_all(calls):
    messages = Messages(b"one", b"end")
    stream = calls.both("chat", iter(messages))
    assert list(stream) == [b"one"]
    messages.end()
    assert stream.code() == StatusCode.OK


# -- deadlines and cancellation ---------------------------------------------------------------------


def test_the_deadline_of_a_client_is_known_to_the_server(calls):
    assert 5 < float(calls.unary("remaining", timeout=7)) <= 7.01


def test_a_call_ends_at_its_deadline_on_both_sides(calls, control):
    name, started = next(names), time.monotonic()
    error, _ = error_of(lambda: calls.unary("wait", metadata=[("call", name)], timeout=0.3))
    assert error.code() == StatusCode.DEADLINE_EXCEEDED
    assert 0.29 < time.monotonic() - started < 0.3 + 1 * env.SLOWER
    how, when = ended(control, name)
    assert how == "cancelled" and when - started < 0.3 + 1 * env.SLOWER


def start(calls, kind, name):
    metadata = [("call", name)]
    if kind == "unary":
        return calls.unary.start("wait", metadata=metadata)
    if kind == "from_stream":
        return calls.from_stream.start("hash", iter(Messages(b"one")), metadata=metadata)
    if kind == "to_stream":
        stream = calls.to_stream("steps", b"2", metadata=metadata)
    else:
        stream = calls.both("chat", iter(Messages(b"one")), metadata=metadata)
    next(stream)
    return stream


@pytest.mark.parametrize("kind", ["unary", "to_stream", "from_stream", "both"])
def test_the_server_sees_at_once_that_a_client_cancels(calls, control, kind):
    """A unary call's cancellation mod_proxy_http2 alone would never see, as it has all of it."""
    times = []
    for _ in range(3):
        name = next(names)
        call = start(calls, kind, name)
        if kind in ("unary", "from_stream"):
            control("received", name.encode() + b" 1")
        time.sleep(0.15)        # so long that mod_proxy_http2 looks as seldom as it ever does
        cancelled = time.monotonic()
        call.cancel()
        how, when = ended(control, name)
        assert how == "cancelled"
        times.append(when - cancelled)
        assert call.code() == StatusCode.CANCELLED
    assert min(times) < SOON, times
    assert calls.unary("echo", b"afterwards") == b"afterwards"


def test_a_cancelled_call_takes_no_back_end_out_of_its_balancer(connection, control):
    calls = connection("balancer")
    for _ in range(3):
        name = next(names)
        call = start(calls, "unary", name)
        control("received", name.encode() + b" 1")
        call.cancel()
        assert ended(control, name)[0] == "cancelled"
        assert calls.unary("echo", b"x") == b"x"


def test_a_closed_connection_cancels_its_calls(connection, control):
    calls, running = connection("tls"), {next(names): None for _ in range(10)}
    for name in running:
        running[name] = start(calls, "unary", name)
        control("received", name.encode() + b" 1")
    calls.channel.close()
    assert {ended(control, name)[0] for name in running} == {"cancelled"}


def test_a_client_that_has_gone_away_cancels_its_calls(httpd, transport, control):
    """Its system sends FIN, as for one that has ended its side only and waits for the answer."""
    name = next(names)
    client = open_client(httpd, transport)
    client.request("POST", "/calls/wait", {"content-type": "application/grpc", "te": "trailers",
                                           "call": name}, body=bytes(5))
    control("received", name.encode() + b" 1")
    client.ping()        # else its system would send RST
    client.wire.close()
    closed = time.monotonic()
    how, when = ended(control, name)
    assert how == "cancelled" and when - closed < 1 * env.SLOWER


def test_a_client_that_has_ended_its_side_gets_its_answer(httpd, transport, control):
    name = next(names)
    client = open_client(httpd, transport)
    stream = client.request("POST", "/calls/wait", {
        "content-type": "application/grpc", "te": "trailers", "call": name}, body=bytes(5))
    control("received", name.encode() + b" 1")
    client.wire.sock.shutdown(socket.SHUT_WR)
    time.sleep(0.2)             # in which the call must not end: nothing is to be seen
    control("release", name.encode())
    assert client.wait(stream).body[5:] == b"released" and stream.complete
    assert dict(stream.trailers)["grpc-status"] == "0"


# -- status -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("details", ["not here", "Größe 100% ✓\nzwei", ""])
def test_an_error_before_any_message_is_a_response_of_trailers_only(calls, details):
    for _ in range(2):
        error, _ = error_of(lambda: calls.unary("fail", b"NOT_FOUND " + details.encode()))
        assert (error.code(), error.details()) == (StatusCode.NOT_FOUND, details)
        found = dict(error.trailing_metadata())
        assert found["end-reason"] == "asked for" and found["end-bin"] == b"\0\xff\1"
    error, _ = error_of(lambda: calls.unary("no-such-method"))
    assert error.code() == StatusCode.UNIMPLEMENTED


def test_an_error_after_the_metadata_is_known(calls):
    """mod_proxy_http2 adds trailers that follow a head at once to the head."""
    error, _ = error_of(lambda: calls.unary("fail_late", b"ABORTED later"))
    assert (error.code(), error.details()) == (StatusCode.ABORTED, "later")
    found = dict([*error.initial_metadata(), *error.trailing_metadata()])
    assert found["head-first"] == "yes" and found["end-reason"] == "asked for"


def test_an_error_after_messages_comes_after_them(calls):
    request = b"RESOURCE_EXHAUSTED no more"
    error, messages = error_of(lambda: calls.to_stream("fail_after", request))
    assert messages == [b"0", b"1", b"2"]
    assert (error.code(), error.details()) == (StatusCode.RESOURCE_EXHAUSTED, "no more")
    assert dict(error.trailing_metadata())["end-bin"] == b"\0\xff\1"


def test_a_server_ends_a_call_that_its_client_goes_on_with(calls):
    messages = Messages(b"one", b"fail OUT_OF_RANGE enough")
    error, found = error_of(lambda: calls.both("chat", iter(messages)))
    messages.end()
    assert found == [b"one"]
    assert (error.code(), error.details()) == (StatusCode.OUT_OF_RANGE, "enough")


# -- metadata ---------------------------------------------------------------------------------------


def test_metadata_go_both_ways(calls):
    binary = bytes(range(256)) * 4
    sent = [("head-text", "a value"), ("head-twice", "1"), ("head-twice", "2"),
            ("head-one-bin", binary), ("end-text", "x" * 5000), ("end-two-bin", b"\0"),
            ("end-twice", "3"), ("end-twice", "4")]
    _, call = calls.unary.with_call("echo", b"", metadata=sent)
    for found, prefix in ((call.initial_metadata(), "head-"), (call.trailing_metadata(), "end-")):
        values = {}
        for name, value in found:
            values.setdefault(name, []).append(value)
        for name, value in sent:
            if name.startswith(prefix):
                # httpd makes one field of several of one name in a request
                expected = {"head-twice": ["1, 2"], "end-twice": ["3, 4"]}.get(name, [value])
                assert values[name] == expected


# -- many calls -------------------------------------------------------------------------------------


@pytest.fixture
def many_server(servers, mpm, backend):
    return servers.get("grpc-many", mpm, expand(MANY_CONFIG, backend), ports=("clear",),
                       threads=32, modules=["proxy_http2"], nofile=16384)


async def chat_with_all(port, count):
    """So many calls that are all open at the same time."""
    channels = [grpc.aio.insecure_channel("127.0.0.1:%d" % port, options=ANY_SIZE)
                for _ in range(CONNECTIONS)]
    calls = [channels[i % CONNECTIONS].stream_stream("/calls/chat")(timeout=60 * env.SLOWER)
             for i in range(count)]

    async def talk(number, text):
        await calls[number].write(b"%s %d" % (text, number))
        assert await calls[number].read() == b"%s %d" % (text, number)
    for text in (b"hello", b"again"):
        await asyncio.gather(*(talk(i, text) for i in range(count)))

    async def end(call):
        await call.done_writing()
        assert await call.read() == grpc.aio.EOF
        return await call.code()
    codes = await asyncio.gather(*map(end, calls))
    for channel in channels:
        await channel.close()
    return codes


def test_a_thousand_calls_are_open_on_four_connections(many_server):
    codes = asyncio.run(chat_with_all(many_server.ports["clear"], MANY))
    assert codes == [StatusCode.OK] * MANY


async def echo_many(port, count):
    async with grpc.aio.insecure_channel("127.0.0.1:%d" % port, options=ANY_SIZE) as channel:
        echo = channel.unary_unary("/calls/echo")
        return await asyncio.gather(*(echo(b"%d" % i, timeout=60 * env.SLOWER)
                                      for i in range(count)))


def test_a_thousand_short_calls_need_few_threads(httpd):
    """More than may be open at a time wait in the client."""
    found = asyncio.run(echo_many(httpd.ports["clear"], MANY))
    assert found == [b"%d" % i for i in range(MANY)]


def test_descriptors_of_ended_calls_are_closed(httpd, plain, control):
    def end_some():
        for kind in ("unary", "both"):
            name = next(names)
            start(plain, kind, name).cancel()
        plain.unary("echo")
    end_some()
    wait_until(lambda: "1" if httpd.descriptors() else "", "the first ones")
    before = httpd.descriptors()
    for _ in range(20):
        end_some()
    wait_until(lambda: httpd.descriptors() <= before + 10, "their descriptors to be closed")


# -- connections ------------------------------------------------------------------------------------


def test_keepalive_pings_are_answered(httpd, connection, control):
    calls = connection("ping", options=[
        ("grpc.keepalive_time_ms", 100), ("grpc.keepalive_timeout_ms", 5000 * env.SLOWER),
        ("grpc.http2.max_pings_without_data", 0), ("grpc.keepalive_permit_without_calls", 1)])
    name, position = next(names), len(httpd.errors())
    call = start(calls, "unary", name)
    wait_until(lambda: len(re.findall(r"sent FRAME\[PING.*flags=1", httpd.errors()[position:])) >= 2,
               "answers to pings")
    control("release", name.encode())
    assert call.result() == b"released"


def test_a_call_may_be_idle_longer_than_timeout(connection, control):
    """The back end's timeout counts for one that waits for the server; there is none else."""
    calls, name = connection("impatient"), next(names)
    messages = Messages(b"one")
    chat = calls.both("chat", iter(messages))
    next(chat)
    waiting = start(calls, "unary", name)
    time.sleep(2.2)             # longer than its timeout, which is what is tried
    messages.put(b"two")
    assert next(chat) == b"two"
    messages.end()
    assert list(chat) == []
    control("release", name.encode())
    assert waiting.result() == b"released"


def test_without_a_server_calls_are_unavailable(connection):
    calls = connection("none")
    error, _ = error_of(lambda: calls.unary("echo"))
    assert error.code() == StatusCode.UNAVAILABLE
    error, _ = error_of(lambda: calls.both("chat", iter([b"one"])))
    assert error.code() == StatusCode.UNAVAILABLE


def test_a_server_that_goes_away_ends_its_calls(connection, mortal, servers, mpm):
    if mpm != "event":
        pytest.skip("it goes away once")
    calls = connection("dies")
    assert calls.unary("echo", b"x") == b"x"
    stream, call = start(calls, "to_stream", "s"), start(calls, "unary", "u")
    mortal.process.kill()
    error, _ = error_of(lambda: stream)
    assert error.code() in (StatusCode.INTERNAL, StatusCode.UNAVAILABLE)
    assert call.code() == StatusCode.UNAVAILABLE
    error, _ = error_of(lambda: calls.unary("echo"))
    assert error.code() == StatusCode.UNAVAILABLE
