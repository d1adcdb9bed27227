"""What happens inside the small language model while it learns to read: its training once more,
with a look at its answers and at its heads every 25 steps, for two seeds."""

from functools import lru_cache

import torch
from torch import Tensor

from course_lib import DATA
from course_lib.chapters.ch11.heads import head_scores
from course_lib.episodes import Episode
from course_lib.families.prompt_tokens import LABELS
from course_lib.families.prompt_worlds import ID, Worlds
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.token_prompts import as_prompts
from course_lib.networks import checkpoints
from course_lib.training.pretraining import PretrainingPlan, train_language_model
from course_lib.training.runs import Measurement

SEEDS = (0, 1)
UNTIL = 750  # of the 1500 steps of the plan: the phase change lies before
SHOTS, PROMPTS, TASKS = 8, 4, 40  # of the prompts; prompts that are shown; tasks behind each mean
GROUPS = ("the right label", "the other label of the prompt", "any other label", "all other words")


@lru_cache
def watched() -> Episode:
    """The held-out tasks whose prompts are watched: 8 examples and a query each."""
    family = Worlds()
    return family.sample(TASKS, shots=SHOTS, queries=1, generator=family.generator(110))


@torch.no_grad()
def answers(model: TinyGPT, tasks: Episode) -> Tensor:
    """How probable the next word of each prompt is, in the four `GROUPS`: (tasks, 4)."""
    p = model(as_prompts(tasks, SHOTS)[:, 0])[:, -1].softmax(-1)  # (T, V)
    both = p.gather(1, tasks.names["labels"])  # of the two labels of the prompt
    right = both.gather(1, tasks.query_y)
    labels = p[:, ID[LABELS[0]] : ID[LABELS[0]] + len(LABELS)].sum(1, keepdim=True)
    other = both.sum(1, keepdim=True) - right
    return torch.cat([right, other, labels - right - other, 1 - labels], 1)


def looked(model: TinyGPT) -> dict[str, Tensor]:
    """One look: the answers to the shown prompts and on average, and how much each head notes a
    word at its label, and looks at labels like its own more than at others, (layers, heads)."""
    tasks = watched()
    shares, heads = answers(model, tasks), head_scores(model, tasks, SHOTS)
    return {
        "shown": shares[:PROMPTS].half(),
        "mean": shares.mean(0),
        "notes": heads["label to its word"],
        "finds": heads["to labels like its own"] - heads["to other labels"],
    }


def along(seed: int, until: int = UNTIL) -> dict[str, Tensor]:
    """One training with a look every 25 steps: each look's tensors by "seed/name", and the rows of
    step, loss and accuracy."""
    looks: list[dict[str, Tensor]] = []
    rows = train_language_model(
        PretrainingPlan(seed=seed),
        look=lambda model: looks.append(looked(model)),
        progress=False,
        until=until,
    )[2]
    print(f"seed {seed}: accuracy {rows[-1][2]:.3f}", flush=True)
    found = {f"{seed}/{name}": torch.stack([look[name].half() for look in looks])
             for name in looks[0]}  # fmt: skip
    return found | {f"{seed}/history": torch.tensor(rows)}


def measure(o) -> tuple[dict[str, Tensor], dict]:
    """Train once for each seed, and look every 25 steps."""
    found = {}
    for seed in SEEDS:
        found |= along(seed, o.until)
    return found, {"tasks": TASKS, "shots": SHOTS}


RUN = Measurement(
    "phase_change",
    "half of the training of the small language model, two seeds, with looks inside",
    usual={"until": UNTIL},
    measure=measure,
)


@lru_cache
def stored() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The looks by "seed/name", each (30, ...), and the history of each seed: rows of step, loss
    and accuracy, (30, 3)."""
    tensors = checkpoints.read(DATA / "phase_change.safetensors")[0]
    history = {str(seed): tensors.pop(f"{seed}/history") for seed in SEEDS}
    return {name: tensor.float() for name, tensor in tensors.items()}, history


def border(rows: Tensor) -> tuple[int, int]:
    """The last step at which accuracy is below 60 %, and the first at which it is above 90 %."""
    step, _, accuracy = rows.T
    return int(step[accuracy < 0.6].max()), int(step[accuracy > 0.9].min())
