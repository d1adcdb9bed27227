"""The walks of one task for a slider: the same as `PolicyMAML.after_steps`, made with NumPy for
speed. A test holds the two together."""

from functools import lru_cache

import numpy as np
import torch

from course_lib.chapters.ch13.study import shipped_walker
from course_lib.chapters.ch13.walkers import HORIZON, WALKS
from course_lib.families.points import STEP
from course_lib.learners.policy_maml import SPREAD, PolicyMAML, Walks

learner_of = lru_cache(maxsize=8)(shipped_walker)


@lru_cache(maxsize=16)
def noise_of(seed: int, step: int) -> np.ndarray:
    """What is added to the mean actions, (n, W, 2)."""
    dice = np.random.default_rng((seed, step))
    return SPREAD * dice.standard_normal((HORIZON, WALKS, 2), dtype=np.float32)


def walk(learner: PolicyMAML, phi: dict, goal: np.ndarray, noise: np.ndarray) -> Walks:
    """Walks of one task under the policy phi, with this noise."""
    weights = [tensor.detach().numpy() for tensor in phi.values()]  # weight, bias, weight, ...
    layers = [(weights[i].T, weights[i + 1]) for i in range(0, len(weights), 2)]
    n, count, _ = noise.shape
    places, actions = np.zeros((n + 1, count, 2), np.float32), np.empty_like(noise)
    told = np.broadcast_to(goal, (count, 2))
    for t in range(n):
        x = np.concatenate([places[t], told], 1) if learner.told else places[t]
        for weight, bias in layers[:-1]:
            x = np.maximum(x @ weight + bias, 0)
        actions[t] = x @ layers[-1][0] + layers[-1][1] + noise[t]
        places[t + 1] = places[t] + STEP * np.clip(actions[t], -1, 1)
    rewards = -np.square(places[1:] - goal).sum(-1)
    stacked = (places[:-1].swapaxes(0, 1), actions.swapaxes(0, 1), rewards.T)
    return Walks(*(torch.from_numpy(np.ascontiguousarray(part))[None] for part in stacked))


def walks_to(name: str, goal: tuple, steps: int, seed: int) -> tuple[np.ndarray, list[float]]:
    """Where one of the shipped walkers goes after so many inner steps: places (W, n, 2); and the
    mean returns after 0, 1, ..., ``steps`` of them."""
    learner, target = learner_of(name), torch.tensor([goal])
    phi, returns = dict(learner.network.named_parameters()), []
    for step in range(steps + 1):
        now = walk(learner, phi, np.asarray(goal, np.float32), noise_of(seed, step))
        returns.append(now.returns.item())
        if step < steps:
            many = {key: tensor.detach()[None] for key, tensor in phi.items()}
            rate = learner.rate(step)
            after = learner.inner_step(many, now, target, rate)
            phi = {key: tensor[0] for key, tensor in after.items()}
    return now.places[0].numpy(), returns
