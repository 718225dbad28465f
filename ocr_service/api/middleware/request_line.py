"""Other ways to write a request line: HEAD, PUT, and a slash at the end of the path."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# `curl -T` sends documents by PUT.
_PUT_PATH = "/ocr"


class RequestLine:
    """ASGI middleware that lets the routes see one method and one path for each of them.

    A redirect to the path without the slash would name `http://` behind a proxy that ends TLS, and some
    clients do not send the body again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = _without_slash(scope)
        method = _other_methods(_without_root(scope, path)).get(scope["method"], scope["method"])
        # A copy, because the log outside names the method of the client.
        seen = {**scope, "method": method, "path": path}
        try:
            await self._app(seen, receive, _without_body(send) if scope["method"] == "HEAD" else send)
        finally:
            # For the log, outside this middleware.
            scope["route"] = seen.get("route")


def _without_body(send: Send) -> Send:
    """End the answer with its headers: the client may send its next request as soon as it has them."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body"})

    return send_head


def allowed_methods(scope: Scope, of_route: Iterable[str]) -> str:
    """Return the value of the header `Allow`. of_route: the methods of the route."""
    methods, others = set(of_route), _other_methods(_without_root(scope, scope["path"]))
    return ", ".join(sorted(methods | {other for other, method in others.items() if method in methods}))


def _other_methods(path: str) -> dict[str, str]:
    """Return the methods of a request that stand for the method of a route."""
    return {"HEAD": "GET", "PUT": "POST"} if path == _PUT_PATH else {"HEAD": "GET"}


def _without_slash(scope: Scope) -> str:
    path: str = scope["path"]
    return path if _without_root(scope, path) == "/" else path.rstrip("/") or "/"


def _without_root(scope: Scope, path: str) -> str:
    return path.removeprefix(scope.get("root_path", ""))
