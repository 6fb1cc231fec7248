"""Two Python clients against the server at the URL that is the first argument: pysignalr, which knows WebSockets only,
and signalrcore by WebSockets and event streams. One line a check; the last line is "N passed, N failed"."""

import asyncio
import logging
import os
import queue
import sys
import threading

from pysignalr.client import SignalRClient
from pysignalr.protocol.messagepack import MessagepackProtocol
from signalrcore.hub_connection_builder import HubConnectionBuilder
from signalrcore.subject import Subject
from signalrcore.types import HttpTransportType

URL = sys.argv[1]
# Seconds that anything may take.
PATIENCE = 8
VALUES = ["", "hello", "ü 😀 \u2028 \"quoted\" \\ \0", "é" * 4_000, 0, -1, 0.5, 1e21, 2**53 - 1, True, None]
VALUES += [{"x": 7, "values": [1, None, 3], "__proto__": {"constructor": "text"}}, [], [[{}]]]

logging.disable(logging.CRITICAL)
counts = {"passed": 0, "failed": 0}


def report(title, error=None):
    counts["passed" if error is None else "failed"] += 1
    print(f"passed: {title}" if error is None else f"FAILED: {title}\n  {error!r}", flush=True)


def equal(expected, actual):
    if expected != actual:
        raise AssertionError(f"Expected {expected!r}, got {actual!r}.")


class Asynchronous:
    """pysignalr, with answers to await."""

    def __init__(self, path="/foreign", **options):
        self.client = SignalRClient(URL + path, **options)
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self.errors = asyncio.Queue()
        self.client.on_open(self._event(self.opened))
        self.client.on_close(self._event(self.closed))
        self.client.on_error(self.errors.put)

    @staticmethod
    def _event(event):
        async def tell():
            event.set()

        return tell

    async def __aenter__(self):
        self.running = asyncio.create_task(self.client.run())
        await asyncio.wait({self.running, asyncio.create_task(self.opened.wait())}, return_when="FIRST_COMPLETED")
        if self.running.done():
            self.running.result()
        return self

    async def __aexit__(self, *_):
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    async def invoke(self, method, *arguments):
        answers = asyncio.Queue()
        await self.client.send(method, list(arguments), answers.put)
        answer = await answers.get()
        if answer.error:
            raise RuntimeError(answer.error)
        return answer.result

    def on(self, target):
        heard = asyncio.Queue()
        self.client.on(target, heard.put)
        return heard

    async def stream(self, method, *arguments):
        items, end = [], asyncio.get_running_loop().create_future()

        async def take(item):
            items.append(item)

        async def complete(_message):
            end.set_result(None)

        async def fail(message):
            end.set_result(message.error)

        await self.client.stream(method, list(arguments), take, complete, fail)
        return items, await end


async def echoes():
    async with Asynchronous() as client:
        for value in VALUES:
            equal(value, await client.invoke("echo", value))
        equal(5, await client.invoke("ADD", 2, 3))
        equal(None, await client.invoke("nothing"))


async def hears():
    async with Asynchronous() as client:
        told = client.on("told")
        await client.invoke("tellCaller", "ü", 1.5, {"label": [None]})
        equal(["ü", 1.5, {"label": [None]}], await told.get())


async def groups():
    async with Asynchronous() as first, Asynchronous() as second:
        heard = first.on("heard"), second.on("heard")
        for client in first, second:
            await client.invoke("join", "a group")
        await second.invoke("tellGroup", "a group", "one")
        equal([["one"], ["one"]], [await each.get() for each in heard])
        await first.invoke("leave", "a group")
        await first.invoke("tellGroup", "a group", "two")
        await first.invoke("tellAll", "three")
        equal([["three"]], [await heard[0].get()])
        equal([["two"], ["three"]], [await heard[1].get(), await heard[1].get()])


async def many():
    async with Asynchronous() as client:
        equal([n + 1 for n in range(40)], await asyncio.gather(*(client.invoke("add", n, 1) for n in range(40))))


async def long():
    async with Asynchronous() as client:
        slow = asyncio.create_task(client.invoke("takeLong", 1500))
        equal(3, await client.invoke("add", 1, 2))
        equal("done", await slow)


async def streams():
    async with Asynchronous() as client:
        equal(([0, 1, 2, 3, 4], None), await client.stream("count", 5))
        text = "An error occurred on the server while streaming results. HubException: enough"
        equal(([0, 1], text), await client.stream("countAndFail", "enough"))


async def uploads():
    async with Asynchronous() as client:
        # It sends no invocation id, so there is no answer.
        heard = client.on("heard")
        async with client.client.client_stream("sum") as numbers:
            for number in range(1, 11):
                await numbers.send(number)
        equal(["sum 55"], await heard.get())


async def results():
    async with Asynchronous() as client:

        async def double(arguments):
            return arguments[0] * 2

        client.client.on("double", double)
        equal(42, await client.invoke("askCaller", 21))


async def errors():
    async with Asynchronous() as client:
        await client.client.send("fail", ["no such room ü"], client.errors.put)
        text = "An unexpected error occurred invoking 'fail' on the server. HubException: no such room ü"
        equal(text, (await client.errors.get()).error)


async def closes():
    async with Asynchronous() as watcher:
        async with Asynchronous() as client:
            connection_id = await client.invoke("connectionId")
            await client.client.send("abort", [])
            await client.closed.wait()
        equal("aborted", await watcher.invoke("goodbye", connection_id))
        async with Asynchronous() as client:
            connection_id = await client.invoke("connectionId")
        # It has no way to stop: whoever cancels it cuts its socket.
        equal("transport_lost", await watcher.invoke("goodbye", connection_id))


async def signs_in():
    # Its access_token_factory is asked behind the first requests only: those need the header.
    async with Asynchronous("/members", headers={"Authorization": "Bearer user:ada"}) as client:
        equal("ada", await client.invoke("userName"))
    try:
        async with Asynchronous("/members"):
            raise AssertionError("It was let in.")
    except Exception as error:
        equal("AuthorizationError", type(error).__name__)


async def binary():
    client = Asynchronous(protocol=MessagepackProtocol(), connection_timeout=3)
    running = asyncio.create_task(client.client.run())
    await client.closed.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    equal(False, client.opened.is_set())


class Blocking:
    """signalrcore, with answers to wait for."""

    def __init__(self, transport, path="/foreign", **options):
        self.closed = threading.Event()
        self.errors = queue.Queue()
        opened = threading.Event()
        self.connection = HubConnectionBuilder().with_url(URL + path, {"transport": transport, **options}).build()
        self.connection.on_open(opened.set)
        self.connection.on_close(self.closed.set)
        self.connection.on_error(self.errors.put)
        self.connection.start()
        if not opened.wait(PATIENCE):
            raise AssertionError("It did not open.")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Its own stop() closes a socket that another thread reads, and waits until the server says something more.
        self.connection.send("abort", [])
        if not self.closed.wait(PATIENCE):
            raise AssertionError("It was not closed.")

    def invoke(self, method, *arguments):
        answers = queue.Queue()
        self.connection.send(method, list(arguments), answers.put)
        return answers.get(timeout=PATIENCE).result

    def stream(self, method, *arguments):
        items, end = [], queue.Queue()
        self.connection.stream(method, list(arguments)).subscribe(
            {"next": items.append, "complete": end.put, "error": end.put}
        )
        end.get(timeout=PATIENCE)
        return items


def core_echoes(connect):
    with connect() as client:
        for value in VALUES:
            equal(value, client.invoke("echo", value))
        equal(5, client.invoke("ADD", 2, 3))


def core_hears(connect):
    with connect() as client:
        told = queue.Queue()
        client.connection.on("told", told.put)
        client.connection.send("tellCaller", ["ü", 1.5, {"label": [None]}])
        equal(["ü", 1.5, {"label": [None]}], told.get(timeout=PATIENCE))


def core_streams(connect):
    with connect() as client:
        equal([0, 1, 2, 3, 4], client.stream("count", 5))


def core_uploads(connect):
    with connect() as client:
        heard, numbers = queue.Queue(), Subject()
        client.connection.on("heard", heard.put)
        client.connection.send("sum", numbers)
        for number in range(1, 11):
            numbers.next(number)
        numbers.complete()
        equal(["sum 55"], heard.get(timeout=PATIENCE))


def core_errors(connect):
    with connect() as client:
        client.connection.send("fail", ["no such room ü"])
        text = "An unexpected error occurred invoking 'fail' on the server. HubException: no such room ü"
        equal(text, client.errors.get(timeout=PATIENCE).error)


def core_closes(connect):
    with connect() as watcher:
        with connect() as client:
            connection_id = client.invoke("connectionId")
        equal("aborted", watcher.invoke("goodbye", connection_id))


def core_signs_in(connect):
    with connect("/members", access_token_factory=lambda: "user:ada") as client:
        equal("ada", client.invoke("userName"))


async def pysignalr():
    for title, check in {
        "echoes values of every kind": echoes,
        "hears what the server calls": hears,
        "two clients in one group, and broadcasts": groups,
        "invokes many at once": many,
        "invokes what takes long, and something else meanwhile": long,
        "reads streams, to their end and to their failure": streams,
        "uploads a stream": uploads,
        "answers what the server asks it": results,
        "reads the text of a HubException": errors,
        "closes, and is closed": closes,
        "signs in by a header, and is refused without": signs_in,
        "cannot use MessagePack: it sends binary frames": binary,
    }.items():
        try:
            await asyncio.wait_for(check(), 2 * PATIENCE)
            report(f"pysignalr {title}")
        except (Exception, asyncio.CancelledError) as error:
            report(f"pysignalr {title}", error)


def signalrcore():
    # By long polling it posts its handshake before its first poll, and its polls look like sockets but for this parameter.
    for transport, query in {
        HttpTransportType.web_sockets: "",
        HttpTransportType.server_sent_events: "",
        HttpTransportType.long_polling: "?_=1",
    }.items():
        for title, check in {
            "echoes values of every kind": core_echoes,
            "hears what the server calls": core_hears,
            "reads a stream": core_streams,
            "uploads a stream": core_uploads,
            "reads the text of a HubException": core_errors,
            "is closed by the server": core_closes,
            "signs in with an access token": core_signs_in,
        }.items():
            # Of several messages in one answer it reads the first, and the next ones with the next answers.
            if transport is HttpTransportType.long_polling and check is core_streams:
                continue
            title = f"signalrcore, {transport.value}, {title}"
            try:
                check(
                    lambda path="/foreign", transport=transport, query=query, **options: Blocking(
                        transport, path + query, **options
                    )
                )
                report(title)
            except Exception as error:
                report(title, error)


asyncio.run(pysignalr())
signalrcore()
print(f"{counts['passed']} passed, {counts['failed']} failed", flush=True)
# Not by way of the interpreter's end, which waits for the threads of clients.
os._exit(0 if counts["failed"] == 0 else 1)
