# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy that stands for a network which is lost half-way: it passes on so many bytes, and then nothing."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Iterator


class Line(socketserver.ThreadingTCPServer):
    """What is left of the bytes that may come down before the line is cut, over all connections."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: str, left: int) -> None:
        super().__init__((address, 0), Tunnel)
        self.left = left
        self.lock = threading.Lock()

    @property
    def is_cut(self) -> bool:
        return self.left <= 0

    def spend(self, count: int) -> bool:
        """Whether these bytes still get through."""
        with self.lock:
            self.left -= count
            return self.left > 0


class Tunnel(socketserver.StreamRequestHandler):
    """One CONNECT, as every client of https asks a proxy for it."""

    server: Line

    def handle(self) -> None:
        method, target, *_rest = self.rfile.readline().decode("ascii").split()
        while self.rfile.readline().strip():
            pass
        if method != "CONNECT" or self.server.is_cut:
            return
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=30) as far:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            self._carry(self.connection, far)

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        others = {near: far, far: near}
        while not self.server.is_cut:
            for ready in select.select(list(others), [], [], 1)[0]:
                data = ready.recv(4096)
                if not data or (ready is far and not self.server.spend(len(data))):
                    return
                others[ready].sendall(data)


@contextlib.contextmanager
def cut_after(count: int, address: str) -> Iterator[Line]:
    """A proxy on this address, and on a port of its own, that passes on so many bytes."""
    with Line(address, count) as line:
        thread = threading.Thread(target=line.serve_forever, daemon=True)
        thread.start()
        try:
            yield line
        finally:
            line.shutdown()
            thread.join()
