#!/usr/bin/env python3
"""Turns what `scripts/bench_all.sh` has measured into tables and plots.

    scripts/analyze_benchmarks.py [--compare FILE] [--memory FILE] [--criterion DIRECTORY] [--docs DIRECTORY]

Writes the tables into docs/PERFORMANCE.md, between the two marker comments (at the end, if there are none yet), and the
plots into docs/plots/, which holds nothing else. The figures of `compare` say of which machine they are; the others, if
there are any, are taken to be of the same.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent

try:
    import matplotlib
except ImportError:
    made = subprocess.run([ROOT / "scripts/python_env.sh", "matplotlib", "matplotlib>=3.9"],
                          check=True, stdout=subprocess.PIPE, text=True)
    os.execv(made.stdout.strip(), [made.stdout.strip(), *sys.argv])

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter  # noqa: E402

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
PERCENTILES = ["p50", "p99", "p99.9"]
COLORS = {"zmq": "#d1495b", "ours": "#00798c", "ours-io": "#66a182", "raw": "#6c757d",
          "ours > zmq": "#edae49", "zmq > ours": "#8d6a9f"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", type=Path, default=ROOT / "target" / "compare.json", metavar="FILE")
    parser.add_argument("--memory", type=Path, default=ROOT / "target" / "memory.json", metavar="FILE")
    parser.add_argument("--criterion", type=Path, default=TARGET / "criterion", metavar="DIRECTORY")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", metavar="DIRECTORY")
    args = parser.parse_args()
    if not args.compare.exists():
        sys.exit(f"{args.compare} is not there: see scripts/bench_all.sh")

    run = json.loads(args.compare.read_text())
    memory = json.loads(args.memory.read_text())["memory"] if args.memory.exists() else []
    groups = criterion_groups(args.criterion)
    plots = [*compare_plots(run), *latency_plots(run), *memory_plots(memory), *criterion_plots(groups)]
    directory = args.docs / "plots"
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.svg"):
        old.unlink()
    for plot in plots:
        draw(plot, run, directory / f"{plot.slug}.svg")
    pictures = [f"![{plot.title}](plots/{plot.slug}.svg)" for plot in plots]
    into_document(args.docs / "PERFORMANCE.md", "\n\n".join(
        [conditions(run), *compare_tables(run), *memory_tables(memory), *criterion_tables(groups), *pictures]))
    print(f"{args.docs / 'PERFORMANCE.md'} and {len(plots)} plots in {directory}")


def into_document(path, text):
    document = path.read_text() if path.exists() else "# Performance\n"
    if BEGIN not in document:
        document = f"{document.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, rest = document.split(BEGIN, 1)
    if END not in rest:
        sys.exit(f"{path}: there is no '{END}' after '{BEGIN}'")
    after = rest.split(END, 1)[1]
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


# What was measured, where, and how.

def machine(run):
    of = run["machine"]
    return f"{of['processor']}, {of['cores']} cores, Linux {of['kernel']}"


def versions(run):
    return ", ".join(f"{name} {version}" for name, version in run["versions"].items())


def sampling(run):
    date = datetime.fromtimestamp(run["time"], timezone.utc).date()
    return f"medians of {run['rounds']} rounds of {run['seconds']:g} s, {date}"


def conditions(run):
    return (f"{machine(run)}; {versions(run)}; {sampling(run)}. Taken by:\n\n```sh\n{run['command']}\n"
            "scripts/analyze_benchmarks.py\n```")


def criterion_groups(directory):
    """For each group, for each of its functions, at each parameter: the time in ns, and its confidence interval."""
    groups = {}
    for path in sorted(directory.glob("**/new/benchmark.json")):
        of = json.loads(path.read_text())
        if re.fullmatch(r"\d+", of["value_str"] or ""):
            mean = json.loads((path.parent / "estimates.json").read_text())["mean"]
            interval = mean["confidence_interval"]
            function = groups.setdefault(of["group_id"], {}).setdefault(of["function_id"] or "", {})
            function[int(of["value_str"])] = (
                mean["point_estimate"], interval["lower_bound"], interval["upper_bound"])
    return groups


# Tables.

def compare_tables(run):
    rows = run["rows"]
    rates = [row for row in rows if row["figure"] == "Rate"]
    trips = [row for row in rows if row["figure"] == "RoundTrip"]
    memory = [row for row in rows if row["figure"] == "Memory"]
    yield "### The bars\n\n" + table(
        ["work", "from > to", "bar", "holds"],
        [[row["name"], cell["pairing"], bar["text"].rsplit(":", 1)[0], "yes" if bar["holds"] else "**no**"]
         for row in rows for cell in row["cells"] for bar in cell["bars"]])
    if rates:
        yield "### Messages per second\n\n" + table(
            ["work", "from > to", "msg/s", "CPU ns/msg, from + to", "ratio"],
            [[row["name"], cell["pairing"], rate(cell["rate"]) + (" each" if row["per_receiver"] else ""),
              cpu(cell), ratio(cell, row)] for row, cell in cells(rates)])
    if trips:
        yield "### Round trips\n\n" + table(
            ["work", "from > to", *(f"{name} us" for name in PERCENTILES), "CPU ns, from + to", "ratio of p50"],
            [[row["name"], cell["pairing"], *(f"{trip / 1000:.1f}" for trip in cell["round_trip_ns"]),
              cpu(cell), ratio(cell, row)] for row, cell in cells(trips)])
    if memory:
        yield "### Memory\n\n" + table(
            ["work", "library", "KiB", "ratio"],
            [[row["name"], cell["pairing"], f"{cell['kib']:.1f}", ratio(cell, row)]
             for row, cell in cells(memory)])


def memory_tables(memory):
    if memory:
        yield "### Memory for each peer\n\n" + table(
            ["socket", "peers", "zmq KiB", "ours KiB"],
            [[of["socket"], f"{of['n']:,} {of['peers']}", f"{of['zmq_kib']:.1f}", f"{of['ours_kib']:.1f}"]
             for of in memory])


def criterion_tables(groups):
    if groups:
        yield ("### Time of a message or a step, in one process\n\n"
               "By Criterion, for finding out what a change has done; in brackets, how many times as fast as libzmq.")
    for name, functions in groups.items():
        work, parameter = work_and_parameter(name)
        values = sorted({value for times in functions.values() for value in times})
        yield f"#### {work}\n\n" + table(
            [parameter, *functions],
            [[label(parameter, value), *(beside_zmq(functions, function, value) for function in functions)]
             for value in values])


def beside_zmq(functions, function, value):
    """The time, and what it is beside that of libzmq at the same work."""
    if value not in functions[function]:
        return ""
    nanos = functions[function][value][0]
    zmq = functions.get(re.sub(r"^\S+", "zmq", function), {}).get(value)
    return time(nanos) + (f" ({zmq[0] / nanos:.2f}x)" if zmq and not function.startswith("zmq") else "")


def cells(rows):
    """The cells that were measured."""
    return ((row, cell) for row in rows for cell in row["cells"] if cell["rate"] is not None)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def rate(per_second):
    if per_second >= 1e6:
        return f"{per_second / 1e6:.2f} M"
    return f"{per_second / 1e3:.{0 if per_second >= 1e4 else 2}f} k"


def time(nanos):
    return f"{nanos / 1000:.1f} us" if nanos >= 10_000 else f"{nanos:.{0 if nanos >= 100 else 1}f} ns"


def cpu(cell):
    return " + ".join(f"{nanos:.0f}" for nanos in cell["cpu_ns"])


def ratio(cell, row):
    return "" if cell is row["cells"][0] or cell["ratio"] is None else f"{cell['ratio']:.2f}x"


def label(parameter, value):
    if parameter == "size" and value % 1024 == 0:
        return f"{value // 1024} KiB"
    return f"{value} B" if parameter == "size" else f"{value:,}"


# Plots.

@dataclass
class Plot:
    slug: str
    title: str
    command: str
    # What is said of the error bars.
    bars: str
    # What is varied, and what it is; else the keys of the lines are names.
    parameter: str | None = None
    # For each name, at each key: what was measured, and how far it reached to both sides.
    lines: dict = field(default_factory=dict)


def compare_plots(run):
    """Rate and processor time against whatever number the rows of a kind differ in: size, peers."""
    for (work, parameter), rows in families(run["rows"]).items():
        each = " at each receiver" if any(row["per_receiver"] for row, _, _ in rows) else ""
        for figure, title, value in [
            ("rate", f"messages per second{each}", lambda taken: taken["rate"]),
            ("cpu", "processor time per message, both ends, ns", lambda taken: sum(taken["cpu_ns"])),
        ]:
            lines = {}
            for _, cell, number in rows:
                if values := measured(cell, value):
                    lines.setdefault(pairing(cell), {})[number] = spread(values)
            yield Plot(slug("compare", figure, work, parameter), f"{work}: {title}", run["command"],
                       f"{sampling(run)}; bars: all rounds", parameter, lines)


def families(rows):
    """The rates of rows whose names differ in one number, or of cells with different numbers of idle peers."""
    found = {}
    for row in (row for row in rows if row["figure"] == "Rate"):
        name = re.sub(r" \d+ (B|KiB)$", f" {row['size']} B", row["name"])
        for match in re.finditer(r"\b(\d+) ([^\s,]+)", name):
            parameter = "size" if match[2] == "B" else match[2]
            work = f"{name[:match.start()]}n{name[match.end(1):]}".removesuffix(" n B")
            for cell in row["cells"]:
                if cell["idle"] == 0:
                    found.setdefault((work, parameter), []).append((row, cell, int(match[1])))
        for cell in row["cells"]:
            found.setdefault((row["name"], "idle peers"), []).append((row, cell, cell["idle"]))
    return {key: rows for key, rows in found.items() if len({number for _, _, number in rows}) > 1}


def latency_plots(run):
    for row in run["rows"]:
        if row["figure"] == "RoundTrip":
            lines = {}
            for cell in row["cells"]:
                for n, percentile in enumerate(PERCENTILES):
                    if values := measured(cell, lambda taken: taken["round_trip_ns"][n] / 1000):
                        lines.setdefault(pairing(cell), {})[percentile] = spread(values)
            yield Plot(slug("compare", "latency", row["name"]), f"{row['name']}: round trip, us", run["command"],
                       f"{sampling(run)}; bars: all rounds", lines=lines)


def memory_plots(memory):
    lines = {}
    for of in memory:
        for library in ("zmq", "ours"):
            kib = of[f"{library}_kib"]
            lines.setdefault((of["socket"], of["peers"]), {}).setdefault(library, {})[of["n"]] = (kib, kib, kib)
    for (socket, peers), of in lines.items():
        yield Plot(slug("memory", socket, peers), f"{socket}, {peers} peers: memory for each, KiB",
                   "cargo bench --bench memory --features zmq", "taken once", "peers", of)


def criterion_plots(groups):
    """Rate against size, and time against every other number."""
    for name, functions in groups.items():
        work, parameter = work_and_parameter(name)
        if len({value for times in functions.values() for value in times}) < 2:
            continue
        by_size = parameter == "size"
        title = "messages per second" if by_size else f"time against {parameter}, ns"
        lines = {function: {value: tuple(1e9 / nanos for nanos in nanos) if by_size else nanos
                            for value, nanos in times.items()} for function, times in functions.items()}
        yield Plot(slug("criterion", name), f"{work}: {title}",
                   f"cargo bench --bench {name.split(',')[0]} --features zmq",
                   "Criterion's means, in one process; bars: their confidence intervals", parameter, lines)


def work_and_parameter(group):
    work, _, parameter = group.rpartition(" by ")
    return (work, parameter) if work else (group, "parameter")


def measured(cell, value):
    return [value(taken) for taken in cell["rounds"] if "error" not in taken]


def spread(values):
    return median(values), min(values), max(values)


def pairing(cell):
    return cell["from"] if cell["from"] == cell["to"] else f"{cell['from']} > {cell['to']}"


def slug(*words):
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def draw(plot, run, path):
    # So that the same figures give the same file.
    plt.rcParams.update({"svg.hashsalt": "monocoque", "svg.fonttype": "none", "font.size": 9})
    figure, axes = plt.subplots(figsize=(8, 5))
    figure.subplots_adjust(left=0.09, right=0.84, top=0.92, bottom=0.24)
    for name, points in plot.lines.items():
        keys = sorted(points) if plot.parameter else PERCENTILES
        at = [points[key] for key in keys]
        below_and_above = [[abs(mid - low) for mid, low, _ in at], [abs(high - mid) for mid, _, high in at]]
        axes.errorbar(keys, [mid for mid, _, _ in at], below_and_above, label=name, marker="o", markersize=4,
                      capsize=2, color=COLORS.get(name) or COLORS.get(name.split()[0]),
                      linestyle="--" if name.endswith(" ipc") else "-")
    axes.set_yscale("log")
    # No narrower, or noise looks like a difference.
    low, high = axes.get_ylim()
    axes.set_ylim(low / 2, high * 2)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(EngFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    if plot.parameter:
        values = sorted({value for points in plot.lines.values() for value in points})
        if 0 in values:
            axes.set_xscale("symlog", linthresh=1)
            axes.set_xlim(-0.3, values[-1] * 2)
        else:
            axes.set_xscale("log")
        axes.set_xticks(values, [label(plot.parameter, value) for value in values])
        axes.set_xticks([], minor=True)
        axes.set_xlabel(plot.parameter)
    axes.grid(color="#ddd")
    axes.set_title(plot.title, loc="left")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.text(0.09, 0.02, "\n".join([machine(run), versions(run), plot.bars, plot.command]), size=7, color="#666")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
