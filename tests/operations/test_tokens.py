"""The secret in a webhook URL."""

import re

from webapp.services import tokens


def test_a_token_has_256_random_bits_in_characters_that_urls_take():
    """Nobody guesses it, and it can be pasted anywhere."""
    made = {tokens.make_token() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in made)


def test_a_sealed_token_opens_with_the_same_key_only():
    """A stolen database alone lets nobody post; after the key was lost, a page can say so."""
    token = tokens.make_token()
    sealed = tokens.seal("one key", token)
    assert token.encode() not in sealed
    assert tokens.seal("one key", token) != sealed
    assert tokens.unseal("one key", sealed) == token
    assert tokens.unseal("another key", sealed) is None
    assert tokens.unseal("one key", b"rubbish") is None


def test_the_url_stands_on_the_public_base():
    """What is copied is what Segment can reach."""
    assert tokens.webhook_url("t", "https://t.example/") == "https://t.example/webhooks/segment/t"
    assert tokens.webhook_url("t", "https://t.example/crm") == "https://t.example/crm/webhooks/segment/t"


def test_any_text_has_a_digest():
    """A path may hold anything, and is looked up without an error."""
    assert len({tokens.digest(text) for text in ("", "x", "ünknown", "\udcff", "x" * 10_000)}) == 5
