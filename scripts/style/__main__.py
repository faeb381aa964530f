"""Prints figures of the source code that drift unnoticed, beside those of well-kept codebases.

A thermometer for reviewers, not a gate: no figure is an error. scripts/check.sh runs the self-test and fails if the
list of long comments is not empty.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import self_test
from crates import Tree
from figures import table
from lists import LISTS
from survey import Survey

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST = 3


def main() -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    arguments = parse()
    if arguments.self_test:
        self_test.run()
        return
    try:
        survey = Survey(Tree.read(arguments.root.resolve()))
    except OSError as error:
        sys.exit(f"style: {error}")
    if arguments.list:
        for line in LISTS[arguments.list](survey.whole()):
            print(line)
    else:
        print(report(survey))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/style.sh",
        description=__doc__,
        epilog="\n".join(["lists:", *(f"  {name:<12}{made.__doc__}" for name, made in LISTS.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", choices=LISTS, metavar="LIST", help="print the places behind a figure, one a line")
    parser.add_argument("--root", type=Path, default=ROOT, help="the workspace to measure (default: this one)")
    parser.add_argument("--self-test", action="store_true", help="test the script itself")
    return parser.parse_args()


def report(survey: Survey) -> str:
    """Returns the table, the longest functions and the circles."""
    whole = survey.whole()
    functions = sorted(whole.functions, key=lambda found: -found[1].length)[:LONGEST]
    longest = [
        f"  {survey.tree.name_of(source.path)}:{function.line}: {function.name}, {function.length} lines"
        for source, function in functions
    ]
    circles = [f"  {line}" for line in LISTS["circles"](whole)]
    return "\n".join(
        [table(survey), "", "The longest functions:", *longest, "", "Circles of imports:", *(circles or ["  none"])]
    )


if __name__ == "__main__":
    main()
