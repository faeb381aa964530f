"""Splits Rust source into tokens and comments. A literal is one token, whatever it contains."""

from __future__ import annotations

import re
from typing import NamedTuple


class Token(NamedTuple):
    """A token of code: `kind` is `name`, `number`, `text`, `lifetime` or `mark` (one character)."""

    kind: str
    text: str
    line: int


class Comment(NamedTuple):
    """A comment. `alone` means that no code precedes it on its line."""

    text: str
    line: int
    alone: bool


TOKEN = re.compile(
    r"""
      (?P<comment>//[^\n]*)
    | (?P<block>/\*)
    | (?P<text>
          [bc]?r(?P<hashes>\#*)".*?"(?P=hashes)
        | [bc]?"(?:[^"\\]|\\.)*"
        | b?'(?:[^'\\\n]|\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.))'
      )
    | (?P<lifetime>'[^\W\d]\w*)
    | (?P<number>\d\w*(?:\.\d\w*)?)
    | (?P<name>(?:r\#)?[^\W\d]\w*)
    | (?P<mark>\S)
    """,
    re.VERBOSE | re.DOTALL,
)
BLOCK_MARK = re.compile(r"/\*|\*/")


def lex(text: str) -> tuple[list[Token], list[Comment]]:
    """Returns the tokens and the comments of a file, in source order."""
    tokens: list[Token] = []
    comments: list[Comment] = []
    position, line, counted = 0, 1, 0
    while found := TOKEN.search(text, position):
        start, position, kind = found.start(), found.end(), found.lastgroup or "mark"
        line += text.count("\n", counted, start)
        counted = start
        if kind == "block":
            position = end_of_block(text, start)
        if kind in ("comment", "block"):
            alone = not text[text.rfind("\n", 0, start) + 1 : start].strip()
            comments.append(Comment(text[start:position], line, alone))
        else:
            tokens.append(Token(kind, text[start:position], line))
    return tokens, comments


def end_of_block(text: str, start: int) -> int:
    """Returns the end position of a `/* */` comment, which may be nested."""
    depth = 0
    for mark in BLOCK_MARK.finditer(text, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)
