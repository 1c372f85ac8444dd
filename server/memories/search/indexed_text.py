"""What is embedded of a text: the text, and who said it.

Words are indexed by PostgreSQL itself, whoever writes the row: its function `indexed_words`
(migration 0070) adds the speaker, the time in words, the entities and the evidence to them.
"""

from __future__ import annotations


def embedded_text(text: str, speaker: str | None) -> str:
    """The text as it is embedded: after the speaker's name, unless it says that name itself.

    In a conversation of several people, questions name the one who spoke, and people rarely name
    themselves. The time is not embedded: all that is said on one day would become more alike. An
    inferred memory has no speaker here: it names whom it is about.
    """
    if not speaker or speaker.casefold() in text.casefold():
        return text
    return f"{speaker}: {text}"
