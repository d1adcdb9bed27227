"""Exercises of chapter 11: numbers to train, a soft prompt, LoRA, the loss of an answer, forgetting, and when tuning pays."""

import itertools
import math

import torch
import torch.nn.functional as F

from course_lib.classroom.exercises.compare import any_of
from course_lib.classroom.exercises.judging import Exercise, Mistake

NAMESPACE = {}

COUNT, SOFT, LOW_RANK, LOSS = (
    "What does each method train?",
    "Five lines: a soft prompt",
    "A few lines more: LoRA",
    "One task, written out",
)
FORGET, PAYS = "What is forgotten", "When does tuning pay?"

# 11.trainable


def trainable(width, layers, length, rank, size):
    soft = length * width
    lora = layers * 2 * (rank * width + width * rank)
    adapter = layers * 2 * (size * width + size + width * size + width)
    return soft, lora, adapter


def trainable_by_shapes(width, layers, length, rank, size):
    each = {"A": (rank, width), "B": (width, rank)}
    bottle = {"down": (size, width), "down_bias": (size,), "up": (width, size), "up_bias": (width,)}
    soft = math.prod((length, width))
    return (
        soft,
        layers * 2 * sum(map(math.prod, each.values())),
        2 * layers * sum(map(math.prod, bottle.values())),
    )


def counted(soft=1, lora=2, matrices=2, places=2, biases=True):
    """A count with some of its factors changed."""

    def count(width, layers, length, rank, size):
        per_adapter = 2 * size * width + (size + width if biases else 0)
        return (
            soft * length * width,
            layers * lora * matrices * rank * width,
            layers * places * per_adapter,
        )

    return count


def soft_in_every_layer(width, layers, length, rank, size):
    return (layers * length * width, *trainable(width, layers, length, rank, size)[1:])


def whole_matrices(width, layers, length, rank, size):
    soft, _, adapter = trainable(width, layers, length, rank, size)
    return soft, layers * 2 * width * width, adapter


def one_block(width, layers, length, rank, size):
    return trainable(width, 1, length, rank, size)


def lora_of_one_block(width, layers, length, rank, size):
    soft, lora, adapter = trainable(width, layers, length, rank, size)
    return soft, lora // layers, adapter


def adapters_of_one_block(width, layers, length, rank, size):
    soft, lora, adapter = trainable(width, layers, length, rank, size)
    return soft, lora, adapter // layers


def first_bias_only(width, layers, length, rank, size):
    return (
        *trainable(width, layers, length, rank, size)[:2],
        layers * 2 * (2 * size * width + size),
    )


def second_bias_only(width, layers, length, rank, size):
    return (
        *trainable(width, layers, length, rank, size)[:2],
        layers * 2 * (2 * size * width + width),
    )


def ordered(*places):
    """The three right numbers in another order."""
    return lambda *sizes: tuple(trainable(*sizes)[i] for i in places)


def model_sizes(_: torch.Generator) -> list[tuple]:
    """(width, layers, length, rank, size)"""
    return [(96, 3, 20, 4, 8), (64, 2, 5, 2, 16), (1024, 24, 100, 8, 64)]


# 11.soft_prompt


def soft_prompt(embedded, place, vectors):
    x = torch.cat([vectors.expand(len(embedded), -1, -1), embedded], 1)
    return x, place + len(vectors)


def soft_prompt_in_a_loop(embedded, place, vectors):
    return torch.stack([torch.cat([vectors, row]) for row in embedded]), torch.tensor(
        [int(p) + vectors.shape[0] for p in place]
    )


def at_the_end(embedded, place, vectors):
    return torch.cat([embedded, vectors.expand(len(embedded), -1, -1)], 1), place


def at_the_end_and_shifted(embedded, place, vectors):
    return torch.cat([embedded, vectors.expand(len(embedded), -1, -1)], 1), place + len(vectors)


def place_as_it_was(embedded, place, vectors):
    return soft_prompt(embedded, place, vectors)[0], place


def one_place_less(embedded, place, vectors):
    return soft_prompt(embedded, place, vectors)[0], place + len(vectors) - 1


def one_place_more(embedded, place, vectors):
    return soft_prompt(embedded, place, vectors)[0], place + len(vectors) + 1


def in_place_of_tokens(embedded, place, vectors):
    x, place = soft_prompt(embedded, place, vectors)
    return x[:, : embedded.shape[1]], place


def added(embedded, place, vectors):
    return embedded + vectors.mean(0), place


def turned_round(embedded, place, vectors):
    return soft_prompt(embedded, place, vectors.flip(0))


def shifted_by_the_width(embedded, place, vectors):
    return soft_prompt(embedded, place, vectors)[0], place + vectors.shape[1]


def detached(embedded, place, vectors):
    return soft_prompt(embedded, place, vectors.detach())


def all_detached(embedded, place, vectors):
    return soft_prompt(embedded.detach(), place, vectors.detach())


def embedded_detached(embedded, place, vectors):
    return soft_prompt(embedded.detach(), place, vectors)


def shifted_by_the_rows(embedded, place, vectors):
    return soft_prompt(embedded, place, vectors)[0], place + len(embedded)


def shifted_by_the_words(embedded, place, vectors):
    return soft_prompt(embedded, place, vectors)[0], place + embedded.shape[1]


def mean_vector(embedded, place, vectors):
    return soft_prompt(embedded, place, vectors.mean(0, keepdim=True))


def mean_vector_and_shifted(embedded, place, vectors):
    return mean_vector(embedded, place, vectors)[0], place + len(vectors)


def mean_vector_repeated(embedded, place, vectors):
    return soft_prompt(embedded, place, vectors.mean(0).expand(len(vectors), -1))


def prompt_cases(generator: torch.Generator) -> list[tuple]:
    """(embedded tokens (B, L, W), place of the answer (B,), vectors (P, W)). More tokens than vectors, or fewer."""
    cases = []
    for B, L, W, P in ((3, 3, 4, 2), (2, 2, 6, 4), (1, 5, 3, 1)):
        embedded = torch.randn(B, L, W, generator=generator, requires_grad=True)
        place = torch.randint(L, (B,), generator=generator)
        cases.append((embedded, place, torch.randn(P, W, generator=generator, requires_grad=True)))
    return cases


# 11.lora


def lora(x, W0, A, B, a):
    return x @ (W0 + a / len(A) * B @ A).T


def lora_beside(x, W0, A, B, a):
    return F.linear(x, W0) + a / A.shape[0] * F.linear(F.linear(x, A), B)


def no_scale(x, W0, A, B, a):
    return x @ (W0 + B @ A).T


def a_alone(x, W0, A, B, a):
    return x @ (W0 + a * B @ A).T


def rank_over_a(x, W0, A, B, a):
    return x @ (W0 + len(A) / a * B @ A).T


def one_over_rank(x, W0, A, B, a):
    return x @ (W0 + B @ A / len(A)).T


def over_the_width(x, W0, A, B, a):
    return x @ (W0 + a / A.shape[1] * B @ A).T


def transposed_update(x, W0, A, B, a):
    return x @ (W0 + a / len(A) * (B @ A).T).T


def not_transposed(x, W0, A, B, a):
    return x @ (W0 + a / len(A) * B @ A)


def only_the_update(x, W0, A, B, a):
    return x @ (a / len(A) * B @ A).T


def scaled_whole(x, W0, A, B, a):
    return x @ (a / len(A) * (W0 + B @ A)).T


def only_the_frozen(x, W0, A, B, a):
    return x @ W0.T


def swapped(x, W0, A, B, a):
    return x @ (W0 + a / len(A) * A @ B).T


def frozen_not_transposed(x, W0, A, B, a):
    return x @ W0 + a / len(A) * x @ (B @ A).T


def minus_the_update(x, W0, A, B, a):
    return x @ (W0 - a / len(A) * B @ A).T


def a_detached(x, W0, A, B, a):
    return lora(x, W0, A.detach(), B, a)


def b_detached(x, W0, A, B, a):
    return lora(x, W0, A, B.detach(), a)


def both_detached(x, W0, A, B, a):
    return lora(x, W0, A.detach(), B.detach(), a)


def all_shapes_fail(runs: list) -> bool:
    """A (r, W) times B (W, r) has another shape than W0."""
    return all(
        isinstance(result, RuntimeError) and "size of tensor" in str(result) for _, result in runs
    )


def lora_cases(generator: torch.Generator) -> list[tuple]:
    """(x, W0, A, B, a): W0 is square, as in the projections of attention, so that a forgotten transpose raises no error. A and B are trained."""
    cases = []
    for n, W, r, a in ((3, 5, 2, 4.0), (2, 6, 3, 1.5), (4, 4, 2, 8.0)):
        numbers = [
            torch.randn(*shape, generator=generator) for shape in ((n, W), (W, W), (r, W), (W, r))
        ]
        cases.append((*numbers[:2], *(thin.requires_grad_() for thin in numbers[2:]), a))
    return cases


# 11.answer_loss


def answer_loss(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return F.cross_entropy(scores[rows, place - 1], tokens[rows, place])


def answer_loss_in_a_loop(scores, tokens, place):
    losses = [-scores[i, p - 1].log_softmax(-1)[tokens[i, p]] for i, p in enumerate(place.tolist())]
    return sum(losses) / len(losses)


def own_place(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return F.cross_entropy(scores[rows, place], tokens[rows, place])


def token_before(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return F.cross_entropy(scores[rows, place - 1], tokens[rows, place - 1])


def all_tokens(scores, tokens, place):
    return F.cross_entropy(scores[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


def last_column(scores, tokens, place):
    return F.cross_entropy(scores[:, -2], tokens[:, -1])


def summed(scores, tokens, place):
    return answer_loss(scores, tokens, place) * len(tokens)


def minus_the_score(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return -scores[rows, place - 1, tokens[rows, place]].mean()


def minus_the_probability(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return -scores[rows, place - 1].softmax(-1)[rows, tokens[rows, place]].mean()


def sign_lost(scores, tokens, place):
    return -answer_loss(scores, tokens, place)


def up_to_the_answer(scores, tokens, place):
    losses = [
        F.cross_entropy(scores[i, :p], tokens[i, 1 : p + 1]) for i, p in enumerate(place.tolist())
    ]
    return torch.stack(losses).mean()


def among_the_answers(scores, tokens, place):
    rows = torch.arange(len(tokens))
    answers, y = tokens[rows, place].unique(return_inverse=True)
    return F.cross_entropy(scores[rows, place - 1][:, answers], y)


def without_filling(scores, tokens, place):
    return F.cross_entropy(scores[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=0)


def every_own_place(scores, tokens, place):
    return F.cross_entropy(scores.flatten(0, 1), tokens.flatten())


def every_own_place_without_filling(scores, tokens, place):
    return F.cross_entropy(scores.flatten(0, 1), tokens.flatten(), ignore_index=0)


def last_scores(scores, tokens, place):
    return F.cross_entropy(scores[:, -1], tokens[torch.arange(len(tokens)), place])


def last_but_one_scores(scores, tokens, place):
    return F.cross_entropy(scores[:, -2], tokens[torch.arange(len(tokens)), place])


def last_scores_and_tokens(scores, tokens, place):
    return F.cross_entropy(scores[:, -1], tokens[:, -1])


def softmax_twice(scores, tokens, place):
    return answer_loss(scores.softmax(-1), tokens, place)


def two_places_before(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return F.cross_entropy(scores[rows, place - 2], tokens[rows, place])


def token_after(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return F.cross_entropy(scores[rows, place], tokens[rows, place + 1])


def token_after_two_places_on(scores, tokens, place):
    rows = torch.arange(len(tokens))
    return F.cross_entropy(scores[rows, place - 1], tokens[rows, place + 1])


def answer_cases(generator: torch.Generator) -> list[tuple]:
    """(scores (B, L, V), tokens (B, L), place of the answer (B,)): rows of several lengths, filled up with 0."""
    cases = []
    for B, L, V in ((3, 6, 7), (4, 5, 9), (2, 8, 5)):
        tokens, place = (
            torch.randint(1, V, (B, L), generator=generator),
            torch.randint(2, L, (B,), generator=generator),
        )
        place[0] = L - 2
        tokens[torch.arange(L) > place[:, None]] = 0
        cases.append((torch.randn(B, L, V, generator=generator), tokens, place))
    return cases


# 11.forgotten


def forgotten(before, after, group, mine):
    others = group != mine
    return (before[others] - after[others]).mean()


def forgotten_in_a_loop(before, after, group, mine):
    falls = [float(b) - float(a) for b, a, g in zip(before, after, group) if int(g) != mine]
    return sum(falls) / len(falls)


def everything(before, after, group, mine):
    return (before - after).mean()


def own_group(before, after, group, mine):
    return (before[group == mine] - after[group == mine]).mean()


def gain(before, after, group, mine):
    return -forgotten(before, after, group, mine)


def accuracy_left(before, after, group, mine):
    return after[group != mine].mean()


def share_lost(before, after, group, mine):
    return 1 - after[group != mine].mean() / before[group != mine].mean()


def errors_after(before, after, group, mine):
    return 1 - after[group != mine].mean()


def worst(before, after, group, mine):
    return (before - after)[group != mine].max()


def divided_by_all(before, after, group, mine):
    return (before - after)[group != mine].sum() / len(group)


def falls_only(before, after, group, mine):
    return (before - after)[group != mine].clamp(min=0).mean()


def mean_of_groups(before, after, group, mine):
    return torch.stack(
        [(before[group == g] - after[group == g]).mean() for g in group.unique() if g != mine]
    ).mean()


def never_below_zero(before, after, group, mine):
    return forgotten(before, after, group, mine).clamp(min=0)


def size_of_the_mean(before, after, group, mine):
    return forgotten(before, after, group, mine).abs()


def sizes(before, after, group, mine):
    return (before - after)[group != mine].abs().mean()


def relative(before, after, group, mine):
    return ((before - after) / before)[group != mine].mean()


def middle(before, after, group, mine):
    return (before - after)[group != mine].median()


def one_task_left_out(before, after, group, mine):
    return (before - after)[torch.arange(len(before)) != mine].mean()


def forgetting_cases(generator: torch.Generator) -> list[tuple]:
    """(accuracy before, after, group of each task, group that was tuned on).

    Groups differ in size. The tuned group gains, and so do some others; in the last case the others gain on the whole.
    """
    cases = []
    for sizes_of_groups, mine, most, rise in (
        ((2, 3, 5, 3), 1, 0.4, 0.1),
        ((2, 4, 3), 0, 0.4, 0.1),
        ((6, 3, 4, 5, 2), 2, 0.14, 0.12),
    ):
        n, each = sum(sizes_of_groups), torch.tensor(sizes_of_groups)
        group = torch.arange(len(each)).repeat_interleave(each)[
            torch.randperm(n, generator=generator)
        ]
        before = 0.7 + 0.15 * torch.rand(n, generator=generator)
        after = before - most * torch.rand(n, generator=generator) + rise
        after[group == mine] = 0.97
        cases.append((before, after, group, mine))
    return cases


# 11.break_even


def break_even(training, tuned, prompted):
    if tuned >= prompted:
        return None
    return math.floor(training / (prompted - tuned)) + 1


def break_even_by_counting(training, tuned, prompted):
    if tuned >= prompted:
        return None
    n = 0
    while training + n * tuned >= n * prompted:
        n += 1
    return n


def tuned_for_nothing(training, tuned, prompted):
    return None if tuned >= prompted else math.floor(training / prompted) + 1


def not_yet(training, tuned, prompted):
    return None if tuned >= prompted else math.floor(training / (prompted - tuned))


def not_whole(training, tuned, prompted):
    return None if tuned >= prompted else training / (prompted - tuned)


def always_some_day(training, tuned, prompted):
    if tuned == prompted:
        return None
    return math.floor(training / abs(prompted - tuned)) + 1


def costs_added(training, tuned, prompted):
    return None if tuned >= prompted else math.floor(training / (prompted + tuned)) + 1


def enough_to_be_equal(training, tuned, prompted):
    return None if tuned >= prompted else math.ceil(training / (prompted - tuned))


def one_above_ceil(training, tuned, prompted):
    return enough_to_be_equal(training, tuned, prompted) + 1 if tuned < prompted else None


def rounded(training, tuned, prompted):
    return None if tuned >= prompted else round(training / (prompted - tuned)) + 1


def rounded_alone(training, tuned, prompted):
    return None if tuned >= prompted else round(training / (prompted - tuned))


def a_query_with_the_training(training, tuned, prompted):
    return None if tuned >= prompted else math.floor((training + tuned) / (prompted - tuned)) + 1


def over_the_tuned(training, tuned, prompted):
    return None if tuned >= prompted else math.floor(training / tuned) + 1


def over_the_tuned_alone(training, tuned, prompted):
    return None if tuned >= prompted else training / tuned


def over_the_tuned_everywhere(training, tuned, prompted):
    return training / tuned


def over_the_tuned_everywhere_and_whole(training, tuned, prompted):
    return math.floor(training / tuned) + 1


def equality_not_guarded(training, tuned, prompted):
    return None if tuned > prompted else math.floor(training / (prompted - tuned)) + 1


def equality_not_guarded_ceil(training, tuned, prompted):
    return None if tuned > prompted else math.ceil(training / (prompted - tuned))


def equality_not_guarded_alone(training, tuned, prompted):
    return None if tuned > prompted else training / (prompted - tuned)


def nothing_guarded(training, tuned, prompted):
    return math.floor(training / (prompted - tuned)) + 1


def nothing_guarded_ceil(training, tuned, prompted):
    return math.ceil(training / (prompted - tuned))


def nothing_guarded_alone(training, tuned, prompted):
    return training / (prompted - tuned)


def prices(_: torch.Generator) -> list[tuple]:
    """(seconds of training, seconds a query after tuning, seconds a query with the long prompt).

    Costs are equal after 2, 3, 11.4, 0.1 and 2.75 queries; in the last two, tuning never pays.
    """
    paying = [
        (1.0, 0.25, 0.75),
        (3.0, 0.5, 1.5),
        (10.0, 0.125, 1.0),
        (0.25, 0.25, 2.0),
        (1.375, 1.5, 2.0),
    ]
    return [*paying, (2.0, 0.5, 0.25), (2.0, 0.5, 0.5)]


EXERCISES = (
    Exercise(
        id="11.trainable",
        title="numbers to train",
        minutes=8,
        difficulty=1,
        cases=model_sizes,
        solution=trainable,
        others=(trainable_by_shapes,),
        mistakes=(
            Mistake(
                "half_of_lora",
                counted(lora=1),
                "You count {got:.0f} for LoRA, half of {wanted:.0f}. The number does not tell which half: A without B, or one change in each block where "
                "queries and values have one each. Two matrices for each change, two changes in each block.",
                COUNT,
            ),
            Mistake(
                "all_projections",
                counted(lora=4),
                "You count {got:.0f} for LoRA and {wanted:.0f} is right: of the four projections only queries and values are changed here.",
                COUNT,
            ),
            Mistake(
                "whole_matrices",
                whole_matrices,
                "You count {got:.0f} for LoRA, which is whole matrices of width times width. The two thin ones have {wanted:.0f} numbers in all.",
                COUNT,
            ),
            Mistake(
                "no_biases",
                counted(biases=False),
                "You count {got:.0f} for the adapters and {wanted:.0f} is right: both of its layers have a bias.",
                COUNT,
            ),
            Mistake(
                "one_adapter",
                counted(places=1),
                "You count {got:.0f} for the adapters and {wanted:.0f} is right: each block has two, behind attention and behind the feed-forward part.",
                COUNT,
            ),
            Mistake(
                "soft_in_every_layer",
                soft_in_every_layer,
                "You count {got:.0f} for the soft prompt, a set of vectors in every layer. It stands before the first layer only: {wanted:.0f}.",
                COUNT,
            ),
            Mistake(
                "lora_of_one_block",
                lora_of_one_block,
                "You count LoRA in one block only: {got:.0f} instead of {wanted:.0f}. Multiply by the number of layers.",
                COUNT,
            ),
            Mistake(
                "adapters_of_one_block",
                adapters_of_one_block,
                "You count the adapters of one block only: {got:.0f} instead of {wanted:.0f}. Multiply by the number of layers.",
                COUNT,
            ),
            Mistake(
                "first_bias_only",
                first_bias_only,
                "Your adapters have the bias of the first layer (size) and not that of the second (width): {got:.0f} instead of {wanted:.0f}.",
                COUNT,
            ),
            Mistake(
                "second_bias_only",
                second_bias_only,
                "Your adapters have the bias of the second layer (width) and not that of the first (size): {got:.0f} instead of {wanted:.0f}.",
                COUNT,
            ),
            Mistake(
                "order",
                ordered(0, 2, 1),
                "The three numbers are right and stand in the wrong order. Return soft prompt, LoRA, adapters.",
                COUNT,
                seen=any_of(
                    *(
                        ordered(*places)
                        for places in itertools.permutations(range(3))
                        if places != (0, 1, 2)
                    )
                ),
            ),
            Mistake(
                "one_block",
                one_block,
                "You count one block where there are several: {got:.0f} instead of {wanted:.0f}. LoRA and adapters change every block.",
                COUNT,
            ),
        ),
        hints=(
            "A is (rank, width) and B is (width, rank); queries and values of every block have such a pair.",
            "An adapter has two layers, width to size and size to width, each with a bias, and stands twice in every block.",
        ),
    ),
    Exercise(
        id="11.soft_prompt",
        title="vectors before the words",
        minutes=8,
        difficulty=2,
        cases=prompt_cases,
        solution=soft_prompt,
        others=(soft_prompt_in_a_loop,),
        gradients=True,
        mistakes=(
            Mistake(
                "at_the_end",
                at_the_end,
                "Your vectors stand after the words. A model that reads from left to right answers before it comes to them, so they cannot help.",
                SOFT,
            ),
            Mistake(
                "at_the_end_and_shifted",
                at_the_end_and_shifted,
                "Your vectors stand after the words, and yet the place of the answer has moved. Put them in front: then it moves.",
                SOFT,
            ),
            Mistake(
                "place_as_it_was",
                place_as_it_was,
                "The place of the answer is still {got:.0f}. With the vectors in front the same word stands at {wanted:.0f}.",
                SOFT,
            ),
            Mistake(
                "one_place_less",
                one_place_less,
                "You read the answer at place {got:.0f}, one too early: {wanted:.0f} is where the same word stands now.",
                SOFT,
            ),
            Mistake(
                "one_place_more",
                one_place_more,
                "You read the answer at place {got:.0f}, one too late: {wanted:.0f} is where the same word stands now.",
                SOFT,
            ),
            Mistake(
                "in_place_of_tokens",
                in_place_of_tokens,
                "The row is as long as before: your vectors have pushed words out at the end. It gets longer by the number of vectors.",
                SOFT,
            ),
            Mistake(
                "added",
                added,
                "You added the vectors to the words. They are put in front, as words of their own: the row gets longer.",
                SOFT,
            ),
            Mistake(
                "turned_round",
                turned_round,
                "The vectors stand in reverse order: {got:+.2f} stands where {wanted:+.2f} belongs.",
                SOFT,
            ),
            Mistake(
                "shifted_by_the_width",
                shifted_by_the_width,
                "You moved the place to {got:.0f}, by the width of a vector. It moves by how many vectors there are, to {wanted:.0f}.",
                SOFT,
            ),
            Mistake(
                "detached",
                detached,
                "The values are right, but no gradient reaches the vectors, and they are the only thing to train. Somewhere the graph is cut: by "
                "`detach`, or because a new tensor is made from their numbers, as `torch.tensor(vectors.tolist())` does. Join `vectors` itself.",
                SOFT,
            ),
            Mistake(
                "all_detached",
                all_detached,
                "The values are right, but your row has no graph at all, so that nothing can be trained through it. Join the tensors themselves with "
                "`torch.cat`: `torch.tensor(...)`, `detach` and `no_grad` cut the graph.",
                SOFT,
            ),
            Mistake(
                "embedded_detached",
                embedded_detached,
                "The values are right, and the vectors get their gradient, but the graph to the words is cut. Join `embedded` itself.",
                SOFT,
            ),
            Mistake(
                "shifted_by_the_rows",
                shifted_by_the_rows,
                "You moved the place to {got:.0f}, by the number of rows, `len(embedded)`. It moves by the number of vectors, to {wanted:.0f}.",
                SOFT,
            ),
            Mistake(
                "shifted_by_the_words",
                shifted_by_the_words,
                "You moved the place to {got:.0f}, by the number of words in a row. The vectors in front move it: to {wanted:.0f}.",
                SOFT,
            ),
            Mistake(
                "mean_vector",
                mean_vector,
                "You put the mean of the vectors in front. Each vector stands there as a word of its own, with its own numbers.",
                SOFT,
                seen=any_of(mean_vector, mean_vector_and_shifted, mean_vector_repeated),
            ),
        ),
        hints=(
            "`vectors.expand(len(embedded), -1, -1)` is the same prompt for every row.",
            "`torch.cat([...], dim=1)` joins along the words; after it each word stands `len(vectors)` places later.",
        ),
    ),
    Exercise(
        id="11.lora",
        title="a change of low rank",
        minutes=8,
        difficulty=2,
        cases=lora_cases,
        solution=lora,
        others=(lora_beside,),
        gradients=True,
        mistakes=(
            Mistake(
                "no_scale",
                no_scale,
                "The factor a / r is missing: {got:.2f} instead of {wanted:.2f}.",
                LOW_RANK,
            ),
            Mistake(
                "a_alone",
                a_alone,
                "You multiply by a and not by a / r: {got:.2f} instead of {wanted:.2f}. Dividing by r keeps the change alike in size when the rank changes.",
                LOW_RANK,
            ),
            Mistake(
                "rank_over_a",
                rank_over_a,
                "The factor is turned over, r / a: {got:.2f} instead of {wanted:.2f}.",
                LOW_RANK,
            ),
            Mistake(
                "one_over_rank",
                one_over_rank,
                "You divide by r and leave a out: {got:.2f} instead of {wanted:.2f}.",
                LOW_RANK,
            ),
            Mistake(
                "over_the_width",
                over_the_width,
                "You divide a by the width of the model, {got:.2f} instead of {wanted:.2f}. r is the number of rows of A.",
                LOW_RANK,
            ),
            Mistake(
                "transposed_update",
                transposed_update,
                "Your change is transposed: {got:.2f} instead of {wanted:.2f}. B A has one row for each output, as "
                "W0 has. For square matrices no error tells you.",
                LOW_RANK,
            ),
            Mistake(
                "not_transposed",
                not_transposed,
                "You multiply x by the matrix without transposing it: {got:.2f} instead of {wanted:.2f}. A row of W belongs to one output: x @ W.T.",
                LOW_RANK,
            ),
            Mistake(
                "only_the_update",
                only_the_update,
                "W0 is gone: {got:.2f} instead of {wanted:.2f}. With B = 0 your layer would answer 0, and it should answer as the frozen model does.",
                LOW_RANK,
            ),
            Mistake(
                "scaled_whole",
                scaled_whole,
                "You scale W0 as well: {got:.2f} instead of {wanted:.2f}. Only the change has the factor a / r.",
                LOW_RANK,
            ),
            Mistake(
                "only_the_frozen",
                only_the_frozen,
                "This is the frozen layer, {got:.2f}. With its change the layer answers {wanted:.2f}.",
                LOW_RANK,
            ),
            Mistake(
                "frozen_not_transposed",
                frozen_not_transposed,
                "Your change is right, but W0 is not transposed: {got:.2f} instead of {wanted:.2f}. The frozen layer answers x @ W0.T.",
                LOW_RANK,
            ),
            Mistake(
                "minus_the_update",
                minus_the_update,
                "You take the change away from W0: {got:.2f} instead of {wanted:.2f}. It is added.",
                LOW_RANK,
            ),
            Mistake(
                "a_detached",
                a_detached,
                "The values are right, but no gradient reaches A: the graph is cut there, and A would stay as it began.",
                LOW_RANK,
            ),
            Mistake(
                "b_detached",
                b_detached,
                "The values are right, but no gradient reaches B: the graph is cut there. B begins at 0, so the change would stay 0.",
                LOW_RANK,
            ),
            Mistake(
                "both_detached",
                both_detached,
                "The values are right, but neither A nor B gets a gradient: the graph is cut, and nothing is left to train.",
                LOW_RANK,
            ),
            Mistake(
                "swapped",
                swapped,
                "A and B stand in the wrong order. A (r, W) times B (W, r) is only r by r, and has no place beside W0: it is B A.",
                LOW_RANK,
                seen=all_shapes_fail,
            ),
        ),
        hints=(
            "`B @ A` has the shape of W0. r is `len(A)`.",
            "A linear layer answers `x @ W.T`; here W is W0 plus a / r times B A.",
        ),
    ),
    Exercise(
        id="11.answer_loss",
        title="the loss of the answer",
        minutes=10,
        difficulty=2,
        cases=answer_cases,
        solution=answer_loss,
        others=(answer_loss_in_a_loop,),
        mistakes=(
            Mistake(
                "own_place",
                own_place,
                "You read the scores at the answer's own place ({got:.3f} instead of {wanted:.3f}). There the model "
                "foretells what comes after the answer: it has already read it.",
                LOSS,
            ),
            Mistake(
                "token_before",
                token_before,
                "You ask for the token before the answer, {got:.3f} instead of {wanted:.3f}. Scores one place earlier, but the token at the place itself.",
                LOSS,
            ),
            Mistake(
                "all_tokens",
                all_tokens,
                "You took the mean over all tokens, the filling too: {got:.3f} instead of {wanted:.3f}. The task teaches answers, so only the answer counts.",
                LOSS,
            ),
            Mistake(
                "last_column",
                last_column,
                "You took the last column: {got:.3f} instead of {wanted:.3f}. Rows differ in length, and the ends of the short ones are filling. Use `place`.",
                LOSS,
            ),
            Mistake(
                "summed",
                summed,
                "You added the losses, {got:.3f}. Their mean is {wanted:.3f}, and does not grow with the number of examples.",
                LOSS,
            ),
            Mistake(
                "minus_the_score",
                minus_the_score,
                "You took the score of the answer for its log probability: {got:.3f} instead of {wanted:.3f}. The softmax over all words is missing.",
                LOSS,
            ),
            Mistake(
                "minus_the_probability",
                minus_the_probability,
                "You took the probability without its logarithm: {got:.3f} instead of {wanted:.3f}.",
                LOSS,
            ),
            Mistake(
                "sign_lost",
                sign_lost,
                "The sign is turned round, {got:.3f}: making this smaller would unlearn the answers. It is minus the log probability, {wanted:.3f}.",
                LOSS,
            ),
            Mistake(
                "up_to_the_answer",
                up_to_the_answer,
                "You took every token up to the answer: {got:.3f} instead of {wanted:.3f}. That would also teach the model to foretell the questions.",
                LOSS,
            ),
            Mistake(
                "among_the_answers",
                among_the_answers,
                "Your softmax is over the answers of this batch only: {got:.3f} instead of {wanted:.3f}. Over all "
                "words, the model also learns which words are answers.",
                LOSS,
            ),
            Mistake(
                "without_filling",
                without_filling,
                "You left out the filling, but every word of the question still counts: {got:.3f} instead of {wanted:.3f}. Take one place of each row.",
                LOSS,
            ),
            Mistake(
                "every_own_place",
                every_own_place,
                "You took every place, and at each the scores of that same place: {got:.3f} instead of {wanted:.3f}. Only the answer counts, and the "
                "scores one place before it.",
                LOSS,
                seen=any_of(every_own_place, every_own_place_without_filling),
            ),
            Mistake(
                "last_scores",
                last_scores,
                "You read the scores of the last column: {got:.3f} instead of {wanted:.3f}. In short rows that is filling, and nowhere the place before "
                "the answer. Read at `place - 1` of each row.",
                LOSS,
                seen=any_of(last_scores, last_scores_and_tokens),
            ),
            Mistake(
                "last_but_one_scores",
                last_but_one_scores,
                "You read the scores of the last column but one: {got:.3f} instead of {wanted:.3f}. That is right for the longest rows only; "
                "`place - 1` differs from row to row.",
                LOSS,
            ),
            Mistake(
                "softmax_twice",
                softmax_twice,
                "You gave probabilities to `cross_entropy`, which takes a softmax itself: {got:.3f} instead of {wanted:.3f}. Give it the scores.",
                LOSS,
            ),
            Mistake(
                "two_places_before",
                two_places_before,
                "You read the scores two places before the answer, {got:.3f} instead of {wanted:.3f}. The scores one place before it foretell the answer.",
                LOSS,
            ),
            Mistake(
                "token_after",
                token_after,
                "You ask for the token after the answer, at `place + 1`, which is filling or past the end of the row. The answer stands at `place`, "
                "and the scores for it at `place - 1`.",
                LOSS,
                seen=any_of(token_after, token_after_two_places_on),
            ),
        ),
        hints=(
            "What stands at place i tells about the token at place i + 1.",
            "`scores[rows, place - 1]` with `rows = torch.arange(len(tokens))` has one row of scores for each example; `F.cross_entropy` does the rest.",
        ),
    ),
    Exercise(
        id="11.forgotten",
        title="what is forgotten",
        minutes=6,
        difficulty=1,
        cases=forgetting_cases,
        solution=forgotten,
        others=(forgotten_in_a_loop,),
        mistakes=(
            Mistake(
                "everything",
                everything,
                "The tuned group is in your mean, and it gains: {got:.3f} instead of {wanted:.3f}. Forgetting is about the others.",
                FORGET,
            ),
            Mistake(
                "own_group",
                own_group,
                "You measured the group that was tuned on: {got:+.3f}. That is learning. On the others accuracy falls by {wanted:.3f}.",
                FORGET,
            ),
            Mistake(
                "gain",
                gain,
                "The sign is turned round: {got:+.3f}. A fall is a positive number here, before minus after: {wanted:.3f}.",
                FORGET,
            ),
            Mistake(
                "accuracy_left",
                accuracy_left,
                "This is the accuracy that is left, {got:.3f}. Without what it was before, nobody knows whether anything was lost: {wanted:.3f}.",
                FORGET,
            ),
            Mistake(
                "share_lost",
                share_lost,
                "You return the share that was lost, {got:.3f}. Asked for is the fall in accuracy, {wanted:.3f}.",
                FORGET,
            ),
            Mistake(
                "errors_after",
                errors_after,
                "You return the errors after tuning, {got:.3f}. Some of them were there before: the fall is {wanted:.3f}.",
                FORGET,
            ),
            Mistake(
                "worst",
                worst,
                "This is the task that lost most, {got:.3f}. The mean fall is {wanted:.3f}.",
                FORGET,
            ),
            Mistake(
                "divided_by_all",
                divided_by_all,
                "You divide by the number of all tasks: {got:.3f} instead of {wanted:.3f}. The mean goes over the others only.",
                FORGET,
            ),
            Mistake(
                "falls_only",
                falls_only,
                "You count falls and leave out what rose: {got:.3f} instead of {wanted:.3f}. By luck alone some tasks rise and some fall.",
                FORGET,
            ),
            Mistake(
                "mean_of_groups",
                mean_of_groups,
                "You took a mean for each group and then the mean of these: {got:.3f} instead of {wanted:.3f}. Groups differ in size, and here every "
                "task counts alike.",
                FORGET,
            ),
            Mistake(
                "never_below_zero",
                never_below_zero,
                "You return {got:.3f} where the others gained. Then nothing is forgotten, and the fall is below 0: {wanted:.3f}.",
                FORGET,
            ),
            Mistake(
                "size_of_the_mean",
                size_of_the_mean,
                "You dropped the sign: {got:.3f} looks like a fall where the others gained. There it is {wanted:.3f}.",
                FORGET,
            ),
            Mistake(
                "sizes",
                sizes,
                "You took the size of each difference, so that a gain counts as a fall: {got:.3f} instead of {wanted:.3f}. Leave out the `abs`.",
                FORGET,
            ),
            Mistake(
                "relative",
                relative,
                "You divide each fall by what the accuracy was before: {got:.3f}. The fall itself is asked for, {wanted:.3f}.",
                FORGET,
            ),
            Mistake(
                "middle",
                middle,
                "This is the median of the falls, {got:.3f}. Asked for is their mean, {wanted:.3f}.",
                FORGET,
            ),
            Mistake(
                "one_task_left_out",
                one_task_left_out,
                "You left out the one task at place `mine`: {got:.3f} instead of {wanted:.3f}. `mine` is the number of a *group*: compare it with `group`.",
                FORGET,
            ),
        ),
        hints=(
            "`others = group != mine` says which tasks count.",
            "The mean of before minus after, over those.",
        ),
    ),
    Exercise(
        id="11.break_even",
        title="when tuning pays",
        minutes=8,
        difficulty=2,
        cases=prices,
        solution=break_even,
        others=(break_even_by_counting,),
        mistakes=(
            Mistake(
                "tuned_for_nothing",
                tuned_for_nothing,
                "You let the tuned model answer for nothing: {got:.0f} instead of {wanted:.0f}. Each of its queries costs something too.",
                PAYS,
            ),
            Mistake(
                "not_yet",
                not_yet,
                "With {got:.0f} queries tuning is not cheaper yet. The next whole number is: {wanted:.0f}.",
                PAYS,
            ),
            Mistake(
                "not_whole",
                not_whole,
                "{got:.2f} is where the two cost the same. Asked for is the first whole number of queries at which tuning is cheaper: {wanted:.0f}.",
                PAYS,
            ),
            Mistake(
                "always_some_day",
                always_some_day,
                "Where a tuned query costs more than a prompted one, no number of queries pays the training back. Return None.",
                PAYS,
            ),
            Mistake(
                "costs_added",
                costs_added,
                "You add the two prices of a query: {got:.0f} instead of {wanted:.0f}. What a query saves is their difference.",
                PAYS,
            ),
            Mistake(
                "enough_to_be_equal",
                enough_to_be_equal,
                "After {got:.0f} queries the two cost exactly the same, and cheaper begins one later: {wanted:.0f}. `math.ceil` leaves a whole "
                "number as it is; take `math.floor(...) + 1`.",
                PAYS,
            ),
            Mistake(
                "one_above_ceil",
                one_above_ceil,
                "One query too many: {got:.0f} instead of {wanted:.0f}. `math.ceil` has gone up already, except at a whole number. "
                "`math.floor(...) + 1` is right for both.",
                PAYS,
            ),
            Mistake(
                "rounded",
                rounded,
                "`round` goes up where more than half is left, and then 1 is too many: {got:.0f} instead of {wanted:.0f}. Round down, then add 1.",
                PAYS,
            ),
            Mistake(
                "rounded_alone",
                rounded_alone,
                "You take the nearest whole number, {got:.0f}, which may be one at which tuning is not cheaper yet: {wanted:.0f} is the next above.",
                PAYS,
            ),
            Mistake(
                "a_query_with_the_training",
                a_query_with_the_training,
                "You add a tuned query to the training, and its price is in the difference already: {got:.0f} instead of {wanted:.0f}.",
                PAYS,
            ),
            Mistake(
                "over_the_tuned",
                over_the_tuned,
                "You divide by the price of a tuned query: {got:.2f} instead of {wanted:.0f}. The training is paid back by what a query *saves*, "
                "`prompted - tuned`.",
                PAYS,
                seen=any_of(
                    over_the_tuned,
                    over_the_tuned_alone,
                    over_the_tuned_everywhere,
                    over_the_tuned_everywhere_and_whole,
                ),
            ),
            Mistake(
                "equality_not_guarded",
                equality_not_guarded,
                "At equal prices you divide by 0. A query saves nothing there, so that tuning never pays: return None for `tuned >= prompted`.",
                PAYS,
                seen=any_of(
                    equality_not_guarded, equality_not_guarded_ceil, equality_not_guarded_alone
                ),
            ),
            Mistake(
                "nothing_guarded",
                nothing_guarded,
                "Nothing stops you where a query saves nothing: a negative number of queries comes out, or a division by 0. Return None for "
                "`tuned >= prompted` first.",
                PAYS,
                seen=any_of(nothing_guarded, nothing_guarded_ceil, nothing_guarded_alone),
            ),
        ),
        hints=(
            "Each query saves `prompted - tuned`; the training costs `training` once.",
            "Cheaper means strictly: the whole number after training / (prompted - tuned). If a query saves nothing, there is none.",
        ),
    ),
)
