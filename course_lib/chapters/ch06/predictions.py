"""What readers of chapter 06 predict before they see it, and what is said to each answer."""

from course_lib.chapters.ch06.explorers import snapshots_picture
from course_lib.classroom.predictions import Outcome, Prediction
from course_lib.training.evaluation import paired


def beyond(forces):
    beyond = forces[1, 1.5]
    lines = [
        (
            f"{('similar', 'dissimilar')[y]:10} pair at D = {D}, m = 1: pulled by {force:+.2f} "
            "(plus is away)"
        )
        for (y, D), force in forces.items()
    ]
    return Outcome(
        "nowhere" if abs(beyond) < 1e-6 else "apart" if beyond > 0 else "margin", lines=lines
    )


def similar(scores, runs):
    gap = scores["similar only"].mean - 1 / 6
    share = gap / (scores["all pairs"].mean - 1 / 6)
    lines = [
        f"{name:13} loss {sum(run.loss[-10:]) / 10:.4f} at the end, {scores[name]}"
        for name, run in runs.items()
    ]
    return Outcome(
        "point" if share < 0.25 else "slow" if share < 0.9 else "tight",
        lines=lines,
        show=snapshots_picture(runs),
    )


def scripts(results):
    lines = [f"{name:11} {score}" for name, score in results.items()]
    lines += [f"contrastive minus Koch, paired: {paired(results['contrastive'], results['Koch'])}"]
    return Outcome(100 * results["contrastive"].mean, lines=lines)


def turned(lost, on_its_side, upright):
    right = (
        "same"
        if lost.mean - lost.half_width < 0.02
        else "chance"
        if on_its_side.mean - on_its_side.half_width < 0.2
        else "falls"
    )
    return Outcome(
        right, lines=[f"upright {upright}", f"turned  {on_its_side}", f"lost, paired: {lost}"]
    )


PREDICTIONS = {
    "scripts": Prediction(
        "The network learned from characters of 60 invented alphabets. 20 other alphabets were "
        "held out. Take five held-out characters, one example of each, and new drawings of the "
        "same five. How many of 100 does the nearest example name correctly? Guessing gets 20, "
        "comparing pixels about 40.",
        {
            "low": (
                "New alphabets seem to ask for new knowledge. But strokes, corners and crossings "
                "are the same everywhere, and f has learned to measure those."
            ),
            "high": (
                "100 cannot be expected: some held-out characters differ by one short stroke, "
                "and two hands can differ by more."
            ),
            "close": (
                "Characters that nobody trained on are told apart by one example each. What f "
                "learned is not a list of characters: it is how drawings of one thing differ."
            ),
        },
        scripts,
        number=(20, 100, 1),
        unit="of 100",
        tolerance=4,
    ),
    "beyond": Prediction(
        "Two dissimilar drawings are already farther apart than the margin. Where does the loss "
        "pull them?",
        {
            "apart": (
                "Farther apart: they are different, after all",
                "Then there would be no end to it: two classes could make the loss smaller for "
                "ever by flying apart. So the push stops at m.",
            ),
            "margin": (
                "Back to the margin: m is the distance they should have",
                "That would be a spring with a rest length. This loss has a band of another kind "
                "for dissimilar pairs: it pushes below m, and beyond m it does nothing.",
            ),
            "nowhere": (
                "Nowhere: this pair teaches nothing now",
                "Its loss is 0, and so is its slope. Such a pair is called inactive, or easy. It "
                "costs time and moves nothing.",
            ),
        },
        beyond,
    ),
    "similar": Prediction(
        "You leave the dissimilar pairs out and train with similar pairs only: drawings of one "
        "character are pulled together, and nothing else. What becomes of the embedding?",
        {
            "tight": (
                "Each character becomes a tight cluster, and the nearest example is nearly "
                "always right",
                "So it would be if each drawing could be moved for itself, as in the explorer's "
                "second choice. But one encoder places them all, and the cheapest way to put two "
                "drawings on one spot is to put every drawing there.",
            ),
            "slow": (
                "The same as with all pairs, only slower: most of the pairs are missing",
                "The missing pairs are not more of the same. Similar pairs alone have a perfect "
                "solution that knows nothing: a constant.",
            ),
            "point": (
                "Everything falls into one point, and the nearest example hardly beats guessing",
                "A constant encoder makes D = 0 for every similar pair, so the loss is perfect "
                "and the embedding knows nothing. This is called collapse. Only dissimilar pairs "
                "forbid it.",
            ),
        },
        similar,
    ),
    "turned": Prediction(
        "All query drawings are turned by 90 degrees, the support drawings are not. What does "
        "the nearest example get right now?",
        {
            "same": (
                "About as much as before: the shape is the same",
                "To you it is the same. The network was asked to put drawings of one character "
                "together, and no pair it ever saw was turned that far. It learned the sameness "
                "of its pairs, and nothing else.",
            ),
            "falls": (
                "Far less than before, though more than guessing",
                "The encoder is not to blame: it never met a similar pair that was turned that "
                "far. Sameness is what the training pairs say it is. What is left over probably "
                "comes from shapes that look alike from every side.",
            ),
            "chance": (
                "No more than guessing",
                "Nearly. Shapes that look alike from every side probably survive a quarter turn.",
            ),
        },
        turned,
    ),
}
