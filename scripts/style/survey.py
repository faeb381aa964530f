"""The measurements of a workspace, as a whole and by crate."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

from comments import comment_lines, too_long
from crates import OTHERS, Tree
from duplicates import Line, Run, code_lines, exact, runs, shape
from source import Doc, Function, Source
from wording import TestName, test_macros, test_names

EXACT_RUN, SHAPE_RUN = 6, 8
Placed = TypeVar("Placed", Doc, Function)


class Circle(NamedTuple):
    """Files that import each other: by the paths as written, or only through imported names (re-exports)."""

    files: tuple[Path, ...]
    through_names: bool


class Survey:
    """The measurements that need all files of a workspace."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.code = lines_of(tree, tests=False)
        self.test_code = lines_of(tree, tests=True)
        self.exact_runs = runs(self.code, EXACT_RUN, exact)
        self.shape_runs = runs(self.code, SHAPE_RUN, shape)
        self.test_runs = runs(self.test_code, SHAPE_RUN, shape)
        macros = test_macros(tree.sources.values())
        self.test_names = {path: list(test_names(source, macros)) for path, source in tree.sources.items()}
        self.circles = circles(tree)

    def whole(self) -> Part:
        return Part(self, frozenset([*self.tree.crates, OTHERS]))

    def parts(self) -> dict[str, Part]:
        """Returns the published crates, and the rest."""
        return {name: Part(self, frozenset([name])) for name in [*self.tree.crates, OTHERS]}


class Part:
    """The measurements of some crates of a workspace."""

    def __init__(self, survey: Survey, crates: frozenset[str]) -> None:
        tree = survey.tree
        self.survey = survey
        self.sources = [source for path, source in tree.sources.items() if tree.crate_of(path) in crates]
        self.paths = {source.path for source in self.sources}

    @cached_property
    def code(self) -> list[Source]:
        """The files that are not test code as a whole."""
        return [source for source in self.sources if not source.is_test]

    def code_lines(self) -> int:
        return sum(len(self.survey.code[path]) for path in self.paths)

    def test_lines(self) -> int:
        return sum(len(self.survey.test_code[path]) for path in self.paths)

    def duplicated(self, found: list[Run]) -> int:
        """Counts the duplicated lines of this part."""
        return sum(run.lines for run in found if run.path in self.paths)

    @cached_property
    def lengths(self) -> list[int]:
        """The lengths of the files without their tests."""
        return sorted(length(source) for source in self.code)

    @cached_property
    def functions(self) -> list[tuple[Source, Function]]:
        """The functions outside tests."""
        return [(source, function) for source in self.code for function in outside_tests(source, source.functions)]

    @cached_property
    def docs(self) -> list[tuple[Source, Doc]]:
        """The documentation of items, fields and variants outside tests."""
        return [(source, doc) for source in self.code for doc in outside_tests(source, source.docs)]

    @cached_property
    def headers(self) -> list[tuple[Source, Doc]]:
        """The documentation of modules outside tests."""
        return [(source, doc) for source in self.code for doc in outside_tests(source, source.headers)]

    @cached_property
    def test_names(self) -> list[tuple[Source, TestName]]:
        return [(source, name) for source in self.sources for name in self.survey.test_names[source.path]]

    @cached_property
    def circles(self) -> list[Circle]:
        return [circle for circle in self.survey.circles if circle.files[0] in self.paths]

    def count_circles(self, through_names: bool) -> int:
        return sum(circle.through_names == through_names for circle in self.circles)

    def comments(self) -> int:
        """Counts the lines of comments outside tests."""
        return sum(not source.is_test_line(line) for source in self.code for line in comment_lines(source))

    def all_comments(self) -> int:
        return sum(len(comment_lines(source)) for source in self.sources)

    def long_comments(self) -> int:
        return sum(1 for source in self.sources for _ in too_long(source))

    def calls(self, *names: str) -> int:
        """Counts the calls of methods and macros with these names outside tests."""
        return sum(
            token.text in names
            and (source.text_at(index - 1) + source.text_at(index + 1) == ".(" or source.text_at(index + 1) == "!")
            and not source.is_test_line(token.line)
            for source in self.code
            for index, token in enumerate(source.tokens)
        )

    def public(self, restricted: bool) -> int:
        """Counts the items and fields outside tests that are `pub`, or `pub(..)` if restricted."""
        return sum(
            token.text == "pub" and source.is_restricted(index) == restricted and not source.is_test_line(token.line)
            for source in self.code
            for index, token in enumerate(source.tokens)
        )


def lines_of(tree: Tree, tests: bool) -> dict[Path, list[Line]]:
    return {path: code_lines(source, tests) for path, source in tree.sources.items()}


def circles(tree: Tree) -> list[Circle]:
    """Returns the circles of all programs, each once even if several programs share its files."""
    direct, any_way = (
        dict.fromkeys(files for program in tree.programs for files in program.circles(through_names))
        for through_names in (False, True)
    )
    found = [(files, False) for files in direct] + [(files, True) for files in any_way if files not in direct]
    return [Circle(tuple(sorted(files)), through_names) for files, through_names in found]


def length(source: Source) -> int:
    """Returns the length of a file without its tests."""
    return sum(not source.is_test_line(number) for number in range(1, len(source.lines) + 1))


def outside_tests(source: Source, found: list[Placed]) -> list[Placed]:
    return [one for one in found if not source.is_test_line(one.line)]
