"""Runs of lines that occur more than once, exactly or in shape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lexer import Token
from source import Source

KEYWORDS = frozenset(
    """as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move
    mut pub ref return self static struct super trait true type unsafe use where while Self""".split()
)


class Line(NamedTuple):
    """A line of code."""

    number: int
    tokens: list[Token]


class Run(NamedTuple):
    """A later copy of earlier code: its first and last line, its lines of code, and the start of the original."""

    path: Path
    first: int
    last: int
    lines: int
    other: Path
    other_line: int


def exact(tokens: list[Token]) -> str:
    return " ".join(token.text for token in tokens)


def shape(tokens: list[Token]) -> str:
    """Returns a line with its names and literals blanked out."""
    return " ".join(
        token.text if token.kind in ("mark", "lifetime") or token.text in KEYWORDS else "_" for token in tokens
    )


def code_lines(source: Source, tests: bool) -> list[Line]:
    """Returns the lines of code of a file: of its tests, or of the rest."""
    lines: dict[int, list[Token]] = defaultdict(list)
    for token in source.tokens:
        if source.is_test_line(token.line) == tests:
            lines[token.line].append(token)
    return [Line(number, tokens) for number, tokens in lines.items()]


def runs(files: dict[Path, list[Line]], length: int, form: Callable[[list[Token]], str]) -> list[Run]:
    """Returns the runs of at least `length` lines that occur earlier, too. The first occurrence is not returned."""
    first_places: dict[tuple[str, ...], tuple[Path, int]] = {}
    found: list[Run] = []
    for path, lines in files.items():
        texts = [form(line.tokens) for line in lines]
        earlier: dict[int, tuple[Path, int]] = {}
        for start in range(len(lines) - length + 1):
            other, at = first_places.setdefault(tuple(texts[start : start + length]), (path, start))
            if other != path or at + length <= start:
                earlier[start] = other, at
        found.extend(joined(path, earlier, files, length))
    return found


def joined(
    path: Path, earlier: dict[int, tuple[Path, int]], files: dict[Path, list[Line]], length: int
) -> Iterator[Run]:
    """Yields the runs of a file; copies that overlap or touch are one run."""
    starts = list(earlier)
    begin = starts[0] if starts else 0
    for start, following in zip(starts, [*starts[1:], None]):
        if following is None or following > start + length:
            lines, (other, at) = files[path][begin : start + length], earlier[begin]
            yield Run(path, lines[0].number, lines[-1].number, len(lines), other, files[other][at].number)
            begin = following or 0
