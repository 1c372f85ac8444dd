"""Greetings, thanks and fillers: sentences of which nothing is worth remembering."""

from __future__ import annotations

from typing import Final

from server.core.words import words

_ENGLISH: Final = """
    hi hiya hello hey howdy greetings welcome morning afternoon evening night bye goodbye cheers
    thanks thank thx ty please sorry pardon ok okay fine perfect cool nice awesome good great
    wonderful excellent lovely wow oh ah um hmm haha lol
"""
_FOREIGN: Final = """
    hola gracias buenos buenas días tardes noches bonjour bonsoir salut merci beaucoup hallo danke
    vielen guten morgen tag abend servus moin tschüss ciao grazie mille buongiorno buonasera olá oi
    obrigado obrigada bom boa dia noite dank bedankt hoi goedemorgen cześć dziękuję dzięki hej tack
    привет спасибо здравствуйте дякую नमस्ते धन्यवाद शुक्रिया مرحبا شكرا شكرًا جزيلا السلام
    你好 您好 谢谢 謝謝 感谢 こんにちは こんばんは おはよう ありがとう ありがとうございます どうも
    สวัสดี ขอบคุณ 안녕하세요 감사합니다
"""
_WITH_THEM: Final = """
    a again all and course day everyone for help it lot lots many much of really so that the then
    there too very you your
"""

COURTESIES: Final = frozenset(f"{_ENGLISH} {_FOREIGN}".split())
"""Words of greetings, thanks and agreement, in lower case."""

_AROUND: Final = COURTESIES | frozenset(_WITH_THEM.split())


def is_small_talk(sentence: str) -> bool:
    """Whether the sentence has no words, or only words of courtesy, such as `Thanks a lot!`."""
    found = {word.lower() for word in words(sentence)}
    return not found or (found <= _AROUND and not found.isdisjoint(COURTESIES))
