# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A gRPC server as a process of its own; messages are bytes, so no code is generated for them.

    GrpcServer(certs)           starts it; `port` is clear text, `tls_port` TLS
    python3 grpc_server.py CERT KEY
                                is it: writes both ports to stdout, ends with its stdin

Its methods are those of Calls, as /calls/NAME. A call that may be looked at while it runs has a
name of its own, in the metadatum "call".
"""

import asyncio
import contextlib
import hashlib
import signal
import subprocess
import sys
import time


class GrpcServer:
    """The process; `port` and `tls_port` are those that it listens on."""

    def __init__(self, certs):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", __file__, str(certs / "cert.pem"), str(certs / "key.pem")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.port, self.tls_port = map(int, line.split())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)


class Watched:
    """What is known of the call of a name."""

    def __init__(self):
        self.changed = asyncio.Condition()
        self.received = 0           # messages
        self.released = 0           # how often its client said to go on
        self.ended = None           # "done" or "cancelled"
        self.ended_at = 0.0         # time.monotonic(), which all processes share

    async def set(self, **values):
        for name, value in values.items():
            setattr(self, name, value)
        async with self.changed:
            self.changed.notify_all()

    async def until(self, condition):
        async with self.changed:
            await self.changed.wait_for(lambda: condition(self))


class Calls:
    """unary, to_stream, from_stream, both: by what comes in and what goes out."""

    def __init__(self):
        self.watched = {}

    def watch(self, name):
        return self.watched.setdefault(name, Watched())

    def watch_of(self, context):
        return self.watch(dict(context.invocation_metadata()).get("call", "none"))

    # -- control: message NAME or NAME NUMBER; the answer comes when it is so ------------------

    async def unary_release(self, request, context):
        call = self.watch(request.decode())
        await call.set(released=call.released + 1)
        return b"ok"

    async def unary_received(self, request, context):
        name, number = request.decode().split()
        call = self.watch(name)
        await call.until(lambda c: c.received >= int(number))
        return b"%d" % call.received

    async def unary_ended(self, request, context):
        call = self.watch(request.decode())
        await call.until(lambda c: c.ended)
        return ("%s %r" % (call.ended, call.ended_at)).encode()

    # -- one message in, one out --------------------------------------------------------------

    async def unary_echo(self, request, context):
        """Metadata whose names begin with head- or end- are sent back, before or after it."""
        fields = list(context.invocation_metadata())
        head = tuple((k, v) for k, v in fields if k.startswith("head-"))
        context.set_trailing_metadata(tuple((k, v) for k, v in fields if k.startswith("end-")))
        if head:
            await context.send_initial_metadata(head)
        return request

    async def unary_size(self, request, context):
        return bytes(range(251)) * (int(request) // 251) + bytes(range(int(request) % 251))

    async def unary_metadata(self, request, context):
        """A metadatum as the server has it, by its name."""
        return "\n".join("%s" % v for k, v in context.invocation_metadata()
                         if k == request.decode()).encode()

    async def unary_remaining(self, request, context):
        """Seconds that are left."""
        return repr(context.time_remaining()).encode()

    async def unary_wait(self, request, context):
        """Until it is released or cancelled."""
        call = self.watch_of(context)
        await call.set(received=1)
        try:
            await call.until(lambda c: c.released)
        except asyncio.CancelledError:
            await call.set(ended_at=time.monotonic(), ended="cancelled")
            raise
        await call.set(ended_at=time.monotonic(), ended="done")
        return b"released"

    async def unary_fail(self, request, context):
        """Message: CODE DETAILS; nothing is sent but the status."""
        await self._fail(request, context)

    async def unary_fail_late(self, request, context):
        await context.send_initial_metadata((("head-first", "yes"),))
        await self._fail(request, context)

    async def _fail(self, request, context):
        import grpc
        name, _, details = request.decode().partition(" ")
        context.set_trailing_metadata((("end-reason", "asked for"), ("end-bin", b"\0\xff\1")))
        await context.abort(getattr(grpc.StatusCode, name), details)

    # -- streams ------------------------------------------------------------------------------

    async def to_stream_count(self, request, context):
        """Message: NUMBER of messages and SIZE of each."""
        count, size = map(int, request.split())
        for number in range(count):
            yield (b"%d " % number).ljust(size, b".")

    async def to_stream_steps(self, request, context):
        """So many messages; all but the first wait until the client has released them."""
        call = self.watch_of(context)
        try:
            for number in range(int(request)):
                await call.until(lambda c: c.released >= number)
                yield b"%d" % number
        except asyncio.CancelledError:
            await call.set(ended_at=time.monotonic(), ended="cancelled")
            raise
        await call.set(ended_at=time.monotonic(), ended="done")

    async def to_stream_fail_after(self, request, context):
        """Three messages, and then an error."""
        for number in range(3):
            yield b"%d" % number
        await self._fail(request, context)

    @contextlib.asynccontextmanager
    async def noting_end(self, call):
        """A stream of messages that was cancelled seems to have ended, for a moment."""
        try:
            yield
            await call.set(ended_at=time.monotonic())
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            await call.set(ended_at=call.ended_at or time.monotonic(), ended="cancelled")
            raise
        await call.set(ended="done")

    async def from_stream_hash(self, requests, context):
        call = self.watch_of(context)
        digest, size = hashlib.sha256(), 0
        async with self.noting_end(call):
            async for request in requests:
                digest.update(request)
                size += len(request)
                await call.set(received=call.received + 1)
        return ("%d %d %s" % (call.received, size, digest.hexdigest())).encode()

    async def both_chat(self, requests, context):
        """Each message comes back at once. "end" and "fail CODE DETAILS" are obeyed."""
        call = self.watch_of(context)
        async with self.noting_end(call):
            async for request in requests:
                if request == b"end":
                    break
                if request.startswith(b"fail "):
                    await self._fail(request[5:], context)
                yield request


KINDS = {"unary": "unary_unary", "to_stream": "unary_stream", "from_stream": "stream_unary",
         "both": "stream_stream"}


def handlers(calls):
    import grpc
    found = {}
    for kind, rpc in KINDS.items():
        for name in dir(calls):
            if name.startswith(kind + "_"):
                make = getattr(grpc, rpc + "_rpc_method_handler")
                found[name[len(kind) + 1:]] = make(getattr(calls, name))
    return grpc.method_handlers_generic_handler("calls", found)


async def serve(cert, key):
    import grpc.aio
    server = grpc.aio.server(options=(
        ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
        # keepalive pings of clients are welcome at any rate
        ("grpc.http2.min_ping_interval_without_data_ms", 10),
        ("grpc.http2.max_ping_strikes", 0)))
    server.add_generic_rpc_handlers((handlers(Calls()),))
    port = server.add_insecure_port("127.0.0.1:0")
    tls_port = server.add_secure_port(
        "127.0.0.1:0", grpc.ssl_server_credentials([(key, cert)]))
    await server.start()
    print(port, tls_port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(None)


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cert, key = (open(path, "rb").read() for path in sys.argv[1:3])
    asyncio.run(serve(cert, key))


if __name__ == "__main__":
    main()
