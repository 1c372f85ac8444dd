"""Finding text of others in messages by its structure."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.add.others_text import OthersTextKind, find_others_text, is_within

K = OthersTextKind

OTHERS = [
    (K.QUOTED_MAIL, "My client wrote:\n", "> I live in Boston.\n> I hate meetings.", ""),
    (K.QUOTED_MAIL, "I agree.\n\n", "On Mon, 3 May, Bob wrote:\nI live in Rome.", ""),
    (K.QUOTED_MAIL, "See below\n", "---------- Forwarded message ---------\nI quit.", ""),
    (K.QUOTED_MAIL, "", "-----Original Message-----\nFrom: Bob\nI live in Ulm.", ""),
    (K.QUOTED_MAIL, "Look:\n", "\u00a0> I live in Boston.\n\u200b> I hate meetings.", ""),
    (K.QUOTED_MAIL, "He wrote:\u2028", "> I live in Boston.", ""),
    (K.CODE, "Look:\n", "\u2060```\nI live in Rome\n```", ""),
    (K.CODE, "", "```python\nname = 'Ada'  # I live in Rome\n```", "\nWhy does this fail?"),
    (K.CODE, "Why?\n", 'def hi():\n    # I live in Rome\n    return "I am Ada"', "\nI like tea."),
    (K.CODE, "", 'const name = "Ada";\n// I live in Rome\ngreet(name);', "\nWhy does it fail?"),
    (K.CODE, "Look: ~ \n", "~~~\nI live in Rome", ""),
    (K.TRANSCRIPT, "", "Lea: I am vegan\nMax: I am a butcher", ""),
    (K.TRANSCRIPT, "What does Max do?\n", "Lea: We live here.\nMax: Nice.", "\nI like tea."),
    (K.TRANSCRIPT, "", "[10:32] Max: on my way", "\nI like tea"),
    (K.TRANSCRIPT, "", "Lea: I am vegan. Max: I am a butcher.", ""),
    (K.TRANSCRIPT, "", "User: I live in Rome\nAssistant: Noted", ""),
    (K.RECALLED, "", "Relevant memories:\n- User lives in Oslo", "\n\nWhat should I cook?"),
    (K.RECALLED, "", "## Known facts about the user:\nlives in Oslo", "\n\nI like tea."),
    (K.RECALLED, "Hi\n\n", "Here is what you know about me:\n\n- lives in Oslo", "\n\nHi"),
    (K.RECALLED, "", "What it kept:\n- User likes tea\n- Lives in Oslo", "\nI like tea."),
    (K.RECALLED, "Hi.\n", "User likes tea.\nThe user's sister is Ana.", "\n\nIs that so?"),
    (K.RECALLED, "From before: ", "The user lives in Oslo.", ""),
    (K.RECALLED, "", "About them:\nThe user lives in Oslo.", "\nI like tea."),
    (K.MATERIAL, "Summarize this text: ", "I am Jon. I live in Leeds.", ""),
    (K.MATERIAL, "Hi! Could you please proofread this: ", "I works at Tesco\nI quit.", ""),
    (K.MATERIAL, "Please rewrite my friend's bio:", "\n\nI am a retired pilot.", ""),
    (K.MATERIAL, "Can you translate this into French?", "\nI live in Rome.", ""),
    (K.MATERIAL, "Here's the e-mail that I got:", "\nHi, I am Bob.", ""),
    (K.MATERIAL, "", "I am a pilot. I live in Nice.\n\n", "Translate this to German."),
    (K.MATERIAL, "What does this poem mean?", "\n\nI live in a house of glass,\nI am old.", ""),
    (K.MATERIAL, "Hi! Who wrote these lyrics?", "\nI live in Rome.", ""),
    (K.MATERIAL, "Put this notice from Bob into plain English:", "\n\nI own the kennels.", ""),
    (K.MATERIAL, "Put the following into formal German.", "\n\nI live in Graz.", ""),
    (K.MATERIAL, "Is this grammar right?", "\n\nI has three cats.", ""),
    (K.MATERIAL, "What does this mean?", "\n\nI am a Berliner.", ""),
    (K.MATERIAL, "I got this letter. What should I do?", "\n\nI am your landlord.", ""),
    (K.MATERIAL, "Tell me what this letter says.", "\n\nI am your landlord.", ""),
    (K.MATERIAL, "", "I live in a house of glass.\n\n", "What does this poem mean?"),
    (K.MATERIAL, "Write a reply.", "\n\nDear tenant, I own the house.", ""),
    (K.MATERIAL, "Draft an answer to my landlord's e-mail:", "\n\nI am selling the flat.", ""),
    (K.MATERIAL, "Make a summary.", "\n\nI grew up in Lagos.", ""),
    (K.MATERIAL, "Can you make a German version?", "\n\nI am your neighbour.", ""),
    (K.MATERIAL, "Make me sound friendlier.", "\n\nI does sales in Kiel.", ""),
    (K.MATERIAL, "Make my e-mail sound friendlier.", "\n\nI is waiting.", ""),
    (K.MATERIAL, "Write my essay in better English.", "\n\nI has two brother.", ""),
    (K.MATERIAL, "Make a table out of the notes.", "\n\nI have three cats.", ""),
    (K.MATERIAL, "Draft a polite refusal to the offer below.", "\n\nI offer 500.", ""),
    (K.MATERIAL, "I got this letter. Write a note to Bob.", "\n\nI own the house.", ""),
    (K.MATERIAL, "Bob sent me this. Write a note to him.", "\n\nI own the house.", ""),
    (K.MATERIAL, "", "I am a pilot.\n\n", "Write a bio about that."),
    (K.MATERIAL, "My wife said: ", "I live in Rome.", "\nI like tea."),
    (K.MATERIAL, "", "<document>\nI live in Rome\n</document>", "\nI like tea."),
    (K.QUOTATION, "My neighbour said ", '"I live in Ohio"', "."),
    (K.QUOTATION, "Translate to German: ", '"I live in Cork."', ""),
    (K.QUOTATION, "Er sagt ", "\u201eIch wohne in Ulm\u201c", "."),
    (K.QUOTATION, "He said ", "'I live in Rome'", " and left."),
]  # fmt: skip

OWN = [
    "I moved to Lisbon last month and I work at Acme. I love hiking.",
    "I don't like Tom's dog and Ana's cat.",
    "Name: Ada\nCity: Rome",
    "Facts about me:\n- I live in Oslo",
    "Things I love:\n- tea\n- hiking",
    "I fix bikes, read books and write code.",
    "I live in Bonn.\nUpdate: I moved to Ulm.",
    "Edit: I moved to Rome",
    "City = Rome\nName = Ada",
    "Return the book (mine).\nI live in Rome;\nI like tea;",
    'I use the nickname "ada".',
    "I said: no.",
    "My memories: the sea.",
    "My username is ada.\nI design user interfaces.",
    "The user interface is what I care about.",
    "Can you help me with my plan?\n\nI live in Oslo and I have two kids.",
    "What should I cook?\n\nI am vegan.",
    "Please remember this:\n\nI am allergic to nuts.",
    "Can you save this note?\n\nI am allergic to nuts.",
    "Here is something about me:\n\nI live in Bonn.",
    "Update my profile:\n\nI moved to Ulm",
    "I love this song.\n\nI live in Bonn.",
    "This is my first message. Is anybody there?\n\nI live in Bonn.",
    "I want to finish this essay.\n\nI am a student in Kiel.",
    "What can I do about this?\n\nI am allergic to my cat.",
    "What does this mean for me?\n\nI live in Oslo.",
    "What do I say in this year's review?\n\nI lead a team of five.",
    "Can you keep this conversation private?\n\nI am getting divorced.",
    "I am diabetic.\n\nHave you seen this article? It is on example.com.",
    "Write me a workout plan.\n\nI am 40 and I live in Kiel.",
    "Write a letter to my landlord: I live in flat 12.",
    "Write me a plan for this week.\n\nI run three times a week.",
    "Help me write my CV.\n\nI worked at Acme and I speak Dutch.",
    "Make me a shopping list.\n\nI am vegan.",
    "Make some suggestions for dinner that are quick.\n\nI am vegan.",
    "Draft an e-mail to my boss:\n\nI have the flu.",
    "Answer me honestly.\n\nI am 34 and I have no pension.",
    "Reply to me in English.\n\nI live in Graz.",
    "Can you translate for me on Friday?\n\nI don't speak Greek.",
    "Please put this in your memory:\n\nI am allergic to nuts.",
    "Write this down:\n\nI am allergic to nuts.",
    "Please make a note of this:\n\nI am allergic to nuts.",
]


@pytest.mark.parametrize(("kind", "before", "others", "after"), OTHERS)
def test_text_of_others_is_found(
    kind: OthersTextKind, before: str, others: str, after: str
) -> None:
    content = before + others + after
    (span,) = find_others_text(content)
    assert (content[span.start : span.end], span.kind) == (others, kind)


@pytest.mark.parametrize("content", OWN)
def test_text_of_the_speaker_is_not_text_of_others(content: str) -> None:
    assert find_others_text(content) == []


def test_a_passage_is_within_only_if_it_is_completely() -> None:
    content = 'My neighbour said "I live in Ohio".'
    spans = find_others_text(content)
    start = content.index("I live")
    assert is_within(spans, start, start + len("I live in Ohio"))
    assert not is_within(spans, 0, len(content))
    assert not is_within([], 0, 1)


MARKERS = ["\n", "\n\n", "> ", '"', "'", "```", "- ", "<a>", "</a>", ":", "\r", ".", "\u201e"]
HEADINGS = ["Lea: ", "said: ", "Relevant memories:", " wrote:", "On ", "[10:00] ", "Summarize this"]
PIECES = st.sampled_from(["I live in Rome", *MARKERS, *HEADINGS])


@given(st.lists(PIECES | st.text(max_size=5), max_size=30).map("".join))
def test_spans_are_in_bounds_sorted_and_disjoint(content: str) -> None:
    spans = find_others_text(content)
    for span in spans:
        assert 0 <= span.start < span.end <= len(content)
    for one, following in pairwise(spans):
        assert one.end <= following.start


UNITS = ["a", '"', "'", "\n", "> ", "a: b\n", "Lea: ", "I wrote: ", "said: \n> a\n", "``` \n"]
UNITS += ["I said 'a ", "[1:00 ", "<a>\n", "On a wrote:\n> a\n", "please ", "summarize ", "\u201e"]
UNITS += ["Relevant memories:\n\n", "can you ", "email "]
UNITS += ["please, ", "write a, ", "make a note, "]
UNITS += ["this text ", "this text? ", "remember this ", "what? ", "the following\n"]


@pytest.mark.parametrize("unit", UNITS)
def test_the_time_of_others_text_is_linear(unit: str) -> None:
    start = time.process_time()
    find_others_text(unit * (200_000 // len(unit)))
    assert time.process_time() - start < 3
