"""The errors of this adapter."""

from tollkeeper.adapters.wire.errors import Errors
from tollkeeper.adapters.wire.known_faults import KnownFaults

ADAPTER = "openai"
ERRORS = Errors(ADAPTER, KnownFaults())
corrupt = ERRORS.corrupt
provider_error = ERRORS.provider_error
