"""Processes that prepare side by side on the machine's cores, and measure one at a time while the others are stopped."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SETTLE_S = 0.1  # for what a stopped process has enqueued on the GPU


class Worker:
    """A process that prints JSON, one object a line: results; {"ready": true} when it wants to measure, after which it waits for a
    line on its standard input; and {"measured": true} when others may go on."""

    def __init__(self, name: str, command: Sequence[str | Path], environment: dict[str, str], said: queue.Queue[tuple[Worker, str]]) -> None:
        self.name = name
        self.results: list[dict[str, Any]] = []
        self.failed = ""  # why it did not come to its end
        self.busy_s = 0.0  # preparing since it last said something
        self._words = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words, text=True,
            env={**os.environ, **environment}, start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, args=(said,), daemon=True).start()

    def _read(self, said: queue.Queue[tuple[Worker, str]]) -> None:
        """Lines to the queue; the empty one is the end."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said.put((self, line))
        said.put((self, ""))

    def go(self) -> None:
        """Let it measure."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its end is on the way

    def signal(self, number: signal.Signals) -> None:
        """To it and the processes that it started."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass

    def ended(self) -> None:
        """Collects it after its last line."""
        code = self._process.wait()
        if code != 0 and not self.failed:
            self._words.seek(0)
            self.failed = self._words.read().strip()[-400:] or f"exit code {code}"

    def kill(self, why: str) -> None:
        """End it; its last line follows."""
        self.failed = why
        self.signal(signal.SIGKILL)


@dataclass
class Turns:
    """Runs named commands as workers. `measured` is called after each measurement, while all are stopped."""

    commands: deque[tuple[str, Sequence[str | Path]]]
    at_a_time: int
    limit_s: float  # for one preparation or measurement
    until: float  # by time.monotonic(): what has not come to its end by then is given up
    measured: Callable[[Worker], None]
    environment: dict[str, str] = field(default_factory=dict)
    said: queue.Queue[tuple[Worker, str]] = field(default_factory=queue.Queue)
    workers: list[Worker] = field(default_factory=list)
    stops: list[tuple[float, float]] = field(default_factory=list)  # when all but one were stopped, by time.monotonic()

    def seconds(self, begin: float, end: float) -> float:
        """Between two times, without the stops."""
        return end - begin - sum(max(0.0, min(end, to) - max(begin, since)) for since, to in self.stops)

    def run(self) -> Iterator[Worker]:
        """Each worker as it comes to its end."""
        try:
            yield from self._run()
        finally:
            for worker in self.workers:
                worker.kill("the time ran out")

    def _run(self) -> Iterator[Worker]:
        last = time.monotonic()
        while (self.commands or self.workers) and time.monotonic() < self.until:
            while self.commands and len(self.workers) < self.at_a_time:
                name, command = self.commands.popleft()
                self.workers.append(Worker(name, command, self.environment, self.said))
            self._count(time.monotonic() - last)
            last = time.monotonic()
            try:
                worker, line = self.said.get(timeout=1)
            except queue.Empty:
                continue
            if line == "":
                worker.ended()
                self.workers.remove(worker)
                yield worker
            elif self._hear(worker, line) == "ready":
                self._alone(worker)
                last = time.monotonic()

    def _count(self, seconds: float) -> None:
        """Time in which all were preparing; ends those that take too long."""
        for worker in self.workers:
            worker.busy_s += seconds
            if worker.busy_s > self.limit_s and not worker.failed:
                worker.kill(f"took more than {self.limit_s:.0f} s")

    def _hear(self, worker: Worker, line: str) -> str:
        """Keeps a result; gives the key of anything else."""
        if not line.startswith("{"):
            return ""  # somebody's print
        worker.busy_s = 0
        said: dict[str, Any] = json.loads(line)
        if said.keys() <= {"ready", "measured"}:
            return next(iter(said))
        worker.results.append(said)
        return ""

    def _alone(self, worker: Worker) -> None:
        """Lets it measure while the others are stopped, and `measured` while it is stopped too."""
        begin = time.monotonic()
        for other in self.workers:
            if other is not worker:
                other.signal(signal.SIGSTOP)
        time.sleep(SETTLE_S)
        worker.go()
        later: list[tuple[Worker, str]] = []  # said before they were stopped
        deadline = time.monotonic() + self.limit_s
        while True:
            try:
                speaker, line = self.said.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                worker.kill(f"took more than {self.limit_s:.0f} s")
                break
            if speaker is not worker or line == "":
                later.append((speaker, line))
            elif self._hear(worker, line) == "measured":
                worker.signal(signal.SIGSTOP)
                self.measured(worker)
            if speaker is worker and (line == "" or "measured" in line):
                break
        for item in later:
            self.said.put(item)
        for other in self.workers:
            other.signal(signal.SIGCONT)
        self.stops.append((begin, time.monotonic()))
