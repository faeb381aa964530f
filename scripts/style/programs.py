"""The module tree of a library or program, and the circles of imports between its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from outline import Import, Names, Outline
from source import Source

Seen = frozenset[tuple[Names, str]]


@dataclass(frozen=True)
class Place:
    """The location of a module: its file, and the module at the top of that file."""

    file: Path
    top: Names
    is_test: bool


class Program:
    """The modules of a library or program, found from its root file."""

    def __init__(self, root: Path, sources: dict[Path, Source], outlines: dict[Path, Outline]) -> None:
        self.sources = sources
        self.outlines = outlines
        self.places: dict[Names, Place] = {}
        self.enter((), root, root.parent, sources[root].is_test)

    def enter(self, top: Names, file: Path, folder: Path, is_test: bool) -> None:
        """Adds a file as a module, and the modules that it declares, whose files are in `folder`."""
        declared = self.outlines[file]
        for around in declared.inline:
            self.places[top + around] = Place(file, top, is_test)
        for module in declared.modules:
            below = folder.joinpath(*module.around)
            if module.path is not None:
                candidates = [(file.parent / module.path).resolve()]
            else:
                candidates = [below / f"{module.name}.rs", below / module.name / "mod.rs"]
            found = next((path for path in candidates if path in self.outlines), None)
            if found is not None:
                shares_folder = module.path is not None or found.name == "mod.rs"
                inner = found.parent if shares_folder else found.with_suffix("")
                tested = is_test or self.sources[file].is_test_line(module.line)
                self.enter((*top, *module.around, module.name), found, inner, tested)

    def reached(self) -> Iterator[tuple[Path, bool]]:
        """Yields the files, and whether each is compiled for tests only."""
        return ((place.file, place.is_test) for place in self.places.values())

    def circles(self, through_names: bool) -> list[frozenset[Path]]:
        """Returns the groups of files that import each other, directly or over other files.

        An import leads to the module in its path. With `through_names`, a name that this module imports itself leads
        on to the module that defines it: this follows re-exports.
        """
        edges: dict[Path, set[Path]] = {place.file: set() for place in self.places.values()}
        for top, place in self.places.items():
            if place.top == top:
                edges[place.file].update(self.imported(place, through_names))
        return [frozenset(group) for group in strongly_connected(edges) if len(group) > 1]

    def imported(self, place: Place, through_names: bool) -> Iterator[Path]:
        """Yields the files that a file imports from, except its ancestors and descendants."""
        source = self.sources[place.file]
        for imported in self.outlines[place.file].imports:
            if source.is_test_line(imported.line) and not self.places[()].is_test:
                continue
            seen: Seen | None = frozenset() if through_names else None
            module = self.resolve(place.top + imported.around, imported.path, seen)
            other = self.places[module] if module is not None else place
            if not is_above(place.top, other.top) and not is_above(other.top, place.top):
                yield other.file

    def resolve(self, module: Names, path: Names, seen: Seen | None) -> Names | None:
        """Returns the module that a path leads to, if it is in this program.

        `seen` are the imported names followed so far; `None` follows none.
        """
        inside = False
        for index, name in enumerate(path):
            if name == "crate":
                module = ()
            elif name == "super":
                module = module[:-1]
            elif (*module, name) in self.places:
                module = (*module, name)
            elif name != "self":
                followed = None if seen is None else self.follow(module, name, path[index + 1 :], seen)
                return followed or (module if inside else None)
            inside = True
        return module

    def follow(self, module: Names, name: str, rest: Names, seen: Seen) -> Names | None:
        """Returns the module that an imported name leads to."""
        if (module, name) in seen:
            return None
        seen |= {(module, name)}
        for imported in self.imports_of(module):
            if gives(imported, name):
                return self.resolve(module, imported.path + rest, seen)
            if imported.path[-1] == "*":
                target = self.resolve(module, imported.path[:-1], seen)
                if target is not None and self.has(target, name):
                    return self.resolve(target, (name, *rest), seen) or target
        return None

    def imports_of(self, module: Names) -> Iterator[Import]:
        place = self.places[module]
        around = module[len(place.top) :]
        return (imported for imported in self.outlines[place.file].imports if imported.around == around)

    def has(self, module: Names, name: str) -> bool:
        """Returns whether a module defines or imports a name."""
        place = self.places[module]
        defined = self.outlines[place.file].defined.get(module[len(place.top) :], set())
        return (
            name in defined
            or (*module, name) in self.places
            or any(gives(imported, name) for imported in self.imports_of(module))
        )


def gives(imported: Import, name: str) -> bool:
    """Returns whether an import introduces a name."""
    return name == (imported.path[-1] if imported.alias is None else imported.alias)


def is_above(outer: Names, inner: Names) -> bool:
    """Returns whether a module contains the other one, or is the same."""
    return inner[: len(outer)] == outer


def strongly_connected(edges: dict[Path, set[Path]]) -> list[list[Path]]:
    """Returns the strongly connected components of a graph of files (Tarjan's algorithm)."""
    order: dict[Path, int] = {}
    lowest: dict[Path, int] = {}
    open_files: list[Path] = []
    groups: list[list[Path]] = []

    def visit(file: Path) -> None:
        order[file] = lowest[file] = len(order)
        open_files.append(file)
        for other in edges[file]:
            if other not in order:
                visit(other)
            if other in open_files:
                lowest[file] = min(lowest[file], lowest[other])
        if lowest[file] == order[file]:
            first = open_files.index(file)
            groups.append(open_files[first:])
            del open_files[first:]

    for file in edges:
        if file not in order:
            visit(file)
    return groups
