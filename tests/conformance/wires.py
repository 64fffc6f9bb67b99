"""Makes programs about the network: `streams`, which are streams and their servers, and `transports`,
which are protocols, their servers, pairs of sockets, and pipes.

An end is named before it is there: what a statement asks of it fails then, as a name that is missing.
A program has few ends, and several coroutines on each, so that their reads, writes and ends meet.
"""

SECONDS = [0, 0, 0, 0, 0.25, 0.5, 1]
ERRORS = ["E1", "E2"]
LIMITS = [1, 4, 8, 16, 64, 65536]
TEXTS = ["a", "b", "abc", "ab\n", "\n", "line\n", "two\nlines\n", "a;b,", "c--", ";-", "x*9", "y*20+\n", "x*40"]
SEPARATORS = ["\n", ";", ",", "--", ";-", "b", "abc", "-"]
# Above what the system takes at once, and about that.
BIG = ["x*100000", "y*300000", "x*500000+\n", "y*200000+;"]


class Wires:
    def __init__(self, rng, kind):
        self.r = rng
        self.kind = kind
        self.n_coros = rng.randint(2, 4)
        self.n_cbs = rng.randint(2, 4)
        self.big = rng.choice([0, 0, 0.1, 0.3])
        self.left = rng.choice([20, 40, 60])  # statements, about
        self.ends = []  # those that read and write
        self.streams = []
        self.servers = []
        self.readers = []  # of pipes
        self.fed = []
        self.fresh = 0

    def pick(self, options):
        return self.r.choice(options)

    def chance(self, odds):
        return self.r.random() < odds

    def text(self):
        return self.pick(BIG if self.chance(self.big) else TEXTS)

    def end(self, own=None):
        return own if own in self.ends and self.chance(0.7) else self.pick(self.ends)

    def callback(self):
        return f"b{self.r.randrange(self.n_cbs)}"

    # -- what callbacks may hold too

    def sync(self, at, own=None):
        roll = self.r.random()
        if self.fed and roll < 0.12:
            return self.feed()
        if self.servers and roll < 0.22:
            return self.of_server()
        if self.readers and roll < 0.2:
            v = self.pick(self.readers)
            return self.pick([["pause_reading", v], ["resume_reading", v], ["resume_reading", v], ["reading", v], ["close", v]])
        if roll < 0.35:
            return self.pick([
                ["set_result", "f0", 1], ["cancel", "f0"], ["log", "."], ["soon", self.callback()],
                ["later", self.pick(SECONDS), "h0", self.callback()], ["cancel", f"t{self.r.randrange(self.n_coros)}"],
                ["cancel", f"t{self.r.randrange(self.n_coros)}"], ["state", "f0"],
            ])
        return self.of_transport(self.end(own))

    def of_transport(self, v):
        if v == "pw":
            return self.pick([["write", v, self.text()]] * 6 + [
                ["writelines", v, [self.text(), self.text()]], ["write_eof", v], ["close", v], ["abort", v],
                ["transport", v], ["transport", v], ["limits", v, self.pick([0, 16, 100000]), 0],
            ])
        return self.pick([["write", v, self.text()]] * 8 + [
            ["writelines", v, [self.text() for _ in range(self.r.randint(0, 3))]],
            ["writelines", v, [self.text() for _ in range(self.r.randint(1, 3))]],
            ["write_eof", v], ["close", v], ["close", v], ["abort", v], ["pause_reading", v], ["resume_reading", v],
            ["resume_reading", v], ["transport", v], ["transport", v], ["reading", v], self.limits(v),
        ])

    def limits(self, v):
        high = self.pick([0, 1, 16, 64, 1000, 100000, 400000])
        return ["limits", v, high, self.pick([0, high // 4, high, high + 1] if self.chance(0.3) else [0, high // 2])]

    def of_server(self):
        s = self.pick(self.servers)
        return self.pick([["close_server", s], ["close_clients", s], ["abort_clients", s], ["serving", s], ["serving", s]])

    def feed(self):
        v = self.pick(self.fed)
        return self.pick([["feed", v, self.pick(TEXTS)]] * 5 + [["feed_eof", v], ["reader_fails", v, self.pick(ERRORS)], ["reader_state", v]])

    # -- what awaits

    def reading(self, own=None):
        ends = self.streams + self.fed
        v = own if own in ends and self.chance(0.9) else self.pick(ends)
        count = self.pick([0, 1, 2, 3, 5, 10, 30, 100000] if self.chance(self.big) else [1, 2, 3, 5, 10])
        return self.pick([
            ["read", v, self.pick([-1, 1, 4, 100, 100, 1000000])], ["read", v, count], ["readline", v], ["readline", v],
            ["readexactly", v, count], ["readexactly", v, count],
            ["readuntil", v, [self.pick(SEPARATORS)]],
            ["readuntil", v, [self.pick(SEPARATORS) for _ in range(self.r.randint(1, 3))]],
            ["reader_state", v],
        ])

    def special(self, at, own):
        if self.kind == "streams":
            roll = self.r.random()
            if roll < 0.6:
                return self.reading(own)
            v = own if own in self.streams and self.chance(0.9) else self.pick(self.streams)
            if roll < 0.8:
                return ["drain_writer", v]
            if roll < 0.88:
                return ["wait_closed", v]
        if self.servers and self.chance(0.5):
            s = self.pick(self.servers)
            return self.pick([
                ["server_closed", s], ["server_closed", s], ["start_serving", s], ["serve_forever", s], self.connect(s),
                self.connect(s), self.connect(s),
            ])
        return ["sleep", self.pick(SECONDS)]

    def connect(self, s):
        v = self.pick(["c0", "c1"])
        if self.kind == "streams":
            return ["connect", v, s, self.pick(LIMITS)]
        return ["protocol_connect", v, s, self.behaviour()]

    def behaviour(self, pipe=False):
        out = {"keep": True} if self.chance(0.4) else {}
        if not pipe and self.chance(0.35):
            out["size"] = self.pick([30000, 100000] if self.big else [1, 4, 16, 1000] * 5 + [0])
        for event in ("made", "data", "eof", "lost", "pause", "resume"):
            if self.chance(0.3):
                out[event] = self.callback()
        return out

    def body(self, at, n, own, depth=0):
        return [self.statement(at, own, depth) for _ in range(n)]

    def statement(self, at, own, depth):
        self.left -= 1
        if self.left < 0 or depth > 2:
            return self.pick([["sleep", 0], self.sync(at, own)])
        roll = self.r.random()
        if roll < 0.15:
            return ["sleep", self.pick(SECONDS)]
        if roll < 0.45:
            return self.sync(at, own)
        if roll < 0.5:
            return ["repeat", self.r.randint(1, 4), self.body(at, self.r.randint(1, 2), own, depth + 1)]
        if roll < 0.6:
            handlers = {"error": []} if self.chance(0.7) else {}
            if self.chance(0.4):
                handlers["cancelled"] = self.body(at, self.r.randint(0, 1), own, depth + 1)
            if self.chance(0.3):
                handlers["finally"] = [self.sync(at, own)]
            return ["try", self.body(at, self.r.randint(1, 3), own, depth + 1), handlers]
        if roll < 0.67:
            self.fresh += 1
            return ["try", [["timeout", f"l{self.fresh}", self.pick([0, 0.25, 0.5, 1]), self.body(at, self.r.randint(1, 2), own, depth + 1)]], {"error": []}]
        if roll < 0.7:
            return ["await", self.pick(["f0", *[f"t{i}" for i in range(at + 1, self.n_coros)]])]
        return self.special(at, own)

    def coro(self, at, own):
        out = self.body(at, self.r.randint(2, 6), own)
        if self.chance(0.6):  # goes on after an error
            out = [["try", [stmt], {"error": []}] for stmt in out]
        if self.chance(0.3):
            out = [["try", out, {"finally": [["close", own]]}]]
        return out + self.pick([[], [], [], [["return", 1]], [["raise", self.pick(ERRORS)]]])

    # -- the whole

    def setup(self):
        out = [["future", "f0"]]
        if self.kind == "streams":
            for i in range(self.pick([1, 1, 1, 2])):
                s = f"s{i}"
                self.servers.append(s)
                out.append(["serve", s, self.pick(LIMITS), [f"{s}k1", f"{s}k2"][:self.pick([0, 1, 1, 2])]])
            # An end that is named in vain is rare.
            both = self.chance(0.5)
            self.streams = ["c0", "s0.1"]
            self.streams += ["c1", f"{self.servers[-1]}.{3 - len(self.servers)}"] if both else []
            self.streams += ["c1", "s0.2"] if self.chance(0.15) else []
            self.ends = list(self.streams)
            if self.chance(0.25):
                self.fed.append("rd")
                out.append(["reader", "rd", self.pick(LIMITS)])
            out.append(["connect", "c0", "s0", self.pick(LIMITS)])
            out += [["connect", "c1", self.servers[-1], self.pick(LIMITS)]] if both else []
        else:
            out += self.wires()
        for v in self.ends:
            if self.chance(0.3 + self.big):
                out.append(["try", [["repeat", self.r.randint(0, 3), [["sleep", 0]]], self.limits(v)], {"error": []}])
        return out

    def wires(self):
        out = []
        kinds = self.r.sample(["server", "pair", "pipe"], self.pick([1, 1, 2]))
        if "server" in kinds:
            self.servers.append("s0")
            self.ends += ["s0.1", "s0.2", "c0", "c1"]
        if "pair" in kinds:
            self.ends += ["p0", "p1"]
        if "pipe" in kinds:
            self.ends.append("pw")
            self.readers.append("pr")
        for kind in kinds:
            if kind == "server":
                out += [["protocol_server", "s0", self.behaviour()], self.connect("s0")]
                out += [self.connect("s0")] if self.chance(0.4) else []
            elif kind == "pair":
                out.append(["protocol_pair", "p0", "p1", self.behaviour(), self.behaviour()])
            else:
                out.append(["pipe", "pr", "pw", self.behaviour(True), self.behaviour(True)])
        return out

    def program(self, name):
        main = self.setup()
        owners = self.r.sample(self.ends, len(self.ends))
        coros = {f"k{i}": self.coro(i, owners[i % len(owners)]) for i in range(self.n_coros)}
        if self.kind == "streams":
            for s in self.servers:
                for i in (1, 2):
                    coros[f"{s}k{i}"] = self.coro(self.n_coros, f"{s}.{i}")
        coros["pulse"] = [["repeat", 12, [["sleep", 0], ["log", "."]]]]
        if self.chance(0.4):
            main.append(["task", "p", "pulse"])
        for i in range(self.n_coros):
            main.append(["task", f"t{i}", f"k{i}"])
        rest = self.body(-1, self.r.randint(2, 6), self.pick(self.ends))
        main += [["try", [stmt], {"error": [], "cancelled": []}] for stmt in rest]
        main += [["sleep", self.pick([0, 0.5, 3])]]
        callbacks = {f"b{i}": self.quiet() for i in range(self.n_cbs)}
        return {"name": name, "callbacks": callbacks, "coros": coros, "main": main}

    def quiet(self):
        """A callback's statements, which schedule and write little: else there would be no end."""
        big, self.big = self.big, 0
        out = [self.sync(self.n_coros) for _ in range(self.r.randint(0, 2))]
        self.big = big
        out = [["log", ","] if stmt[0] in ("soon", "later") else stmt for stmt in out]
        return out + ([["fail", self.pick([*ERRORS, "cancelled"])]] if self.chance(0.15) else [])
