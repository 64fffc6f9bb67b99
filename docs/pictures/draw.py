"""Draws the pictures of docs/tour.md and docs/order.md, beside this file. Needs only Python.

    python docs/pictures/draw.py

The rendered docs of the crate can't point to files: links.txt has the pictures themselves, as the links
that `src/lib.rs` puts before each guide.
"""

from base64 import b64encode
from html import escape
from pathlib import Path

INK, PALE, PAPER = "#24292f", "#6e7781", "#ffffff"
BLUE, GREEN, YELLOW, RED, GREY = "#ddf4ff", "#dafbe1", "#fff8c5", "#ffebe9", "#f6f8fa"
ARROW = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
    f' orient="auto"><path d="M0 0 8 4 0 8z" fill="{INK}"/></marker></defs>'
)


class Picture:
    def __init__(self, width, height, title):
        self.size = (width, height)
        self.title = title
        self.parts = []
        self.box(0, 0, width, height, PAPER, line=PAPER)

    def box(self, x, y, width, height, fill, line=INK, dashed=False):
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4"'
            f' fill="{fill}" stroke="{line}"{dash}/>'
        )

    def text(self, x, y, words, size=13, weight="normal", ink=INK, anchor="start", mono=False):
        family = "monospace" if mono else "sans-serif"
        self.parts.append(
            f'<text x="{x}" y="{y}" font-family="{family}" font-size="{size}"'
            f' font-weight="{weight}" fill="{ink}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def arrow(self, *points, dashed=False):
        path = " ".join(f"{x},{y}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{INK}" marker-end="url(#tip)"{dash}/>'
        )

    def save(self, name):
        width, height = self.size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}" role="img">'
        )
        title = f"<title>{escape(self.title)}</title>"
        lines = [head, title, ARROW, *self.parts, "</svg>"]
        (Path(__file__).parent / name).write_text("\n".join(lines) + "\n")


def layers():
    picture = Picture(860, 520, "The layers of the crate, each above those that it may use")

    def layer(x, y, width, height, fill, name, about, *files):
        picture.box(x, y, width, height, fill)
        picture.text(x + 12, y + 23, name, 15, "bold", mono=True)
        picture.text(x + width - 12, y + 23, about, 12, ink=PALE, anchor="end")
        for row, line in enumerate(files):
            picture.text(x + 12, y + 45 + 18 * row, line, 12, mono=True)

    picture.box(20, 16, 760, 36, GREY)
    picture.text(32, 39, "lib.rs", 15, "bold", mono=True)
    picture.text(768, 39, "the crate root: what users import", 12, ink=PALE, anchor="end")
    layer(
        20, 64, 440, 98, YELLOW, "helpers", "Photons' own; sees what users see",
        "TaskHolder, ResultStreamer, ATicker, Queue",
        "ResettableFuture, ChildOfFuture",
        "ThreadToAsyncQueue, SyncQueue",
    )  # fmt: skip
    layer(472, 64, 148, 34, YELLOW, "bridges", "features")
    layer(632, 64, 148, 34, YELLOW, "process", "a feature")
    layer(
        472, 104, 148, 58, YELLOW, "io", "std only",
        "tcp, udp, unix",
    )  # fmt: skip
    layer(
        632, 104, 148, 58, YELLOW, "net", "above io",
        "streams, servers",
    )  # fmt: skip
    layer(
        20, 174, 760, 98, GREEN, "asyncio", "knows futures and tasks",
        "core: futures, tasks, steps, cancel; generator, runner, executor",
        "gather, wait, shield, timeout, task_group",
        "lock, event, condition, semaphore, barrier, queue",
    )  # fmt: skip
    layer(
        20, 284, 760, 62, RED, "threads", "std only; what works for a loop on other threads",
        "work_queue, worker_group, logged",
    )  # fmt: skip
    layer(
        20, 358, 760, 80, BLUE, "event_loop", "knows callbacks, and no futures",
        "run, ready, entry, timer_wheel, inbox, answers, reactor, readers, signals",
        "host, clock, system, exceptions",
    )  # fmt: skip
    lowest = (
        "blocks", "collections", "logging", "panics", "sync", "error", "context", "flat_drops",
    )  # fmt: skip
    for x, name in zip(range(20, 780, 96), lowest):
        picture.box(x, 450, 90, 36, GREY)
        picture.text(x + 6, 473, name, 12, "bold", mono=True)
    picture.arrow((812, 64), (812, 486))
    picture.parts.append('<g transform="rotate(90 826 275)">')
    picture.text(826, 275, "imports go down only", 13, anchor="middle")
    picture.parts.append("</g>")
    picture.text(20, 509, "tests/layering reads the source and holds it to this.", 12, ink=PALE)
    picture.save("layers.svg")


def turn():
    picture = Picture(860, 420, "One turn of the loop, from what is ready to the next turn")
    picture.text(20, 28, "One turn", 16, "bold")
    steps = [
        ("1. mail", "calls and wakes", "of threads so far", RED),
        ("2. wait", "for timer, socket,", "thread; or not at all", GREY),
        ("3. mail", "what threads sent", "meanwhile", RED),
        ("4. sockets", "that are ready", "", GREEN),
        ("5. timers", "that are due, by", "(time, order made)", YELLOW),
        ("6. round", "runs what is on the", "queue now, in order", BLUE),
    ]
    for at, (name, first, second, fill) in enumerate(steps):
        x = 20 + 139 * at
        picture.box(x, 44, 125, 74, fill)
        picture.text(x + 8, 64, name, 14, "bold")
        picture.text(x + 8, 86, first, 11)
        picture.text(x + 8, 103, second, 11)
        if at + 1 < len(steps):
            picture.arrow((x + 125, 81), (x + 139, 81))

    picture.text(20, 160, "The ready queue", 16, "bold")
    picture.text(190, 160, "nothing ever passes what stands before it", 12, ink=PALE)

    def queue(y, label, jobs, frozen):
        picture.text(20, y + 23, label, 12)
        for at, (name, fill) in enumerate(jobs):
            if fill is None:
                continue
            waits = frozen is not None and at >= frozen
            picture.box(190 + 92 * at, y, 84, 34, PAPER if waits else fill, dashed=waits)
            picture.text(232 + 92 * at, y + 22, name, 12, anchor="middle")
        if frozen is not None:
            x = 186 + 92 * frozen
            picture.parts.append(
                f'<line x1="{x}" y1="{y - 8}" x2="{x}" y2="{y + 42}" stroke="{INK}"'
                ' stroke-width="3"/>'
            )

    ready, due = [("soon a", BLUE), ("step b", BLUE)], ("timer e", YELLOW)
    brought = [("thread c", RED), ("socket d", GREEN), due]
    later = [("a's soon", BLUE), ("b's wake", BLUE)]
    queue(180, "as the turn begins", ready, None)
    queue(232, "after 1 to 5", ready + brought, None)
    queue(284, "6 freezes its length", ready + brought, 5)
    gone = [(name, None) for name, _ in ready]
    queue(336, "once a and b have run", [*gone, *brought, *later], 5)
    picture.text(655, 306, "the round ends here", 12, ink=PALE)
    picture.arrow((697, 378), (697, 396), (316, 396), dashed=True)
    picture.text(20, 400, "what the round schedules begins the next turn", 12)
    picture.save("turn.svg")


def links():
    folder = Path(__file__).parent
    lines = (
        f"[pictures/{picture.name}]: data:image/svg+xml;base64,"
        f"{b64encode(picture.read_bytes()).decode()}\n"
        for picture in sorted(folder.glob("*.svg"))
    )
    (folder / "links.txt").write_text("".join(lines))


if __name__ == "__main__":
    layers()
    turn()
    links()
