"""Checks whether characters can be the text of a page: a font can give wrong ones. Pure functions."""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

# Pairs of letters that are frequent in languages of one script: 74 to 90 % of the pairs in texts of 24 Latin
# and 4 Cyrillic languages, a quarter of those in text whose letters are exchanged.
_LATIN = frozenset(
    re.findall(
        r"\w\w",
        """
    ac ad ag ai ak al am an ap ar as at au av az ba be bi bo ca ce ch ci co ct da de di do du ea eb ec
    ed ee eg ei el em en er es et fa fi fo ge gi gr gu ha he hi ho ht ia ic id ie ig ik il im in io ir
    is it iv ka ke kg ki ko la le li ll lo lt lu ma me mi mo mp mu na nd ne nf ng ni no ns nt nu oc od
    og ol om on oo op or os ot ou ov ow pa pe pl po pr ps pt qu ra rd re rg ri rm ro rs rt ru sa sc se
    si so sp ss st su sy ta te th ti to tp tr tt tu ua ue ui ul um un up ur us ut va ve vi vo wa ys za
    ze zi
    """,
    )
)
_CYRILLIC = frozenset(
    re.findall(
        r"\w\w",
        """
    аб ав аг ад ае аж аз ай ак ал ам ан ап ар ас ат ах ац ач ај ба би бо бр бу ва ве ви вк вл вн во вс
    вы ві га ги го гр да де ди дл дн до др ду еб ев ед еж ез ей ек ел ем ен ер ес ет жа жд же жи жн за
    зв зд зи зм зн зо зу ив ие из ии ий ик ил им ин ир ис ит их иц ич ия иј йл йс ка ке ки кл ко кр кт
    ку ла ле ли лн ло лу ль ля ма ме ми мн мо мы на нд не ни нк нн но нс нт ну нф ны ня ні об ов ог од
    ож оз ои ой ок ол ом он оп ор ос от оч па пе пи по пр ра ре рж ри рм ро рс ру рф рі са св се си ск
    сл сн со сп ст су съ ся та тв те ти тк то тр тс ту ть ув уг ук ум ун уп ур ус ут ую фа фе фо хо це
    ци ча че чи чн ши ър ые ый ых ьз ьн ів ід ім ін ії ја је јл ње
    """,
    )
)
_SCRIPTS = ((re.compile("[a-z]+"), _LATIN), (re.compile("[а-яѐ-џґ]+"), _CYRILLIC))

# With fewer pairs, the share says nothing.
_MIN_PAIRS = 60
_MIN_SHARE = 0.5
# Cyrillic text in an 8-bit encoding that is taken for Latin-1 consists of letters with accents.
_ACCENTED = re.compile("[À-ÖØ-öø-ÿ]")
_MAX_ACCENTED = 0.4
# Some such words among others: few pairs suffice, because they must be frequent ones of Cyrillic. Of the
# letters in the order of the alphabet, half are.
_MISTAKEN = re.compile("[À-ÿ]{3,}")
_MIN_MISTAKEN_PAIRS, _MIN_MISTAKEN_SHARE = 6, 0.7
# Characters that no font has: of controls, of private use, not assigned, and those that replace others.
_MEANINGLESS = frozenset(("Cc", "Co", "Cn", "Cs"))
REPLACEMENT = "\ufffd"


def is_meaningless(character: str) -> bool:
    """Return whether a character has no meaning outside of its font."""
    return character == REPLACEMENT or unicodedata.category(character) in _MEANINGLESS


def is_plausible(words: Iterable[str]) -> bool:
    """Return False if the letters are not those of a language; True if there are too few to tell."""
    text = " ".join(words)
    letters = sum(character.isalpha() for character in text)
    if letters > _MIN_PAIRS and len(_ACCENTED.findall(text)) > _MAX_ACCENTED * letters:
        return False
    if _is_mistaken_cyrillic(text):
        return False
    plain = _without_accents(text.lower())
    shares = (_share(script.findall(plain), frequent, _MIN_PAIRS) for script, frequent in _SCRIPTS)
    return all(share is None or share >= _MIN_SHARE for share in shares)


def _is_mistaken_cyrillic(text: str) -> bool:
    """Return whether words of accented letters alone are Cyrillic ones in the encoding of Windows."""
    words = [word.encode("latin-1").decode("cp1251").lower() for word in _MISTAKEN.findall(text)]
    share = _share(words, _CYRILLIC, _MIN_MISTAKEN_PAIRS)
    return share is not None and share >= _MIN_MISTAKEN_SHARE


def _share(words: Iterable[str], frequent: frozenset[str], min_pairs: int) -> float | None:
    """Return the share of pairs of letters that are frequent; None if there are too few pairs."""
    pairs = [left + right for word in words for left, right in pairwise(word)]
    return sum(pair in frequent for pair in pairs) / len(pairs) if len(pairs) >= min_pairs else None


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    # й, ї and others are letters of their own, so only Latin letters lose their accents.
    return "".join(unicodedata.normalize("NFD", letter)[0] if letter < "ɐ" else letter for letter in text)
