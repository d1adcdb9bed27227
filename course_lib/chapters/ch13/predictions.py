"""What readers of chapter 13 predict before they see it, and what is said to each answer."""

from course_lib.classroom.predictions import Outcome, Prediction
from course_lib.training.evaluation import paired


def ten_pulls(scores):
    gain = paired(scores["greedy"], scores["Thompson"])
    lines = [f"{name:9} {score}" for name, score in scores.items()]
    lines.append(f"greedy minus Thompson, paired: {gain.mean:+.2f} ± {gain.half_width:.2f}")
    right = "equal" if abs(gain.mean) < gain.half_width else None
    return Outcome(right or ("greedy" if gain.mean > 0 else "Thompson"), lines=lines)


def no_memory(scores):
    lines = [f"{name:28} {score}" for name, score in scores.items()]
    whole, emptied = (scores[name].mean for name in ("as trained", "emptied after every pull"))
    share = (emptied - 5) / (whole - 5)
    return Outcome("chance" if share < 0.1 else "half" if share < 0.8 else "same", lines=lines)


def hundred(scores):
    lines = [f"{name:24} {score}" for name, score in scores.items()]
    short = scores["RL², trained for 10"]
    gap = paired(scores["RL², trained for 100"], short)
    lines.append(f"trained for 100 minus for 10, paired: {gap.mean:+.2f} ± {gap.half_width:.2f}")
    right = "chance" if short.mean < 55 else "less" if gap.mean > 0.5 else "same"
    return Outcome(right, lines=lines)


def decoded(found):
    lines = [
        f"{what:22} trained {found['trained'][what]:.2f}   untrained {found['untrained'][what]:.2f}"
        for what in found["trained"]
    ]
    share = found["untrained"]["pulls of an arm"]
    return Outcome("little" if share < 0.3 else "half" if share < 0.75 else "most", lines=lines)


def catching_up(maml, joint):
    """The returns of both after 0, 1, ... steps."""
    gaps = [paired(one, other) for one, other in zip(maml, joint, strict=True)]
    lines = [
        f"after {step} steps: MAML {one.mean:6.2f}   all goals {other.mean:6.2f}   difference "
        f"{gap.mean:+.2f} ± {gap.half_width:.2f}"
        for step, (one, other, gap) in enumerate(zip(maml, joint, gaps, strict=True))
    ]
    ahead = [gap.mean > gap.half_width for gap in gaps]
    right = "never" if ahead[-1] else "three" if ahead[1] else "level"
    return Outcome(right, lines=lines)


PREDICTIONS = {
    "ten_pulls": Prediction(
        "Five arms, ten pulls. Greedy always pulls the arm with the best mean so far. Thompson "
        "draws a plausible chance for each arm and pulls the highest, so it keeps exploring. Who "
        "earns more?",
        {
            "Thompson": (
                "Thompson: without exploring one gets stuck on a poor arm",
                "Longer games narrow the gap. In ten pulls what you find out has hardly any "
                "time to pay, "
                "and greedy explores too: an arm that fails falls below those never tried.",
            ),
            "greedy": (
                "Greedy: ten pulls are too few to explore much",
                "What is found out late is of no use. Greedy still leaves an arm that fails, "
                "because an arm never pulled counts as one half.",
            ),
            "equal": (
                "They earn the same, up to chance",
                "Both know the same counts. But Thompson goes on pulling arms that it has seen "
                "fail, and with ten pulls that is a large part of the game.",
            ),
        },
        ten_pulls,
    ),
    "no_memory": Prediction(
        "The trained network plays, but its hidden state is emptied after every pull. All weights "
        "stay. Before, it earned about 6.6 of 10; chance is 5. What does it earn now?",
        {
            "same": (
                "Nearly the same: its skill is in the weights",
                "The skill of *using* a past is in the weights. What this bandit is like was "
                "never there, and now it is nowhere.",
            ),
            "half": (
                "About half of the gain is left",
                "Part of a skill might remain if some arms were better in general. They are not: "
                "each bandit draws its chances anew, so without a past every arm is alike.",
            ),
            "chance": (
                "Chance",
                "The weights hold how to learn, the hidden state what was learned. Emptied, it "
                "makes its first pull over and over.",
            ),
        },
        no_memory,
    ),
    "decoded": Prediction(
        "A linear reader looks at the hidden state after nine pulls and guesses how often each arm "
        "was pulled. From the trained network it explains nearly all of the variance. Now the "
        "same past runs through a network that was never trained. How much is explained there?",
        {
            "little": (
                "Little: it has not learned to count",
                "It has not, and need not. Random weights mix the past into 64 numbers, and a "
                "linear reader can often undo the mixing.",
            ),
            "half": (
                "About half",
                "It is more. A recurrent network with random weights keeps a short past rather "
                "well, and ten pulls are a short past.",
            ),
            "most": (
                "Most of it",
                "That something *can be read* from a state does not show that training put it "
                "there, or that it is used. The untrained network is the control.",
            ),
        },
        decoded,
    ),
    "hundred": Prediction(
        "RL² was trained on games of ten pulls. Now it plays a hundred. Another RL², trained on "
        "games of a hundred, earns about 78 there, and chance is 50. What does the first one earn?",
        {
            "same": (
                "The same: it has learned to play bandits, and these are bandits",
                "The bandits are the same, the game is not. How much to explore depends on how "
                "long what is found can pay, and that was ten pulls.",
            ),
            "less": (
                "Less, but far more than chance",
                "It reads its past well enough to find a good arm. It was made to stop looking "
                "soon, and nothing in a long game tells it to look further.",
            ),
            "chance": (
                "About chance: after ten pulls its state is where it never was",
                "A fair worry, since nothing promises sense there. But a state that holds a good "
                "arm for ten pulls mostly goes on holding it.",
            ),
        },
        hundred,
    ),
    "catching_up": Prediction(
        "One policy is trained on all goals at once. Not knowing the goal, it stays near the "
        "middle. Then it takes policy-gradient steps on one goal, at the rate that suits it best. "
        "How does it compare with MAML's start, which also stays near the middle at first?",
        {
            "never": (
                "It stays behind: its start was never made for adapting",
                "It was not, and the first step shows it. But a gradient of rewards points to the "
                "goal from almost any start here, and two more steps make up for it.",
            ),
            "three": (
                "It is behind after one step and has caught up after three",
                "The outer loop was trained for one step, and one step is where it pays. A world "
                "as smooth as this one lets any start catch up.",
            ),
            "level": (
                "They are alike from the first step on",
                "They are alike *before* it. What differs is how a step of the same size changes "
                "the policy: MAML's weights were placed so that it turns towards the goal.",
            ),
        },
        catching_up,
    ),
}
