"""Measure the effect of each attack on others."""

import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from scripts.isolation.attacks import Attack, attacks
from scripts.isolation.product import ANSWER_WITHIN, TENANT, Server, call, product

LIMITS = {"gap": 0.5, "call": 0.5, "memory": 256.0}  # seconds, seconds, MB
NOISE = 3  # figures below this many times those without an attack do not exceed a bound
PROBE_EVERY = 0.05
IDLE = 3.0  # seconds for which the figures without an attack are measured
COMPUTED = 0.1  # seconds of a computation that shows how busy the machine is

CHAT = json.dumps({"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hello"}]}).encode()


@dataclass
class Observation:
    """The effect on others, in seconds and MB."""

    gap: float = 0.0
    """The longest time without an answer from /healthz."""
    call: float = 0.0
    """The other tenant's slowest call."""
    mistral: float = 0.0
    """The slowest answer of the sandbox to the same question, asked directly."""
    memory: float = 0.0
    took: float = 0.0
    failed: int = 0
    busy: float = 1.0
    """How many times longer a computation takes than on an idle machine."""

    @property
    def own_delay(self) -> float:
        """The slowest call in seconds, without the time that the sandbox needs."""
        return max(self.call - self.mistral, 0.0)

    def exceeds(self, idle: "Observation") -> bool:
        """Whether a bound is exceeded, unless the machine is busy with other work."""
        gap = max(LIMITS["gap"] * self.busy, NOISE * idle.gap)
        own_delay = max(LIMITS["call"] * self.busy, NOISE * idle.own_delay)
        return self.gap > gap or self.own_delay > own_delay or self.memory > LIMITS["memory"] or self.failed > 0

    def __str__(self) -> str:
        return f"{self.gap:7.2f} {self.own_delay:7.2f} {self.mistral:9.2f} {self.memory:7.0f} {self.took:7.1f} {self.busy:5.1f}"


@contextmanager
def watch(server: Server) -> Generator[Observation]:
    """Observe the effect on others within this context."""
    seen, ended = Observation(), threading.Event()
    threads = [
        threading.Thread(target=watch, args=(server, seen, ended)) for watch in (_probe, _call, _ask_mistral)
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _probe(server: Server, seen: Observation, ended: threading.Event) -> None:
    last = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_WITHIN)
    while not ended.wait(PROBE_EVERY):
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            seen.failed += 1
            connection.close()
        now = time.monotonic()
        seen.gap = max(seen.gap, now - last - PROBE_EVERY)
        last = now
    connection.close()


def _call(server: Server, seen: Observation, ended: threading.Event) -> None:
    body = call("mistral_chat", '{"prompt": "Hello"}')
    while not ended.wait(PROBE_EVERY):
        began = time.monotonic()
        if b'"result"' not in server.post(body, key=TENANT):
            seen.failed += 1
        seen.call = max(seen.call, time.monotonic() - began)


def _ask_mistral(server: Server, seen: Observation, ended: threading.Event) -> None:
    """The sandbox's own delay does not count as ours: unlike Mistral, it works in one thread."""
    headers = {"Authorization": f"Bearer {TENANT}", "Content-Type": "application/json"}
    while not ended.wait(PROBE_EVERY):
        began = time.monotonic()
        server.ask_mistral("/v1/chat/completions", headers, CHAT)
        seen.mistral = max(seen.mistral, time.monotonic() - began)


def _slowdown() -> float:
    began, computed = time.monotonic(), time.thread_time()
    while time.thread_time() - computed < COMPUTED:
        pass
    return max((time.monotonic() - began) / COMPUTED, 1.0)


def measure(server: Server, attack: Attack) -> Observation:
    busy = _slowdown()
    server.reset_peak()
    before, began = server.memory("VmRSS"), time.monotonic()
    with watch(server) as seen:
        attack(server)
        took = time.monotonic() - began
        time.sleep(0.3)
    seen.busy = max(busy, _slowdown())
    seen.took, seen.memory = took, server.memory("VmHWM") - before
    return seen


def main(names: list[str]) -> int:
    exceeded: list[str] = []
    with tempfile.TemporaryDirectory() as folder, product(folder) as server:
        for _ in range(30):
            server.post(call("mistral_chat", '{"prompt": "Hello"}'))
        print(f"idle: {server.memory('VmRSS'):.0f} MB")
        print(f"{'attack':26} {'gap s':>7} {'call s':>7} {'Mistral s':>9} {'MB':>7} {'took s':>7} {'busy':>5}")
        idle = measure(server, lambda _: time.sleep(IDLE))
        print(f"{'nothing':26} {idle}", flush=True)
        for name, attack in attacks().items():
            if names and name not in names:
                continue
            seen = measure(server, attack)
            if seen.exceeds(idle):
                print(f"{name:26} {seen}  again", flush=True)
                seen = measure(server, attack)
            verdict = ""
            if seen.exceeds(idle):
                exceeded.append(name)
                verdict = f"  EXCEEDED, {seen.failed} failed"
            print(f"{name:26} {seen}{verdict}", flush=True)
    bounds = f"{LIMITS['gap']} s (more where the machine was busy) and {LIMITS['memory']:.0f} MB"
    if exceeded:
        print(f"{', '.join(exceeded)}: beyond {bounds}.")
        return 1
    print(f"All within {bounds}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
