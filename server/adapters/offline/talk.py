"""How English talk looks that states nothing lasting.

The patterns take text as `words.level` leaves it; OPENING and the ones after it, as
`words.expanded` does. None has a repetition within a repetition.
"""

from __future__ import annotations

import re

_FLAGS = re.IGNORECASE | re.VERBOSE

QUESTION_MARKS = ("?", "\uff1f", "\u061f")
CLOSING = "\"'\u201d\u2019) "

FIRST_PERSON = re.compile(r"\b(?:i|me|my|mine|myself|we|us|our|ours)\b", _FLAGS)
"""Words by which speakers mean themselves."""

_ME = r"(?=(?:i|i'm|im|i've|i'd|i'll|my|our|we|we're|we've)\b)"

LEAD = re.compile(
    rf"""
      (?:hi|hello|hey|hiya|greetings|good\ morning|good\ afternoon|good\ evening|howdy)
        (?:\ there|\ again|\ everyone|\ all|\ team)?(?:[,!.\ -]+|$)
    | (?:thanks|thank\ you|thx|cheers)(?:\ so\ much|\ a\ lot|\ again)?[,!.]+\s*
    | (?:well|so|oh|ah|um|uh|hmm|actually|anyway|anyways|btw|fyi|also|besides|honestly|frankly|yes
        |yeah|yep|yup|no|nope|nah|ok|okay|right|sure|great|cool|nice|wow|lol|haha|basically|look
        |listen|sorry|plus|alright|additionally|moreover|however|fun\ fact|quick\ note|note
        |update|news|unfortunately|luckily|sadly|true|exactly|by\ the\ way|in\ fact|to\ be\ honest
        |for\ the\ record|for\ context|just\ so\ you\ know|as\ you\ know|for\ your\ information
        |as\ i\ said|of\ course|after\ all)(?:\s*[,:!-]+\s*|\s+{_ME})
    | (?:and|but|because|then|that)\s+{_ME} | so\s+(?=if\b)
    | (?:please\ )?(?:remember|note|keep\ in\ mind|don't\ forget|know)
        (?:\ that|:|,)?\s+{_ME}
    | i\ (?:really\ )?(?:think|guess|believe|suppose|feel\ like|realized|realised)\ (?:that\ )?{_ME}
    | i\ (?:should|must|have\ to|want\ to|wanted\ to|forgot\ to)\ (?:mention|add|say|tell\ you)
        \ (?:that\ )?{_ME}
    """,
    _FLAGS,
)
"""What leads up to a statement and adds nothing."""

_ASKS = r"""
    (?:can|could|would|will|do|does|did|is|are|was|were|should|shall|may|might|have|has|am
      |isn't|aren't|don't|doesn't|didn't|won't|can't|couldn't|wouldn't|shouldn't)
      \ (?:you|i|we|they|he|she|it|there|this|that|these|those|the|my|your|anyone|any|somebody)\b
  | (?:what|where|when|why|how|which|who|whose)(?:'s|\ is|\ are|\ was|\ were|\ do|\ does|\ did
      |\ can|\ could|\ should|\ would|\ will|\ about|\ else|\ kind|\ type|\ sort|\ time|\ much
      |\ many|\ long|\ often|\ far|\ to|\ other|\ ones?)\b
  | any\ (?:ideas?|suggestions?|recommendations?|tips|advice|thoughts|chance|good|other)\b
"""
_REQUESTS = r"""
    (?:please|pls|plz|kindly)\b
  | (?:tell|show|give|help|remind|send|advise|teach|let|get|find|recommend|suggest|write|explain)
      \ (?:me|us)\b
"""

TO_QUESTION = re.compile(
    rf"(?:\s*[,;:\u2013\u2014-]\s*|\s+)(?:(?:and|so|but|or)\s+)?"
    rf"(?:{_ASKS}|{_REQUESTS}|(?:right|okay|ok|remember|no|yes|correct)\s*\?)",
    _FLAGS,
)
"""Where a sentence that ends as a question stops stating."""

_REMARKS = r"""
    (?:i\ am|i'm|im|i\ was)\ (?:just\ |kinda\ |really\ |still\ |also\ )?
        (?:wondering|not\ sure|unsure
      |curious|thinking|hoping|trying|confused|stuck|struggling|looking\ for|worried)\b
  | (?:i\ )?(?:just\ )?(?:want|need|wanted|would\ like)
        \ (?:to\ (?:make\ sure|know|understand|be\ sure
      |check|see|ensure)|your|some)\b
  | i'd\ like\ to\ (?:make\ sure|know|understand|be\ sure|check|see)\b
  | (?:can|could|would|will)\ you\b
  | (?:what|how|where|when|which)\ (?:should|do|can|would|could|did|is|are|will)\b
  | (?:this|that|it)\ (?:is|was|has|makes|would|will)\b | here's\b | which\ makes\ me\b
  | you\ know\b
"""

TO_REQUEST = re.compile(
    rf"(?:\s*[,;\u2013\u2014-]\s*(?:(?:and|so|but)\s+)?|\s+(?:and|so|but)\s+)"
    rf"(?:{_REQUESTS}|{_REMARKS})",
    _FLAGS,
)
"""Where a sentence turns into a request, or into a remark about what was stated."""

OPENING = re.compile(
    rf"""(?:{_ASKS}|{_REQUESTS}
      | (?:add|advise|analy[sz]e|assume|book|calculate|call|cancel|change|check|clarify|click|come
          |compare|compute|consider|convert|create|define|delete|describe|design|draft|edit|ensure
          |explain|find|fix|forget|format|generate|get|give|go|help|hold|ignore|imagine|implement
          |improve|include|keep|let|let's|list|listen|look|make|note|open|order|pick|play|plan
          |pretend|provide|put|read|recommend|refactor|remember|remind|remove|repeat|rephrase
          |replace|reserve|review|rewrite|run|save|say|schedule|search|see|send|set|show|simplify
          |solve|start|stop|suggest|sum|summari[sz]e|take|tell|think|translate|try|turn|update|use
          |wait|walk|write)\b(?!\ (?:is|was|are|has|at|in|for)\b)
      | (?:thanks|thank\ you|thx|cheers|welcome|congrats|congratulations|goodbye|bye|good\ night
          |see\ you|talk\ soon|take\ care|never\ mind|nevermind|no\ problem|no\ worries|sounds\ good
          |got\ it|i\ see|my\ bad|excuse\ me|pardon\ me|same\ here|me\ too|me\ neither|my\ pleasure
          |my\ (?:question|point|guess|apologies)|my\ (?:code|query)\ is)\b
      | (?:that|this|the|those|these|your)\ (?:\w+\ )?(?:sounds|looks\ (?:good|great)|makes\ sense
          |works\ for|would\ be|will\ be|helps)\b
      | (?:that|this|it|these|those|there|here|they|what|whatever|which|hopefully)
          (?:'s|'ll|'d|'re|\ is|\ are|\ was|\ were|\ will|\ would|\ looks|\ sounds|\ seems|\ makes
          |\ might|\ could|\ can|\ should|\ has|\ have|\ had|\ really|\ works|\ helps|\ helped)
    )""",
    _FLAGS,
)
"""Beginnings of questions, requests, courtesies and remarks on what was just said."""

HYPOTHETICAL = re.compile(
    r"""^(?:if|unless|maybe|hopefully|perhaps|suppose|supposing|imagine|assuming|whether|given
          |in\ case|what\ if
          |let\ us\ say|hypothetically|ideally)\b
      | \bi\ (?:wish|might|may|could|should)\b
      | \bi\ would\ (?!(?:love|like|prefer|rather|really\ (?:love|like)|never)\b)
      | \b(?:as|even|only|,)\ if\ i\b | ,\ if\b""",
    _FLAGS,
)
"""What is only supposed."""

PASSING = re.compile(
    r"""i\ (?:just\ |really\ |also\ |still\ |already\ |do\ |don't\ |do\ not\ |didn't\ |truly\ )*
        (?:see|understand|agree|disagree|know|guess|mean|hope|doubt|wonder|appreciate|forget|forgot
          |suppose|bet|swear|promise|think|thought|believe|figured|asked|said|meant|noticed|tried
          |assume|remember|care|mind|get|apologi[sz]e
          |got\ (?:it|an|this|that|the|confused|stuck|lost)|feel|felt\ like
          |was\ (?:wondering|thinking|hoping|asking|just|trying|about|looking)
          |recommend|suggest|hear|heard|beg|insist|look\ forward)\b
      | i\ (?:just\ |really\ |also\ |still\ |only\ |definitely\ )*
        (?:need|want|wanted|would\ like|would\ love)\ (?:you|to\ (?:know|ask|see|check|understand
          |make\ sure|book|order|confirm|hear|talk|discuss|clarify|be\ sure|find\ out|get)
          |(?:some\ |a\ |your\ |more\ |any\ |an\ |another\ )?(?:help|advice|suggestions?|ideas?
          |recommendations?|information|info|tips|feedback|example|list|summary|recipe|plan
          |answer))\b
      | i\ am\ (?:just\ |so\ |very\ |really\ |a\ bit\ |a\ little\ |not\ |still\ |also
          \ |too\ |quite\ )*
        (?:sorry|good|fine|ok|okay|great|well|tired|hungry|thirsty|sleepy|sure|glad|ready|done|back
          |here|confused|stuck|grateful|thankful|pleased|bored|busy|late|lost|curious|wondering
          |asking|talking|saying|kidding|joking|trying|having|thinking
          |getting\ (?:an|the|this|some|a)
          |looking\ (?:for\ (?:a\ |some\ |an\ |the\ )?(?:way|recipe|recommendation|suggestion|advice
          |help|information|something|ideas?|good|tips)|forward|at|into)|happy\ (?:to|that|for|you)
          |excited\ to\ (?:hear|see|try)|going\ to\ (?:bed|sleep|try|ask|be|need|take|have|get
          |check|do|use|start|think|the)|aware|impressed|surprised|about\ to
          |afraid\ (?:so|not|i|that)
          |all\ (?:set|ears|good)|unsure|overwhelmed|seeing|facing|running\ into|unable)\b
      | i\ (?:really\ |do\ |also\ |just\ |absolutely\ |don't\ |will\ )*
        (?:love|like|hate|enjoy|prefer|need|want|do|did|tried|try)\ (?:it|that|this|them|those
          |these|him|her
          |the\ (?:idea|sound|suggestion|first|second|third|last)|your|so|both|one)\b
      | i\ will\ (?:definitely\ |also\ |just\ |probably\ )*
        (?:check|try|see|let|think|do|get|look|keep|ask|follow|wait|be\ back)\b
      | i\ (?:can't|cannot|can|couldn't|could\ not)\ (?:still\ |also\ |probably\ |really\ )?
        (?:see|find|figure|believe|help|wait|tell|hear
          |imagine|remember|make|do|get|decide|understand|seem|agree|relate|think)\b
      | i\ (?:have|had|got|do\ not\ have|don't\ have)
        \ (?:a\ |another\ |one\ |some\ |no\ |any\ |an\ |to\ )*(?:questions?|problems?|issues?|idea
          |doubt|error|trouble|go|run|ask|clue
          |concern|concerns|request|choice)\b
      | (?:my|our)\ (?:question|problem|issue|error|request|goal\ here)\b
      | (?:make|makes|tell|tells|give|gives)\ me\b
      | let\ me\b""",
    _FLAGS,
)
"""First-person sentences about this moment or this conversation."""

OF_ASSISTANT = re.compile(
    r"""i\ (?:have\ |just\ |already\ |also\ |previously\ |have\ just\ |have\ already\ )?
        (?:recommended|suggested|booked|scheduled|reserved|ordered|sent|emailed|created|added
          |set\ up
          |cancelled|canceled|updated|saved|bought|purchased|submitted|filed|prepared|drafted)\b
      | i\ am\ (?:called|named|based|an?\ [\w-]+|[A-Z][\w-]*(?:,|$)
          |made\ by|built\ by|developed\ by)
      | my\ name\ is\b""",
    _FLAGS,
)
"""What an assistant says of itself as a plain fact: what it is, and what it has done."""

CALL_ME = re.compile(
    r"(?:please\ |just\ |you\ can\ |everyone\ |they\ )*calls?\ me\ (?=[A-Z])", re.VERBOSE
)
"""How speakers say what they want to be called."""

DATED = re.compile(
    r"""\b(?:\w*\d\w*|(?:mon|tues|wednes|thurs|fri|satur|sun)day|tomorrow|january
          |february|march|april|june|july|august|september|october|november|december)\b""",
    _FLAGS,
)
"""Days and numbers."""

ABOUT_A_THING = re.compile(
    r"(?:the|[A-Z][\w-]*)\ [\w'\ -]{1,60}\b(?:is|are|starts|ends|begins|launches|opens|closes)\b",
    re.VERBOSE,
)
"""Statements about one definite thing."""

INTENTION = re.compile(r"\b(?:i will|i am (?:going to|gonna) (?=[a-z]))", re.IGNORECASE)
"""What speakers are about to do; it is of interest with a date."""

SOON = re.compile(
    r"\b(?:next|this|in \w+ (?:days?|weeks?|months?|years?)|tomorrow)\b", re.IGNORECASE
)
"""Words that date the future."""
