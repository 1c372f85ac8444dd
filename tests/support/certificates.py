"""Certificates for tests, and the files from which a server reads them."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """A certificate authority that writes its certificates as PEM files to a folder."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self.directory = directory
        self.path = directory / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.path)

    def certify(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """Writes a certificate and its key, replacing earlier ones; returns their paths."""
        leaf = self._ca.issue_cert(*(hosts or ("localhost", "127.0.0.1")))
        chain, key = self.directory / f"{name}-chain.pem", self.directory / f"{name}-key.pem"
        leaf.private_key_pem.write_to_path(key)
        chain.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        return chain, key

    def client_context(self, *, certified: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """Returns a context that trusts only this authority and presents `certified`, if given."""
        context = ssl.create_default_context(cafile=self.path)
        if certified is not None:
            context.load_cert_chain(*certified)
        return context

    def server_context(self, *hosts: str) -> ssl.SSLContext:
        """Returns a context that presents a certificate of this authority for these hosts."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.certify("database", *hosts))
        return context
