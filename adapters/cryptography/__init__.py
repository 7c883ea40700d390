"""What the library cryptography does: ciphers, keyrings, signatures of reports."""
