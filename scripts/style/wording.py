"""The first words of documentation, and the names of tests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from source import OPENING, Doc, Source

# Words that no documentation may open with.
FORBIDDEN = frozenset("what whether who whoever nobody".split())
QUESTIONS = frozenset("how what whatever when where whether which who whoever whom whose why".split())
PRONOUNS = frozenset(
    """anybody anything everybody everything he his it its nobody none nothing our she somebody something that their
    them these they this those we you""".split()
)


def first_sentence(doc: Doc) -> str:
    """Returns the first sentence of documentation, on one line."""
    paragraph = " ".join(doc.text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.:!?]) (?=[A-Z\[`])", paragraph)[0]


def first_word(text: str) -> str:
    return re.split(r"[^a-z]+", text.lower().lstrip(" *_`[\"'("))[0]


def opens_forbidden(text: str) -> bool:
    return first_word(text) in FORBIDDEN or text.lower().startswith("all that ")


def opens_with_question(text: str) -> bool:
    return first_word(text) in QUESTIONS or opens_forbidden(text)


def opens_with_pronoun(text: str) -> bool:
    return first_word(text) in PRONOUNS and not opens_with_question(text)


class TestName(NamedTuple):
    """The name of a test."""

    name: str
    line: int

    @property
    def words(self) -> int:
        return len(self.name.strip("_").split("_"))

    @property
    def opens_badly(self) -> bool:
        return first_word(self.name) in QUESTIONS | PRONOUNS


def test_macros(sources: Iterable[Source]) -> set[str]:
    """Returns the macros that define tests, directly or through other macros."""
    bodies: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        for name, words in macro_bodies(source):
            bodies[name] |= words
    making = {name for name, words in bodies.items() if "#[test]" in words}
    while more := {name for name, words in bodies.items() if words & making} - making:
        making |= more
    return making


def macro_bodies(source: Source) -> Iterator[tuple[str, set[str]]]:
    """Yields each macro defined in a file, with the tokens of its body."""
    for index, token in enumerate(source.tokens):
        if token.text == "macro_rules" and source.text_at(index + 1) == "!":
            body = range(index + 3, source.closing(index + 3))
            words = {source.text_at(at) for at in body}
            if any(source.is_test_attribute(at) for at in body):
                words.add("#[test]")
            yield source.text_at(index + 2), words


def test_names(source: Source, macros: set[str]) -> Iterator[TestName]:
    """Yields the names of the tests of a file. A function that a macro turns into several tests counts once."""
    behind_macro = 0
    for index, token in enumerate(source.tokens):
        if index < behind_macro:
            continue
        if token.text == "macro_rules" and source.text_at(index + 1) == "!":
            behind_macro = source.closing(index + 3)
        elif token.text in macros and source.text_at(index + 1) == "!":
            behind_macro = source.closing(index + 2)
            yield from made_by_macro(source, index + 2)
        elif token.text == "#" and source.is_test_attribute(index):
            name = index
            while source.text_at(name - 1) != "fn" and name < len(source.tokens):
                name += 1
            if source.is_name(name):
                yield TestName(source.text_at(name), source.tokens[name].line)


def made_by_macro(source: Source, opening: int) -> Iterator[TestName]:
    """Yields the functions passed to a macro: defined in its brackets, or named there and defined in the file."""
    outside = {function.name for function in source.functions}
    index = opening + 1
    while index < source.closing(opening):
        token, before = source.tokens[index], source.text_at(index - 1)
        if before == "fn" or (before in "({[," and token.text in outside):
            yield TestName(token.text, token.line)
        index = source.closing(index) + 1 if token.text in OPENING else index + 1
