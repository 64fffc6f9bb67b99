"""Cost against number, a line for each contender, as SVG. Runs in the Python of `build.make_venv`."""

import json
import sys

import matplotlib

matplotlib.use("svg")
# The same figures give the same file.
matplotlib.rcParams["svg.hashsalt"] = "callsoon"
matplotlib.rcParams["svg.fonttype"] = "none"
from matplotlib import pyplot as plt  # noqa: E402

OURS = {"callsoon": "black", "callsoon-hp": "crimson"}


def draw(plots, path):
    """`plots`: title and, for each contender, its points, as lists."""
    across = min(2, len(plots))
    down = -(-len(plots) // across)
    figure, axes = plt.subplots(down, across, figsize=(6.2 * across, 4.2 * down), squeeze=False)
    for axis in axes.flat[len(plots):]:
        axis.set_visible(False)
    colours = {}
    for axis, (title, lines) in zip(axes.flat, plots):
        for contender, points in lines.items():
            ours = contender in OURS
            colour = OURS.get(contender) or colours.setdefault(contender, f"C{len(colours)}")
            style = dict(linewidth=2.8, zorder=3) if ours else dict(linewidth=1, alpha=0.85)
            axis.plot(*zip(*points), marker="o", markersize=3.5, label=contender, color=colour, **style)
        axis.set(xscale="log", yscale="log", title=title, xlabel="N", ylabel="ns each")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=6.5, ncols=2)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
