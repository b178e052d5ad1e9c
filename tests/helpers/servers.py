"""Storage on loopback: moto's S3 server, OpenSSH's server as a plain process, and a proxy that stalls in the middle."""

from __future__ import annotations

import getpass
import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

LOOPBACK = "127.0.0.1"


@contextmanager
def s3() -> Iterator[str]:
    """The URL of an S3 endpoint."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - seconds

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line a request
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def sshd(folder: Path) -> Iterator[int]:
    """The port of an SSH server that lets the owner of the key `folder/user` in, by SFTP."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH server here (Debian: apt-get install openssh-server)")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    (folder / "user.pub").rename(folder / "authorized_keys")
    port = free_port()
    config = {
        "ListenAddress": LOOPBACK,
        "Port": port,
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized_keys",
        "AllowUsers": getpass.getuser(),
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PidFile": "none",
        "StrictModes": "no",  # pytest's folders lie below /tmp, which all may write to
        "Subsystem": "sftp internal-sftp",
    }
    (folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in config.items()), encoding="utf-8")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # root's sshd asks for it; Debian's service makes it at its start
    log = folder / "log"
    with subprocess.Popen([program, "-D", "-f", str(folder / "sshd_config"), "-E", str(log)]) as process:
        try:
            _wait_for(port, process, log)
            yield port
        finally:
            process.terminate()


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    while process.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection((LOOPBACK, port)):
            return
        time.sleep(0.05)
    raise RuntimeError(f"sshd did not start: {log.read_text(encoding='utf-8')}")


class StallingProxy:
    """Passes connections on to a port, until `limit` bytes have come back: then all stand still.

    Attributes:
        port: where it listens.
        stalled: set once `limit` is reached.
    """

    def __init__(self, port: int, limit: int) -> None:
        self.stalled = threading.Event()
        self._target = port
        self._left = limit
        self._released = threading.Event()
        self._server = socket.create_server((LOOPBACK, 0))
        self.port = int(self._server.getsockname()[1])
        self._start(self._accept)

    def close(self) -> None:
        """Let what stands still go on, to clients that are gone."""
        self._released.set()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):  # of the closed server
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection((LOOPBACK, self._target))
                self._start(self._pass_on, client, server, False)
                self._start(self._pass_on, server, client, True)

    def _pass_on(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):  # the client was killed
            while data := source.recv(4096):
                if counted:
                    self._left -= len(data)
                if self._left < 0:
                    self.stalled.set()
                    self._released.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _start(self, target: object, *arguments: object) -> None:
        threading.Thread(target=target, args=arguments, daemon=True).start()  # type: ignore[arg-type]
