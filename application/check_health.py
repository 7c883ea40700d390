"""Asking each part of a facade whether it works, all at once and within a limit."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from attrs import field, frozen

from tollkeeper.domain.checks import checked_duration
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.health import Health, PartHealth
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.health import HealthCheck

CRITICAL = ("store",)


def _there(parts: Mapping[str, object]) -> Mapping[str, object]:
    return {name: part for name, part in parts.items() if part is not None}


@frozen
class CheckHealth:
    """Ask the stores and servers of a facade how they are; changes nothing.

    The providers of models are not asked: that would send them a request each time.
    """

    parts: Mapping[str, object] = field(converter=_there)
    """The adapters by the name of their port."""
    clock: Clock

    async def __call__(self, *, timeout: timedelta = timedelta(seconds=5)) -> Health:
        """Return the health of each part; one that gives no answer within *timeout* fails.

        Raises:
            InvalidRequest: *timeout* is no duration of a millisecond or more.
        """
        checked_duration(timeout, field="timeout", shortest=timedelta(milliseconds=1))
        asked = (self._asked(name, part, timeout) for name, part in self.parts.items())
        return Health(tuple(await asyncio.gather(*asked)))

    async def _asked(self, name: str, part: object, timeout: timedelta) -> PartHealth:
        critical = name in CRITICAL
        if not isinstance(part, HealthCheck):
            return PartHealth(name, works=True, critical=critical)
        began = self.clock.monotonic()
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                says = await part.health()
        except TimeoutError:
            says = f"no answer within {timeout.total_seconds():g} s"
            return PartHealth(name, works=False, critical=critical, says=says)
        except TollkeeperError as error:
            return PartHealth(name, works=False, critical=critical, says=str(error))
        except Exception as error:  # an adapter of somebody else may raise anything
            says = f"the adapter failed with {type(error).__name__}, which no adapter may raise"
            return PartHealth(name, works=False, critical=critical, says=says)
        latency = timedelta(seconds=self.clock.monotonic() - began)
        return PartHealth(name, works=True, critical=critical, says=says, latency=latency)
