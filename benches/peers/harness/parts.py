"""What is measured: each part's workloads, their sizes and who takes part."""

from dataclasses import dataclass, field

TOKIO = ["tokio-localset", "tokio-localrt"]
RUST = [
    "callsoon", *TOKIO, "smol-local", "smol-static", "localpool", "monoio", "compio", "glommio",
]
WITH_HP = ["callsoon", "callsoon-hp", *RUST[1:]]
PYTHON = ["asyncio", "uvloop"]
WITH_PHOTONS = [*PYTHON, "photons"]
QUICK = {"callsoon", "callsoon-hp", "monoio", "tokio-localset"}

K, M = 1000, 1_000_000


@dataclass
class Job:
    """A workload at some sizes."""

    workload: str
    sizes: list
    rust: list = field(default_factory=lambda: [*RUST, "floor"])
    python: list = field(default_factory=lambda: PYTHON)
    # Python takes part up to this size.
    python_limit: int = 100 * K
    program: str = "peers"
    # The CPU it is kept on; None where it may use all.
    cpu: int | None = 0
    environment: dict = field(default_factory=dict)
    # What sets this job apart from another with the same workload.
    tag: str = ""


def offload(workload, size):
    for workers in (1, 4):
        environment = {"PEERS_WORKERS": str(workers)}
        rust = ["callsoon-hp", *TOKIO, "smol-local", "smol-static", "localpool", "compio"]
        yield Job(
            workload, [size], rust, WITH_PHOTONS, environment=environment, tag=f"{workers} workers"
        )


PARTS = {
    "tasks": [
        Job("spawn_join", [K, 10 * K, 100 * K, M]),
        Job("yield_ring", [1, K, 100 * K]),
        Job("yield_native", [K], ["callsoon", *TOKIO], []),
        Job("wake_chain", [K, 100 * K]),
        Job("ping_pong", [100 * K], python_limit=0),
        Job("ping_pong", [10 * K], ["callsoon"], WITH_PHOTONS),
    ],
    "timers": [
        Job("timer_raw_cancel", [K, 10 * K, 100 * K, M], RUST),
        Job("timer_raw_fire", [K, 10 * K, 100 * K, M], RUST),
        Job("timer_task_cancel", [K, 100 * K, M], RUST),
        Job("timer_task_fire", [K, 100 * K, M], RUST),
    ],
    "timeouts": [Job("with_timeout", [10 * K], WITH_HP, WITH_PHOTONS)],
    "results": [
        Job("stream_results", [K, 10 * K, 100 * K, M], [*WITH_HP, "floor"], WITH_PHOTONS,
            python_limit=10 * K),
    ],
    "holders": [
        Job("hold", [100, K, 10 * K, 100 * K], WITH_HP, WITH_PHOTONS, python_limit=10 * K),
    ],
    "call_soon": [Job("call_soon", [K, 100 * K], ["callsoon"])],
    "memory": [
        Job(workload, [M], contenders, program="peers-mem", cpu=None, python_limit=0)
        for workload, contenders in (
            ("mem_tasks", [*RUST, "floor"]), ("mem_timers", RUST), ("mem_sleeping_tasks", RUST),
        )
    ],
    "threads": [*offload("offload_latency", 2 * K), *offload("offload_pipelined", 10 * K)],
}
