"""What readers of chapter 14 predict before they see it, and what is said to each answer."""

from course_lib.classroom.predictions import Outcome, Prediction


def rows_of(found) -> list[str]:
    return [f"{row.name:32} {row.score}" for row in found.answered]


def requests(found):
    """found: the table of the help desk, at five shots."""
    name = found.best.name
    return Outcome(
        "prompt"
        if name.startswith("prompt")
        else "loop"
        if name.startswith("MAML")
        else "count"
        if found.best.method.group == "nothing learned"
        else "means",
        lines=rows_of(found),
    )


def physics(found):
    """found: the table of the sensors, at five readings."""
    rows = {row.name: row for row in found.rows}
    gap = found.ahead(rows["least squares, 1, sin x, cos x"], rows["MAML, 10 steps"])
    right = "same" if abs(gap.mean) <= gap.half_width else "fit" if gap.mean < 0 else "maml"
    lines = [*rows_of(found), f"least squares minus MAML, paired: {gap}"]
    return Outcome(right, lines=lines)


def lucky(found):
    """found: of `explorers.luck`, with 20 methods and no gap."""
    share = found["bonus"] / (1.96 * found["error"])
    lines = [
        f"half of the interval: {196 * found['error']:.2f} points",
        f"the highest figure is too high by {100 * found['bonus']:.2f} points on average",
    ]
    return Outcome("none" if share < 0.3 else "half" if share < 2 else "more", lines=lines)


PREDICTIONS = {
    "requests": Prediction(
        "With one request of a kind shown, prototypes and counting could not be told apart. "
        "Now five of a kind are shown, of the same 8 kinds. The learners are the same, trained on "
        "requests of other domains. Which row comes first?",
        {
            "prompt": (
                "The prompt: language models know language",
                "This one knows few of these words. It was trained on lists of 288 nouns, and most "
                "of a request is left out before it reads it. A large model is another matter.",
            ),
            "loop": (
                "MAML: it adapts to the words of the task",
                "It adapts weights of words from a start learned elsewhere. Five sentences of a "
                "kind hold few words that return, with or without gradient steps.",
            ),
            "count": (
                "The bag of words: the words of a kind are its own",
                "What tells requests for a printer from those for a password are words that no "
                "training domain has. Only the support set knows them, and counting reads it all.",
            ),
            "means": (
                "A trained encoder: prototypes or Baseline++",
                "They carry word weights over from other domains. At one shot that made no "
                "difference that could be told. At five the support set says which words count.",
            ),
        },
        requests,
    ),
    "physics": Prediction(
        "An angle sensor's voltage is nearly a sine of the angle. Five noisy readings are given. "
        "MAML was trained on 1.75 million sine waves. Least squares knows only that the curve is "
        "made of 1, sin x and cos x. Which error is lower?",
        {
            "maml": (
                "MAML's: it has seen so many waves",
                "It has learned from examples what the formula says outright. Three unknown "
                "numbers and five readings: here the formula has little left to learn.",
            ),
            "fit": (
                "That of least squares",
                "Who knows the formula needs no learner. Three unknown numbers are settled by a "
                "few readings, and nothing of the budget goes into finding out what a wave is.",
            ),
            "same": (
                "They cannot be told apart",
                "Both know what a wave is. But one holds it as a formula, exactly, and the other "
                "as weights that five gradient steps and a ReLU network must bend into place.",
            ),
        },
        physics,
    ),
    "lucky": Prediction(
        "Twenty methods that are all equally good are tried on 200 episodes, each with its 95 % "
        "interval. You report the highest figure. How much too high is it, on average?",
        {
            "none": (
                "Hardly at all: each figure is unbiased",
                "Each one is. The highest of twenty is not one of them at random: it was picked "
                "for being high, luck included.",
            ),
            "half": (
                "About half the width of the interval, its ±",
                "The highest of twenty normal numbers lies 1.87 standard errors up on average, and "
                "the ± of the interval is 1.96 of them.",
            ),
            "more": (
                "Several times its ±",
                "The tails of a normal distribution are thin: even the highest of a thousand lies "
                "only 3.2 standard errors up.",
            ),
        },
        lucky,
    ),
}
