"""Samples as Markdown tables."""

import statistics
from collections import defaultdict

OURS = ("callsoon", "callsoon-hp")
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
    text = f"{number(figures.median(contender, column))} ({number(min(samples.values()))})"
    ours = figures.ours(column)
    ratio = ours and contender not in OURS and figures.ratio(ours, contender, column)
    return f"{text} ×{ratio:.2f}" if ratio else text


def table(figures):
    columns = figures.columns
    lines = [
        "| contender | " + " | ".join(map(heading, columns)) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for contender in figures.contenders:
        cells = (cell(figures, contender, column) for column in columns)
        lines.append(f"| {contender} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def of(rows):
    groups = group(rows).items()
    return "\n".join(f"### {key[0]} [{key[1]}]\n\n{table(figures)}" for key, figures in groups)
