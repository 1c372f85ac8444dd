"""Telling sentences of other languages from English ones, and statements from other talk.

A sentence in a language that cannot be parsed is kept as it stands, unless it asks, greets, thanks
or requests in a language of which these lists know the words.
"""

from __future__ import annotations

import re

from server.adapters.offline.lexicon import word_set
from server.domain.words import words

_OTHER_SCRIPT = re.compile(r"[\u0370-\u1fff\u2e80-\ud7ff\uf900-\ufaff]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_ACCENTED = re.compile(r"[\u00c0-\u024f\u1e00-\u1eff]")
_SENTENCE_OF_CHARACTERS = 5
_SENTENCE_OF_WORDS = 2
_ENGLISH = word_set(
    """i i'm i've i'd my me the is are am was we our you your he she they and of to have has had do
    does don't with for on at it this that not from"""
)
_FOREIGN = word_set(
    """el los las una uno estoy soy tengo mis mi vivo trabajo gusta esposa hermana hermano que por
    para pero porque muy tambi\u00e9n desde hace nos somos es un al del lo ich bin mein meine meinen
    habe wohne arbeite und der das ein eine einen nicht kein keine mag seit hei\u00dfe liebe spiele wir
    ist im auf von zu ins je suis mon ma mes j'habite j'ai j'aime j'adore les une dans avec est sont
    pas ne mais tr\u00e8s depuis le la du nous notre l'an sono mia mio abito lavoro ho gli che piace con
    della nel il mi non sto di alla da eu sou meu minha moro trabalho n\u00e3o em um uma gosto tenho com
    h\u00e1 na os ik ben mijn woon werk het een niet heb houd van wij ons jestem mam nie lubi\u0119 mieszkam
    mieszka pracuj\u0119 jest moja m\u00f3j w jag \u00e4r och bor i min inte en har p\u00e5 jeg er bor p\u00e5 olen asun
    ve bir benim ya\u015f\u0131yorum saya di tinggal dan"""
) - word_set("i")
_TALK = word_set(
    """hola gracias buenos buenas bonjour bonsoir salut merci hallo danke guten servus moin tsch\u00fcss
    ciao grazie buongiorno buonasera ol\u00e1 oi obrigado obrigada bom boa dank bedankt hoi goedemorgen
    cze\u015b\u0107 dzi\u0119kuj\u0119 dzi\u0119ki hej tack \u043f\u0440\u0438\u0432\u0435\u0442 \u0441\u043f\u0430\u0441\u0438\u0431\u043e \u0437\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439\u0442\u0435 \u0434\u044f\u043a\u0443\u044e
    \u0928\u092e\u0938\u094d\u0924\u0947 \u0927\u0928\u094d\u092f\u0935\u093e\u0926 \u0936\u0941\u0915\u094d\u0930\u093f\u092f\u093e \u0645\u0631\u062d\u0628\u0627 \u0634\u0643\u0631\u0627 \u0634\u0643\u0631\u064b\u0627 \u0627\u0644\u0633\u0644\u0627\u0645"""
)
_QUESTION_WORDS = word_set(
    """qu\u00e9 cu\u00e1l cu\u00e1les d\u00f3nde c\u00f3mo cu\u00e1ndo qui\u00e9n por was wer wo wie wann warum welche welcher welches
    kannst k\u00f6nntest quel quelle quels quelles o\u00f9 comment quand pourquoi qui est-ce peux-tu pouvez-vous
    qual quali dove come quando perch\u00e9 chi cosa puoi quem onde quanto wat waar hoe wanneer waarom wie
    kun co gdzie jak kiedy dlaczego kto czy \u0447\u0442\u043e \u0433\u0434\u0435 \u043a\u0430\u043a \u043a\u043e\u0433\u0434\u0430 \u043f\u043e\u0447\u0435\u043c\u0443 \u043a\u0442\u043e \u043a\u0430\u043a\u043e\u0439 \u043a\u0430\u043a\u0430\u044f \u0441\u043a\u043e\u043b\u044c\u043a\u043e
    \u0915\u094d\u092f\u093e \u0915\u0939\u093e\u0901 \u0915\u0948\u0938\u0947 \u0915\u092c \u0643\u064a\u0641 \u0623\u064a\u0646 \u0645\u0627 \u0645\u0627\u0630\u0627 \u0645\u062a\u0649 \u0644\u0645\u0627\u0630\u0627 \u0647\u0644"""
)
_REQUESTS = re.compile(
    r"\b(?:bitte|por favor|per favore|s'il (?:te|vous) pla\u00eet|alsjeblieft|alstublieft|prosz\u0119"
    r"|\u043f\u043e\u0436\u0430\u043b\u0443\u0439\u0441\u0442\u0430)\b|\u304f\u3060\u3055\u3044|\u304a\u9858\u3044|\u8bf7|\u8acb|\u0915\u0943\u092a\u092f\u093e|\u0645\u0646 \u0641\u0636\u0644\u0643",
    re.IGNORECASE,
)
_UNSPACED_TALK = re.compile(
    "^(?:\u3053\u3093\u306b\u3061\u306f|\u3053\u3093\u3070\u3093\u306f|\u304a\u306f\u3088\u3046|\u3042\u308a\u304c\u3068\u3046|\u3069\u3046\u3082"
    "|\u4f60\u597d|\u60a8\u597d|\u8c22\u8c22|\u8b1d\u8b1d|\u611f\u8c22|\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35|\u0e02\u0e2d\u0e1a\u0e04\u0e38\u0e13)"
    "|(?:\u3067\u3059\u304b|\u307e\u3059\u304b|\u3067\u3057\u3087\u3046\u304b|\u5417|\u55ce|\u5462)[\u3002\uff01!.]*$"
    "|(?:\u4ec0\u4e48|\u54ea\u91cc|\u54ea\u513f|\u600e\u4e48|\u4e3a\u4ec0\u4e48|\u4f55\u6642|\u3069\u3053|\u306a\u305c)"
)
_QUESTION_MARK = re.compile("[?\uff1f\u061f\u00bf]")


def is_foreign(text: str) -> bool:
    """Whether the sentence is of another language than English, as far as its words tell."""
    letters = sum(character.isalpha() for character in text)
    other = len(_OTHER_SCRIPT.findall(text))
    if other:
        return 2 * other >= letters
    found = [word.lower() for word in words(text)]
    if any(word in _ENGLISH for word in found):
        return sum(w in _FOREIGN for w in found) > 2 * sum(w in _ENGLISH for w in found)
    return (
        any(word in _FOREIGN or word in _TALK for word in found)
        or bool(_ACCENTED.search(text))
        or "\u00bf" in text
    )


def is_statement(text: str) -> bool:
    """Whether a sentence of another language is more than a question, a courtesy or a request."""
    found = [word.lower() for word in words(text)]
    if not found or _QUESTION_MARK.search(text) or _REQUESTS.search(text):
        return False
    if _UNSPACED.search(text):
        return len(text) >= _SENTENCE_OF_CHARACTERS and not _UNSPACED_TALK.search(text)
    is_talk = found[0] in _TALK or found[0] in _QUESTION_WORDS or found[-1] in _TALK
    return len(found) >= _SENTENCE_OF_WORDS and not is_talk
