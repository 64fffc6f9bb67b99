"""Where callsoon is the cheapest, and where it isn't."""

from . import tables

# The workload, N, tag, and the one of ours that is compared.
ROWS = [
    ("spawn_join", 100_000, "", "callsoon"),
    ("self_wake", 1000, "", "callsoon"),
    ("yield_ring", 1000, "", "callsoon"),
    ("wake_chain", 100_000, "", "callsoon"),
    ("ping_pong", 100_000, "", "callsoon"),
    ("call_soon", 100_000, "", "callsoon"),
    ("timer_cancel", 100_000, "", "callsoon"),
    ("timer_fire", 100_000, "", "callsoon"),
    ("sleep_cancel", 100_000, "", "callsoon"),
    ("sleep_fire", 100_000, "", "callsoon"),
    ("with_timeout", 1000, "", "callsoon"),
    ("with_timeout", 1000, "", "callsoon-hp"),
    ("stream_results", 100_000, "", "callsoon"),
    ("stream_results", 100_000, "", "callsoon-hp"),
    ("hold", 10_000, "", "callsoon-hp"),
    ("offload", 2000, "1 thread", "callsoon-hp"),
    ("offload_many", 10_000, "1 thread", "callsoon-hp"),
]
TOKIO = ("tokio-localset", "tokio-localrt", "tokio")
PYTHON = ("asyncio", "uvloop", "photons")
# Not a runtime, but the least that the order costs.
FLOOR = "floor"


def markdown(groups):
    lines = [
        "| workload | N | ns each | over tokio | over asyncio | over the original | cheaper ones |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    cheapest, beats_tokio, shown = [], 0, 0
    for workload, size, tag, ours in ROWS:
        figures = groups.get((workload, "ns"))
        column = (tag, size)
        if not figures or not figures.of(ours, column):
            continue
        others = [name for name in figures.contenders if name not in (*tables.OURS, FLOOR)]
        ratios = {name: figures.ratio(ours, name, column) for name in others}
        ratios = {name: ratio for name, ratio in ratios.items() if ratio}
        cheaper = sorted((name for name in ratios if ratios[name] > 1), key=lambda n: -ratios[n])
        name = f"`{workload}`" + (" (helper)" if ours == "callsoon-hp" else "")
        tokio = over(ratios, TOKIO)
        shown += 1
        cheapest += [] if cheaper else [name]
        beats_tokio += bool(tokio and tokio < 1)
        cells = [times(tokio), times(over(ratios, PYTHON[:1])), times(over(ratios, PYTHON[2:]))]
        behind = ", ".join(f"{other} {ratios[other]:.1f}×" for other in cheaper)
        cost = tables.number(figures.median(ours, column))
        lines.append(f"| {name} | {size:,} | {cost} | {' | '.join(cells)} | {behind or 'none'} |")
    words = (
        f"callsoon is the cheapest in {len(cheapest)} of {shown} rows"
        f"{': ' + ', '.join(cheapest) if cheapest else ''}. It is cheaper than tokio in {beats_tokio} of "
        f"{shown}."
    )
    return words, "\n".join(lines) + "\n"


def over(ratios, names):
    """Our cost over that of the cheapest of `names`."""
    return max((ratios[name] for name in names if name in ratios), default=None)


def times(ratio):
    if not ratio:
        return "-"
    return f"{ratio:.2f}×" if ratio >= 0.01 else f"{ratio:.3f}×"
