"""The files of a workspace, sorted into crates, code and tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from outline import outline
from programs import Program
from source import Source

# Folders of which each file is the root of a program.
PROGRAMS = frozenset(["bin", "tests", "benches", "examples", "fuzz_targets"])
# The name of the column for files outside published crates.
OTHERS = "others"


@dataclass
class Tree:
    """The files of a workspace. Files outside the `src` of published crates count as tests."""

    root: Path
    crates: list[str]
    sources: dict[Path, Source]

    @classmethod
    def read(cls, root: Path) -> Tree:
        """Reads a workspace."""
        crates = published(root)
        sources = {path: Source(path, path.read_text()) for path in rust_files(root)}
        tree = cls(root, crates, sources)
        tree.mark_tests()
        return tree

    def mark_tests(self) -> None:
        """Marks files outside the `src` of published crates, and modules compiled for tests only."""
        folders = [self.root / name / "src" for name in self.crates]
        for path, source in self.sources.items():
            source.is_test = not any(path.is_relative_to(folder) for folder in folders)
        reached = {place for program in self.programs for place in program.reached()}
        for path, is_test in reached:
            if is_test and (path, False) not in reached:
                self.sources[path].is_test = True

    @cached_property
    def programs(self) -> list[Program]:
        """The libraries and programs of the tree."""
        outlines = {path: outline(source) for path, source in self.sources.items()}
        return [Program(path, self.sources, outlines) for path in self.sources if is_root(path)]

    def crate_of(self, path: Path) -> str:
        """Returns the published crate whose folder contains a file."""
        crates = (name for name in self.crates if path.is_relative_to(self.root / name))
        return next(crates, OTHERS)

    def name_of(self, path: Path) -> str:
        return str(path.relative_to(self.root))


def published(root: Path) -> list[str]:
    """Returns the folders of the members without `publish = false`."""
    manifest = (root / "Cargo.toml").read_text()
    members = re.search(r"^members = \[(.*?)\]", manifest, re.MULTILINE | re.DOTALL)
    names = re.findall(r'"([^"]+)"', members[1]) if members else []
    return [name for name in names if "publish = false" not in (root / name / "Cargo.toml").read_text()]


def rust_files(folder: Path) -> Iterator[Path]:
    """Yields the Rust files below a folder, except hidden ones and build output."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name != "target" and not path.name.startswith("."):
            yield from rust_files(path)
        elif path.suffix == ".rs":
            yield path


def is_root(path: Path) -> bool:
    return path.name in ("lib.rs", "main.rs") or path.parent.name in PROGRAMS
