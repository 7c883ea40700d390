"""The errors that adapters raise for what a provider sends."""

from collections.abc import Mapping
from datetime import timedelta

from attrs import frozen

from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.adapters.wire.known_faults import KnownFaults
from tollkeeper.adapters.wire.meanings import Meaning
from tollkeeper.adapters.wire.waits import retry_after
from tollkeeper.domain.errors import CorruptResponse, PortError, TollkeeperError

_PORT = "chat_model"


@frozen
class Errors:
    """The errors of the adapter that is called *adapter*, whose servers fail as *known* says."""

    adapter: str
    known: KnownFaults

    def corrupt(self, public_message: str, *, port: str = _PORT) -> CorruptResponse:
        """Make the error for an answer that breaks the format."""
        return CorruptResponse(public_message, port=port, adapter=self.adapter)

    def provider_error(
        self,
        fault: ProviderFault,
        headers: Mapping[str, str] | None = None,
        *,
        begun: bool = False,
        port: str = _PORT,
    ) -> TollkeeperError:
        """Make the error for *fault*, with *fault* as its cause.

        *headers* may say how long to wait. *begun* says that a part of the answer was made, so
        that the provider may bill it whatever it says now.
        """
        return error_for(
            fault,
            self.known.meaning(fault),
            wait=retry_after(headers or {}) or fault.wait,
            begun=begun,
            port=port,
            adapter=self.adapter,
        )


def error_for(
    fault: ProviderFault,
    meaning: Meaning,
    *,
    wait: timedelta | None,
    begun: bool,
    port: str,
    adapter: str,
) -> TollkeeperError:
    """Make the error for *fault*, which has *meaning*, with *fault* as its cause.

    *wait* goes with it where trying again may help. *begun* says that a part of the answer was
    made, so that the provider may bill it whatever it says now.
    """
    error: TollkeeperError
    if issubclass(meaning.error, PortError):
        error = meaning.error(
            meaning.text,
            port=port,
            adapter=adapter,
            ambiguous=meaning.ambiguous or begun,
            retry_after=wait if meaning.error.retryable else None,
            code=meaning.code,
            provider_code=fault.name,
            status=fault.status,
        )
    else:
        error = meaning.error(meaning.text, code=meaning.code)
    error.__cause__ = fault
    return error
