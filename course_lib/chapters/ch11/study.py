"""The runs of chapter 11: looks into the training of the small language model, the same model after
practice on two words, and the transformer that reads regressions."""

from course_lib.chapters.ch11 import pairs, phase, regressions

RUNS = [phase.RUN, pairs.RUN, regressions.RUN]
