"""What every answer tells browsers and caches to leave alone."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocr_service.api.paths import ASSETS

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
# Where an answer says nothing else itself: it is data, no page, and may hold a document's text. A caller who
# keeps an answer for the sake of its ETag does so itself; the caches on the way keep nothing.
_UNLESS_SAID = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_CACHEABLE = {"Cache-Control": "max-age=3600"}


class SecurityHeaders:
    """Outermost ASGI middleware: it adds headers to whatever the others answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        # Asked now, as routing changes the scope.
        is_asset = _is_asset(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_ALWAYS)
                defaults = _UNLESS_SAID
                if is_asset and message["status"] in (200, 304):
                    defaults = defaults | _CACHEABLE
                for name, value in defaults.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _is_asset(scope: Scope) -> bool:
    path: str = scope.get("path", "")
    return path.removeprefix(scope.get("root_path", "")).startswith(f"{ASSETS}/")
