"""One Rust file: its test code, functions and documentation, found by its tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from lexer import Comment, Token, lex

OPENING, CLOSING = frozenset("([{"), frozenset(")]}")
# Keywords of items and statements that end with a semicolon, even if they contain a block.
STATEMENTS = frozenset("const let static type use".split())
# Keywords of items that end with a block or a semicolon.
ITEMS = frozenset("async enum extern fn impl macro_rules mod struct trait union unsafe".split())


class Function(NamedTuple):
    """A function with a body: the lines from its `fn` to its last brace."""

    name: str
    line: int
    length: int


class Doc(NamedTuple):
    """A documentation comment: consecutive `///` lines, or consecutive `//!` lines."""

    line: int
    text: str


@dataclass
class Source:
    """A file. `is_test` marks the whole file as test code."""

    path: Path
    text: str
    is_test: bool = False
    tokens: list[Token] = field(init=False, repr=False)
    comments: list[Comment] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.tokens, self.comments = lex(self.text)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.removesuffix("\n").split("\n")

    # Tokens.

    def text_at(self, index: int) -> str:
        """Returns the text of a token, or an empty string outside the file."""
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def is_name(self, index: int) -> bool:
        return index < len(self.tokens) and self.tokens[index].kind == "name"

    def is_path_mark(self, index: int) -> bool:
        """Returns whether the token begins a `::`."""
        return self.text_at(index) == self.text_at(index + 1) == ":"

    def is_restricted(self, index: int) -> bool:
        """Returns whether a `pub` is restricted to a crate or a module."""
        return self.text_at(index + 1) == "(" and self.text_at(index + 2) in ("crate", "in", "self", "super")

    def closing(self, opening: int) -> int:
        """Returns the index of the matching closing bracket."""
        return self.brackets.get(opening, len(self.tokens) - 1)

    @cached_property
    def brackets(self) -> dict[int, int]:
        """The indices of the closing brackets, by those of the opening ones."""
        pairs: dict[int, int] = {}
        opened: list[int] = []
        for index, token in enumerate(self.tokens):
            if token.text in OPENING:
                opened.append(index)
            elif token.text in CLOSING and opened:
                pairs[opened.pop()] = index
        return pairs

    # Tests.

    def is_test_line(self, line: int) -> bool:
        """Returns whether a line belongs to test code."""
        return self.is_test or line in self.test_lines

    @cached_property
    def test_lines(self) -> frozenset[int]:
        marks = (index for index, token in enumerate(self.tokens) if token.text == "#")
        spans = [(start, self.end_of_item(start)) for start in marks if self.is_for_tests(start)]
        return frozenset(
            line for start, end in spans for line in range(self.tokens[start].line, self.tokens[end].line + 1)
        )

    def is_for_tests(self, start: int) -> bool:
        """Returns whether a test attribute, or a `cfg` that requires `test`, begins here."""
        if self.is_test_attribute(start):
            return True
        attribute = self.attribute(start)
        return attribute[:1] == ["cfg"] and needs_test(attribute[1:])

    def is_test_attribute(self, start: int) -> bool:
        """Returns whether `#[test]` or an equivalent (`#[tokio::test(..)]`) begins here."""
        attribute = self.attribute(start)
        path = attribute[: attribute.index("(")] if "(" in attribute else attribute
        return path[-1:] == ["test"] and "=" not in path

    def attribute(self, start: int) -> list[str]:
        """Returns the tokens in the brackets of the attribute that begins here, if one does."""
        if self.text_at(start) != "#" or self.text_at(start + 1) != "[":
            return []
        return [token.text for token in self.tokens[start + 2 : self.closing(start + 1)]]

    def end_of_item(self, start: int) -> int:
        """Returns the last token of the item, field or statement that begins here, attributes included."""
        index = self.after_attributes(start)
        keyword = self.text_at(index)
        if keyword in STATEMENTS and self.text_at(index + 1) != "fn":
            ends = ";"
        elif keyword in ITEMS | {"const"}:
            ends = ";}"
        else:
            ends = ";},"
        while index < len(self.tokens) - 1:
            if self.text_at(index) in CLOSING:
                return index - 1
            if self.text_at(index) in OPENING:
                index = self.closing(index)
            if self.text_at(index) in ends:
                return index
            index += 1
        return len(self.tokens) - 1

    def after_attributes(self, index: int) -> int:
        """Returns the first token after attributes and visibility."""
        while self.text_at(index) in ("#", "pub"):
            index += 1
            if self.text_at(index) in ("[", "("):
                index = self.closing(index) + 1
        return index

    # Functions and documentation.

    @cached_property
    def functions(self) -> list[Function]:
        """The functions with a body, nested ones included."""
        found = []
        for index, token in enumerate(self.tokens):
            body = self.body(index) if token.text == "fn" and self.is_name(index + 1) else None
            if body is not None:
                last = self.tokens[self.closing(body)].line
                found.append(Function(self.text_at(index + 1), token.line, last - token.line + 1))
        return found

    def body(self, index: int) -> int | None:
        """Returns the opening brace of a function's body, if it has one."""
        while (text := self.text_at(index)) not in CLOSING | {";", ""}:
            if text == "{":
                return index
            index = self.closing(index) + 1 if text in OPENING else index + 1
        return None

    @cached_property
    def docs(self) -> list[Doc]:
        """The documentation of items, fields and variants."""
        return list(self.blocks("///"))

    @cached_property
    def headers(self) -> list[Doc]:
        """The documentation of the module itself."""
        return list(self.blocks("//!"))

    def blocks(self, mark: str) -> Iterator[Doc]:
        """Yields each run of consecutive comments with this prefix."""
        lines: list[str] = []
        first = 0
        for comment in self.comments:
            if not comment.text.startswith(mark) or comment.text.startswith("////"):
                continue
            if comment.line != first + len(lines):
                if lines:
                    yield Doc(first, "\n".join(lines))
                lines, first = [], comment.line
            lines.append(comment.text[len(mark) :].strip())
        if lines:
            yield Doc(first, "\n".join(lines))


def needs_test(arguments: list[str]) -> bool:
    """Returns whether the arguments of a `cfg` name `test` other than in a `not(..)`."""
    negated: list[bool] = [False]
    for before, text in zip(["", *arguments], arguments):
        if text == "(":
            negated.append(negated[-1] or before == "not")
        elif text == ")":
            negated.pop()
        elif text == "test" and not negated[-1]:
            return True
    return False
