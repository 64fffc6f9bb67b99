"""Makes the programs of the family `tangle`: few names, and everybody uses all of them.

Where `generate.py` lets most statements stand in their own places, here any statement stands
anywhere that the language lets it: in handlers, callbacks and generators, deep inside of other
scopes, on things that are over or that another task uses, or that were made anew meanwhile.

Coroutines and generators are numbered in one row, and who awaits goes up in it, as in
`generate.py`: no task waits for itself.
"""

ERRORS = ["E1", "E2", "E3"]
ALL_ERRORS = [*ERRORS, "cancelled", "TimeoutError"]
MESSAGES = ["m1", "m2"]
PARTS = [
    "callbacks", "wrappers", "waiting", "timeouts", "generators", "queue",
    "ticker", "holder", "streamer", "locks", "channels", "groups",
]
# Few different times, so that much falls together.
TIMES = [
    [0, 0, 0, 0.25, 0.25, 0.5, 0.5, 1, 1, 1.5, 2, 3],
    [0, 0, 0.25],
    [0, 1, 1],
    [0, 0, 0, 0.5, 1_000_000],
]
LIMITS = [[0, 0, 0.25, 0.25, 0.5, 0.5, 1, 1, 2, 3], [0, 0.25, 0.5], [0, 1], [0.5, 1_000_000]]
DEEPEST = 5
MAIN = -1  # main's place in the row


class Tangle:
    def __init__(self, rng):
        self.r = rng
        self.parts = set(rng.sample(PARTS, rng.choice([1, 2, 2, 3, 3, 4, 5, 12])))
        some = 0.4 if self.parts & {"generators", "streamer"} else 0.1
        self.row = ["g" if rng.random() < some else "k" for _ in range(rng.randint(3, 8))]
        self.row.append("k")
        self.coros = [i for i, kind in enumerate(self.row) if kind == "k"]
        self.gens = [i for i, kind in enumerate(self.row) if kind == "g"]
        self.n_cbs = rng.randint(2, 5)
        self.left = rng.choice([30, 60, 60, 100, 160])  # statements, about
        self.times = rng.choice(TIMES)
        self.limits = rng.choice(LIMITS)
        self.tolerance = rng.choice([0.15, 0.3, 0.45])
        self.at = MAIN  # whose statements are being made

    # -- names

    def pick(self, options):
        return self.r.choice(options)

    def future(self):
        return self.pick(["f0", "f1", "f2"])

    def child(self):
        return self.pick(["c0", "c1", "c2"])

    def settable(self):
        if "wrappers" not in self.parts:
            return self.future()
        return self.pick(["f0", "f1", "f2", "r0", "r1", "c0", "c1", "c2"])

    def task(self, after=MAIN):
        found = [f"t{i}" for i in self.coros if i > after]
        if self.parts & {"holder", "streamer", "groups"} and self.r.random() < 0.3:
            found = [f"x{i}" for i in self.coros if i > after]
        return self.pick(found or ["f0"])

    def any_task(self):
        return "main" if self.r.random() < 0.08 else self.task()

    def plain(self, after=MAIN):
        """What asyncio's own functions take."""
        roll = self.r.random()
        if roll < 0.45:
            return self.task(after)
        if roll < 0.6 and "groups" in self.parts:
            return self.numbered("sh", after)
        return self.future()

    def numbered(self, prefix, after=MAIN):
        """A gathering or shield that waits for nobody before the next of the row."""
        return f"{prefix}{self.r.randint(after + 1, len(self.row))}"

    def like(self, after=MAIN):
        """Anything like a future of values."""
        return self.plain(after) if self.r.random() < 0.5 else self.settable()

    def any(self, after=MAIN):
        """Anything like a future."""
        if "groups" in self.parts and self.r.random() < 0.15:
            return self.numbered("a", after)
        return self.like(after)

    def many(self, one, after=MAIN):
        return [one(after) for _ in range(self.r.randint(0, 4))]

    def after(self, row, index):
        return [i for i in row if i > index]

    def member(self, row):
        """One that is started, not awaited: mostly a later one too, or there would be no end."""
        return self.pick(self.after(row, self.at) if self.chance(0.95) and row[-1] > self.at else row)

    def callback(self, above=-1):
        """Callbacks too mostly go up, or they would never end."""
        lowest = above + 1 if self.r.random() < 0.93 else 0
        return f"b{self.r.randint(lowest, self.n_cbs)}"

    def value(self):
        return None if self.r.random() < 0.1 else self.r.randint(1, 9)

    def seconds(self):
        return self.pick(self.times)

    def limit(self):
        return None if self.r.random() < 0.1 else self.pick(self.limits)

    def when(self):
        return self.pick([None, 0, 0.5, 1, 2])

    def error(self):
        return self.pick(ERRORS if self.r.random() < 0.8 else ALL_ERRORS)

    def chance(self, odds):
        return self.r.random() < odds

    def choose(self, weighted):
        return self.r.choices([make for _, make in weighted], [weight for weight, _ in weighted])[0]()

    def of_parts(self, kind, *args):
        """What the parts have of a kind of statements; not all have something."""
        made = (getattr(self, f"{kind}_{part}", lambda *_: [])(*args) for part in sorted(self.parts))
        return [option for options in made for option in options]

    def program(self, name):
        main = self.setup()
        for _ in range(self.r.randint(3, 9)):
            body = self.body(MAIN, self.r.randint(1, 3), 1)
            if self.chance(0.9):
                body = [["try", body, {"error": [], **self.pick([{}, {"cancelled": []}, {"cancelled": []}])}]]
            main += body
        if "streamer" in self.parts:
            main.append(["try", [["errors", "s0"]], {"error": []}])
        if "queue" in self.parts:
            main.append(["remaining", "q0"])
        coros, gens = {}, {}
        for index, kind in enumerate(self.row):
            self.left, self.at = max(self.left, 6), index
            if kind == "k":
                coros[f"k{index}"] = self.coro(index)
            else:
                gens[f"g{index}"] = self.body(index, self.r.randint(1, 5), 0, yields=True)
        self.at = MAIN
        coros["pulse"] = [["repeat", 10, [["sleep", 0], ["log", "."]]]]
        callbacks = {f"b{i}": self.callback_body(i) for i in range(self.n_cbs)}
        return {
            "name": name,
            "callbacks": {**callbacks, f"b{self.n_cbs}": [], **self.outside},
            "gens": gens,
            "coros": coros,
            "main": main,
        }

    def coro(self, index):
        if index == len(self.row) - 1:
            return [["sleep", self.seconds()], *self.ending()]
        body = self.body(index, self.r.randint(1, 5), 0)
        roll = self.r.random()
        if roll < 0.25:
            body = [["try", body, {"error": [], "cancelled": self.inner(index, 1)}]]
        elif roll < 0.45:
            body = [["try", body, {"finally": self.inner(index, 1)}]]
        return body + self.ending()

    def ending(self):
        return self.pick([[["return", self.value()]], [["raise", self.error()]], []])

    def callback_body(self, index):
        body = [self.now(index) for _ in range(self.r.randint(0, 3))]
        return body + ([["fail", self.pick(ALL_ERRORS)]] if self.chance(0.15) else [])

    # -- what main begins with

    def setup(self):
        main = [["future", f"f{i}"] for i in range(3)]
        if "wrappers" in self.parts:
            main += [["resettable", "r0"], ["resettable", "r1"], ["child", "c0", self.pick(["f0", "r0"])]]
            main += [["child", "c1", self.pick(["f1", "c0", "r1"])], ["child", "c2", self.pick(["c0", "c1", "f2"])]]
        if "locks" in self.parts:
            main += [["lock", "l0"], ["lock", "l1"], ["condition", "cd0", *self.pick([[], ["l0"]])]]
            main += [["condition", "cd1", *self.pick([[], ["l0"], ["l1"]])], ["semaphore", "se0", self.r.randint(0, 2)]]
            main += [["bounded_semaphore", "bs0", self.r.randint(0, 2)], ["event", "ev0"], ["number", "n0", self.r.randint(0, 1)]]
            main += [["barrier", f"ba{i}", self.pick([1, 2, 2, 3])] for i in range(2)]
        if "channels" in self.parts:
            main += [self.channel(f"ch{i}") for i in range(2)]
        if self.parts & {"holder", "streamer", "groups"}:
            main += [["future", f"x{i}"] for i in self.coros]
        order = self.r.sample(self.coros, len(self.coros))
        for i in order:
            main.append([self.pick(["spawn", "task"]), f"t{i}", f"k{i}"])
            if self.chance(0.1):
                main.append(["cancel_with", f"t{i}", "m0"])
        if self.chance(0.5):
            main.append(["forget", f"k{self.member(self.coros)}"])
        main += self.setup_helpers()
        if self.chance(0.4):
            main.append(["task", "p", "pulse"])
        return main + self.setup_outside()

    def setup_helpers(self):
        main = []
        if "groups" in self.parts:
            main += [["task_group", f"gr{i}", []] for i in range(2)]
            for i in range(len(self.row), -1, -1):
                main.append(["shield", f"sh{i}", self.pick([self.future(), self.task(i - 1)])])
            for i in range(len(self.row), -1, -1):
                main.append(self.gather(i))
        main += [["gen", f"y{i}", f"g{i}"] for i in self.gens]
        if "queue" in self.parts:
            main += [self.queue(f"q{i}") for i in range(2)]
        if "holder" in self.parts:
            main += [["holder", f"h{i}", self.any()] for i in range(2)]
        if "streamer" in self.parts:
            main += [self.streamer(f"s{i}") for i in range(2)] + [["future", f"z{i}"] for i in self.gens]
        if "ticker" in self.parts:
            main += [self.ticker(f"ti{i}") for i in range(2)]
        if "timeouts" in self.parts:
            main += [["timeout", f"to{i}", self.limit(), []] for i in range(2)]
        if "callbacks" in self.parts:
            main += [["soon", self.callback(), "hd0"], ["later", self.seconds(), "hd1", self.callback()]]
            main += [["on_done", self.like(), self.callback()] for _ in range(self.r.randint(0, 4))]
        return main

    def setup_outside(self):
        """What comes from outside at its time, and lets most programs get to their end."""
        self.outside = {}
        main = []

        def at(time, body):
            cb = f"o{len(self.outside)}"
            self.outside[cb] = body
            main.append(["later", time, f"{cb}h", cb])

        for _ in range(self.r.randint(2, 6)):
            at(self.pick([0.25, 0.5, 1, 1, 2, 2, 3, 4, 6, 8]), [self.now(-1) for _ in range(self.r.randint(1, 3))])
        for i, end in enumerate([["set_result", "f0", 1], ["set_exception", "f1", "E1"], ["cancel", "f2"]]):
            if self.chance(0.6):
                at(self.pick([0.5, 1, 5 + i]), [end])
        ends = []
        if "streamer" in self.parts:
            ends += [["no_more_work", "s0"], ["no_more_work", "s1"]]
        if "queue" in self.parts:
            ends += [["append_done", "q0"], ["append_done", "q1"]]
        if "locks" in self.parts:
            ends += [["set_event", "ev0"], ["release", "se0"]]
        if ends:
            at(9, ends)
        for time, odds in ((self.pick([1, 2, 3]), 0.3), (12, 0.8), (13, 0.8), (14, 0.8), (15, 0.8)):
            if self.chance(odds):
                at(time, [["cancel_with", "main", "mm"]])
        return main

    def channel(self, v):
        return ["channel", v, self.r.randint(0, 3), self.pick(["fifo", "lifo", "priority"])]

    def queue(self, v):
        return ["queue", v, self.any(), {"empty_on_finished": self.chance(0.5)}]

    def streamer(self, v):
        catcher = self.pick([None, "list", "list", "callback"])
        return ["streamer", v, self.any(), {"error_catcher": catcher, "exceptions_only": self.chance(0.5)}]

    def ticker(self, v):
        options = {"max_iterations": self.r.randint(0, 5)}
        if self.chance(0.35):
            options["max_time"] = self.pick([0, 0.25, 1, 2, 3])
        if self.chance(0.6):
            options["min_wait"] = self.pick([False, False, 0, 0.25, 1])
        if self.chance(0.4):
            options["final"] = self.any()
        if self.chance(0.3) and "locks" in self.parts:
            options["pauser"] = self.pick(["l0", "se0"])
        return ["ticker", v, self.pick([0, 0.25, 0.5, 1, 1, 2]), options]

    def gather(self, i):
        return ["gather", f"a{i}", [self.plain(i - 1) for _ in range(self.r.randint(0, 4))], {"return_exceptions": self.chance(0.5)}]

    # -- statements that need no await: `above` is the callback that they stand in

    def now(self, above=-1):
        options = [
            (6, lambda: ["set_result", self.like() if self.chance(0.1) else self.settable(), self.value()]),
            (3, lambda: ["set_exception", self.settable(), self.error()]),
            (4, lambda: ["cancel", self.pick([self.settable(), self.any_task(), self.plain()])]),
            (3, lambda: ["cancel_with", self.pick([self.future(), self.any_task()]), self.pick(MESSAGES)]),
            (2, lambda: ["cancel_returns", self.pick([self.future(), self.any_task()])]),
            (3, lambda: [self.pick(["state", "state", "result", "exception"]), self.any()]),
            (3, lambda: [self.pick(["cancelling", "uncancel", "uncancel"]), self.any_task()]),
            (0.8, self.another_task),
            (1, lambda: ["future", self.future()]),
            (1, lambda: ["cancel_me"]),
            (0.7, lambda: [self.pick(["raise", "fail"]), self.error()]),
        ]
        options += self.of_parts("now", above)
        return self.choose(options)

    def another_task(self):
        i = self.member(self.coros)
        return self.pick([["forget", f"k{i}"], ["task", f"t{i}", f"k{i}"], ["spawn", f"t{i}", f"k{i}"], ["spawn", f"t{i}", f"k{i}", {"silent": True}]])

    def now_callbacks(self, above):
        handle = self.pick(["hd0", "hd1"])
        found = lambda: self.pick([self.callback()] * 6 + ["reporter", "silent_reporter"])
        called = lambda: self.callback(above)
        return [
            (4, lambda: ["on_done", self.any(), called()]),
            (2, lambda: [self.pick(["off_done", "off_done", "has_callback"]), self.any(), found()]),
            (2, lambda: ["transfer", self.like(), self.settable() if self.chance(0.9) else self.plain(), self.pick([
                {}, {"errors_only": True}, {"process": called()}, {"errors_only": True, "process": called()}])]),
            (3, lambda: self.pick([["soon", called(), handle], ["later", self.seconds(), handle, called()], ["call_at", self.when() or 0, handle, called()]])),
            (2, lambda: [self.pick(["cancel_handle", "handle", "cancel"]), handle]),
        ]

    def now_wrappers(self, above):
        return [
            (3, lambda: ["reset", self.pick(["r0", "r1"]), self.chance(0.3)]),
            (2, lambda: ["cancel_parent", self.child()]),
            (1.5, lambda: ["child", self.child(), self.any()]),
            (0.5, lambda: ["resettable", self.pick(["r0", "r1"])]),
        ]

    def now_waiting(self, above):
        one = lambda after: self.settable() if self.chance(0.8) else self.like()
        return [
            (2, lambda: ["find_and_apply", one(MAIN), self.many(one)]),
            (1, lambda: ["noncancelled", self.many(self.like)]),
        ]

    def now_timeouts(self, above):
        v = self.pick(["to0", "to1"])
        return [
            (2, lambda: ["reschedule", v, self.limit()]),
            (1, lambda: ["reschedule_at", v, self.when()]),
            (1.5, lambda: [self.pick(["when", "expired"]), v]),
        ]

    def now_generators(self, above):
        return [(1, lambda i=i: ["gen", f"y{i}", f"g{i}"]) for i in self.gens[:1]]

    def now_queue(self, above):
        v = self.pick(["q0", "q0", "q1"])
        return [
            (6, lambda: ["append", v, self.value()]),
            (2.5, lambda: [self.pick(["append_done", "append_done", "remaining"]), v]),
            (0.5, lambda: self.queue(v)),
        ]

    def now_holder(self, above):
        v = self.pick(["h0", "h0", "h1"])
        i = self.member(self.coros)
        return [
            (3, lambda: ["holder_add", v, f"x{i}", f"k{i}", {"silent": self.chance(0.3)}]),
            (2, lambda: ["holder_add_task", v, self.any()]),
            (1.5, lambda: [self.pick(["holder_pending", "holder_len"]), v]),
            (0.6, lambda: ["holder_contains", v, self.any()]),
            (0.5, lambda: ["holder", v, self.any()]),
        ]

    def now_streamer(self, above):
        v = self.pick(["s0", "s0", "s1"])
        return [(3, lambda: [self.pick(["no_more_work", "no_more_work", "errors"]), v]), (0.5, lambda: self.streamer(v))]

    def now_ticker(self, above):
        v = self.pick(["ti0", "ti1"])
        return [(3, lambda: ["change_after", v, self.pick([0.25, 0.5, 1, 2, 5]), {"set_new_every": self.chance(0.5)}])]

    def now_locks(self, above):
        condition = self.pick(["cd0", "cd1"])
        return [
            (3, lambda: [self.pick(["release", "release", "locked"]), self.lock()]),
            (3, lambda: [self.pick(["set_event", "set_event", "clear_event", "is_set"]), "ev0"]),
            (2.5, lambda: self.pick([["notify", condition, self.r.randint(0, 3)], ["notify_all", condition]])),
            (2, lambda: ["add", "n0", self.pick([1, 1, -1])]),
            (1, lambda: ["barrier_state", self.pick(["ba0", "ba1"])]),
            (0.3, lambda: ["lock", self.pick(["l0", "l1"])]),
        ]

    def now_channels(self, above):
        v = self.pick(["ch0", "ch0", "ch1"])
        return [
            (4, lambda: ["put_nowait", v, self.r.randint(1, 9)]),
            (5, lambda: [self.pick(["get_nowait", "get_nowait", "task_done"]), v]),
            (1.5, lambda: [self.pick(["qsize", "channel_state"]), v]),
            (0.7, lambda: ["shutdown", v, self.chance(0.5)]),
            (0.3, lambda: self.channel(v)),
        ]

    def now_groups(self, above):
        i = self.r.randint(0, len(self.row))
        k = self.member(self.coros)
        return [
            # Not of a task: of one that is over, asyncio gives the task itself.
            (2, lambda: ["shield", f"sh{i}", self.pick([self.future(), self.numbered("sh", i)]) if i < len(self.row) else "f0"]),
            (2.5, lambda: self.gather(i)),
            (2, lambda: ["group_add", self.pick(["gr0", "gr1"]), f"x{k}", f"k{k}"]),
            (1, lambda: ["cancel_with", f"a{i}", self.pick(MESSAGES)]),
            (2.5, lambda: [self.pick(["cancel", "cancel_returns", "result", "exception"]), f"a{i}"]),
        ]

    def lock(self):
        return self.pick(["l0", "l1", "cd0", "cd1", "se0", "bs0"])

    # -- statements that await, and those that hold others

    def body(self, index, n, depth, yields=False):
        out = []
        for _ in range(n):
            statement = self.statement(index, depth, yields)
            if statement[0] not in ("yield", "try") and self.chance(self.tolerance):
                statement = ["try", [statement], {"error": [], **self.pick([{}, {}, {"cancelled": []}])}]
            out.append(statement)
        if depth and self.chance(0.06):
            out.append(self.pick([["break"], ["break"], ["return", self.value()]]))
        return out

    def inner(self, index, depth, yields=False):
        n = self.pick([0, 1, 1, 2, 2, 3] if self.left > 0 else [0, 1])
        return self.body(index, n, depth + 1, yields)

    def statement(self, index, depth, yields=False):
        self.left -= 1
        if yields and self.chance(0.35):
            return ["yield", self.value()]
        options = [
            (3, lambda: ["sleep", self.seconds()]),
            (4, lambda: ["await", self.any(index)]),
            (7, self.now),
            (0.5, lambda: ["cancel_me"]),
        ]
        later = self.after(self.coros, index)
        if later:
            options.append((1.5, lambda: ["call", f"k{self.pick(later)}"]))
        options += self.of_parts("awaits", index)
        if depth < DEEPEST and self.left > 0:
            options.append((4, lambda: self.try_(index, depth, yields)))
            options.append((1, lambda: ["repeat", self.r.randint(0, 3), self.inner(index, depth, yields)]))
            options += self.of_parts("holds", lambda: self.inner(index, depth), index)
        return self.choose(options)

    def try_(self, index, depth, yields):
        handlers = {}
        if self.chance(0.6):
            handlers["cancelled"] = self.inner(index, depth, yields) + ([["reraise"]] if self.chance(0.5) else [])
        if self.chance(0.6):
            handlers["error"] = self.inner(index, depth, yields) + ([["reraise"]] if self.chance(0.3) else [])
        if self.chance(0.5) or not handlers:
            handlers["finally"] = self.inner(index, depth, yields)
        return ["try", self.inner(index, depth, yields) or [["sleep", 0]], handlers]

    def holds_wrappers(self, inner, index):
        return [(2, lambda: ["with_child", self.child(), self.any(), inner()])]

    def awaits_waiting(self, index):
        return [(6, lambda: [self.pick(["wait_all", "wait_first", "cancel_and_wait"]), self.many(self.any, index)])]

    def holds_waiting(self, inner, index):
        raises = self.pick([[], [["raise", self.error()]]])
        return [(2, lambda: ["just_log", {"reraise_timeouts": self.chance(0.4)}, inner() + raises])]

    def awaits_timeouts(self, index):
        bounded = lambda k: self.pick([
            ["wait_for_call", k, self.limit()],
            ["with_timeout", k, {"timeout": self.pick(self.limits), "timeout_error": self.pick([None, "LATE"]), "silent": self.chance(0.5)}],
        ])
        later = self.after(self.coros, index)
        calls = [(6, lambda: bounded(f"k{self.pick(later)}"))] if later else []
        return [(3, lambda: ["wait_for", self.plain(index), self.limit()]), *calls]

    def holds_timeouts(self, inner, index):
        v = self.pick(["to0", "to1"])
        return [(4, lambda: ["timeout", v, self.limit(), inner()]), (2, lambda: ["timeout_at", v, self.when(), inner()])]

    def awaits_generators(self, index):
        later = self.after(self.gens, index)
        if not later:
            return []
        i = self.pick(later)
        y = f"y{i}"
        return [
            (2, lambda: ["gen", y, f"g{i}"]),
            (5.5, lambda: [self.pick(["anext", "anext", "aclose"]), y]),
            (1.5, lambda: ["asend", y, self.pick([None, self.value()])]),
            (2, lambda: ["athrow", y, self.error()]),
            (2, lambda: ["stop_gen", y, self.pick([{}, {}, {"exc": self.error()}, {"provide": self.value()}, {"exc": "E1", "provide": 3}])]),
        ]

    def holds_generators(self, inner, index):
        later = self.after(self.gens, index)
        return [(4, lambda: ["for", f"y{self.pick(later)}", inner()])] if later else []

    def awaits_queue(self, index):
        return [(0.7, lambda: ["queue_finish", self.pick(["q0", "q1"])])]

    def holds_queue(self, inner, index):
        return [(4, lambda: ["drain", self.pick(["q0", "q0", "q1"]), inner() + self.pick([[], [["break"]]])])]

    def awaits_ticker(self, index):
        return [(1, lambda: ["ticker_finish", self.pick(["ti0", "ti1"]), self.pick([None, "E1", "cancelled"])])]

    def holds_ticker(self, inner, index):
        v = self.pick(["ti0", "ti1"])
        ticks = lambda: ["ticks", v, [["sleep", self.seconds()], *inner()]]
        # Made where it is entered: to enter one twice would drop the iteration that it had.
        return [(3, lambda: ["repeat", 1, [self.ticker(v), ["with_ticker", v, [*inner(), ticks()]]]]), (2, ticks)]

    def awaits_holder(self, index):
        return [(2, lambda: ["holder_finish", self.pick(["h0", "h0", "h1"]), self.pick([None, None, "E1", "cancelled"])])]

    def holds_holder(self, inner, index):
        return [(4, lambda: ["with_holder", self.pick(["h0", "h0", "h1"]), self.any(), [*inner(), self.now(), *inner()]])]

    def awaits_streamer(self, index):
        v = self.pick(["s0", "s0", "s1"])
        adds = [
            (3, lambda: ["stream_value", v, self.value(), self.adding()]),
            (3, lambda: ["stream_task", v, self.like(), self.adding(force=0.25)]),
            (1, lambda: ["stream_finish", v, self.pick([None, None, "E1", "cancelled"])]),
        ]
        later = self.after(self.coros, index)
        if later:
            i = self.pick(later)
            adds.append((4, lambda: ["stream_coroutine", v, f"x{i}", f"k{i}", self.adding(force=0.25)]))
        if self.gens:
            g = self.member(self.gens)
            adds.append((4, lambda: ["stream_generator", v, f"z{g}", f"g{g}", self.adding(each=0.4)]))
        return adds

    def adding(self, force=0, each=0):
        options = {"context": self.pick(["ctx1", "ctx2"])} if self.chance(0.4) else {}
        if self.chance(0.4):
            options["on_done"] = self.callback()
        if self.chance(each):
            options["on_each"] = self.callback()
        if self.chance(force):
            options["force"] = True
        return options

    def holds_streamer(self, inner, index):
        v = self.pick(["s0", "s0", "s1"])
        return [(4, lambda: ["stream", v, inner()]), (2, lambda: ["with_streamer", v, [*inner(), ["stream", v, inner()]]])]

    def awaits_locks(self, index):
        barrier = self.pick(["barrier_wait", "barrier_wait", "barrier_wait", "barrier_abort", "barrier_reset"])
        condition = self.pick(["cd0", "cd1"])
        return [
            (1.5, lambda: ["acquire", self.lock()]),
            (1.5, lambda: ["wait_event", "ev0"]),
            (1, lambda: ["cond_wait", condition]),
            (3, lambda: ["with_lock", condition, [["cond_wait_for", self.pick(["cd0", "cd1"]), "n0", self.r.randint(0, 3)]]]),
            (4, lambda: [barrier, self.pick(["ba0", "ba0", "ba1"])]),
        ]

    def holds_locks(self, inner, index):
        condition = self.pick(["cd0", "cd1"])
        met = lambda: self.pick([["cond_wait", condition], ["notify", condition, self.r.randint(0, 2)], ["notify_all", condition]])
        return [(5, lambda: ["with_lock", self.lock(), inner()]), (3, lambda: ["with_lock", condition, [met(), *inner()]])]

    def awaits_channels(self, index):
        v = self.pick(["ch0", "ch0", "ch1"])
        return [(4, lambda: ["put", v, self.r.randint(1, 9)]), (5.5, lambda: [self.pick(["get", "get", "get", "join"]), v])]

    def awaits_groups(self, index):
        options = {"timeout": self.pick([None, 0, 0.5, 1]), "return_when": self.pick(["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"])}
        return [
            (3, lambda: ["wait", self.many(self.any, index), options]),
            (4, lambda: ["await", self.numbered(self.pick(["a", "sh"]), index)]),
        ]

    def holds_groups(self, inner, index):
        limit = self.pick([{}, {"timeout": self.seconds()}])
        return [
            (3, lambda: ["as_completed", self.many(self.plain, index), limit, inner()]),
            (3, lambda: ["each_completed", self.many(self.plain, index), {**limit, "tolerant": self.chance(0.7)}, inner()]),
            (6, lambda: self.task_group(inner)),
        ]

    def task_group(self, inner):
        v = self.pick(["gr0", "gr1"])
        members = [self.member(self.coros) for _ in range(self.r.randint(0, 3))]
        body = [["group_add", v, f"x{i}", f"k{i}"] for i in members] + inner()
        return ["task_group", v, body + self.pick([[], [["raise", self.error()]], [["sleep", self.seconds()]]])]
