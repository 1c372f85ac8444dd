"""Certificates that tests make, and files of them as a server reads them."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """An authority of its own, and what it has certified as PEM files in a folder."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self.directory = directory
        self.path = directory / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.path)

    def certify(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """Writes a certificate and its key; their paths. Those of the same name are replaced."""
        leaf = self._ca.issue_cert(*(hosts or ("localhost", "127.0.0.1")))
        chain, key = self.directory / f"{name}-chain.pem", self.directory / f"{name}-key.pem"
        leaf.private_key_pem.write_to_path(key)
        chain.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        return chain, key

    def client_context(self, *, certified: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """Trusts this authority alone, and shows a certificate if there is one."""
        context = ssl.create_default_context(cafile=self.path)
        if certified is not None:
            context.load_cert_chain(*certified)
        return context

    def server_context(self, *hosts: str) -> ssl.SSLContext:
        """Shows a certificate of this authority for these hosts."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.certify("database", *hosts))
        return context
