"""A real server on loopback that speaks the wire format of one provider, faults included.

::

    with wire_server(FORMATS["groq"], api_key="gsk-right") as server:
        server.script("slow", scenarios.slow_headers(0.5))
        ...  # a client at server.base_url, for the model "echo" or "slow"
        assert server.last.json["model"] == "slow"

The model ``echo`` says the last text again (see :mod:`tests.servers.wire.echo`), ``echo-strict``
also insists on the signatures that it gave; any other that no script knows is not found.
``python -m tests.servers.wire_server groq --port 8000`` serves until it is interrupted.
"""

import argparse
import contextlib
import json
import time
from collections.abc import Callable, Iterator

from attrs import define, field

from tests.servers.http_player import HttpPlayer, Play, SeenRequest, http_player
from tests.servers.wire import FORMATS, WireFormat
from tests.servers.wire.scenarios import Scenario, Scene, answered, body_play, error_play

__all__ = ["WireServer", "wire_server"]

KNOWN = ("echo", "echo-strict")


@define(eq=False)
class WireServer:
    """The server as tests see it."""

    format: WireFormat
    api_key: str | None = field(default=None, repr=False)
    plays: dict[str, Callable[[SeenRequest], Play]] = field(factory=dict)
    """What to do by the name of the model; it goes before the models that are known."""
    player: HttpPlayer = field(init=False)

    @property
    def base_url(self) -> str:
        """What an adapter is configured with."""
        return self.player.origin + self.format.root

    @property
    def requests(self) -> list[SeenRequest]:
        """All requests, the oldest first."""
        return self.player.requests

    @property
    def last(self) -> SeenRequest:
        """The request that came last."""
        return self.player.last

    @property
    def disconnects(self) -> list[SeenRequest]:
        """The requests whose client left before the answer had ended."""
        return self.player.disconnects

    def script(self, model: str, scenario: Scenario) -> None:
        """Let *model* behave as *scenario* says."""
        self.plays[model] = lambda seen: scenario(Scene(self.format, seen))

    def play(self, seen: SeenRequest) -> Play:
        """Find what to do with a request."""
        if self.api_key is not None and self.format.key_of(seen) != self.api_key:
            given = self.format.key_of(seen)
            return error_play(self.format.error(kind="invalid_key" if given else "no_key"))
        task = self.format.task(seen.method, seen.route)
        if task is None:
            return error_play(self.format.error(404))
        if task == "models":
            return body_play(self.format.models([*KNOWN, *self.plays]))
        try:
            complaint = self.format.complaint(seen)
        except (json.JSONDecodeError, UnicodeDecodeError):
            complaint = "We could not parse the JSON body of your request."
        if complaint:
            return error_play(self.format.error(400, text=complaint))
        names = list(_names(self.format.model_of(seen)))
        for name in names:
            if name in self.plays:
                return self.plays[name](seen)
        if not set(names) & set(KNOWN):
            return error_play(self.format.error(kind="unknown_model"))
        return answered()(Scene(self.format, seen))


def _names(model: str) -> Iterator[str]:
    """Name *model* with all that is before it, as routers do, and with less and less of it."""
    yield model
    while "/" in model:
        model = model.partition("/")[2]
        yield model


@contextlib.contextmanager
def wire_server(
    format: WireFormat,  # noqa: A002 - the word for it
    api_key: str | None = None,
    *,
    port: int = 0,
) -> Iterator[WireServer]:
    """Serve until the block ends; with *api_key*, any other key is refused."""
    server = WireServer(format, api_key)

    def play(seen: SeenRequest) -> Play:
        try:
            return server.play(seen)
        except Exception as error:
            text = f"the test server failed: {type(error).__name__}: {error}"
            return Play((text.encode(),), status=500, content_type="text/plain")

    with http_player(play, port=port) as server.player:
        yield server


def main() -> None:
    """Serve on the command line, and show each request."""
    parser = argparse.ArgumentParser(description="A model provider's server for tests.")
    parser.add_argument("provider", choices=FORMATS)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--api-key", help="refuse every other key")
    options = parser.parse_args()
    with wire_server(FORMATS[options.provider], options.api_key, port=options.port) as server:
        print(f"{server.base_url} speaks as {options.provider}; models: {', '.join(KNOWN)}")
        shown = 0
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                for seen in server.requests[shown:]:
                    print(f"{seen.method} {seen.path} {seen.body.decode()[:200]}")
                    shown += 1
                time.sleep(0.2)


if __name__ == "__main__":
    main()
