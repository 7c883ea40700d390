"""The variables of the process, handed over by the host: nothing here reads them by itself."""
