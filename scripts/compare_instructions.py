#!/usr/bin/env python3
"""Compares counts of instructions, as `cargo bench --bench instructions` gives them, with those of benches/instructions.json.

    scripts/compare_instructions.py [--write] < what it printed

Called by scripts/instructions.sh. Fails if an operation takes more than it may; with --write it keeps the counts instead.
"""

import json
import sys
from pathlib import Path

COMMITTED = Path(__file__).resolve().parent.parent / "benches" / "instructions.json"
# What a benchmark does of its operation: TIMES in benches/instructions.rs.
TIMES = 1000
# By how much an operation may be dearer than it was.
MARGIN = 0.10


def main():
    now = dict(map(count, sys.stdin))
    if not now:
        sys.exit("nothing was counted")
    before = json.loads(COMMITTED.read_text()) if COMMITTED.exists() else {}
    verdicts = {name: verdict(before.get(name), now.get(name)) for name in {**before, **now}}
    print(f"{'instructions of an operation':<36}{'committed':>12}{'now':>12}{'change':>10}")
    for name, (change, complaint) in verdicts.items():
        print(f"{name:<36}{show(before.get(name)):>12}{show(now.get(name)):>12}{change:>10}  {complaint}".rstrip())
    if "--write" in sys.argv[1:]:
        COMMITTED.write_text(json.dumps(now, indent=2) + "\n")
        print(f"Written to {COMMITTED}.")
    elif any(complaint for _, complaint in verdicts.values()):
        sys.exit("If that is as it should be: scripts/instructions.sh --write")


def count(line):
    run = json.loads(line)
    instructions = run["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"]
    return f"{run['function_name']} {run['id']}", instructions / TIMES


def verdict(before, now):
    if before is None:
        return "", "NEW"
    if now is None:
        return "", "GONE"
    change = now / before - 1
    return f"{change:+.1%}", "TOO MANY" if change > MARGIN else ""


def show(figure):
    return "" if figure is None else f"{figure:.1f}"


if __name__ == "__main__":
    main()
