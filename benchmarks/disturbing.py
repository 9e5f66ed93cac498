"""Kills, ends and stops processes at random, and starts again what has ended."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.stack import Stack

KINDS = {"KILL": 76, "TERM": 12, "STOP": 8, "ZOMBIE": 4}
"""What is done, and how often of 100: killed, ended, stopped for 15 s, stopped for 60 s."""
STOPPED_S = {"STOP": 15.0, "ZOMBIE": 60.0}
PROGRAMS = {"worker": 58, "projector": 16, "outlet": 12, "api": 14}
REFUSED = 78


@dataclass
class Disturbance:
    """One thing done to one process; `at` is seconds since the epoch."""

    at: float
    kind: str
    name: str


@dataclass
class Nemesis:
    """Disturbs the processes of a stack. `every` are the bounds of the pauses, in seconds."""

    running: Stack
    dice: random.Random
    every: tuple[float, float]
    kinds: Mapping[str, int] = field(default_factory=lambda: KINDS)
    programs: Mapping[str, int] = field(default_factory=lambda: PROGRAMS)
    done: list[Disturbance] = field(default_factory=list)
    ended_themselves: Counter[str] = field(default_factory=Counter)
    _stopped: dict[str, float] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    async def run(self, seconds: float) -> None:
        """Disturbs for so many seconds, then lets everything run again."""
        until = time.monotonic() + seconds
        due = time.monotonic() + self.dice.uniform(*self.every)
        while time.monotonic() < until:
            await asyncio.sleep(0.2)
            self._wake()
            self.restart_ended()
            if time.monotonic() >= due:
                due = time.monotonic() + self.dice.uniform(*self.every)
                self._disturb()
        self._wake(everything=True)

    def restart_ended(self) -> None:
        """Starts a process again that ended by itself, as its supervisor would."""
        for name, process in list(self.running.processes.items()):
            code = process.poll()
            if code is None:
                continue
            program = name.split("-")[0]
            if code == REFUSED:
                raise SystemExit(f"{name} refuses to start; see {self.running.folder}/{name}.log")
            if name not in self._asked:
                self.ended_themselves[f"{program} {code}"] += 1
            del self.running.processes[name]
            self.running.start(program, f"{program}-{len(self.running.probes)}")

    def counts(self) -> Counter[str]:
        """How often what was done to which program."""
        return Counter(f"{one.kind} {one.name.split('-')[0]}" for one in self.done)

    def _disturb(self) -> None:
        program = self.dice.choices(list(self.programs), list(self.programs.values()))[0]
        kind = self.dice.choices(list(self.kinds), list(self.kinds.values()))[0]
        names = sorted(
            name
            for name, process in self.running.processes.items()
            if name.startswith(program)
            and name not in self._stopped
            and name not in self._asked
            and process.poll() is None
        )
        if not names or (kind in STOPPED_S and self._stopped):
            return
        name = self.dice.choice(names)
        process = self.running.processes[name]
        self.done.append(Disturbance(time.time(), kind, name))
        if kind in STOPPED_S:
            process.send_signal(signal.SIGSTOP)
            self._stopped[name] = time.monotonic() + STOPPED_S[kind]
            return
        process.send_signal(signal.SIGKILL if kind == "KILL" else signal.SIGTERM)
        self._asked.add(name)

    def _wake(self, *, everything: bool = False) -> None:
        for name, until in list(self._stopped.items()):
            if everything or time.monotonic() >= until:
                del self._stopped[name]
                self.running.processes[name].send_signal(signal.SIGCONT)
