"""The clock of the event loop, which a test shares with the service and its clients."""

import asyncio


async def let_pass(seconds: float) -> None:
    """Move the clock: all that has to end within these seconds ends now.

    So a test waits until its work has begun, however long that takes on a busy machine.
    """
    await _some_steps()
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds  # type: ignore[method-assign]
    await _some_steps()


async def _some_steps() -> None:
    """Let the service take what was sent, and close the connections that are idle for too long."""
    for _ in range(5):
        await asyncio.sleep(0)
