"""What the image's HEALTHCHECK runs: exit code 0 if the service in this container answers, else 1."""

import http.client
import os
import sys

_TIMEOUT = 5  # seconds
# Where one that listens everywhere can be asked.
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


def answers() -> bool:
    """Ask `/health` of the service where start.sh's settings have it listen."""
    host = os.environ.get("UVICORN_HOST", "")
    port = int(os.environ.get("UVICORN_PORT") or 8081)
    connection = http.client.HTTPConnection(_LOOPBACK.get(host, host), port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers() else 1)
