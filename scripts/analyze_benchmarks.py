#!/usr/bin/env python3
"""Turns the figures of `cargo bench --bench compare` into tables and plots.

    scripts/analyze_benchmarks.py [target/compare.json]

Writes the tables into docs/PERFORMANCE.md, between the two marker comments (at the end, if there are none yet), and the
plots into docs/plots/. Needs nothing beside Python.
"""

import json
import re
import sys
from datetime import datetime, timezone
from html import escape
from math import ceil, floor, log10
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "PERFORMANCE.md"
PLOTS = ROOT / "docs" / "plots"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
PERCENTILES = ["p50", "p99", "p99.9"]
COLORS = {"zmq > zmq": "#d1495b", "ours > ours": "#00798c", "ours-io > ours-io": "#66a182",
          "ours > zmq": "#edae49", "zmq > ours": "#8d6a9f", "raw > raw": "#6c757d"}


def main():
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target" / "compare.json"
    run = json.loads(source.read_text())
    PLOTS.mkdir(parents=True, exist_ok=True)
    plots = [*size_plots(run), *latency_plots(run)]
    into_document("\n\n".join([conditions(run), *tables(run), *plots]))
    print(f"{DOCUMENT.relative_to(ROOT)} and {len(plots)} plots in {PLOTS.relative_to(ROOT)}")


def into_document(text):
    document = DOCUMENT.read_text() if DOCUMENT.exists() else "# Performance\n"
    if BEGIN not in document:
        document = f"{document.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, rest = document.split(BEGIN, 1)
    if END not in rest:
        sys.exit(f"{DOCUMENT}: there is no '{END}' after '{BEGIN}'")
    after = rest.split(END, 1)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


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


# Tables.

def tables(run):
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


def cpu(cell):
    return " + ".join(f"{nanos:.0f}" for nanos in cell["cpu_ns"])


def ratio(cell, row):
    return "" if cell is row["cells"][0] or cell["ratio"] is None else f"{cell['ratio']:.2f}x"


# Plots.

def size_plots(run):
    """Throughput and processor time against size, for each kind of work that was done at several sizes."""
    families = {}
    for row in run["rows"]:
        if row["figure"] == "Rate" and (match := re.fullmatch(r"(.*) (\d+ (?:B|KiB))", row["name"])):
            families.setdefault(match[1], {})[match[2]] = row
    for name, by_size in families.items():
        if len(by_size) < 2:
            continue
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower())
        each = " at each receiver" if next(iter(by_size.values()))["per_receiver"] else ""
        yield plot(run, f"throughput-{slug}", f"{name}: messages per second{each}", list(by_size),
                   series(by_size, lambda taken: taken["rate"]))
        yield plot(run, f"cpu-{slug}", f"{name}: processor time per message, both ends, ns", list(by_size),
                   series(by_size, lambda taken: sum(taken["cpu_ns"])))


def latency_plots(run):
    for row in run["rows"]:
        if row["figure"] == "RoundTrip":
            lines = {}
            for n, percentile in enumerate(PERCENTILES):
                of = series({percentile: row}, lambda taken, n=n: taken["round_trip_ns"][n] / 1000)
                for pairing, points in of.items():
                    lines.setdefault(pairing, {}).update(points)
            slug = re.sub(r"[^a-z0-9]+", "-", row["name"].lower())
            yield plot(run, f"latency-{slug}", f"{row['name']}: round trip, us", PERCENTILES, lines)


def series(rows, value):
    """For each pairing, at each of the keys of `rows`, the median, the least and the most of all rounds."""
    lines = {}
    for key, row in rows.items():
        for cell in row["cells"]:
            values = [value(taken) for taken in cell["rounds"] if "error" not in taken]
            if values:
                lines.setdefault(cell["pairing"], {})[key] = (median(values), min(values), max(values))
    return lines


def plot(run, slug, title, labels, lines):
    """Writes a plot with a logarithmic scale, and returns the Markdown that shows it."""
    (PLOTS / f"{slug}.svg").write_text(svg(title, labels, lines, [
        machine(run), versions(run), f"{sampling(run)}; bars: all rounds", run["command"]]))
    return f"![{title}](plots/{slug}.svg)"


def svg(title, labels, lines, notes):
    width, height, left, right, top, bottom = 760, 470, 80, 170, 45, 110
    values = [value for points in lines.values() for point in points.values() for value in point if value > 0]
    low, high = floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)

    def x(label):
        return left + (labels.index(label) + 0.5) * (width - left - right) / len(labels)

    def y(value):
        share = (log10(max(value, 10 ** low)) - low) / (high - low)
        return height - bottom - share * (height - top - bottom)

    parts = [text(left, 26, title, size=15)]
    for exponent in range(low, high + 1):
        for digit in (1, 2, 5):
            tick = digit * 10 ** exponent
            if tick <= 10 ** high:
                parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" '
                             f'stroke="{"#bbb" if digit == 1 else "#eee"}"/>')
                parts.append(text(left - 8, y(tick) + 4, short(tick), anchor="end"))
    parts += [text(x(label), height - bottom + 20, label, anchor="middle") for label in labels]
    for n, (name, points) in enumerate(lines.items()):
        color = COLORS.get(name, "#333")
        # Side by side, so that none hides another.
        aside = (n - (len(lines) - 1) / 2) * 7
        at = [(x(label) + aside, *map(y, points[label])) for label in labels if label in points]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py, _, _ in at)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        for px, py, least, most in at:
            parts.append(f'<line x1="{px:.1f}" x2="{px:.1f}" y1="{least:.1f}" y2="{most:.1f}" stroke="{color}"/>')
            parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" fill="{color}"/>')
        key = top + 14 + n * 20
        parts.append(f'<rect x="{width - right + 14}" y="{key - 9}" width="10" height="10" fill="{color}"/>')
        parts.append(text(width - right + 30, key, name))
    parts += [text(left, height - bottom + 46 + n * 16, note, size=11, color="#666") for n, note in enumerate(notes)]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="sans-serif">\n<rect width="100%" height="100%" fill="#fff"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def text(x, y, content, size=12, anchor="start", color="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{color}">'
            f"{escape(str(content))}</text>")


def short(value):
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


if __name__ == "__main__":
    main()
