"""Who may see a local page: requests to this machine's own names, with the session's token.

Other users and programs of the machine reach its loopback interface too, and so do pages of other sites in the user's
browser. They lack the token; a foreign `Host` (DNS rebinding) or `Origin` (cross-site websockets) is refused as well.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# Vue compiles templates in the browser, which needs unsafe-eval; NiceGUI's page has its data and styles inline.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Headers = [
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
REFUSED = b"This page belongs to a command that runs on this machine: open the URL that the command printed.\n"


class TokenRequired:
    """An ASGI application that passes on only what has the token.

    Args:
        application: what is behind it.
        token: of this session.
        port: that the server listens on.
    """

    def __init__(self, application: Application, token: str, port: int) -> None:
        self._application = application
        self._token = token
        self._cookie = f"babelshelf-{port}"  # cookies are shared by all ports of a host
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        if scope["type"] not in {"http", "websocket"}:  # the start and the end of the server
            await self._application(scope, receive, send)
        elif self._has_token_in_url(scope):
            cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            await _respond(send, 303, [(b"location", b"/"), (b"set-cookie", cookie.encode())], b"")
        elif self._is_allowed(scope):
            await self._application(scope, receive, _with_headers(send))
        else:
            await _refuse(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        cookies = SimpleCookie(_header(scope, b"cookie"))
        given = cookies[self._cookie].value if self._cookie in cookies else ""
        return self._is_own_site(scope) and hmac.compare_digest(given.encode(), self._token.encode())

    def _has_token_in_url(self, scope: Scope) -> bool:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        is_right = hmac.compare_digest(given.encode(), self._token.encode())
        return is_right and scope["type"] == "http" and scope["path"] == "/" and self._is_own_site(scope)

    def _is_own_site(self, scope: Scope) -> bool:
        origin = _header(scope, b"origin")
        return _header(scope, b"host") in self._hosts and (not origin or origin.removeprefix("http://") in self._hosts)


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *HEADERS]
        await send(message)

    return send_with_headers


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # the request to connect
        await send({"type": "websocket.close", "code": 1008})
    else:
        await _respond(send, 403, [(b"content-type", b"text/plain; charset=utf-8")], REFUSED)


async def _respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *HEADERS]})
    await send({"type": "http.response.body", "body": body})
