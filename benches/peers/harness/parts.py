"""What is measured: each part's workloads, their sizes and who takes part."""

from dataclasses import dataclass, field

from . import echo, minimal

TOKIO = ["tokio-localset", "tokio-localrt"]
OTHERS = [*TOKIO, "smol-local", "smol-static", "localpool", "monoio", "compio", "glommio"]
RUST = ["callsoon", *OTHERS]
WITH_FLOOR = [*RUST, "floor"]
WITH_HP = ["callsoon", "callsoon-hp", *OTHERS]
PYTHON = ["asyncio", "uvloop"]
WITH_PHOTONS = [*PYTHON, "photons"]
QUICK = {"callsoon", "callsoon-hp", "monoio", "tokio-localset"}

K, M = 1000, 1_000_000


@dataclass
class Job:
    """A workload at some sizes."""

    workload: str
    sizes: list
    rust: list = field(default_factory=lambda: RUST)
    python: list = field(default_factory=lambda: PYTHON)
    # Python takes part up to this size.
    python_limit: int = 100 * K
    # The CPU on which all happens; None where it doesn't matter.
    cpu: int | None = 0
    # What the samples' environment has beside the usual, and what that is called.
    environment: dict = field(default_factory=dict)
    tag: str = ""


def offload(workload, n, threads):
    return Job(
        workload,
        [n],
        ["callsoon", "callsoon-hp", *TOKIO, "smol-local", "smol-static", "localpool", "compio"],
        WITH_PHOTONS,
        # The blocking crate has a name of its own for it.
        environment={"PEERS_THREADS": str(threads), "BLOCKING_MAX_THREADS": str(threads)},
        tag=f"{threads} threads" if threads > 1 else "1 thread",
    )


def memory(workload, rust=RUST):
    return Job(workload, [100 * K, M], rust, cpu=None)


PARTS = {
    "tasks": [
        Job("spawn_join", [K, 10 * K, 100 * K, M], WITH_FLOOR),
        Job("self_wake", [1, K, 100 * K], WITH_FLOOR, []),
        Job("yield_ring", [1, K, 100 * K], WITH_FLOOR),
        Job("wake_chain", [K, 100 * K], WITH_FLOOR),
        Job("ping_pong", [10 * K, 100 * K], WITH_FLOOR, WITH_PHOTONS, python_limit=10 * K),
    ],
    "call_soon": [Job("call_soon", [K, 100 * K], ["callsoon"])],
    "timers": [
        Job("timer_cancel", [K, 10 * K, 100 * K, M]),
        Job("timer_fire", [K, 10 * K, 100 * K, M]),
        Job("sleep_cancel", [K, 100 * K, M]),
        Job("sleep_fire", [K, 100 * K, M]),
    ],
    "timeouts": [Job("with_timeout", [K, 10 * K], WITH_HP, WITH_PHOTONS, python_limit=K)],
    "results": [
        Job("stream_results", [K, 10 * K, 100 * K, M], [*WITH_HP, "floor"], WITH_PHOTONS,
            python_limit=10 * K),
    ],
    "holders": [Job("hold", [100, K, 10 * K, 100 * K], WITH_HP, WITH_PHOTONS, python_limit=10 * K)],
    "memory": [
        memory("parked_task", WITH_FLOOR), memory("pending_timer"), memory("sleeping_task"),
    ],
    "threads": [
        offload(workload, n, threads)
        for workload, n in (("offload", 2 * K), ("offload_many", 10 * K))
        for threads in (1, 4)
    ],
    "floors": [Job("floor", [10 * K], ["boxed_calls", "clock", "poll", "eventfd_trip"], [])],
    # These have ways of their own.
    "echo": [echo.take, echo.take_lines],
    "idle": [echo.take_idle],
    "minimal": [minimal.take],
}
