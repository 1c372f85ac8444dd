"""API keys are long, random, and stored only as digests."""

from __future__ import annotations

import base64

from server.projects.project import KEY_PREFIX, key_digest, key_id, new_key


def test_a_key_has_256_random_bits() -> None:
    random = new_key().removeprefix(KEY_PREFIX)
    assert len(base64.urlsafe_b64decode(random + "=")) == 32


def test_keys_are_unique() -> None:
    keys = {new_key() for _ in range(1000)}
    assert len({key_digest(key) for key in keys}) == 1000
    assert len({key_id(key) for key in keys}) == 1000


def test_the_stored_and_listed_values_do_not_contain_the_key() -> None:
    key = new_key()
    random = key.removeprefix(KEY_PREFIX)
    assert random.encode() not in key_digest(key)
    assert key_id(key) not in key
    assert key_digest(key).hex().startswith(key_id(key))
    assert len(key_id(key)) == 12
