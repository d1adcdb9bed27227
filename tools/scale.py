"""The figures of docs/scaling.md: python -m tools.scale writes them into docs/measured.json.

First the meta-gradient of the sinusoid MLP in every way, as `python -m course_lib benchmark
gradients --all` prints it. Then what one outer step costs at the size of mini-ImageNet:

MAML on Conv-4 with 32 channels, pictures of 84 x 84 pixels and 3 colours, 5-way 1-shot, 15 queries
a class, 5 inner steps, second order, float32, one thread (Finn et al. 2017, appendix A.1: 4 tasks a
step, 60,000 steps). The pictures are noise.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial

import torch
import torch.nn.functional as F

from course_lib import MAML, ROOT, conv4
from course_lib.commands import benchmark
from course_lib.episodes import Episode
from course_lib.networks import BatchNorm
from tools.memory import SERVER

FILE = ROOT / "docs" / "measured.json"
OUTER_STEPS = 60_000
WAYS, TASKS, SIDE, CHANNELS = ("autograd", "fast"), (1, 2, 4), 84, 32


def noise(tasks: int) -> Episode:
    """5-way 1-shot with 15 queries a class: (T, 5, 3, 84, 84) and (T, 75, 3, 84, 84)."""
    torch.manual_seed(0)
    classes = torch.arange(5).expand(tasks, 5)
    x = [torch.rand(tasks, items, 3, SIDE, SIDE) for items in (5, 75)]
    return Episode(x[0], classes, x[1], classes.repeat_interleave(15, dim=1))


def one_step(way: str, tasks: int) -> dict[str, float]:
    """Processor seconds of one outer step after a smaller first one, and the megabytes (of 2^20
    bytes) that the process has grown by at its worst moment."""
    torch.set_num_threads(1)
    norm = partial(BatchNorm, statistics="query")
    network = conv4(CHANNELS, outputs=5, inputs=3, size=SIDE, norm=norm, seed=0)
    learner = MAML(network, F.cross_entropy, alpha=0.01, steps=5, way=way)
    episode = noise(tasks)
    before = peak()
    learner.outer_loss(episode[:1]).backward()
    began = time.process_time()
    learner.outer_loss(episode).backward()
    return {"seconds": round(time.process_time() - began, 2), "MB": round(peak() - before)}


def peak() -> float:
    """The most memory that this process has held, in MB of 2^20 bytes (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def gradients() -> dict[str, dict[str, float]]:
    """The sinusoid benchmark: ratio to the plain loop and seconds of the first call, by way."""
    with tempfile.TemporaryDirectory() as empty:  # what was compiled before would be found again
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = empty
        rows = benchmark.gradients(everything=True)
    return {
        row.way: {"ratio": round(row.ratio, 3), "first": round(row.first / 1000, 1)}
        for row in rows
    }


def pictures() -> dict[str, dict[str, dict[str, float]]]:
    """The outer step on pictures: every way and number of tasks, each in a process of its own."""
    steps: dict[str, dict[str, dict[str, float]]] = {}
    for way in WAYS:
        for tasks in TASKS:
            words = [sys.executable, "-m", "tools.scale", way, str(tasks)]
            done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
            steps.setdefault(way, {})[str(tasks)] = json.loads(done.stdout)
            print(way, tasks, done.stdout.strip(), flush=True)
    return steps


def machine() -> str:
    """The processor, in words."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if "model name" in line), "")
    return f"{model or platform.processor()}, one thread, torch {torch.__version__}"


# --- the words of docs/scaling.md -----------------------------------------------------------------


def ways_table(found: dict) -> str:
    """Each way's share of the time of the plain loop."""
    rows = ["| way | time, plain loop = 1 |", "|---|---|"]
    return "\n".join(rows + [f"| {way} | {row['ratio']:.3f} |" for way, row in found.items()])


def steps_table(steps: dict) -> str:
    """One outer step on large pictures, by way and number of tasks."""
    rows = ["| way | tasks | seconds | MB |", "|---|---|---|---|"]
    for way, by_tasks in steps.items():
        for tasks, row in by_tasks.items():
            rows.append(f'| `way="{way}"` | {tasks} | {row["seconds"]:.2f} | {row["MB"]} |')
    return "\n".join(rows)


def hours(steps: dict) -> str:
    """What the published number of outer steps would take, from one step of 4 tasks."""
    each = [
        f'{by_tasks["4"]["seconds"] * OUTER_STEPS / 3600:.0f} hours with `way="{way}"`'
        for way, by_tasks in steps.items()
    ]
    return f"{' and '.join(each)}, on one thread"


def largest(memory: dict[str, int]) -> int:
    """What one student takes at most: the largest chapter's kernel and the server, in MB."""
    return max(memory.values()) + SERVER


def class_table(memory: dict[str, int]) -> str:
    """The memory of a class in which every student runs the largest chapter."""
    rows = ["| students | memory, GB |", "|---|---|"]
    each = largest(memory) * 2**20 / 1e9
    return "\n".join(rows + [f"| {n} | {n * each:.0f} |" for n in (1, 30, 100)])


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(one_step(sys.argv[1], int(sys.argv[2]))))
    else:
        found = {"machine": machine(), "gradients": gradients(), "steps": pictures()}
        measured = json.loads(FILE.read_text(encoding="utf-8")) | {"scale": found}
        FILE.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
