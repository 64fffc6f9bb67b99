"""What callsoon is to reach, and whether it does."""

from dataclasses import dataclass
from typing import Callable

K, M = 1000, 1_000_000
HP = "callsoon-hp"
STREAMS, PROTOCOL, RATE, CPU = "callsoon-streams", "callsoon-protocol", "requests/s", "server's cpu us"
NOT_MEASURED = "not measured"


@dataclass
class Target:
    what: str
    # From the figures by (workload, name) to what is measured; KeyError where it wasn't.
    measure: Callable
    limit: float
    at_least: bool = False
    unit: str = "×"

    def line(self, groups):
        try:
            value = self.measure(groups)
        except (LookupError, TypeError, ValueError):
            value = None
        sign = "≥" if self.at_least else "≤"
        target = f"{sign} {self.limit:,g}{self.unit}"
        if value is None:
            return f"| {self.what} | {NOT_MEASURED} | {target} | |"
        met = value >= self.limit if self.at_least else value <= self.limit
        shown = f"{value:.2f}" if value < 10 else f"{value:,.0f}"
        return f"| {self.what} | {shown}{self.unit} | {target} | {'yes' if met else '**no**'} |"


def beside(workload, n, theirs, limit, ours="callsoon", name="ns", tag="", them=None):
    """Our cost over that of the best of `theirs`."""
    theirs = theirs.split()

    def measure(groups):
        figures = groups[workload, name]
        ratios = [figures.ratio(ours, contender, (tag, n)) for contender in theirs]
        return max(ratio for ratio in ratios if ratio is not None)

    what = f"`{workload}`, {n:,}{', ' + tag if tag else ''}: {ours} to {them or theirs[0]}"
    return Target(what, measure, limit)


def times_faster(workload, n, theirs, limit, ours="callsoon"):
    def measure(groups):
        return 1 / groups[workload, "ns"].ratio(ours, theirs, ("", n))

    return Target(f"`{workload}`, {n:,}: times faster than {theirs}", measure, limit, at_least=True)


def flat(workload, many, few, limit, ours="callsoon"):
    """What one of many costs over what one of few does."""

    def measure(groups):
        figures = groups[workload, "ns"]
        return figures.median(ours, ("", many)) / figures.median(ours, ("", few))

    return Target(f"`{workload}`: {ours} at {many:,} to itself at {few:,}", measure, limit)


def amount(workload, name, n, limit, unit, ours="callsoon"):
    def measure(groups):
        return groups[workload, name].median(ours, ("", n))

    return Target(f"`{workload}`, {n:,}: {name}", measure, limit, unit=unit)


def echo_rate(groups):
    """The rate beside tokio's: in the rounds' faster regime, if the machine has two."""

    def fast(contender):
        rates = groups["tcp_echo", "requests/s"].of(contender, ("", 64)).values()
        in_regime = sorted(rate for rate in rates if rate > 0.65 * max(rates))
        return in_regime[len(in_regime) // 2]

    return fast("callsoon") / max(fast("tokio-localset"), fast("tokio-localrt"))


def beside_in_sockets(workload, name, ours, theirs, limit):
    """How many times theirs ours is: the median of the rounds."""

    def measure(groups):
        return groups[workload, name].ratio(ours, theirs, ("", 64))

    return Target(f"`{workload}`, {name}: {ours} to {theirs}", measure, limit, at_least=True)


def less_cpu(workload, ours, theirs, limit):
    def measure(groups):
        return 1 / groups[workload, CPU].ratio(ours, theirs, ("", 64))

    return Target(f"`{workload}`, {CPU}: {theirs} to {ours}", measure, limit, at_least=True)


def echo_calls(groups):
    calls = groups["tcp_echo", "system calls a request"]
    # A start is in it too, which two places leave out.
    return round(calls.median("callsoon", ("", 64)) / calls.median("epoll", ("", 64)), 2)


def binary(groups):
    sizes = groups["minimal", "binary bytes"]
    return (sizes.median("callsoon", ("", 1)) - sizes.median("std", ("", 1))) / 1000


def minimal(what, name, limit, unit):
    return Target(
        what, lambda groups: groups["minimal", name].median("callsoon", ("", 1)), limit, unit=unit
    )


BY_HAND = "smol-static localpool"

TARGETS = [
    *(
        beside("spawn_join", n, theirs, limit)
        for n in (K, 100 * K)
        for theirs, limit in (("monoio", 1), ("smol-static", 0.4), ("tokio-localset", 0.25))
    ),
    *(
        beside(workload, K, theirs, limit)
        for workload in ("self_wake", "yield_ring")
        for theirs, limit in (("glommio", 0.5), ("tokio-localset", 0.45))
    ),
    beside("wake_chain", 100 * K, "glommio", 0.8),
    beside("wake_chain", 100 * K, "tokio-localset", 0.3),
    beside("ping_pong", 100 * K, "monoio", 0.5),
    beside("ping_pong", 100 * K, "tokio-localset", 0.3),
    *(beside("timer_cancel", n, "tokio-localset", 0.2) for n in (K, 10 * K, 100 * K)),
    beside("timer_cancel", M, "tokio-localset", 0.3),
    flat("timer_cancel", M, K, 1.5),
    beside("timer_fire", 100 * K, "tokio-localset", 0.3),
    beside("timer_fire", M, "tokio-localset", 0.45),
    beside("sleep_cancel", 100 * K, "tokio-localset", 0.35),
    beside("sleep_fire", 100 * K, "tokio-localset", 0.35),
    beside("with_timeout", K, "monoio", 0.5, ours=HP),
    beside("with_timeout", K, "monoio", 0.5),
    times_faster("with_timeout", K, "photons", 80, ours=HP),
    beside("offload", 2 * K, "tokio-localset tokio-localrt", 0.8, HP, tag="1 thread", them="tokio"),
    beside("offload_many", 10 * K, BY_HAND, 0.8, HP, tag="1 thread", them="one by hand"),
    beside("stream_results", 100 * K, "monoio", 0.42, ours=HP),
    beside("stream_results", 100 * K, "tokio-localset", 0.2, ours=HP),
    flat("stream_results", M, K, 2, ours=HP),
    beside("stream_results", 100 * K, "monoio", 0.42),
    beside("stream_results", 100 * K, "tokio-localset", 0.2),
    flat("stream_results", M, K, 2),
    flat("hold", 100 * K, 100, 1.5, ours=HP),
    times_faster("hold", 10 * K, "photons", 400, ours=HP),
    amount("parked_task", "resident bytes", M, 112, " bytes"),
    amount("pending_timer", "resident bytes", M, 64, " bytes"),
    amount("sleeping_task", "resident bytes", M, 176, " bytes"),
    Target("`tcp_echo`: rate to tokio's", echo_rate, 1.02, at_least=True),
    Target("`tcp_echo`: system calls a request to bare epoll's", echo_calls, 1),
    beside_in_sockets("tcp_echo", RATE, STREAMS, "tokio-buffered", 0.95),
    beside_in_sockets("tcp_echo", RATE, STREAMS, "uvloop-streams", 3),
    beside_in_sockets("tcp_echo", RATE, PROTOCOL, "uvloop-protocol", 1),
    less_cpu("tcp_echo", STREAMS, "tokio-buffered", 0.95),
    less_cpu("tcp_echo", STREAMS, "uvloop-streams", 3),
    less_cpu("tcp_echo", PROTOCOL, "uvloop-protocol", 1),
    beside_in_sockets("tcp_lines", RATE, STREAMS, "tokio-buffered", 0.95),
    beside_in_sockets("tcp_lines", RATE, STREAMS, "uvloop-streams", 3),
    less_cpu("tcp_lines", STREAMS, "uvloop-streams", 3),
    amount("idle_connection", "private bytes", 10 * K, 900, " bytes", ours=STREAMS),
    times_faster("call_soon", K, "uvloop", 12),
    times_faster("call_soon", 100 * K, "uvloop", 12),
    Target("minimal program over bare std", binary, 36, unit=" kB"),
    minimal("minimal program: crates", "crates", 7, ""),
    minimal("minimal program: cold build", "cold build s", 3.5, " s"),
]


def table(groups, only_measured=False):
    lines = (target.line(groups) for target in TARGETS)
    lines = [line for line in lines if not (only_measured and NOT_MEASURED in line)]
    heading = ["| figure | measured | target | met |", "| --- | ---: | ---: | --- |"]
    return "\n".join([*heading, *lines]) + "\n" if lines else ""
