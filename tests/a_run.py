"""A tiny training run that tests can start in a process of their own: python a_run.py CHECKPOINT
OUTER_STEPS."""

import sys

import torch
from torch import nn

from course_lib.families import Sinusoids
from course_lib.learners import MAML
from course_lib.networks.small import mlp
from course_lib.training.outer_loop import Plan, Training, meta_train


def tiny_learner(seed: int = 0) -> MAML:
    """MAML with dropout, so that torch's random state matters as well as that of the tasks."""
    first, *rest = mlp(hidden=(8,), seed=seed)
    return MAML(nn.Sequential(first, nn.Dropout(0.2), *rest), alpha=0.05, steps=2, way="vmap")


def tiny_plan(outer_steps: int = 12, **settings) -> Plan:
    return Plan(
        **{"outer_steps": outer_steps, "tasks": 3, "shots": 4, "queries": 4, "beta": 0.01}
        | settings
    )


def tiny_run(
    checkpoint=None, outer_steps: int = 12, save_every: int = 1, family=None, **plan
) -> tuple[MAML, Training]:
    learner = tiny_learner()
    settings = {"checkpoint": checkpoint, "save_every": save_every, "progress": False}
    return learner, meta_train(
        learner, family or Sinusoids(), tiny_plan(outer_steps, **plan), **settings
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    print("imported", flush=True)
    tiny_run(sys.argv[1], int(sys.argv[2]))
    print("finished", flush=True)
