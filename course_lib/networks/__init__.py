"""Networks that learners adapt or compare with: small ones for curves, conv4 for pictures, encoders
of sentences."""

from course_lib.networks.normalisation import BatchNorm
from course_lib.networks.sentences import CountEncoder, SentenceEncoder, idf
from course_lib.networks.small import SineModel, conv4, mlp, seeded

__all__ = [
    "BatchNorm",
    "CountEncoder",
    "SentenceEncoder",
    "SineModel",
    "conv4",
    "idf",
    "mlp",
    "seeded",
]
