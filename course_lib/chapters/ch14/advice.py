"""The page that decides: five questions about a problem, and what this course would try first.

Every rule names the chapter whose measurements stand behind it. It is advice from this course's
small experiments, not a law.
"""

from dataclasses import dataclass

KINDS = ("pictures", "sentences", "curves")
LABELS = ("1 to 5", "5 to 50", "hundreds")
CHANGE = ("every day", "now and then", "never")
LEAVE = ("must stay here", "may leave")
RELATED = ("none", "some, or from a simulator")

YARDSTICK = {
    "pictures": "nearest example by pixels",
    "sentences": "a bag of words",
    "curves": "the formula you know, by least squares",
}
MEASURED = {"pictures": "00, 01", "sentences": "09", "curves": "01"}


@dataclass(frozen=True)
class Advice:
    """What to try, why, and the chapter that measured it."""

    what: str
    why: str
    chapter: str


def advise(kind: str, labels: str, change: str, leave: str, related: str) -> list[Advice]:
    """What to try, in this order; the last one is what to leave alone.

    Args:
        kind: of data, of `KINDS`.   labels: for each class, or readings of each curve.
        change: how often classes, or devices, change.   leave: whether data may leave the machine.
        related: labelled tasks of the same sort.
    """
    found = [
        Advice(
            f"First {YARDSTICK[kind]}",
            "It costs next to nothing, and whatever you build must beat it.",
            MEASURED[kind],
        )
    ]
    if labels == "hundreds" and change == "never":
        found.append(
            Advice(
                "Ordinary training of one classifier"
                if kind != "curves"
                else "Ordinary regression for each device",
                "Few-shot learning is for few labels. You have many, and time to use them.",
                "08",
            )
        )
    elif kind == "curves":
        found.append(
            Advice(
                "MAML on curves of the same sort",
                "A learned start replaces a formula that you do not have.",
                "03",
            )
            if related != "none"
            else Advice(
                "A smooth fit with few numbers, such as ridge",
                "Without related curves nothing can be learned about curves before yours.",
                "11",
            )
        )
    elif kind == "sentences":
        found.append(
            Advice(
                "Prompt a language model"
                + (" of your own machine" if leave == "must stay here" else ""),
                "A new class is one more line of the prompt. Test order and labels of the examples."
                if change == "every day"
                else "It brings words from outside of your file. Test order and labels.",
                "10",
            )
            if labels == "1 to 5"
            else Advice(
                "A new last layer, or LoRA, on a pretrained model",
                "With tens of labels tuning pays, once a task stays for many queries.",
                "12",
            )
        )
    else:
        found.append(
            Advice(
                "A trained encoder with the nearest mean",
                "A new class is one more mean: no training step when classes change.",
                "07",
            )
            if change == "every day" or labels == "1 to 5"
            else Advice(
                "A new last layer on a frozen encoder",
                "With more examples plain transfer catches up, and it is less to build.",
                "08",
            )
        )
    if related == "none":
        found.append(
            Advice(
                "Not your own meta-training",
                "It learns from many related tasks. From one task it learns that task.",
                "04",
            )
        )
    elif change == "never":
        found.append(
            Advice(
                "No inner loop at all",
                "Adapting fast is worth something only where there is something to adapt to.",
                "01",
            )
        )
    else:
        found.append(
            Advice(
                "Not more than two methods beside the yardstick",
                "The best of many rows is lucky: keep items apart to check it once.",
                "14",
            )
        )
    return found
