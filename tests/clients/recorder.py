"""A proxy that records the requests of a client as bytes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Recorder:
    """Passes the bytes of each connection to the service and back.

    requests: in the order of their arrival. A request ends when the service answers.
    """

    def __init__(self, service: tuple[str, int]) -> None:
        self._service = service
        self.requests: list[bytes] = []

    @contextmanager
    def running(self) -> Iterator[str]:
        """Yield the address of the proxy."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            # `close` does not end a call of `accept` in another thread.
            listener.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._service) as service:
            answered = threading.Event()
            answered.set()
            threading.Thread(target=_pass_back, args=(service, client, answered), daemon=True).start()
            while chunk := client.recv(65_536):
                if answered.is_set():
                    self.requests.append(b"")
                    answered.clear()
                self.requests[-1] += chunk
                service.sendall(chunk)


def _pass_back(service: socket.socket, client: socket.socket, answered: threading.Event) -> None:
    with suppress(OSError):
        while chunk := service.recv(65_536):
            answered.set()
            client.sendall(chunk)
        client.shutdown(socket.SHUT_WR)
