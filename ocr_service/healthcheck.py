"""What the image's HEALTHCHECK runs: exit code 0 if the service in this container answers, else 1."""

import http.client
import os
import sys

_TIMEOUT = 5  # seconds


def answers() -> bool:
    """Ask `/health` of the service on this machine."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("UVICORN_PORT") or 8081), timeout=_TIMEOUT
    )
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers() else 1)
