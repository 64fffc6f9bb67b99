"""Samples as Markdown tables."""

import statistics
from collections import defaultdict

OURS = ("callsoon", "callsoon-hp", "callsoon-streams")
NOT_FIGURES = ("workload", "contender", "n", "tag", "round")


class Figures:
    """The samples of one figure of one workload: by contender and column, round by round."""

    def __init__(self):
        self.samples = defaultdict(dict)

    def add(self, row, value):
        column = (row.get("tag", ""), row["n"])
        self.samples[row["contender"], column][row["round"]] = value

    @property
    def contenders(self):
        return list(dict.fromkeys(contender for contender, _ in self.samples))

    @property
    def columns(self):
        return sorted({column for _, column in self.samples})

    def of(self, contender, column):
        return self.samples.get((contender, column), {})

    def median(self, contender, column):
        return statistics.median(self.of(contender, column).values())

    def ratio(self, ours, theirs, column):
        """Our figure over theirs: the median of the rounds, each of which compares its own two."""
        ours, theirs = self.of(ours, column), self.of(theirs, column)
        ratios = [ours[turn] / theirs[turn] for turn in ours if theirs.get(turn)]
        return statistics.median(ratios) if ratios else None

    def ours(self, column):
        """Which of ours the others are compared with."""
        return next((name for name in OURS if self.of(name, column)), None)


def group(rows):
    """(workload, figure) to its samples, in the order of the rows."""
    groups = defaultdict(Figures)
    for row in rows:
        for name, value in row.items():
            if name not in NOT_FIGURES:
                groups[row["workload"], name].add(row, value)
    return groups


def number(value):
    return f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"


def heading(column):
    tag, size = column
    return f"{size:,} {tag}".strip()


def cell(figures, contender, column):
    samples = figures.of(contender, column)
    if not samples:
        return "-"
    text, least = number(figures.median(contender, column)), number(min(samples.values()))
    if least != text:
        text += f" ({least})"
    ours = figures.ours(column)
    ratio = ours and contender not in OURS and figures.ratio(ours, contender, column)
    return f"{text} ×{ratio:.2f}" if ratio else text


def markdown(headings, contenders, cells):
    """A row for each contender; `cells` gives those of one."""
    headings = list(headings)
    lines = ["| contender | " + " | ".join(headings) + " |", "| --- |" + " ---: |" * len(headings)]
    lines += (f"| {contender} | " + " | ".join(cells(contender)) + " |" for contender in contenders)
    return "\n".join(lines) + "\n"


def by_size(figures):
    """One figure at several sizes."""
    columns = figures.columns

    def cells(contender):
        return (cell(figures, contender, column) for column in columns)

    return markdown(map(heading, columns), figures.contenders, cells)


def by_name(named):
    """Several figures at one size."""
    first = next(iter(named.values()))
    [column] = first.columns

    def cells(contender):
        return (cell(figures, contender, column) for figures in named.values())

    return markdown(named, first.contenders, cells)


def of_workload(workload, groups):
    """All that was measured of it."""
    named = {name: figures for (of, name), figures in groups.items() if of == workload}
    if len(named) > 1 and all(len(figures.columns) == 1 for figures in named.values()):
        return by_name(named)
    tables = (
        by_size(figures) if name == "ns" else f"{name}:\n\n{by_size(figures)}"
        for name, figures in named.items()
    )
    return "\n".join(tables)


def of(rows):
    groups = group(rows)
    workloads = dict.fromkeys(workload for workload, _ in groups)
    return "\n".join(f"### {workload}\n\n{of_workload(workload, groups)}" for workload in workloads)
