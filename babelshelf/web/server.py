"""Serve a page on this machine alone, until Ctrl-C.

The page is NiceGUI's. The server listens on 127.0.0.1, and each request and websocket must come with the session's
token: the printed URL has it, and the first request turns it into a cookie. The headers of the pages forbid the browser
to load anything from elsewhere (Content-Security-Policy); NiceGUI brings its scripts and fonts with it.
"""

from __future__ import annotations

import secrets
import socket
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec

import click

from babelshelf.core.errors import InputError
from babelshelf.web.access import TokenRequired

HOST = "127.0.0.1"
INSTALL = "pip install -e '.[pages]'"
RECONNECT_SECONDS = 60.0  # a phone or laptop that slept finds its page as it was
SHUTDOWN_SECONDS = 2


def require_nicegui(command: str) -> None:
    """Raise InputError, with the command that installs it, where NiceGUI is missing."""
    if find_spec("nicegui") is None:
        raise InputError(f"{command} needs the package nicegui: {INSTALL}")


def serve(page: Callable[[], object], *, title: str, port: int, open_browser: bool) -> None:
    """Serve a page and print its URL; return after Ctrl-C.

    Args:
        page: adds the elements of the page, its result is ignored; called for each browser tab that opens it.
        title: of the tab.
        port: to listen on; 0 for any free one.
        open_browser: whether to open the page in the user's browser.

    Raises:
        InputError: NiceGUI is missing, or the port is in use.
    """
    require_nicegui("the page")
    import uvicorn  # noqa: PLC0415 - NiceGUI brings it
    from fastapi import FastAPI  # noqa: PLC0415
    from nicegui import ui  # noqa: PLC0415

    listening = _listen(port)
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    application = FastAPI(openapi_url=None)
    ui.run_with(
        application,
        root=page,
        title=title,
        favicon="🔎",
        dark=None,  # as the browser prefers
        reconnect_timeout=RECONNECT_SECONDS,
        tailwind=False,
        binding_refresh_interval=None,
        show_welcome_message=False,
        cache_control_directives="no-store",  # the next start has another token
    )
    url = f"http://{HOST}:{port}/?token={token}"
    click.echo(f"{title}: {url}\nPress Ctrl-C to stop.")
    if open_browser:
        webbrowser.open(url)
    configured = uvicorn.Config(
        TokenRequired(application, token, port),
        log_level="warning",
        ws="wsproto",
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    with suppress(KeyboardInterrupt):  # which uvicorn raises again after it has stopped
        uvicorn.Server(configured).run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    """A socket on the loopback interface."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()  # a browser that opens the URL before the server has started waits for it
    except OSError as error:
        raise InputError(f"--port {port}: {error.strerror}: take another one, or leave it out") from error
    return listening
