"""Clients that are in each other's way on purpose, over every door, and see whether a message is their own.

All of them use the same ids and progress tokens at the same time. Each call carries a word that nobody else has said;
the worker (workers/secret_server.py) repeats it in everything that it says of the call. What a client hears must be of
a call that it has in flight, under the id and the token of that call, with its word, and no answer comes twice.

A door is a class below: how messages go out and come in. Nothing is retried: what HTTP or the protocol forbids is an error.
"""

import asyncio
import contextlib
import itertools
import json
import os
import random

MODERN = "2026-07-28"
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "crossing", "version": "1"}}
ENVELOPE = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
WAIT = 30  # seconds for an answer: a deadline, not a measure
LISTS_CHANGED = {f"notifications/{what}/list_changed" for what in ("tools", "prompts", "resources")}


class Crossed(AssertionError):
    """Somebody heard what is not theirs, twice, or never what is."""


class Call:
    """A call in flight."""

    def __init__(self, word, token):
        self.word = word
        self.token = token
        self.is_given_up = False
        self.progress = 0
        self.stream = None  # what its door keeps for it
        self.done = asyncio.get_running_loop().create_future()


class Ledger:
    """What one client has in flight, and the judge of what it hears."""

    def __init__(self, name):
        self.name = name
        self.calls = {}  # id -> Call
        self.serial = itertools.count()
        self.counts = {"answers": 0, "progress": 0, "cancelled": 0, "lists": 0, "cursors": 0, "reconnects": 0, "resumed": 0}

    def begin(self, number, token):
        if number in self.calls:
            raise ValueError(f"{number} is in flight")
        self.calls[number] = Call(f"{self.name}/{next(self.serial)}", token)
        return self.calls[number]

    def forget_all(self):
        for call in self.calls.values():
            call.done.cancel()
        self.calls.clear()

    def hear(self, message):
        if "method" not in message:
            self.hear_answer(message)
        elif message["method"] == "notifications/progress":
            self.hear_progress(message["params"])
        elif message["method"] not in LISTS_CHANGED:
            raise Crossed(f"{self.name}: nobody asked for {message}")

    def hear_answer(self, message):
        call = self.calls.pop(message.get("id"), None)
        if call is None:
            raise Crossed(f"{self.name}: an answer to nothing: {str(message)[:300]}")
        if call.is_given_up and "error" in message:
            return  # a POST must have some answer
        if "error" in message:
            raise Crossed(f"{self.name}: {call.word} failed: {message}")
        if call.word is not None and message["result"]["content"][0]["text"] != call.word:
            raise Crossed(f"{self.name}: {call.word} was answered with {message}")
        self.counts["answers"] += 1
        if not call.done.done():
            call.done.set_result(message["result"])

    def hear_progress(self, params):
        mine = [call for call in self.calls.values() if same(call.token, params["progressToken"])]
        if not mine:
            raise Crossed(f"{self.name}: progress of nothing: {params}")
        if mine[0].word != params["message"] or params["progress"] <= mine[0].progress:
            raise Crossed(f"{self.name}: {mine[0].word} heard {params}")
        mine[0].progress = params["progress"]
        self.counts["progress"] += 1


def same(one, other):
    """7 is not "7", and True is not 1."""
    return type(one) is type(other) and one == other


# --- HTTP and event streams -----------------------------------------------------------------------


class Http:
    """One connection: a request at a time, its response as a head and a body that is read piece by piece."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def request(self, method, path, headers=(), body=None):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *(f"{k}: {v}" for k, v in dict(headers).items())]
        data = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        await self.writer.drain()
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        return self

    async def pieces(self):
        """The body as it comes."""
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                yield (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        elif "content-length" in self.headers:
            yield await self.reader.readexactly(int(self.headers["content-length"]))
        elif self.status not in (202, 204):
            while piece := await self.reader.read(65536):
                yield piece

    async def body(self):
        return b"".join([piece async for piece in self.pieces()])

    async def events(self):
        """(id, name, data) of each event with data; comments and such are skipped."""
        text = b""
        async for piece in self.pieces():
            text += piece
            while b"\n\n" in text:
                raw, text = text.split(b"\n\n", 1)
                fields = dict(line.partition(b":")[::2] for line in raw.split(b"\n") if not line.startswith(b":"))
                fields = {key.decode(): value.decode().removeprefix(" ") for key, value in fields.items()}
                yield fields.get("id"), fields.get("event", "message"), fields.get("data", "")

    def close(self):
        if self.writer is not None:
            self.writer.transport.abort()
            self.writer = None


# --- doors ----------------------------------------------------------------------------------------


class Door:
    """One client's way in. `hear` is called with each message; tasks that fail end the client (see Client.run)."""

    can_reconnect = True

    def __init__(self, hear):
        self.hear = hear
        self.tasks = set()

    def start(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)

    def check(self):
        """Raises what has gone wrong in the background."""
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.discard(task)
            if not task.cancelled():
                task.result()

    async def stop(self):
        tasks, self.tasks = self.tasks, set()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Crossed):
                raise result

    async def request(self, number, method, params, call):
        await self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    async def cancel(self, number, call):
        await self.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})

    async def handshake(self, ask):
        await ask("initialize", INITIALIZE)
        await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})


class Lines(Door):
    """One message a line: the local socket, or standard input and output."""

    def __init__(self, hear, place):
        super().__init__(hear)
        self.place = place

    async def open(self):
        self.reader, self.writer = await asyncio.open_unix_connection(str(self.place), limit=1 << 24)
        self.start(self.read())

    async def read(self):
        while line := await self.reader.readline():
            self.hear(json.loads(line))
        raise Crossed(f"{self.place}: the stream has ended")

    async def send(self, message):
        self.writer.write(json.dumps(message).encode() + b"\n")
        await self.writer.drain()

    async def close(self):
        await self.stop()
        self.writer.transport.abort()


class Pipes(Lines):
    """Standard input and output of a daemon that somebody has started: (process, what is said at both)."""

    can_reconnect = False

    async def open(self):
        loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader(limit=1 << 24)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self.reader), dup(self.place.stdout, "rb"))
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, dup(self.place.stdin, "wb"))
        self.writer = asyncio.StreamWriter(transport, protocol, None, loop)
        self.start(self.read())


def dup(stream, mode):
    """A file of its own: asyncio closes what it is given."""
    return os.fdopen(os.dup(stream.fileno()), mode, buffering=0)


class Sse(Door):
    """HTTP+SSE."""

    def __init__(self, hear, port, prefix):
        super().__init__(hear)
        self.port, self.prefix = port, prefix

    async def open(self):
        self.stream, self.poster, self.turn = Http(self.port), Http(self.port), asyncio.Lock()
        await self.stream.request("GET", f"{self.prefix}/sse", {"Accept": "text/event-stream"})
        self.endpoint = asyncio.get_running_loop().create_future()
        self.start(self.read())
        self.endpoint = await asyncio.wait_for(self.endpoint, WAIT)

    async def read(self):
        async for _, name, data in self.stream.events():
            if name == "endpoint":
                self.endpoint.set_result(data)
            elif name == "message":
                self.hear(json.loads(data))
        raise Crossed("the stream has ended")

    async def send(self, message):
        async with self.turn:
            await self.poster.request("POST", self.endpoint, body=message)
            body = await self.poster.body()
        if self.poster.status != 202:
            raise Crossed(f"{message} got {self.poster.status} {body[:300]}")

    async def close(self):
        await self.stop()
        self.stream.close()
        self.poster.close()


class Streamable(Door):
    """Streamable HTTP with a session; a connection for each request that is under way."""

    def __init__(self, hear, port, prefix):
        super().__init__(hear)
        self.port, self.path = port, f"{prefix}/mcp"
        self.headers = {"Accept": "application/json, text/event-stream"}
        self.idle = []

    async def open(self):
        self.headers = {"Accept": "application/json, text/event-stream"}

    async def handshake(self, ask):
        await super().handshake(ask)
        listener = Http(self.port)
        await listener.request("GET", self.path, {**self.headers, "Accept": "text/event-stream"})
        if listener.status != 200:
            raise Crossed(f"GET {self.path}: {listener.status}")
        self.start(self.listen(listener))

    async def listen(self, listener):
        with contextlib.closing(listener):
            async for _, _, data in listener.events():
                if data:
                    self.hear(json.loads(data))

    async def send(self, message):
        await self.exchange(message, None)

    async def request(self, number, method, params, call):
        self.start(self.exchange({"jsonrpc": "2.0", "id": number, "method": method, "params": params}, call))

    async def exchange(self, message, call):
        connection = self.idle.pop() if self.idle else Http(self.port)
        if call is not None:
            call.stream = connection
        try:
            await connection.request("POST", self.path, self.headers_for(message), message)
            if not await self.take(connection, message, call):
                return
        except BaseException:
            connection.close()
            raise
        self.idle.append(connection)

    def headers_for(self, message):
        return self.headers

    async def take(self, connection, message, call):
        """Hears the response. False: the connection is of no use any more."""
        if "mcp-session-id" in connection.headers:
            self.headers = {**self.headers, "Mcp-Session-Id": connection.headers["mcp-session-id"],
                            "MCP-Protocol-Version": INITIALIZE["protocolVersion"]}
        if connection.headers.get("content-type", "").startswith("text/event-stream"):
            return await self.take_events(connection, call)
        body = await connection.body()
        if connection.status not in (200, 202):
            raise Crossed(f"{message} got {connection.status} {body[:300]}")
        if body:
            self.hear(json.loads(body))
        return True

    async def take_events(self, connection, call):
        """Reads a stream; where the call wants it broken, breaks it behind the next event and resumes it."""
        async for event, _, data in connection.events():
            if data:
                self.hear(json.loads(data))
            if call is not None and getattr(call, "is_to_break", False) and event and not call.done.done():
                call.is_to_break = False
                connection.close()
                await self.resume(event, call)
                return False
        return True

    async def resume(self, event, call):
        again = Http(self.port)
        with contextlib.closing(again):
            await again.request("GET", self.path, {**self.headers, "Accept": "text/event-stream", "Last-Event-ID": event})
            if again.status != 200:
                raise Crossed(f"{call.word}: resuming got {again.status}")
            call.was_resumed = True
            await self.take_events(again, call)

    async def close(self):
        await self.stop()
        await self.end_session()
        for connection in self.idle:
            connection.close()
        self.idle = []

    async def end_session(self):
        """With calls in flight, which end with it."""
        if "Mcp-Session-Id" not in self.headers:
            return
        last = Http(self.port)
        with contextlib.closing(last):
            await last.request("DELETE", self.path, self.headers)
            if last.status not in (200, 204):
                raise Crossed(f"DELETE {self.path}: {last.status}")


class Modern(Streamable):
    """The stateless revision: no session; who gives a call up closes its connection."""

    async def handshake(self, ask):
        await ask("server/discover", {})

    def headers_for(self, message):
        name = message["params"].get("name")
        return {**self.headers, "MCP-Protocol-Version": MODERN, "Mcp-Method": message["method"],
                **({"Mcp-Name": name} if name else {})}

    async def request(self, number, method, params, call):
        params = {**params, "_meta": {**params.get("_meta", {}), **ENVELOPE}}
        self.start(self.until_given_up({"jsonrpc": "2.0", "id": number, "method": method, "params": params}, call))

    async def until_given_up(self, message, call):
        try:
            await self.exchange(message, call)
        except (OSError, asyncio.IncompleteReadError, RuntimeError):
            if not call.is_given_up:
                raise

    async def cancel(self, number, call):
        call.stream.close()


# --- a client -------------------------------------------------------------------------------------


class Client:
    """Does what its own random numbers tell it, until the time is over."""

    def __init__(self, name, seed, make_door, tool, tools):
        self.ledger = Ledger(name)
        self.random = random.Random(f"{seed}/{name}")
        self.door = make_door(self.ledger.hear)
        self.tool = tool
        self.tools = tools  # all that its endpoint lists
        self.next_id = 0
        self.free = []  # ids that were answered
        self.numbers = itertools.count(1)

    async def run(self, until):
        loop = asyncio.get_running_loop()
        await self.connect()
        try:
            while loop.time() < until:
                await self.act()
                self.door.check()
            await self.settle()
            self.door.check()
        except Crossed:
            raise
        except Exception as error:
            raise Crossed(f"{self.ledger.name}: {type(error).__name__}: {error}") from error
        finally:
            await self.door.close()
        return self.ledger.counts

    async def connect(self):
        self.next_id, self.free = 0, []
        await self.door.open()
        await self.door.handshake(self.ask)

    def take_id(self):
        """The lowest that is free: so all clients have the same in flight."""
        if self.free:
            self.free.sort()
            return self.free.pop(0)
        self.next_id += 1
        return self.next_id

    async def ask(self, method, params):
        """A request and its answer."""
        number = self.take_id()
        call = self.ledger.begin(number, None)
        call.word = None
        await self.door.request(number, method, params, call)
        result = await self.wait(call)
        self.free.append(number)
        return result

    async def wait(self, call):
        """Its answer; or what went wrong in the background meanwhile."""
        deadline = asyncio.get_running_loop().time() + WAIT
        while not call.done.done():
            await asyncio.wait([call.done, *self.door.tasks], timeout=1, return_when=asyncio.FIRST_COMPLETED)
            self.door.check()
            if asyncio.get_running_loop().time() > deadline:
                raise Crossed(f"{self.ledger.name}: {call.word} has no answer")
        return call.done.result()

    async def act(self):
        actions = [(self.call, 60), (self.finish, 25), (self.give_up, 6), (self.list, 4), (self.pause, 4)]
        if self.door.can_reconnect:
            actions.append((self.reconnect, 1))
        if type(self.door) is Streamable:
            actions.append((self.break_off, 8))
        [action] = self.random.choices([action for action, _ in actions], [weight for _, weight in actions])
        await action()

    async def call(self):
        if sum(not call.is_given_up for call in self.ledger.calls.values()) >= 8:
            return await self.finish()
        number = self.take_id()
        # Tokens of both types; each is used by every client at the same time.
        token = number if number % 2 else f"token-{number}"
        call = self.ledger.begin(number, token)
        free = self.free  # of this connection: the callback may run behind a reconnection
        call.done.add_done_callback(lambda done: done.cancelled() or call.is_given_up or free.append(number))
        await self.door.request(number, "tools/call", {
            "name": self.tool, "_meta": {"progressToken": token},
            "arguments": {"word": call.word, "steps": self.random.randrange(5), "pause": self.random.randrange(6)}}, call)

    async def finish(self):
        if waiting := [call for call in self.ledger.calls.values() if not call.is_given_up]:
            await self.wait(self.random.choice(waiting))

    async def give_up(self):
        """It may be answered all the same, as the answer may be under way; its id is not used again."""
        waiting = [(number, call) for number, call in self.ledger.calls.items() if not call.is_given_up and ready_to_end(self.door, call)]
        if waiting:
            number, call = self.random.choice(waiting)
            call.is_given_up = True
            await self.door.cancel(number, call)
            self.ledger.counts["cancelled"] += 1

    async def break_off(self):
        waiting = [call for call in self.ledger.calls.values() if not call.is_given_up]
        if waiting:
            call = self.random.choice(waiting)
            call.is_to_break = True
            await self.wait(call)
            self.ledger.counts["resumed"] += getattr(call, "was_resumed", False)

    async def list(self):
        """All pages: the cursor of one client means nothing to another."""
        names, params = [], {}
        while True:
            page = await self.ask("tools/list", params)
            names += [tool["name"] for tool in page["tools"]]
            if "nextCursor" not in page:
                break
            params = {"cursor": page["nextCursor"]}
            self.ledger.counts["cursors"] += 1
        if sorted(names) != self.tools:
            raise Crossed(f"{self.ledger.name}: {len(names)} tools, not {len(self.tools)}: {set(names) ^ set(self.tools)}")
        self.ledger.counts["lists"] += 1

    async def pause(self):
        await asyncio.sleep(self.random.random() / 50)

    async def reconnect(self):
        """Away in the middle of everything. What comes then to somebody who begins with the same ids is not theirs."""
        await self.door.close()
        self.ledger.forget_all()
        await self.connect()
        self.ledger.counts["reconnects"] += 1

    async def settle(self):
        """Everything that was not given up is answered."""
        for call in list(self.ledger.calls.values()):
            if not call.is_given_up:
                await self.wait(call)


def ready_to_end(door, call):
    """Whether closing the connection ends this call and no other one."""
    return not isinstance(door, Modern) or call.stream is not None and call.stream.writer is not None


async def run_all(clients, seconds):
    """All of them at the same time. What each has counted, by name; raises what the first of them found."""
    until = asyncio.get_running_loop().time() + seconds
    tasks = {client.ledger.name: asyncio.ensure_future(client.run(until)) for client in clients}
    done, pending = await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_EXCEPTION)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
    return {name: task.result() for name, task in tasks.items()}
