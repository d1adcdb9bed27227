"""The runs of chapter 07: matching, prototypical and relation networks on drawn characters; small
ones, and the long one that ships."""

from course_lib.learners import Matching, Prototypical, Relation
from course_lib.training.recipes import encoder, picture_run

SMALL = dict(tasks=2)  # 2 tasks of 5 classes an outer step


def prototypical(o, classes):
    return Prototypical(encoder(o))


RUNS = [
    picture_run(
        "strokes_matching_small", "a matching network",
        lambda o, classes: Matching(encoder(o)), **SMALL,
    ),
    picture_run("strokes_prototypical_small", "a prototypical network", prototypical, **SMALL),
    picture_run(
        "strokes_relation_small", "a relation network",
        lambda o, classes: Relation(encoder(o), features=o.channels, seed=o.seed), **SMALL,
    ),
    picture_run(
        "strokes_prototypical_20way_small",
        "a prototypical network, trained with 20 classes a task",
        prototypical, ways=20, queries=2,
    ),
    picture_run(
        "strokes_prototypical",
        "the prototypical network behind the draw pad: 24,000 outer steps, over an hour",
        prototypical, ways=20, outer_steps=24_000, channels=64, scripts=2000, within=0.7, half=True,
    ),
]  # fmt: skip
