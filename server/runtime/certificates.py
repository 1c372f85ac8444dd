"""The server's certificate, which is read again when its files change.

Certificates are replaced every few hours or weeks, while connections and streams can last longer.
So new handshakes use the newest certificate, and open connections are left alone.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from server.runtime.settings import SettingsFault

CHECK_SECONDS: Final = 1.0
"""Minimum time between two checks of the files, which only handshakes trigger."""

log = structlog.get_logger()


class CertificateFault(SettingsFault):
    """The certificate's files cannot be used; the message gives the file and the reason."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"TLS: {cause}; check MEMOIR_TLS_CERT, MEMOIR_TLS_KEY and MEMOIR_TLS_CLIENT_CA"
        )


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM files: the chain, its key, and the authorities of clients if these need a certificate."""

    chain: Path
    key: Path
    client_ca: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return (self.chain, self.key, *([self.client_ca] if self.client_ca else []))


@dataclass(frozen=True, slots=True)
class Certificate:
    """The content of the files: PEM for gRPC, and a context for everything else."""

    chain: bytes
    key: bytes
    client_ca: bytes | None
    context: ssl.SSLContext


_Stamp: TypeAlias = tuple[tuple[int, int, int], ...]


class Certificates:
    """Provides the certificate for new handshakes. May be used by several threads."""

    def __init__(self, files: CertificateFiles, now: Callable[[], float] = time.monotonic) -> None:
        """Reads the files.

        Raises:
            CertificateFault: they cannot be used.
        """
        self._files = files
        self._now = now
        self._reading = threading.Lock()
        self._checked = now()
        self._stamp = _stamp(files)
        self._current = _read(files)

    @property
    def requires_client(self) -> bool:
        """Whether clients must present a certificate. This is fixed while the server runs."""
        return self._files.client_ca is not None

    def current(self) -> Certificate:
        """Returns the newest certificate that could be used."""
        if self._reading.acquire(blocking=False):
            try:
                if self._now() - self._checked >= CHECK_SECONDS:
                    self._checked = self._now()
                    self._reload()
            finally:
                self._reading.release()
        return self._current

    def listening_context(self) -> ssl.SSLContext:
        """Returns a context to listen with, whose handshakes use the newest certificate."""
        context = _context(self._files)

        def choose(handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            handshake.context = self.current().context

        # OpenSSL calls this whether or not the client names a server.
        context.sni_callback = choose
        return context

    def _reload(self) -> None:
        try:
            stamp = _stamp(self._files)
            if stamp == self._stamp:
                return
            # Stored before reading: files that change meanwhile are read again at the next check.
            self._stamp = stamp
            self._current = _read(self._files)
        except CertificateFault as error:
            # One file may be written before the other: both are read again when either changes.
            log.warning("tls.not_reloaded", reason=str(error))
        else:
            log.info("tls.reloaded", certificate=str(self._files.chain))


def _stamp(files: CertificateFiles) -> _Stamp:
    try:
        found = [path.stat() for path in files.paths]
    except OSError as error:
        raise CertificateFault(str(error)) from error
    return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in found)


def _read(files: CertificateFiles) -> Certificate:
    context = _context(files)
    try:
        return Certificate(
            files.chain.read_bytes(),
            files.key.read_bytes(),
            files.client_ca.read_bytes() if files.client_ca else None,
            context,
        )
    except OSError as error:
        raise CertificateFault(str(error)) from error


def _context(files: CertificateFiles) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(files.chain, files.key)
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
            # A resumed session would not check the client's certificate again.
            context.num_tickets = 0
            context.options |= ssl.OP_NO_TICKET
    except (OSError, ssl.SSLError) as error:
        names = ", ".join(map(str, files.paths))
        raise CertificateFault(f"{names}: {error}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context
