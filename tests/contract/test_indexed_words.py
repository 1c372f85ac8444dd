"""The contract of the words by which a memory is found: its text, speaker, time and evidence.

Held on PostgreSQL in both ways of searching.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from server.graph.model import Entity
from server.memories.memory import Evidence
from server.memories.ports import MemoryStore
from server.storage.postgres.pool import Database
from tests.support.builders import NewMemory, added, addition, call, change_set
from tests.support.searches import SCOPE_SIZES, lexical, store_of

MAY = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)


@pytest.fixture(params=SCOPE_SIZES)
def store(request: pytest.FixtureRequest, database: Database) -> MemoryStore:
    return store_of(request.param, database)


async def add(store: MemoryStore, *items: NewMemory) -> None:
    """Stores each item by a separate call, which may have its own time."""
    for item in items:
        await store.commit(change_set(call(), added=[item]))


def memory(text: str, **changes: object) -> NewMemory:
    item = addition(call(), text)
    changed = replace(item.memory, **changes)  # type: ignore[arg-type] # names fit
    return added(changed, item.embedding)


@pytest.mark.parametrize("question", ["caroline", "May", "monday", "2023", "8 May 2023"])
async def test_a_memory_is_found_by_its_speaker_and_its_date(
    store: MemoryStore, question: str
) -> None:
    item = memory("I bought a kayak", name="Caroline", event_time=MAY)
    other = memory(
        "I sold a boat", name="Melanie", event_time=MAY.replace(year=2021, month=11, day=9)
    )
    await add(store, item, other)

    assert next(iter(await lexical(store, question))) == "I bought a kayak"


async def test_a_speaker_without_a_name_is_found_by_the_role(store: MemoryStore) -> None:
    await add(store, memory("Try the blue kayak", role="assistant"), memory("I like red boats"))

    assert list(await lexical(store, "what did the assistant say")) == ["Try the blue kayak"]


async def test_a_fact_is_found_by_the_words_of_its_evidence(store: MemoryStore) -> None:
    fact = memory("User owns a dog")
    evidence = [Evidence(fact.memory.id, quote="my beagle chewed the sofa")]
    quoted = replace(fact.memory, provenance=replace(fact.memory.provenance, evidence=evidence))
    await add(store, added(quoted, fact.embedding), memory("User likes tea"))

    assert list(await lexical(store, "beagle")) == ["User owns a dog"]


async def test_a_fact_is_found_by_the_names_of_its_entities(store: MemoryStore) -> None:
    await add(store, memory("User met her", entities=[Entity("Zoltan", "person")]))

    assert list(await lexical(store, "Zoltan")) == ["User met her"]


async def test_a_fact_that_names_its_speaker_is_no_closer_to_the_name(store: MemoryStore) -> None:
    fact = memory("Ruth rows on the lake", name="Ruth", entities=[Entity("Ruth", "person")])
    item = memory("I row across the lake", name="Ruth")
    # The other texts are shorter, so that the score of this one is below 1.
    await add(store, fact, item, *(memory(tea, name="Bob") for tea in ("tea", "tea?", "tea!")))

    found = await lexical(store, "Ruth")
    assert found[fact.memory.text] == pytest.approx(found[item.memory.text])
    assert found[fact.memory.text] < 1


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Le café de la gare", "CAFÉ"),
        ("Das Café am Markt", unicodedata.normalize("NFD", "café")),
        ("Ég bý í Þórshöfn", "ÞÓRSHÖFN"),
        ("Моя сестра купила машину", "машины"),
        ("Στην ΑΘΉΝΑ ζει", "αθήνα"),
        ("मैं दिल्ली में रहता हूँ", "दिल्ली"),
        ("私は東京に住んでいます", "東京"),
        ("我妹妹在北京工作", "北京"),
        ("ฉันอยู่ที่กรุงเทพ", "กรุงเทพ"),
        ("I write C++ at work", "c++"),
        ("I write F# at work", "F#"),
        ("She joined AT&T", "at&t"),
        ("We love AC/DC", "ac/dc"),
        ("It runs on node.js", "Node.js"),
    ],
)
async def test_words_of_every_script_are_found(
    store: MemoryStore, text: str, question: str
) -> None:
    await add(store, memory(text), memory("C and F are notes, and AT is a word"))

    assert list(await lexical(store, question)) == [text]


@pytest.mark.parametrize(
    ("text", "other", "question"),
    [
        ("Jeg har to katte og en hund", "Jeg bor i en by", "Hvor er min kat?"),
        ("Ik heb twee katten en een hond", "Ik woon in een stad", "Welke kat heeft hij?"),
        ("Minun sisareni asuu talossa", "Minä olen töissä", "Mikä on talon osoite?"),
        ("Nous avons acheté des chevaux", "Je suis dans une ville", "Quel est son cheval?"),
        ("Meine Schwester züchtet Katzen", "Ich bin in der Stadt", "Welche Katze ist das?"),
        ("Két macskám van, és nem egy", "Nem vagyok ott", "Hol van a macska és hogy hívják?"),
        ("Mio fratello ha due gatti", "Io vivo in una casa", "Quale gatto è il suo?"),
        ("Jeg har to hunder og en båt", "Jeg bor i en by", "Hva heter hunden?"),
        ("Minha irmã tem dois gatos", "Moro em uma cidade", "Qual gata está em casa?"),
        ("Tengo dos gatos y una perra", "Vivo en una ciudad", "\u00bfPerros? \u00bfCuántos tengo?"),
        ("Jag har två katter och en hund", "Jag bor i en stad", "Vad heter katten?"),
        ("Benim için bir araba var", "Bu bir ev değil", "Arabalar nerede?"),
    ],
)
async def test_a_text_is_found_by_other_forms_of_its_words(
    store: MemoryStore, text: str, other: str, question: str
) -> None:
    await add(store, memory(text), memory(other))

    assert next(iter(await lexical(store, question))) == text


async def test_a_question_in_an_uncertain_language_finds_texts_in_any(
    store: MemoryStore,
) -> None:
    await add(store, memory("Wir haben eine Katze und einen Hund"), memory("We have a cat"))

    assert list(await lexical(store, "Katze")) == ["Wir haben eine Katze und einen Hund"]


async def test_words_of_other_languages_leave_english_texts_as_they_are(store: MemoryStore) -> None:
    text = "She hums 'Ich bin der Welt abhanden gekommen' and wears a hat"
    await add(store, memory(text), memory("Something else"))

    assert list(await lexical(store, "hat bin")) == [text]


async def test_the_middle_of_a_name_without_spaces_is_found(store: MemoryStore) -> None:
    await add(store, memory("今日は京都大学に行った"), memory("今日は大阪に行った"))

    assert list(await lexical(store, "京都大学")) == ["今日は京都大学に行った"]
