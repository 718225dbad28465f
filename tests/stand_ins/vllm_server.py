"""A stand-in for the vLLM server: the OpenAI API over HTTP, the timing of continuous batching, invented text.

It has the timing of vLLM: at most `--running` sequences run, the others wait in order. A sequence begins
after its prefill; each step generates one token for every running sequence, and takes `--step-ms` plus
`--step-ms-each` per sequence. The text and its length (20 to 200 tokens) come from the hash of the crop, or
from a script (`POST /stand_in/script` with the fields of `generation.Script`). If a client
disconnects, its slot is free again, as with vLLM. It refuses what vLLM refuses (vllm_refusals.py).

Run it with `python -m tests.stand_ins.vllm_server --port 0`; it prints its address. `POST /stand_in/fault`
with `{"fault": …}` switches on one of `FAULTS`, or "hang" (nothing answers, as if the process were stopped),
"silence" (new completions are not answered), "hung engine" (no completion is answered, and the metrics stand
still), "unhealthy" or "break" (the connection breaks). `GET /stand_in/stats` returns counts of its calls.
"""

import argparse
import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.stand_ins.generation import Generated, Script, generate
from tests.stand_ins.vllm_answers import completion, model_card
from tests.stand_ins.vllm_refusals import error, refusal

SERVED_MODEL = "PaddleOCR-VL-1.6-0.9B"

_NO_TEXT = completion(SERVED_MODEL, Generated("", 0))


@dataclass(frozen=True)
class Pace:
    """step, step_each, prefill: seconds; step_each is added per running sequence. most_running: slots."""

    step: float = 0.005
    step_each: float = 0.00008
    prefill: float = 0.030
    most_running: int = 256


@dataclass
class Stats:
    """calls: completions begun. aborted: the client disconnected. tokens: generated for answered calls."""

    calls: int = 0
    answered: int = 0
    aborted: int = 0
    failed: int = 0
    tokens: int = 0
    in_flight: int = 0
    health_checks: int = 0


@dataclass(eq=False)
class _Sequence:
    tokens_left: int
    ready_at: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Batch:
    """The running and the waiting sequences; `run` advances the time."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._waiting: deque[_Sequence] = deque()
        self._running: set[_Sequence] = set()
        self._arrived = asyncio.Event()
        self._moving = asyncio.Event()
        self._moving.set()
        self.tokens = 0

    @property
    def running(self) -> int:
        """Number of running sequences."""
        return len(self._running)

    def hang(self, hung: bool) -> None:
        """Stop all sequences, or let them go on."""
        if hung:
            self._moving.clear()
        else:
            self._moving.set()

    async def generate(self, tokens: int) -> None:
        """Wait until this number of tokens has been generated for one sequence."""
        sequence = _Sequence(tokens)
        self._waiting.append(sequence)
        self._arrived.set()
        try:
            await sequence.done.wait()
        finally:
            self._running.discard(sequence)
            if sequence in self._waiting:
                self._waiting.remove(sequence)

    async def run(self) -> None:
        """Run steps forever. Steps follow the clock: if a busy machine delays one, the next ones catch up."""
        now = time.monotonic()
        while True:
            if not self._running and not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                now = time.monotonic()
            if not self._moving.is_set():
                await self._moving.wait()
                now = time.monotonic()
            self._admit(now)
            now += self._pace.step + self._pace.step_each * len(self._running)
            if (ahead := now - time.monotonic()) > 0:
                await asyncio.sleep(ahead)
            self._step(now)

    def _admit(self, now: float) -> None:
        while self._waiting and len(self._running) < self._pace.most_running:
            sequence = self._waiting.popleft()
            sequence.ready_at = now + self._pace.prefill
            self._running.add(sequence)

    def _step(self, now: float) -> None:
        finished = []
        for sequence in self._running:
            if sequence.ready_at <= now:
                sequence.tokens_left -= 1
                self.tokens += 1
                if sequence.tokens_left <= 0:
                    finished.append(sequence)
        for sequence in finished:
            sequence.done.set()
            self._running.discard(sequence)


FAULTS: dict[str, Callable[[], web.Response]] = {
    "500": lambda: error(500, "stand-in: internal error"),
    "400": lambda: error(400, "stand-in: the image is too small"),
    "404": lambda: error(404, "stand-in: the model does not exist"),
    "empty": lambda: web.json_response(_NO_TEXT),
    "null": lambda: web.json_response(completion(SERVED_MODEL, Generated(None, 0))),
    "no choices": lambda: web.json_response({**_NO_TEXT, "choices": []}),
    "invalid json": lambda: web.Response(text='{"choices": [', content_type="application/json"),
    "html": lambda: web.Response(text="<html>Bad gateway</html>", content_type="text/html"),
    "redirect": lambda: web.Response(status=307, headers={"Location": "/elsewhere"}),
}


class StandIn:
    """The stand-in vLLM server; one per process."""

    def __init__(
        self, pace: Pace, model: str = SERVED_MODEL, max_model_len: int = 16_384, key: str | None = None
    ) -> None:
        self._model = model
        self._max_model_len = max_model_len
        self._key = key
        self._stats = Stats()
        self._batch = Batch(pace)
        self._fault: str | None = None
        # Number of completions that still succeed before the fault begins.
        self._before_fault = 0
        self._script: Script | None = None
        self._recording: list[bytes] | None = None
        self._parents: list[str | None] = []

    def app(self) -> web.Application:
        """Build the aiohttp application with its routes."""
        app = web.Application(client_max_size=2**30, middlewares=[self._check_key])
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/metrics", self._metrics),
                web.get("/v1/models", self._models),
                web.post("/v1/chat/completions", self._complete),
                web.post("/stand_in/fault", self._set_fault),
                web.post("/stand_in/script", self._set_script),
                web.post("/stand_in/model", self._set_model),
                web.get("/stand_in/stats", self._get_stats),
                web.post("/stand_in/record", self._record),
                web.post("/stand_in/recorded", self._recorded),
                web.get("/stand_in/parents", self._get_parents),
            ]
        )
        app.cleanup_ctx.append(self._batching)
        return app

    async def _batching(self, _: web.Application):  # type: ignore[no-untyped-def]
        running = asyncio.create_task(self._batch.run())
        yield
        running.cancel()

    @web.middleware
    async def _check_key(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only the API is below the key, as with vLLM, and not its health check."""
        is_open = self._key is None or not request.path.startswith("/v1/")
        if is_open or request.headers.get("Authorization") == f"Bearer {self._key}":
            return await handler(request)
        return web.json_response({"error": "Unauthorized"}, status=401)

    async def _health(self, _: web.Request) -> web.Response:
        self._stats.health_checks += 1
        if self._fault == "hang":
            await asyncio.Event().wait()
        return web.Response(status=503 if self._fault == "unhealthy" else 200)

    async def _models(self, _: web.Request) -> web.Response:
        model = model_card(self._model, self._max_model_len)
        return web.json_response({"object": "list", "data": [model]})

    async def _metrics(self, _: web.Request) -> web.Response:
        if self._fault == "hang":
            await asyncio.Event().wait()
        labels = f'{{engine="0",model_name="{self._model}"}}'
        figures = {"num_requests_running": self._batch.running, "generation_tokens_total": self._batch.tokens}
        return web.Response(text="".join(f"vllm:{name}{labels} {n}.0\n" for name, n in figures.items()))

    async def _complete(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self._recording is not None:
            self._recording.append(body)
            self._parents.append(request.headers.get("traceparent"))
        self._stats.calls += 1
        self._stats.in_flight += 1
        try:
            return await self._answer(request, json.loads(body))
        except asyncio.CancelledError:
            self._stats.aborted += 1
            raise
        finally:
            self._stats.in_flight -= 1

    async def _answer(self, request: web.Request, body: dict) -> web.Response:  # type: ignore[type-arg]
        if body["model"] != self._model:
            return error(404, f"The model `{body['model']}` does not exist.", "model")
        if self._fault is not None and self._before_fault <= 0:
            return await self._fail(request)
        self._before_fault -= 1
        if refused := refusal(body, self._max_model_len):
            return refused
        generated = generate(body, self._script)
        await self._batch.generate(generated.tokens)
        self._stats.answered += 1
        self._stats.tokens += generated.tokens
        return web.json_response(completion(self._model, generated))

    async def _fail(self, request: web.Request) -> web.Response:
        self._stats.failed += 1
        if self._fault in ("hang", "silence", "hung engine"):
            await asyncio.Event().wait()
        if self._fault == "break":
            assert request.transport is not None
            request.transport.abort()
        return FAULTS.get(self._fault or "", FAULTS["500"])()

    async def _set_fault(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._fault, self._before_fault = body["fault"], body.get("after", 0)
        self._batch.hang(self._fault == "hung engine")
        return web.Response()

    async def _set_script(self, request: web.Request) -> web.Response:
        script = await request.json()
        self._script = script and Script(**script)
        return web.Response()

    async def _set_model(self, request: web.Request) -> web.Response:
        self._model = (await request.json())["model"]
        return web.Response()

    async def _get_stats(self, _: web.Request) -> web.Response:
        return web.json_response(asdict(self._stats))

    async def _record(self, _: web.Request) -> web.Response:
        self._recording, self._parents = [], []
        return web.Response()

    async def _recorded(self, _: web.Request) -> web.Response:
        recorded, self._recording = self._recording or [], None
        return web.json_response([body.decode() for body in recorded])

    async def _get_parents(self, _: web.Request) -> web.Response:
        return web.json_response(self._parents)


async def serve(stand_in: StandIn, port: int) -> None:
    """Serve on loopback until cancelled; print the address when the socket listens."""
    runner = web.AppRunner(stand_in.app(), handler_cancellation=True, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    print(f"stand-in for vLLM on http://127.0.0.1:{runner.addresses[0][1]}/v1", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Parse the command line and serve."""
    pace = Pace()
    options = argparse.ArgumentParser(description="A stand-in for the vLLM server, for tests and benchmarks.")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--model", default=SERVED_MODEL)
    options.add_argument("--max-model-len", type=int, default=16_384)
    options.add_argument("--api-key")
    options.add_argument("--step-ms", type=float, default=pace.step * 1000)
    options.add_argument("--step-ms-each", type=float, default=pace.step_each * 1000)
    options.add_argument("--prefill-ms", type=float, default=pace.prefill * 1000)
    options.add_argument("--running", type=int, default=pace.most_running)
    given = options.parse_args()
    pace = Pace(given.step_ms / 1000, given.step_ms_each / 1000, given.prefill_ms / 1000, given.running)
    asyncio.run(serve(StandIn(pace, given.model, given.max_model_len, given.api_key), given.port))


if __name__ == "__main__":
    main()
