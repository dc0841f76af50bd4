"""A relay between two programs: one request a connection, passed on late, by TLS, or below another path."""

import asyncio
import contextlib
import threading


class Relay:
    """Listens on loopback and passes each request on to `port`; the heads of all are in `heads`.

    `at`: its own port, 0 for any. `delay`: seconds before a request is passed on, may be changed. `tls`: the context of the listener.
    `prefix`: is taken off the path; a request without it is answered with 404.
    """

    def __init__(self, port, at=0, delay=0.0, tls=None, prefix=""):
        self.to, self.delay, self.prefix = port, delay, prefix
        self.heads = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self.run(asyncio.start_server(self.serve, "127.0.0.1", at, ssl=tls))
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}{prefix}"

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def close(self):
        async def end():
            self.server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    async def serve(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            await asyncio.sleep(self.delay)
            await self.pass_on(head, reader, writer)
        writer.close()

    async def pass_on(self, head, reader, writer):
        request, *fields = head.split("\r\n")[:-2]
        method, path, version = request.split(" ")
        if not path.startswith(self.prefix + "/"):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        fields = [field for field in fields if not field.lower().startswith("connection:")]
        lines = [f"{method} {path.removeprefix(self.prefix)} {version}", *fields, "Connection: close", "", ""]
        from_there, to_there = await asyncio.open_connection("127.0.0.1", self.to)
        try:
            to_there.write("\r\n".join(lines).encode("latin-1"))
            pumps = [asyncio.ensure_future(pump(reader, to_there)), asyncio.ensure_future(pump(from_there, writer))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in pumps:
                    each.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            to_there.close()


async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
