"""The places behind the figures, one a line: work lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from comments import too_long
from duplicates import Run
from figures import LONG_FILE, MANY_WORDS
from source import Doc, Source
from survey import Part, length
from wording import first_sentence, opens_forbidden, opens_with_pronoun, opens_with_question

LONG_FUNCTION = 40


def place(part: Part, source: Source, line: int, text: str) -> str:
    return f"{part.survey.tree.name_of(source.path)}:{line}: {text}"


def opening(part: Part, docs: Iterable[tuple[Source, Doc]], opens: Callable[[str], bool]) -> Iterator[str]:
    for source, doc in docs:
        sentence = first_sentence(doc)
        if opens(sentence):
            yield place(part, source, doc.line, sentence)


def openers(part: Part) -> Iterator[str]:
    """Item docs that open with what, whether, who, whoever, nobody or all that."""
    return opening(part, part.docs, opens_forbidden)


def questions(part: Part) -> Iterator[str]:
    """Item docs that open with another question word."""

    def opens(sentence: str) -> bool:
        return opens_with_question(sentence) and not opens_forbidden(sentence)

    return opening(part, part.docs, opens)


def pronouns(part: Part) -> Iterator[str]:
    """Item docs that open with a pronoun."""
    return opening(part, part.docs, opens_with_pronoun)


def headers(part: Part) -> Iterator[str]:
    """Module docs that open with any of the words of `openers` and `questions`."""
    return opening(part, part.headers, opens_with_question)


def tests(part: Part) -> Iterator[str]:
    """Test names with many words, or with a pronoun or question word at the start."""
    for source, name in part.test_names:
        if name.words > MANY_WORDS or name.opens_badly:
            yield place(part, source, name.line, name.name)


def comments(part: Part) -> Iterator[str]:
    """Comment lines over the limit."""
    for source in part.sources:
        for line in too_long(source):
            yield place(part, source, line, source.lines[line - 1].strip())


def long(part: Part) -> Iterator[str]:
    """Long files and functions outside tests."""
    for source in part.code:
        if (lines := length(source)) > LONG_FILE:
            yield place(part, source, 1, f"{lines} lines before tests")
    for source, function in part.functions:
        if function.length > LONG_FUNCTION:
            yield place(part, source, function.line, f"{function.name}: {function.length} lines")


def duplicates(part: Part) -> Iterator[str]:
    """Runs of duplicated lines."""
    survey = part.survey
    yield from runs(part, "exact", survey.exact_runs)
    yield from runs(part, "shape", survey.shape_runs)
    yield from runs(part, "shape, tests", survey.test_runs)


def runs(part: Part, kind: str, found: list[Run]) -> Iterator[str]:
    tree = part.survey.tree
    for run in found:
        other = f"{tree.name_of(run.other)}:{run.other_line}"
        yield f"{tree.name_of(run.path)}:{run.first}: to {run.last} as from {other} ({kind})"


def circles(part: Part) -> Iterator[str]:
    """Circles of imports."""
    for circle in part.circles:
        names = ", ".join(map(part.survey.tree.name_of, circle.files))
        yield f"{names}{' (through re-exports)' if circle.through_names else ''}"


# The lists by their names on the command line.
LISTS = {
    made.__name__: made for made in (openers, questions, pronouns, headers, tests, comments, long, duplicates, circles)
}
