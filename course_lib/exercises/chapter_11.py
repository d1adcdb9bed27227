"""Exercises of chapter 11: numbers to train, a soft prompt, LoRA, the loss of an answer, forgetting, and when tuning pays."""

import math

import torch
import torch.nn.functional as F

from course_lib.exercises.base import Exercise, Mistake

NAMESPACE = {}

COUNT, SOFT, LOW_RANK, LOSS = "What does each method train?", "Five lines: a soft prompt", "A few lines more: LoRA", "One task, written out"
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
    return soft, layers * 2 * sum(map(math.prod, each.values())), 2 * layers * sum(map(math.prod, bottle.values()))


def counted(soft=1, lora=2, matrices=2, places=2, biases=True):
    """A count with some of its factors changed."""

    def count(width, layers, length, rank, size):
        per_adapter = 2 * size * width + (size + width if biases else 0)
        return soft * length * width, layers * lora * matrices * rank * width, layers * places * per_adapter

    return count


def soft_in_every_layer(width, layers, length, rank, size):
    return (layers * length * width, *trainable(width, layers, length, rank, size)[1:])


def whole_matrices(width, layers, length, rank, size):
    soft, _, adapter = trainable(width, layers, length, rank, size)
    return soft, layers * 2 * width * width, adapter


def one_block(width, layers, length, rank, size):
    return trainable(width, 1, length, rank, size)


def model_sizes(_: torch.Generator) -> list[tuple]:
    """(width, layers, length, rank, size)"""
    return [(96, 3, 20, 4, 8), (64, 2, 5, 2, 16), (1024, 24, 100, 8, 64)]


# 11.soft_prompt


def soft_prompt(embedded, place, vectors):
    x = torch.cat([vectors.expand(len(embedded), -1, -1), embedded], 1)
    return x, place + len(vectors)


def soft_prompt_in_a_loop(embedded, place, vectors):
    return torch.stack([torch.cat([vectors, row]) for row in embedded]), torch.tensor([int(p) + vectors.shape[0] for p in place])


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


def prompt_cases(generator: torch.Generator) -> list[tuple]:
    """(embedded tokens (B, L, W), place of the answer (B,), vectors (P, W)). More tokens than vectors, or fewer."""
    cases = []
    for B, L, W, P in ((2, 3, 4, 2), (3, 2, 6, 4), (1, 5, 3, 1)):
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


def all_shapes_fail(runs: list) -> bool:
    """A (r, W) times B (W, r) has another shape than W0."""
    return all(isinstance(result, RuntimeError) and "size of tensor" in str(result) for _, result in runs)


def lora_cases(generator: torch.Generator) -> list[tuple]:
    """(x, W0, A, B, a): W0 is square, as in the projections of attention, so that a forgotten transpose raises no error."""
    cases = []
    for n, W, r, a in ((3, 5, 2, 4.0), (2, 6, 3, 1.5), (4, 4, 2, 8.0)):
        numbers = [torch.randn(*shape, generator=generator) for shape in ((n, W), (W, W), (r, W), (W, r))]
        cases.append((*numbers, a))
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
    losses = [F.cross_entropy(scores[i, :p], tokens[i, 1 : p + 1]) for i, p in enumerate(place.tolist())]
    return torch.stack(losses).mean()


def among_the_answers(scores, tokens, place):
    rows = torch.arange(len(tokens))
    answers, y = tokens[rows, place].unique(return_inverse=True)
    return F.cross_entropy(scores[rows, place - 1][:, answers], y)


def answer_cases(generator: torch.Generator) -> list[tuple]:
    """(scores (B, L, V), tokens (B, L), place of the answer (B,)): rows of several lengths, filled up with 0."""
    cases = []
    for B, L, V in ((3, 6, 7), (4, 5, 9), (2, 8, 5)):
        tokens, place = torch.randint(1, V, (B, L), generator=generator), torch.randint(2, L, (B,), generator=generator)
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


def forgetting_cases(generator: torch.Generator) -> list[tuple]:
    """(accuracy before, after, group of each task, group that was tuned on). The tuned group gains; some others gain a little as well."""
    cases = []
    for n, groups, mine in ((12, 4, 1), (9, 3, 0), (20, 5, 2)):
        group = torch.arange(n) % groups
        before = 0.8 + 0.15 * torch.rand(n, generator=generator)
        after = before - 0.4 * torch.rand(n, generator=generator) + 0.1
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


def prices(_: torch.Generator) -> list[tuple]:
    """(seconds of training, seconds a query after tuning, seconds a query with the long prompt); in the last two, tuning never pays."""
    return [(1.0, 0.25, 0.75), (3.0, 0.5, 1.5), (10.0, 0.125, 1.0), (0.25, 0.25, 2.0), (2.0, 0.5, 0.25), (2.0, 0.5, 0.5)]


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
                "You count {got:.0f} for LoRA, half of {wanted:.0f}. Each change has two thin matrices, A and B, and both queries and values are changed.",
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
                "no_biases", counted(biases=False), "You count {got:.0f} for the adapters and {wanted:.0f} is right: both of its layers have a bias.", COUNT
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
                "one_place_less", one_place_less, "You read the answer at place {got:.0f}, one too early: {wanted:.0f} is where the same word stands now.", SOFT
            ),
            Mistake(
                "one_place_more", one_place_more, "You read the answer at place {got:.0f}, one too late: {wanted:.0f} is where the same word stands now.", SOFT
            ),
            Mistake(
                "in_place_of_tokens",
                in_place_of_tokens,
                "The row is as long as before: your vectors have pushed words out at the end. It gets longer by the number of vectors.",
                SOFT,
            ),
            Mistake("added", added, "You added the vectors to the words. They are put in front, as words of their own: the row gets longer.", SOFT),
            Mistake("turned_round", turned_round, "The vectors stand in reverse order: {got:+.2f} stands where {wanted:+.2f} belongs.", SOFT),
            Mistake(
                "shifted_by_the_width",
                shifted_by_the_width,
                "You moved the place to {got:.0f}, by the width of a vector. It moves by how many vectors there are, to {wanted:.0f}.",
                SOFT,
            ),
            Mistake(
                "detached",
                detached,
                "The values are right, but no gradient reaches the vectors, and they are the only thing to train. Take out the `detach`.",
                SOFT,
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
        mistakes=(
            Mistake("no_scale", no_scale, "The factor a / r is missing: {got:.2f} instead of {wanted:.2f}.", LOW_RANK),
            Mistake(
                "a_alone",
                a_alone,
                "You multiply by a and not by a / r: {got:.2f} instead of {wanted:.2f}. Dividing by r keeps the change alike in size when the rank changes.",
                LOW_RANK,
            ),
            Mistake("rank_over_a", rank_over_a, "The factor is turned over, r / a: {got:.2f} instead of {wanted:.2f}.", LOW_RANK),
            Mistake("one_over_rank", one_over_rank, "You divide by r and leave a out: {got:.2f} instead of {wanted:.2f}.", LOW_RANK),
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
            Mistake("scaled_whole", scaled_whole, "You scale W0 as well: {got:.2f} instead of {wanted:.2f}. Only the change has the factor a / r.", LOW_RANK),
            Mistake("only_the_frozen", only_the_frozen, "This is the frozen layer, {got:.2f}. With its change the layer answers {wanted:.2f}.", LOW_RANK),
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
            Mistake("summed", summed, "You added the losses, {got:.3f}. Their mean is {wanted:.3f}, and does not grow with the number of examples.", LOSS),
            Mistake(
                "minus_the_score",
                minus_the_score,
                "You took the score of the answer for its log probability: {got:.3f} instead of {wanted:.3f}. The softmax over all words is missing.",
                LOSS,
            ),
            Mistake("minus_the_probability", minus_the_probability, "You took the probability without its logarithm: {got:.3f} instead of {wanted:.3f}.", LOSS),
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
            Mistake("gain", gain, "The sign is turned round: {got:+.3f}. A fall is a positive number here, before minus after: {wanted:.3f}.", FORGET),
            Mistake(
                "accuracy_left",
                accuracy_left,
                "This is the accuracy that is left, {got:.3f}. Without what it was before, nobody knows whether anything was lost: {wanted:.3f}.",
                FORGET,
            ),
            Mistake("share_lost", share_lost, "You return the share that was lost, {got:.3f}. Asked for is the fall in accuracy, {wanted:.3f}.", FORGET),
            Mistake(
                "errors_after", errors_after, "You return the errors after tuning, {got:.3f}. Some of them were there before: the fall is {wanted:.3f}.", FORGET
            ),
            Mistake("worst", worst, "This is the task that lost most, {got:.3f}. The mean fall is {wanted:.3f}.", FORGET),
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
        ),
        hints=("`others = group != mine` says which tasks count.", "The mean of before minus after, over those."),
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
            Mistake("not_yet", not_yet, "With {got:.0f} queries tuning is not cheaper yet. The next whole number is: {wanted:.0f}.", PAYS),
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
        ),
        hints=(
            "Each query saves `prompted - tuned`; the training costs `training` once.",
            "Cheaper means strictly: the whole number after training / (prompted - tuned). If a query saves nothing, there is none.",
        ),
    ),
)
