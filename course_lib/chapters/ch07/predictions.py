"""What readers of chapter 07 predict before they see it, and what is said to each answer."""

from course_lib.classroom.predictions import Outcome, Prediction
from course_lib.training.evaluation import paired


def square(answers, lines):
    share = (answers["plain"] == answers["squared"]).float().mean()
    return Outcome("stays" if share == 1 else "moves", lines=lines)


def train_way(trained_with, gain):
    lines = [
        *(f"trained with {ways:2} ways: {score}" for ways, score in trained_with.items()),
        f"20 minus 5, paired: {gain}",
    ]
    right = "equal" if abs(gain.mean) < gain.half_width else "twenty" if gain.mean > 0 else "five"
    return Outcome(right, lines=lines)


def wrong_label(two, before, after):
    lost = {name: paired(before[name], after[name]) for name in two}
    lines = [
        f"{name:16} {before[name]}\n{'':16} lost by one wrong label, paired: {lost[name]}"
        for name in two
    ]
    more = paired(lost["nearest example"], lost["prototypes"])
    right = (
        "equal"
        if abs(more.mean) < more.half_width
        else "nearest"
        if more.mean > 0
        else "prototypes"
    )
    return Outcome(right, lines=lines)


def relation_shots(scores, five):
    one = scores["relation"].mean
    lines = [
        f"relation, 1-shot            : {scores['relation']}",
        *(f"relation, 5-shot with {name:5}: {score}" for name, score in five.items()),
    ]
    return Outcome(
        "chance"
        if five["sums"].mean < 0.35
        else "better"
        if five["sums"].mean > one + 0.03
        else "same",
        lines=lines,
    )


PREDICTIONS = {
    "square": Prediction(
        "The paper squares the distance to a prototype, some libraries do not. You will switch "
        "from squared to plain distance. What happens to the border between two colours?",
        {
            "moves": (
                "It moves: squaring makes far prototypes count less",
                "A larger number counts for more, that is true. But it is larger for every class "
                "at once: whoever was nearest is nearest still.",
            ),
            "bends": (
                "It bends: straight borders become curves",
                "The border lies where two distances are equal. Their squares are equal at the "
                "same places, and that is a straight line half-way.",
            ),
            "stays": (
                "It stays where it is",
                "Nearest is nearest, squared or not. What changes is how sure the classifier is, "
                "and with it the loss that trains f.",
            ),
        },
        square,
    ),
    "train_way": Prediction(
        "Both networks are tested on 5-way 1-shot episodes of fresh characters. Which one is "
        "better?",
        {
            "five": (
                "The one trained with 5 ways: train as you test",
                "A fair rule of thumb for many things. But a prototype does not know how many "
                "others there are. So f may be trained with any number, and more of them can "
                "teach it more.",
            ),
            "twenty": (
                "The one trained with 20 ways",
                "Twenty classes at once ask f to keep more things apart. What it learns from "
                "that serves five as well.",
            ),
            "equal": (
                "They cannot be told apart: the paired interval contains zero",
                "Any number of classes can train f: f does not depend on it. But twenty at once "
                "are a harder lesson than five: look whether the paired interval contains zero.",
            ),
        },
        train_way,
    ),
    "wrong_label": Prediction(
        "Which of the two loses more accuracy by this one wrong label?",
        {
            "prototypes": (
                "Prototypes: a mean is known to be pulled by a single outlier",
                "It is pulled, by a sixth of the way for class 1. That rarely carries a border "
                "across a query. For the nearest example, the wrong drawing needs no majority.",
            ),
            "nearest": (
                "Nearest example: the wrong drawing is somebody's nearest",
                "Every query that lies nearest to the wrong drawing gets the wrong label, and "
                "most of these are of class 0. In the mean of class 1, five right drawings outvote "
                "the wrong one.",
            ),
            "equal": (
                "About the same: it is the same wrong drawing",
                "The drawing is the same. But a mean shares its damage among all examples of the "
                "class, and the nearest example listens to one voice alone.",
            ),
        },
        wrong_label,
    ),
    "relation_shots": Prediction(
        "Relation at 1-shot was right in about four of five cases. What is its accuracy with 5 "
        "shots, without further training? (Chance is 20 %.)",
        {
            "better": (
                "Higher: more drawings of a class say more about it",
                "It should be so, and for prototypes it is. But this network adds class features "
                "up: at 5-shot, g gets sums five times as large as any it met in training.",
            ),
            "same": (
                "About the same: it was not trained to use more",
                "The features of a class are summed. At 5-shot, g gets numbers five times as "
                "large as any it met in training, and is hardly better than guessing.",
            ),
            "chance": (
                "Far lower, close to chance",
                "The formula says sum, not mean: the features of a class are added up. At "
                "5-shot, g gets sums five times as large as any it met in training. With means "
                "in their place the same network works.",
            ),
        },
        relation_shots,
    ),
}
