#!/usr/bin/env python3
"""Compares the pages of the socket types in rustdoc with the tables of the sources.

A page must be that of a type of its own, since the page of an alias lists the methods of all types;
it must list the methods of the capabilities of its type, and no method of another capability. The
tables of capabilities, and of the types that send and receive, must agree with the pages.

Usage: check_socket_pages.py DIRECTORY    (that of monocoque::zmq in the output of cargo doc)
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ZMQ = ROOT / "monocoque/src/zmq"

problems = []


def problem(text):
    problems.append(text)


def methods(page):
    """The methods that a page lists, without those of trait implementations."""
    own = page.split('id="trait-implementations"')[0].split('id="implementors"')[0]
    return set(re.findall(r'id="(?:ty)?method\.([a-z0-9_]+)"', own))


def table(path, prefix=""):
    """The cells of the rows of the first table of a file whose first cell is code."""
    rows = []
    for line in path.read_text().splitlines():
        line = line.removeprefix(prefix).strip()
        if re.match(r"\| \[?`", line):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            rows.append([re.sub(r"[\[\]`]", "", cells[0]), *cells[1:]])
        elif rows:
            break
    return rows


def main(directory):
    pages = {path.name[len("struct."):-len(".html")]: path.read_text() for path in directory.glob("struct.*Socket.html")}
    for path in directory.glob("type.*Socket.html"):
        problem(f"{path.name}: an alias, whose page lists the methods of all types")
    if len(pages) < 12:
        problem(f"found only {len(pages)} socket types in {directory}")

    traits = {path.name[len("trait."):-len(".html")]: methods(path.read_text())
              for path in [*directory.glob("trait.*Socket.html"), *(directory / "capability").glob("trait.*.html")]}
    if len(traits.get("Socket", ())) < 15 or len(traits) < 10:
        problem("found few traits, or few methods of them: have they moved?")

    capabilities = {row[0]: set(row[1].split(", ")) for row in table(ZMQ / "capability/mod.rs", "//!")}
    if set(capabilities) != set(traits) - {"Socket", "TypedSocket"}:
        problem(f"the table of capabilities has {sorted(capabilities)}, the pages have {sorted(traits)}")

    # It has the capabilities of all types; whether the type chosen at run time has them, it checks then.
    any_socket = methods(pages.pop("AnySocket", ""))
    due = set().union(*(traits[trait] for trait in traits if trait != "TypedSocket"))
    if due - any_socket:
        problem(f"AnySocket: its page lacks {sorted(due - any_socket)}")

    own = {path: set(re.findall(r"pub (?:async )?fn (\w+)", path.read_text())) for path in ZMQ.glob("*.rs")}
    for name, page in pages.items():
        zmq_name = name.removesuffix("Socket").upper()
        listed = methods(page)
        has = {trait for trait in traits if re.search(rf'id="impl-{trait}-for-{name}"', page)}
        tabled = {trait for trait, types in capabilities.items() if zmq_name in types}
        tabled |= {"Socket", "TypedSocket"}
        if has != tabled:
            problem(f"{name}: has {sorted(has)}, and {sorted(tabled)} in the table of capabilities")
        due = set().union(*(traits[trait] for trait in has))
        if due - listed:
            problem(f"{name}: its page lacks {sorted(due - listed)}")
        declared = [path for path in own if f"pub struct {name}(" in path.read_text()]
        further = listed - due - own.get(declared[0] if declared else None, set())
        if further:
            problem(f"{name}: its page lists {sorted(further)}, which are of no capability of the type")

    for path, prefix in [(ZMQ / "mod.rs", "//!"), (ROOT / "README.md", "")]:
        rows = {row[0]: row for row in table(path, prefix) if row[0] in pages}
        if set(rows) != set(pages):
            problem(f"the table of {path.relative_to(ROOT)} lacks {sorted(set(pages) - set(rows))}")
        for name, row in rows.items():
            for cell, method in [(row[1], "send"), (row[2], "recv")]:
                if (cell != "-") != (method in methods(pages[name])):
                    problem(f"{path.relative_to(ROOT)}: {name}: \"{cell}\", and its page and `{method}` differ")

    for text in problems:
        print(text, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
