"""The HEALTHCHECK of the image: exits with 0 if the service in this container answers, otherwise with 1."""

import http.client
import os
import sys

_TIMEOUT = 5  # seconds
# A service that listens on all addresses is reached on loopback. `::` includes IPv4, also without IPv6.
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}


def is_healthy() -> bool:
    """Request `/health` at the address that start.sh listens on."""
    host = os.environ.get("UVICORN_HOST", "")
    port = os.environ.get("UVICORN_PORT", "")
    # Kubernetes may set the variable to tcp://…; start.sh ignores this too.
    number = int(port) if port.isdecimal() else 8081
    connection = http.client.HTTPConnection(_LOOPBACK.get(host, host), number, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_healthy() else 1)
