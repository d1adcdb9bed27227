"""Few-shot learners: one file a method, one signature for all (see base.py)."""

from course_lib.learners.base import Learner
from course_lib.learners.baseline import Baseline, BaselinePlusPlus, MetaBaseline
from course_lib.learners.imaml import IMAML
from course_lib.learners.in_context import InContext
from course_lib.learners.in_context_regression import InContextRegression, linear_attention
from course_lib.learners.inner_loop import predict_with, written_out
from course_lib.learners.joint import Joint
from course_lib.learners.least_squares import LeastSquares, Ridge
from course_lib.learners.maml import MAML
from course_lib.learners.matching import Matching
from course_lib.learners.meta_sgd import MetaSGD
from course_lib.learners.nearest import Nearest
from course_lib.learners.prompting import Prompting, Template
from course_lib.learners.prototypical import Prototypical, prototypes, squared
from course_lib.learners.relation import Relation
from course_lib.learners.reptile import Reptile
from course_lib.learners.siamese import Koch, Siamese, contrastive, distance, pairs_of

__all__ = [
    "Baseline", "BaselinePlusPlus", "IMAML", "InContext", "InContextRegression", "Joint", "Koch",
    "Learner", "LeastSquares", "MAML", "Matching", "MetaBaseline", "MetaSGD", "Nearest",
    "Prompting", "Prototypical", "Relation", "Reptile", "Ridge", "Siamese", "Template",
    "contrastive", "distance", "linear_attention", "pairs_of", "predict_with", "prototypes",
    "squared", "written_out",
]  # fmt: skip
