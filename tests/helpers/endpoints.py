"""A server on loopback with OpenAI's API, which answers, fails, hangs and limits as a test wants."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HttpReply = tuple[int, dict[str, str], dict[str, Any]]


@dataclass
class FakeEndpoint:
    """A server that answers each request by `answer(key, how often it was asked before)`.

    Attributes:
        answer: the reply to a prompt.
        key: what a prompt is known by.
        asked: how often each key was asked.
        bodies: of all requests.
        tokens: the `Authorization` headers.
        most_at_once: the most requests at once.
    """

    answer: Callable[[str, int], HttpReply]
    key: Callable[[str], str] = lambda prompt: prompt
    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, path: str, token: str | None, body: dict[str, Any]) -> HttpReply:
        """The reply to a request of either API."""
        prompt = body["prompt"] if path.endswith("/v1/completions") else body["messages"][0]["content"]
        key = self.key(prompt)
        with self.lock:
            before = self.asked[key]
            self.asked[key] += 1
            self.bodies.append(body)
            self.tokens.add(token)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self.answer(key, before)
        finally:
            with self.lock:
                self.at_once -= 1


@contextmanager
def serving(endpoint: FakeEndpoint) -> Iterator[FakeEndpoint]:
    """The endpoint, with its `url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open, as those of real servers do

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, reply = endpoint.handle(self.path, self.headers["Authorization"], body)
            data = json.dumps(reply).encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:  # a client that has gone after its timeout
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()


def completed(text: str | None, reason: str = "stop", tokens: int | None = None, **changes: object) -> HttpReply:
    """A reply with a text."""
    choice = {"index": 0, "text": text, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    reply = {"id": "x", "object": "x", "created": 0, "model": "m", "choices": [choice | changes]}
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    return 200, {}, reply | ({} if tokens is None else {"usage": usage})


def failed(status: int, code: str | None = None, **headers: str) -> HttpReply:
    """An error."""
    return status, headers, {"error": {"message": f"no: {status}", "type": "x", "code": code}}
