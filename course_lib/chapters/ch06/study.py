"""The runs of chapter 06: Siamese networks on drawn characters, with a distance of Hadsell et al.
and with that of Koch et al."""

from course_lib.learners import Koch, Siamese
from course_lib.training.recipes import encoder, picture_run

SAME = dict(outer_steps=2000, tasks=4, queries=3, beta=3e-3, held_out=20)

RUNS = [
    picture_run(
        "strokes_siamese", "a Siamese network, contrastive loss with margin 4",
        lambda o, classes: Siamese(encoder(o), margin=o.margin), margin=4.0, **SAME,
    ),
    picture_run(
        "strokes_koch", "a Siamese network with a learned, weighted distance",
        lambda o, classes: Koch(encoder(o), features=o.channels, seed=o.seed), **SAME,
    ),
]  # fmt: skip
