"""Measuring a part."""

from . import samples
from .parts import PARTS


def measure(part, rounds, contenders=frozenset(), only=frozenset()):
    """The samples of a part, which are kept too. Nobody and nothing chosen is everybody and all."""
    rows = []
    for job in PARTS[part]:
        if callable(job):
            rows += job(rounds, contenders)
        elif not only or job.workload in only:
            rows += samples.take(job, rounds, contenders)
    samples.keep(rows)
    return rows
