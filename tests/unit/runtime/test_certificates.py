"""Certificates are read at the start and after each complete change."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from server.runtime.certificates import (
    CHECK_SECONDS,
    CertificateFault,
    CertificateFiles,
    Certificates,
)
from tests.support.certificates import Authority


class Now:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """Performs a handshake in memory, and returns the certificate that the client received.

    Raises:
        ssl.SSLError: one side refused the other.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    # In TLS 1.3 the server checks the client's certificate after the client has finished.
    shown = ends[0].getpeercert(binary_form=True)
    assert shown is not None
    return shown


def test_new_handshakes_use_new_files_after_a_moment(tmp_path: Path, now: Now) -> None:
    authority = Authority(tmp_path)
    certificates = Certificates(CertificateFiles(*authority.certify("server")), now)
    context, client = certificates.listening_context(), authority.client_context()
    first = handshake(context, client)
    authority.certify("server")
    assert handshake(context, client) == first
    now.seconds += CHECK_SECONDS
    second = handshake(context, client)
    assert second != first
    assert certificates.current().chain == (tmp_path / "server-chain.pem").read_bytes()


def test_a_certificate_without_its_matching_key_is_not_used(tmp_path: Path, now: Now) -> None:
    authority = Authority(tmp_path)
    chain, key = authority.certify("server")
    certificates = Certificates(CertificateFiles(chain, key), now)
    context, client = certificates.listening_context(), authority.client_context()
    first = handshake(context, client)
    new_chain, new_key = authority.certify("next")
    new_chain.rename(chain)
    now.seconds += CHECK_SECONDS
    assert handshake(context, client) == first
    new_key.rename(key)
    now.seconds += CHECK_SECONDS
    assert handshake(context, client) != first


def test_missing_files_change_nothing(tmp_path: Path, now: Now) -> None:
    authority = Authority(tmp_path)
    chain, key = authority.certify("server")
    certificates = Certificates(CertificateFiles(chain, key), now)
    before = certificates.current()
    key.unlink()
    now.seconds += CHECK_SECONDS
    assert certificates.current() is before


def test_clients_need_a_certificate_of_the_newest_authority(tmp_path: Path, now: Now) -> None:
    authority, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    files = CertificateFiles(*authority.certify("server"), clients.path)
    certificates = Certificates(files, now)
    assert certificates.requires_client
    context = certificates.listening_context()
    known = authority.client_context(certified=clients.certify("client"))
    handshake(context, known)
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        handshake(context, authority.client_context())
    others = Authority(tmp_path, "clients")
    now.seconds += CHECK_SECONDS
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(context, known)
    handshake(context, authority.client_context(certified=others.certify("client")))


@pytest.mark.parametrize("broken", ["server-chain.pem", "server-key.pem", "clients.pem"])
@pytest.mark.parametrize("text", [None, "", "nonsense"])
def test_files_that_cannot_be_used_are_named_at_the_start(
    tmp_path: Path, broken: str, text: str | None
) -> None:
    clients = Authority(tmp_path, "clients")
    files = CertificateFiles(*Authority(tmp_path).certify("server"), clients.path)
    if text is None:
        (tmp_path / broken).unlink()
    else:
        (tmp_path / broken).write_text(text)
    with pytest.raises(CertificateFault, match=broken):
        Certificates(files)
