"""The table of figures.

The figures of the model codebases were taken once, with another script of nearly the same definitions, from quinn
a1931ab8, rustls 6868ee84d, str0m 120401c9 and h2 3850acd. Some are of quinn and quinn-proto together. A dash means
that the figure was not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from statistics import median

from survey import EXACT_RUN, SHAPE_RUN, Part, Survey
from wording import first_sentence, opens_forbidden, opens_with_pronoun, opens_with_question

Number = float | None
MODELS = ("quinn-proto", "quinn", "rustls", "str0m", "h2")
LONG_FILE = 500
MANY_WORDS = 6


@dataclass(frozen=True)
class Figure:
    """A row of the table: its measurement, the aim, and the figures of the models."""

    label: str
    take: Callable[[Part], Number]
    aim: str = ""
    models: tuple[Number, ...] = (None,) * len(MODELS)
    digits: int = 0


def table(survey: Survey) -> str:
    """Returns the table: the whole workspace, its crates, the aims and the models."""
    parts = survey.parts()
    titles = ["all", *map(short_name, parts), "aim", *MODELS]
    rows = [(figure.label, cells(figure, [survey.whole(), *parts.values()])) for figure in FIGURES]
    widths = [max(map(len, column)) for column in zip(titles, *(texts for _, texts in rows))]
    label_width = max(len(label) for label, _ in rows)
    lines = []
    for label, texts in [("", titles), *rows]:
        padded = "  ".join(f"{text:>{width}}" for text, width in zip(texts, widths))
        lines.append(f"{label:<{label_width}}  {padded}")
    return "\n".join(lines)


def cells(figure: Figure, parts: list[Part]) -> list[str]:
    ours = [shown(figure.take(part), figure.digits, "") for part in parts]
    return [*ours, figure.aim, *(shown(number, figure.digits, "-") for number in figure.models)]


def shown(number: Number, digits: int, missing: str) -> str:
    return missing if number is None else f"{number:.{digits}f}"


def short_name(crate: str) -> str:
    """Returns the name of a crate without the common prefix."""
    return crate.split("-", 1)[-1]


def ratio(part: float, whole: float, of: int = 100) -> Number:
    return of * part / whole if whole else None


def middle(values: Collection[int]) -> Number:
    return median(values) if values else None


def high(values: Collection[int]) -> Number:
    """Returns the 95th percentile."""
    return sorted(values)[int(0.95 * (len(values) - 1))] if values else None


def longest(values: Collection[int]) -> Number:
    return max(values, default=None)


def code(count: Callable[[Part], Number]) -> Callable[[Part], Number]:
    """Limits a measurement to parts that have code besides tests."""
    return lambda part: count(part) if part.code else None


def exact_duplicates(part: Part) -> Number:
    return ratio(part.duplicated(part.survey.exact_runs), part.code_lines())


def shape_duplicates(part: Part) -> Number:
    return ratio(part.duplicated(part.survey.shape_runs), part.code_lines())


def test_duplicates(part: Part) -> Number:
    return ratio(part.duplicated(part.survey.test_runs), part.test_lines())


def long_files(part: Part) -> Number:
    return sum(length > LONG_FILE for length in part.lengths)


def function_lengths(part: Part) -> list[int]:
    return [function.length for _, function in part.functions]


def panics(part: Part) -> Number:
    return ratio(part.calls("unwrap", "expect", "panic", "unreachable"), part.code_lines(), of=1000)


def opening(opens: Callable[[str], bool]) -> Callable[[Part], Number]:
    """Makes the measurement of the share of item docs that open in some way."""
    return lambda part: ratio(sum(opens(first_sentence(doc)) for _, doc in part.docs), len(part.docs))


def words(part: Part) -> list[int]:
    return [name.words for _, name in part.test_names]


def many_words(part: Part) -> Number:
    return ratio(sum(count > MANY_WORDS for count in words(part)), len(part.test_names))


def bad_names(part: Part) -> Number:
    return ratio(sum(name.opens_badly for _, name in part.test_names), len(part.test_names))


FIGURES = [
    Figure("lines of code", code(Part.code_lines), models=(14736, 3034, 23983, 32878, 12670)),
    Figure("lines of tests", Part.test_lines),
    Figure(
        f"% in exact runs of {EXACT_RUN} lines or more, code", exact_duplicates, "0.3", (1.6, 2.5, 8.3, 4.4, 4.6), 1
    ),
    Figure(f"% in runs of one shape, {SHAPE_RUN} or more, code", shape_duplicates, "", (8.4, 8.4, 19.6, 18.6, 18.5), 1),
    Figure(f"% in runs of one shape, {SHAPE_RUN} or more, tests", test_duplicates, "", (31, 31, 24, 52, 51), 1),
    Figure("files", code(lambda part: len(part.lengths)), models=(49, 11, 79, 153, 49)),
    Figure("lines of a file before tests, median", lambda part: middle(part.lengths), "150", (200, 163, 300, 150, 212)),
    Figure("  95th percentile", lambda part: high(part.lengths), "", (994, 1367, 1343, 1312, 1737)),
    Figure("  longest", lambda part: longest(part.lengths), "500", (4038, 1367, 1800, 2229, 1839)),
    Figure(f"  files over {LONG_FILE}", code(long_files), "0", (12, 3, 25, 29, 13)),
    Figure("lines of a function, median", lambda part: middle(function_lengths(part)), "", (6, 6, 6, 6, 5)),
    Figure("  95th percentile", lambda part: high(function_lengths(part)), "25", (49, 34, 42, 54, 48)),
    Figure("  longest", lambda part: longest(function_lengths(part)), "", (559, 109, 382, 397, 263)),
    Figure("circles of imports", lambda part: part.count_circles(through_names=False), "0"),
    Figure("  more through re-exports", lambda part: part.count_circles(through_names=True)),
    Figure("items and fields, pub", code(lambda part: part.public(restricted=False)), "", (435, 133, 721, 2119, 766)),
    Figure("  pub(..)", code(lambda part: part.public(restricted=True)), "", (642, 49, 948, 398, 141)),
    Figure("unwrap, expect, panic, unreachable in 1000 lines", panics, "", (8.8, 16.8, 3.0, 5.8, 10.2), 1),
    Figure(
        "% of lines that are comments",
        lambda part: ratio(part.comments(), part.comments() + part.code_lines()),
        models=(19.4, 26.8, 24.0, 24.9, 27.1),
        digits=1,
    ),
    Figure(
        "% of comment lines over 100 columns, tests too",
        lambda part: ratio(part.long_comments(), part.all_comments()),
        "0",
        (1.5, 1.5, 2.1, 1.1, 0.3),
        1,
    ),
    Figure("item docs", code(lambda part: len(part.docs))),
    Figure("  % open with a question word, nobody, all that", opening(opens_with_question), "6", (7, 4, 4, 4, 1), 1),
    Figure("    % what, whether, who, whoever, nobody, all that", opening(opens_forbidden), "0", digits=1),
    Figure("  % open with a pronoun", opening(opens_with_pronoun), digits=1),
    Figure("names of tests", lambda part: len(part.test_names)),
    Figure("  words, median", lambda part: middle(words(part)), "3 to 5", (3, 3, 5, 5, 5)),
    Figure(f"  % over {MANY_WORDS} words", many_words),
    Figure("  % begin with a pronoun or a question word", bad_names, "0", (0, 0, 0, 0, 0)),
]
