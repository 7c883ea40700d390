"""One folder a provider, one module a port: ``adapters/sqlite/ledger.py`` holds SqliteLedger."""
