"""Cost against number, a line for each contender, as SVG. Runs in the Python of `build.make_venv`."""

import json
import sys

import matplotlib

matplotlib.use("svg")
# The same figures give the same file.
matplotlib.rcParams["svg.hashsalt"] = "callsoon"
matplotlib.rcParams["svg.fonttype"] = "none"
from matplotlib import pyplot as plt  # noqa: E402

# A colour for each contender, which is the same in all plots; what isn't named takes one that is left.
COLOURS = {
    "callsoon": "#000000",
    "callsoon-hp": "#d62728",
    "floor": "#7f7f7f",
    "tokio-localset": "#1f77b4",
    "tokio-localrt": "#17becf",
    "smol-static": "#2ca02c",
    "smol-local": "#98df8a",
    "localpool": "#bcbd22",
    "monoio": "#9467bd",
    "compio": "#e377c2",
    "glommio": "#8c564b",
    "asyncio": "#ff7f0e",
    "uvloop": "#b8860b",
    "photons": "#4b0082",
}
SPARE = ["#006400", "#708090", "#a0522d", "#556b2f", "#483d8b"]
OURS = ("callsoon", "callsoon-hp")
# On CPython.
DASHED = ("asyncio", "uvloop", "photons")


def colours(contenders):
    spare = iter(SPARE)
    return {name: COLOURS.get(name) or next(spare) for name in contenders}


def style(contender):
    if contender in OURS:
        return dict(linewidth=2.8, zorder=3)
    return dict(linewidth=1.2, alpha=0.9, linestyle="--" if contender in DASHED else "-")


def draw(plots, path):
    """`plots`: title and, for each contender, its points, as lists."""
    across = min(2, len(plots))
    down = -(-len(plots) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(5.4 * across + 1.8, 4.2 * down), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(plots):]:
        axis.set_visible(False)
    contenders = dict.fromkeys(contender for _, lines in plots for contender in lines)
    colour = colours(contenders)
    drawn = {}
    for axis, (title, lines) in zip(axes.flat, plots):
        for contender, points in lines.items():
            [line] = axis.plot(
                *zip(*points), marker="o", markersize=3.5, color=colour[contender], **style(contender)
            )
            drawn.setdefault(contender, line)
        axis.set(xscale="log", yscale="log", title=title, xlabel="N", ylabel="ns each")
        axis.grid(alpha=0.3)
    # Beside the plots, in the order of the tables.
    named = [name for name in contenders if name in drawn]
    figure.legend([drawn[name] for name in named], named, loc="outside right upper", fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
