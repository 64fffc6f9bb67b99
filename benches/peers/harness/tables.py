"""Samples as Markdown tables."""

import statistics
from collections import defaultdict

OURS = ("callsoon", "callsoon-hp")
NOT_FIGURES = ("w", "c", "n", "tag")


class Figures:
    """The samples of one figure of one workload."""

    def __init__(self):
        self.samples = defaultdict(list)

    def add(self, contender, column, value):
        self.samples[contender, column].append(value)

    @property
    def contenders(self):
        return list(dict.fromkeys(contender for contender, _ in self.samples))

    @property
    def columns(self):
        return sorted({column for _, column in self.samples})

    def least(self, contender, column):
        return min(self.samples.get((contender, column), [None]))

    def median(self, contender, column):
        return statistics.median(self.samples[contender, column])

    def ours(self, column):
        """Callsoon's own, or where only its helpers took part, theirs."""
        found = (self.least(contender, column) for contender in OURS)
        return next((least for least in found if least is not None), None)


def group(rows):
    """(workload, figure) to its samples, in the order of the rows."""
    groups = defaultdict(Figures)
    for row in rows:
        column = (row.get("tag", ""), row["n"])
        for name, value in row.items():
            if name not in NOT_FIGURES:
                groups[row["w"], name].add(row["c"], column, value)
    return groups


def number(value):
    return f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"


def heading(column):
    tag, size = column
    return f"{size:,} {tag}".strip()


def cell(figures, contender, column):
    least = figures.least(contender, column)
    if least is None:
        return "-"
    text = f"{number(figures.median(contender, column))} ({number(least)})"
    ours = figures.ours(column)
    if ours and least and contender not in OURS:
        text += f" ×{ours / least:.2f}"
    return text


def table(workload, name, figures):
    columns = figures.columns
    lines = [
        f"### {workload} [{name}]",
        "",
        "| contender | " + " | ".join(map(heading, columns)) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for contender in figures.contenders:
        cells = (cell(figures, contender, column) for column in columns)
        lines.append(f"| {contender} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def of(rows):
    return "\n".join(table(*key, figures) for key, figures in group(rows).items())
