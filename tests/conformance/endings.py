"""Makes programs about ends: of mains on one runner, of generators that are left or dropped in any
state, of what is left when the loop winds down; with interrupts in the family of that name.

Everything takes a turn or two, so that all of it falls into the few turns that an end has.
"""

SECONDS = [0, 0, 0, 0, 0.25, 0.5, 1]
ERRORS = ["E1", "E2", "cancelled", "TimeoutError"]
MESSAGES = ["m1", "m2"]
CHAIN = 9  # callbacks, each of which schedules the next


class Endings:
    def __init__(self, rng, interrupts):
        self.r = rng
        self.interrupts = interrupts
        self.n_coros = rng.randint(2, 4)
        self.n_gens = rng.randint(1, 3)
        self.n_cbs = rng.randint(1, 3)
        self.gathers = rng.random() < 0.25
        self.left = rng.choice([15, 30, 60])  # statements, about
        self.stops = rng.choice([0, 0, 0.03, 0.08])

    def pick(self, options):
        return self.r.choice(options)

    def chance(self, odds):
        return self.r.random() < odds

    def future(self):
        return f"f{self.r.randint(0, 1)}"

    def generator(self):
        return f"y{self.r.randint(0, 3)}"

    def chain(self):
        return f"c{self.r.randrange(CHAIN)}"

    # -- what callbacks may hold too

    def sync(self, at):
        if self.chance(self.stops):
            return ["stop"]
        if self.interrupts and self.chance(0.15):
            return self.interrupt()
        if self.gathers and self.chance(0.25):
            return self.gathering()
        f = self.future()
        return self.pick([
            ["set_result", f, self.r.randint(1, 9)],
            ["set_exception", f, self.pick(ERRORS)],
            ["cancel", f],
            ["state", f],
            ["on_done", f, f"b{self.r.randrange(self.n_cbs)}"],
            ["soon", self.chain()],
            ["soon", self.chain()],
            ["soon", f"b{self.r.randrange(self.n_cbs)}"],
            ["later", self.pick(SECONDS), f"h{self.r.randint(0, 2)}", self.chain()],
            ["gen", self.generator(), f"g{self.r.randrange(self.n_gens)}"],
            ["drop", self.generator()],
            ["drop", self.generator()],
            self.start(at),
            self.start(at),
            ["cancel", self.task(-1)],
            ["cancel_with", self.task(-1), self.pick(MESSAGES)],
            ["state", self.task(-1)],
            ["log", "."],
        ])

    def interrupt(self):
        return self.pick([
            ["interrupt"], ["interrupt"], ["interrupt"], ["interrupt", 2],
            ["on_interrupt", self.chain()], ["on_interrupt", f"b{self.r.randrange(self.n_cbs)}"], ["off_interrupt"],
        ])

    def gathering(self):
        v = self.pick(["a0", "a1", "n0", "n0"])
        return self.pick([
            ["set_result", v, self.r.randint(1, 9)], ["set_exception", v, self.pick(ERRORS)], ["cancel_returns", v],
            ["cancel_with", v, self.pick(MESSAGES)], ["state", v], ["result", v], ["exception", v],
            ["on_done", v, f"b{self.r.randrange(self.n_cbs)}"],
        ])

    def start(self, at):
        """Only a later coroutine: else there would be no end."""
        later = [i for i in range(self.n_coros) if i > at]
        if not later:
            return ["log", ".."]
        i = self.pick(later)
        return ["task", f"t{i}", f"k{i}"]

    def task(self, at):
        later = [i for i in range(self.n_coros) if i > at]
        return f"t{self.pick(later)}" if later else self.future()

    # -- what awaits

    def turns(self, most):
        return [["repeat", self.r.randint(1, most), [["sleep", 0]]]]

    def body(self, at, n, depth=0):
        return [self.statement(at, depth) for _ in range(n)]

    def statement(self, at, depth):
        self.left -= 1
        if self.left < 0 or depth > 3:
            return self.pick([["sleep", 0], self.sync(at)])
        roll = self.r.random()
        if roll < 0.25:
            return ["sleep", self.pick(SECONDS)]
        if roll < 0.55:
            return self.sync(at)
        if roll < 0.6:
            return self.turns(5)[0]
        if roll < 0.7:
            return self.attempt(at, depth)
        if roll < 0.76:
            return ["await", self.pick([self.future(), self.task(at)])]
        if roll < 0.78 and self.gathers and at < 0:  # no coroutine: it might be one of the children
            return ["await", self.pick(["a0", "a1", "n0"])]
        if roll < 0.8:
            return self.pick([["cancel_me"], ["raise", self.pick(ERRORS)], ["shutdown_gens"], ["shutdown_gens"]])
        if roll < 0.84 and at < self.n_coros - 1:
            return ["call", f"k{self.r.randint(at + 1, self.n_coros - 1)}"]
        return self.iteration(at, depth)

    def iteration(self, at, depth):
        y = self.generator()
        step = self.pick([["anext", y], ["anext", y], ["anext", y], ["asend", y, None], ["asend", y, 3],
                          ["athrow", y, self.pick(ERRORS)], ["aclose", y]])
        loop = ["for", y, self.body(at, self.r.randint(0, 2), depth + 1) + self.pick([[], [["break"]]])]
        steps = [self.pick([step, loop])]
        if self.chance(0.6):
            steps.insert(0, ["gen", y, f"g{self.r.randrange(self.n_gens)}"])
        if self.chance(0.3):
            steps.append(["drop", y])
        if self.chance(0.7):
            return ["try", steps, {"error": [], **self.pick([{}, {"cancelled": []}])}]
        return ["repeat", 1, steps]

    def attempt(self, at, depth):
        handlers = {}
        if self.chance(0.6):
            handlers["finally"] = self.clean_up(at, depth)
        if self.chance(0.4):
            handlers["cancelled"] = self.body(at, self.r.randint(0, 2), depth + 1) + self.pick([[], [["reraise"]]])
        if self.chance(0.4):
            handlers["error"] = []
        return ["try", self.body(at, self.r.randint(1, 3), depth + 1), handlers]

    def clean_up(self, at, depth):
        out = self.turns(7) if self.chance(0.6) else []
        if self.chance(0.4):
            out.append(self.start(at))
        if self.chance(0.3):
            out += self.body(at, 1, depth + 1)
        return out + [["log", "cleaned"]]

    def gen_body(self, at):
        out = []
        for _ in range(self.r.randint(1, 3)):
            roll = self.r.random()
            if roll < 0.35:
                out.append(["yield", self.r.randint(1, 9)])
            elif roll < 0.45:
                out.append(["sleep", self.pick(SECONDS)])
            elif roll < 0.55:
                out.append(self.sync(at))
            elif roll < 0.6:
                out.append(["await", self.future()])
            else:
                handlers = {}
                if self.chance(0.8):
                    handlers["finally"] = (self.turns(7) if self.chance(0.7) else []) + [self.sync(at), ["log", "gen cleaned"]]
                    handlers["finally"] += [["raise", self.pick(["E1", "E2"])]] if self.chance(0.25) else []
                if self.chance(0.3):
                    handlers["cancelled"] = [["log", "gen saw cancel"]] + self.pick([[], [["reraise"]]])
                if self.chance(0.2):
                    handlers["error"] = [["log", "gen saw error"]] + self.pick([[], [["reraise"]]])
                inner = [["yield", self.r.randint(1, 9)]] + self.pick([[], [["sleep", 0]], [["yield", 0]]])
                out.append(["try", inner, handlers])
        return out

    def setup(self):
        out = [["future", "f0"], ["future", "f1"]]
        if self.gathers:
            out += [["task", f"t{i}", f"k{i}"] for i in range(self.n_coros)]
            tolerant = [{"return_exceptions": self.chance(0.5)}, {"return_exceptions": self.chance(0.5)}]
            pool = ["f0", "f1"] + [f"t{i}" for i in range(self.n_coros)]
            for v in ("a0", "a1"):
                out.append(["gather", v, self.r.sample(pool, self.r.randint(1, 3)), tolerant[0]])
            out.append(["gather", "n0", self.pick([["a0", "a1"], ["a1", "a0"], ["a0"], ["a0", "a0"]]), tolerant[1]])
        return out

    def main(self, first):
        out = self.body(-1, self.r.randint(1, 6))
        if self.chance(0.6):
            out = [["try", out, {"error": [], **self.pick([{}, {"cancelled": []}])}]]
        if first:
            out = self.setup() + out
        out += [["soon", "c0"]] if self.chance(0.5) else []
        out += [self.start(-1)] if self.chance(0.5) else []
        out += [self.sync(-1)] if self.chance(0.3) else []
        return out + self.pick([[], [], [["return", 1]], [["raise", "E3"]]])

    def program(self, name):
        main = self.main(True)
        then = [self.main(False) for _ in range(self.pick([0, 0, 0, 1, 1, 2, 3]))]
        coros = {f"k{i}": self.body(i, self.r.randint(1, 4)) for i in range(self.n_coros)}
        gens = {f"g{i}": self.gen_body(self.n_coros - 2) for i in range(self.n_gens)}
        callbacks = {f"c{i}": [["log", f"c{i}"], *self.pick([[], [], [self.sync(self.n_coros - 2)]])] for i in range(CHAIN)}
        for i in range(CHAIN - 1):
            callbacks[f"c{i}"].append(["soon", f"c{i + 1}"])
        callbacks |= {f"b{i}": [self.sync(self.n_coros - 2) for _ in range(self.r.randint(0, 2))] for i in range(self.n_cbs)}
        return {"name": name, "callbacks": callbacks, "gens": gens, "coros": coros, "main": main, "then": then}
