"""What a pretrained language model makes of the requests: a frozen encoder with prototypes behind
it, half of the idea of SetFit (Tunstall et al. 2022), which trains the encoder as well.

    python -m course_lib train intents_smollm     measures it again, once the model was fetched
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import DATA
from course_lib.families import Intents
from course_lib.language_models.opening import open_model
from course_lib.language_models.sentence_vectors import sentence_vectors
from course_lib.learners import Prototypical
from course_lib.networks import checkpoints
from course_lib.training.evaluation import Score, evaluate, paired

FILE = DATA / "intents_smollm.safetensors"
SHOTS = (1, 5)
LAYERS = (0, 10, 20, 30)  # of 30: the mean over the tokens after each; 0 are the word vectors


class KnownVectors(torch.nn.Module):
    """Word ids of sentences that are known, to vectors that were computed beforehand.

    Args:
        rows: ids (n, L) of the sentences.   known: their vectors (n, width).
    """

    def __init__(self, rows: Tensor, known: Tensor):
        super().__init__()
        self.place = {tuple(row.tolist()): i for i, row in enumerate(rows)}
        self.known = known

    def forward(self, x: Tensor) -> Tensor:
        return self.known[[self.place[tuple(row.tolist())] for row in x]]


def prototypes(part: str, known: Tensor) -> Prototypical:
    """Nearest mean by cosine over vectors of the sentences of one part, less their mean."""
    centred = F.normalize(known - known.mean(0), dim=1)
    return Prototypical(KnownVectors(Intents(part=part).rows, centred), "cosine")


def measure(episodes, bag) -> tuple[dict[str, Tensor], dict]:
    """Accuracy in each episode of the chapter's, and of the domains food and phone, which decide
    after which layer the vectors are taken.

    Args:
        episodes: from shots and a part to the chapter's tasks.   bag: the yardstick.
    """
    model, found, means = open_model("smollm"), {}, {}
    by_part = {}
    for part in ("validation", "test"):
        family = Intents(part=part)
        sentences = [s for name in family.names for s in family.sentences(name)]
        by_part[part] = sentence_vectors(model, sentences, LAYERS, batch=30).cpu()
    for k, layer in enumerate(LAYERS):
        score = evaluate(prototypes("validation", by_part["validation"][k]),
                         episodes(5, "validation"), batch=50)  # fmt: skip
        found[f"validation, layer {layer}"], means[layer] = score.per_episode, score.mean
        print(f"layer {layer}, validation domains, 5-shot: {score}", flush=True)
    chosen = max(means, key=means.get)
    learner = prototypes("test", by_part["test"][LAYERS.index(chosen)])
    for shots in SHOTS:
        tasks = episodes(shots)
        score, counted = (evaluate(who, tasks, batch=50) for who in (learner, bag))
        found[f"{shots}-shot"] = score.per_episode
        print(f"layer {chosen}, {shots}-shot: {score}; minus bag: {paired(score, counted)}")
    return found, {"layer": chosen, "model": "SmolLM2-135M-Instruct"}


def pretrained_scores() -> tuple[dict[int, Score], int]:
    """The scores that ship, by shots, and the layer that was chosen."""
    tensors, about = checkpoints.read(FILE, "layer")
    return {k: Score(tensors[f"{k}-shot"], "accuracy", 0.2) for k in SHOTS}, about["layer"]
