"""Published figures that the prose may quote: the number as printed, and where it comes from."""

PUBLISHED = {
    "0.67": "Finn et al. 2017, figure 3: sinusoid, 5 shots, MAML after 1 step",
    "0.38": "the same, after 5 steps",
    "0.35": "the same, after 10 steps",
    "2.41": "the same, pretrained on all tasks, after 1 step",
    "2.23": "the same, after 5 steps",
    "2.19": "the same, after 10 steps",
    "92.0": "Koch et al. 2015, table: convolutional Siamese network, 20-way within-alphabet one-shot accuracy, 400 trials",
}
ARXIV = r"\b\d{4}\.\d{5}\b"
