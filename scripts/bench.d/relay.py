"""relay.py PORT MILLISECONDS: a long line. Listens on a free loopback port, prints it, and hands
bytes to 127.0.0.1:PORT and back, each after the delay. Ends when its parent ends it, or after two
minutes."""

import asyncio
import sys

_LIFE_SECONDS = 120
_READ_BYTES = 1 << 18
# As much as a fast long line holds: 64 chunks in flight are 16 MiB.
_CHUNKS_IN_FLIGHT = 64


async def _pump(reader, writer, delay):
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue(_CHUNKS_IN_FLIGHT)

    async def deliver():
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    delivery = asyncio.create_task(deliver())
    try:
        while True:
            data = await reader.read(_READ_BYTES)
            await queue.put((loop.time() + delay, data))
            if not data:
                break
        await delivery
    except OSError:
        pass
    finally:
        delivery.cancel()


async def _main(port, delay):
    async def serve(reader, writer):
        back_reader, back_writer = await asyncio.open_connection(
            "127.0.0.1", port, limit=_READ_BYTES)
        await asyncio.gather(_pump(reader, back_writer, delay), _pump(back_reader, writer, delay),
                             return_exceptions=True)
        back_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_READ_BYTES)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(_LIFE_SECONDS)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), float(sys.argv[2]) / 1000))
