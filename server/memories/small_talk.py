"""Greetings, thanks and fillers: sentences of which nothing is worth remembering."""

from __future__ import annotations

from typing import Final

from server.core.words import words

_COURTESIES: Final = frozenset(
    """
    hi hiya hello hey howdy greetings welcome morning afternoon evening night bye goodbye cheers
    thanks thank thx ty please sorry pardon ok okay fine perfect cool nice awesome good great
    wonderful excellent lovely wow oh ah um hmm haha lol

    hola gracias buenos buenas días tardes noches bonjour bonsoir salut merci beaucoup hallo
    danke guten morgen tag abend servus moin tschüss vielen dank ciao grazie mille buongiorno
    buonasera olá oi obrigado obrigada bom boa dia noite bedankt hoi goedemorgen cześć dziękuję
    dzięki hej tack привет спасибо здравствуйте дякую नमस्ते धन्यवाद शुक्रिया مرحبا شكرا شكرًا
    جزيلا السلام 你好 您好 谢谢 謝謝 感谢 こんにちは こんばんは おはよう ありがとう ありがとうございます どうも สวัสดี ขอบคุณ 안녕하세요 감사합니다
    """.split()
)
_WITH_THEM: Final = frozenset(
    "a all again and everyone for help it lot lots many mille much of course day really so that the"
    " then there too very you your".split()
)


def is_small_talk(sentence: str) -> bool:
    """Whether the sentence has no words, or only words of courtesy, such as `Thanks a lot!`."""
    found = {word.lower() for word in words(sentence)}
    return not found or (found <= _COURTESIES | _WITH_THEM and not found.isdisjoint(_COURTESIES))
