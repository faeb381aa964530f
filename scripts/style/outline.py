"""The modules and the imports of a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from source import Source

# Keywords that the name of a new item follows.
DEFINING = frozenset("const enum fn macro_rules static struct trait type union".split())

Names = tuple[str, ...]


class Module(NamedTuple):
    """A declaration `mod name;`: `around` are the enclosing inline modules, `path` its `#[path]`."""

    around: Names
    name: str
    path: str | None
    line: int


class Import(NamedTuple):
    """A path of a `use` declaration, or a path in code that begins with `crate` or `super`."""

    around: Names
    path: Names
    alias: str | None
    line: int


@dataclass
class Outline:
    """The declarations of a file, by the inline modules that enclose them."""

    inline: set[Names] = field(default_factory=lambda: {()})
    modules: list[Module] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    defined: dict[Names, set[str]] = field(default_factory=lambda: defaultdict(set))


def outline(source: Source) -> Outline:
    """Returns the outline of a file."""
    found = Outline()
    opened: list[tuple[str, int]] = []
    path = None
    for index, token in enumerate(source.tokens):
        while opened and index > opened[-1][1]:
            opened.pop()
        around, following = tuple(name for name, _ in opened), source.text_at(index + 1)
        match token.text:
            case "path" if source.text_at(index - 1) == "[" and following == "=":
                path = source.text_at(index + 2).strip('"')
            case "mod" if source.text_at(index + 2) == "{":
                opened.append((following, source.closing(index + 2)))
                found.inline.add((*around, following))
            case "mod" if source.text_at(index + 2) == ";":
                found.modules.append(Module(around, following, path, token.line))
                path = None
            case "use" if following != "<":
                end = source.end_of_item(index)
                for names, alias in use_tree(source, index + 1, end, ()):
                    found.imports.append(Import(around, names, alias, token.line))
            case "crate" | "super" if begins_path(source, index):
                found.imports.append(Import(around, path_at(source, index), "", token.line))
            case keyword if keyword in DEFINING:
                found.defined[around].add(source.text_at(index + (2 if following == "!" else 1)))
    return found


def use_tree(source: Source, start: int, end: int, prefix: Names) -> Iterator[tuple[Names, str | None]]:
    """Yields each path of a `use` declaration, with its alias if it has one."""
    names, index = prefix, start
    while index < end:
        text = source.text_at(index)
        if text == "{":
            for first, last in items_between(source, index):
                yield from use_tree(source, first, last, names)
            return
        if text == "as":
            yield names, source.text_at(index + 1)
            return
        if text != ":":
            names += (text,)
        index += 1
    if names != prefix:
        yield names, None


def items_between(source: Source, opening: int) -> Iterator[tuple[int, int]]:
    """Yields the spans between the commas of a pair of brackets."""
    start = index = opening + 1
    closing = source.closing(opening)
    while index < closing:
        if source.text_at(index) == ",":
            yield start, index
            start = index + 1
        index = source.closing(index) + 1 if source.text_at(index) == "{" else index + 1
    yield start, closing


def begins_path(source: Source, index: int) -> bool:
    """Returns whether a path begins with this `crate` or `super`."""
    before = source.text_at(index - 2) + source.text_at(index - 1)
    return source.is_path_mark(index + 1) and before != "::" and not before.endswith("$")


def path_at(source: Source, index: int) -> Names:
    """Returns the names of the path that begins here."""
    names = [source.text_at(index)]
    while source.is_path_mark(index + 1) and source.is_name(index + 3):
        names.append(source.text_at(index + 3))
        index += 3
    return tuple(names)
