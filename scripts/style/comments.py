"""Comment lines and their limit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from source import Source

COLUMNS = 100
# Lines that cannot be broken: rows of tables in documentation, single words (URLs), also behind the mark of a list or a
# link, and messages of the compiler that a test expects.
UNBREAKABLE = re.compile(r"\s*//(~ .*|[/!]\s*\|.*\||[/!]?\s*(([-*]|\d+\.|\[[^\]]*\]:)\s+)?\S+)$")


def comment_lines(source: Source) -> set[int]:
    """Returns the lines with a comment and no code."""
    return {
        comment.line + below
        for comment in source.comments
        if comment.alone
        for below in range(comment.text.count("\n") + 1)
    }


def too_long(source: Source) -> Iterator[int]:
    """Yields the comment lines over the limit, except those that cannot be broken."""
    for number in sorted(comment_lines(source)):
        line = source.lines[number - 1]
        if len(line) > COLUMNS and not UNBREAKABLE.match(line):
            yield number
