"""Headers that restrict browsers and caches."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocr_service.api.paths import ASSETS

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
# Defaults, for answers that do not set these headers. An answer is data and not a page, and can contain the
# text of a document. `no-store` keeps it out of shared caches; a client that uses the ETag has its own copy.
_DEFAULTS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_CACHEABLE = {"Cache-Control": "max-age=3600"}


class SecurityHeaders:
    """The outermost ASGI middleware, so that all answers have these headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request."""
        # Before the routing, which changes the scope.
        is_asset = _is_asset(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_ALWAYS)
                defaults = _DEFAULTS
                if is_asset and message["status"] in (200, 304):
                    defaults = defaults | _CACHEABLE
                for name, value in defaults.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _is_asset(scope: Scope) -> bool:
    path: str = scope.get("path", "")
    return path.removeprefix(scope.get("root_path", "")).startswith(f"{ASSETS}/")
