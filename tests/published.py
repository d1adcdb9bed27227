"""Published figures that the prose may quote: the number as printed, and where it comes from."""

PUBLISHED = (
    {
        "0.67": "Finn et al. 2017, figure 3: sinusoid, 5 shots, MAML after 1 step",
        "0.38": "the same, after 5 steps",
        "0.35": "the same, after 10 steps",
        "2.41": "the same, pretrained on all tasks, after 1 step",
        "2.23": "the same, after 5 steps",
        "2.19": "the same, after 10 steps",
        "92.0": (
            "Koch et al. 2015, table: convolutional Siamese network, 20-way within-alphabet "
            "one-shot accuracy, 400 trials"
        ),
    }
    | dict.fromkeys(
        "42.11 0.71 62.53 0.69 51.75 0.80 74.27 0.63 65.57 48.24 0.75 66.43 51.87 0.77 75.68 "
        "62.04 48.14 0.78 63.48 0.66 52.91 0.88 68.88 53.07 "
        "44.42 0.84 64.24 0.72 54.16 0.82 73.68 0.65 62.02 46.47 62.71 49.61 0.92 65.72 51.34 49.31 0.85 66.60 52.48 0.86 69.83 0.68 57.71".split(),  # noqa: E501
        (
            "Chen et al. 2019, mini-ImageNet and mini to CUB, accuracy in percent with 95 % "
            "intervals over 600 episodes"
        ),
    )
    | dict.fromkeys(
        "58.91 63.17 77.76 79.26".split(),
        (
            "Chen et al. 2021, ResNet-12 on mini-ImageNet: Classifier-Baseline, Meta-Baseline, "
            "1-shot and 5-shot"
        ),
    )
    | dict.fromkeys(
        "45.5 26.9 41.6 20.1".split(),
        (
            "Bronskill et al. 2020: first-order MAML, mini-ImageNet 5-way 1-shot, by mode of "
            "batch norm"
        ),
    )
)
PUBLISHED |= dict.fromkeys(
    "76.2 72.5 86.4 64.3 68.0 71.2".split(),
    (
        "Brown et al. 2020: GPT-3 with zero, one and few shots, LAMBADA and TriviaQA, accuracy in "
        "percent"
    ),
)
PUBLISHED |= {
    "0.4": "Houlsby et al. 2019, abstract: points behind full fine-tuning on GLUE",
    "3.6": "the same: parameters added for a task, in percent",
}
PUBLISHED |= {
    "48.07": "Finn et al. 2017, table 1: first-order MAML, mini-ImageNet 5-way 1-shot",
    "48.70": "the same table: MAML",
    "89.4": "Nichol et al. 2018, table 2: first-order MAML, Omniglot 20-way 1-shot",
    "95.8": "the same table: MAML",
}
ARXIV = r"\b\d{4}\.\d{5}\b"
PUBLISHED |= dict.fromkeys(
    "98.7 98.3 0.5 95.8 0.3 89.4 97.68 0.04 89.43 0.14".split(),
    (
        "Nichol et al. 2018: Omniglot, 5-way and 20-way 1-shot, MAML, first order and Reptile "
        "(transductive), in percent"
    ),
)
PUBLISHED |= dict.fromkeys(
    "99.16 94.46 0.42".split(),
    "Rajeswaran et al. 2019, table 2: Omniglot, implicit MAML by gradient descent, in percent",
)
PUBLISHED |= dict.fromkeys(
    "99.53 0.26".split(), "Li et al. 2017: Omniglot, 5-way 1-shot, Meta-SGD, in percent"
)
PUBLISHED |= dict.fromkeys(
    "5.0 6.6 5.7 6.7 49.9 78.3 74.7 78.0 74.8 78.7".split(),
    "Duan et al. 2016: mean reward of 10 and 100 pulls of five arms, by player",
)
PUBLISHED |= dict.fromkeys(
    "40.41 11.68 3.33 3.23".split(),
    "Finn et al. 2017: MAML, point in the plane, minus the return after 0 to 3 steps",
)
PUBLISHED |= dict.fromkeys(
    "44.4 31.6 86.9 35.8 23.2 40.7 39.9 33.3 14.5".split(),
    "Yu et al. 2019 (arXiv): success on ML10 and ML45, tasks of training and of testing, percent",
)
