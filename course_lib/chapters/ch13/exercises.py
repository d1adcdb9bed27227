"""Exercises of chapter 13: the posterior of an arm, a bonus, the gains of an episode, and when a
memory is emptied."""

from functools import reduce

import torch

from course_lib.classroom.exercises import Exercise

NAMESPACE = {}


# 13.posterior


def posterior(pulled, paid, arms):
    wins = torch.zeros(arms).index_add(0, pulled, paid)
    pulls = torch.zeros(arms).index_add(0, pulled, torch.ones_like(paid))
    return (1 + wins) / (2 + pulls)


def posterior_by_loop(pulled, paid, arms):
    a, b = [1.0] * arms, [1.0] * arms
    for arm, reward in zip(pulled.tolist(), paid.tolist(), strict=True):
        a[arm] += reward
        b[arm] += 1 - reward
    return torch.tensor([x / (x + y) for x, y in zip(a, b, strict=True)])


def frequency(pulled, paid, arms):
    wins = torch.zeros(arms).index_add(0, pulled, paid)
    pulls = torch.zeros(arms).index_add(0, pulled, torch.ones_like(paid))
    return wins / pulls.clamp(min=1)


def losses_counted(pulled, paid, arms):
    return posterior(pulled, 1 - paid, arms)


def pasts(generator):
    cases = []
    for pulls, arms in ((6, 3), (10, 5), (4, 5), (15, 4)):
        pulled = torch.randint(arms, (pulls,), generator=generator)
        paid = (torch.rand(pulls, generator=generator) < 0.6).float()
        cases.append((pulled, paid, arms))
    return cases


# 13.bonus


def with_bonus(wins, pulls, c):
    t = pulls.sum() + 1
    return (1 + wins) / (2 + pulls) + c * torch.sqrt(2 * torch.log(t) / (2 + pulls))


def with_bonus_by_powers(wins, pulls, c):
    n = pulls + 2
    return torch.stack(
        [(w + 1) / m + c * (2 * (pulls.sum() + 1).log() / m) ** 0.5
         for w, m in zip(wins, n, strict=True)]
    )  # fmt: skip


def counts(generator):
    cases = []
    for arms, c in ((3, 0.1), (5, 0.5), (4, 1.0), (5, 0.2)):
        pulls = torch.randint(0, 6, (arms,), generator=generator).float()
        pulls[0] += 2
        wins = (pulls * torch.rand(arms, generator=generator)).round()
        cases.append((wins, pulls, c))
    return cases


# 13.gains


def gains_of(rewards, expected, discount):
    later, returns = 0.0, []
    for reward in reversed(rewards):
        later = reward + discount * later
        returns.append(later)
    return torch.stack(returns[::-1]) - expected


def gains_by_powers(rewards, expected, discount):
    n = len(rewards)
    power = torch.arange(n) - torch.arange(n)[:, None]
    weights = torch.where(power >= 0, discount ** power.clamp(min=0).double(), 0.0)
    return (weights @ rewards.double()).to(rewards.dtype) - expected


def gains_forwards(rewards, expected, discount):
    later, returns = 0.0, []
    for reward in rewards:
        later = reward + discount * later
        returns.append(later)
    return torch.stack(returns) - expected


def gains_of_the_whole(rewards, expected, discount):
    whole = (rewards * discount ** torch.arange(len(rewards))).sum()
    return whole - expected


def gains_from_the_start(rewards, expected, discount):
    n = len(rewards)
    weighted = rewards * discount ** torch.arange(n)
    return weighted.flip(0).cumsum(0).flip(0) - expected


def episodes(generator):
    return [
        (torch.rand(n, generator=generator).round(), torch.rand(n, generator=generator), d)
        for n, d in ((4, 0.9), (7, 0.5), (10, 1.0), (6, 0.8))
    ]


# 13.reset: a memory that adds up what it sees; the last state of each task is returned


def step(memory, x):
    return 0.5 * memory + x


def last_states(step, tasks, width):
    found = []
    for past in tasks:
        memory = torch.zeros(width)
        for x in past:
            memory = step(memory, x)
        found.append(memory)
    return torch.stack(found)


def last_states_by_reduce(step, tasks, width):
    return torch.stack([reduce(step, list(past), torch.zeros(width)) for past in tasks])


def carried_over(step, tasks, width):
    memory, found = torch.zeros(width), []
    for past in tasks:
        for x in past:
            memory = step(memory, x)
        found.append(memory)
    return torch.stack(found)


def forgotten(step, tasks, width):
    found = []
    for past in tasks:
        for x in past:
            memory = step(torch.zeros(width), x)
        found.append(memory)
    return torch.stack(found)


def streams(generator):
    return [
        (step, torch.randn(tasks, n, width, generator=generator), width)
        for tasks, n, width in ((3, 4, 2), (2, 6, 3), (4, 3, 4))
    ]


EXERCISES = (
    Exercise(
        "13.posterior",
        solution=posterior,
        cases=pasts,
        others=(posterior_by_loop,),
        read="Four players, made by hand",
        mistakes={
            frequency: (
                "You divided wins by pulls ({got:.2f} instead of {wanted:.2f}). The uniform prior "
                "counts as one win and one loss; without it one lucky pull makes an arm certain."
            ),
            losses_counted: (
                "You counted what was lost: {got:.2f} is the chance to be paid nothing. "
                "{wanted:.2f} is the chance to be paid."
            ),
            "wins) / (2 + pulls) -> wins) / (1 + pulls)": (
                "The prior adds one win *and* one loss, so two pulls: divide by 2 + pulls "
                "({got:.2f} instead of {wanted:.2f})."
            ),
            "return (1 + wins) / (2 + pulls) -> return wins / (wins + pulls + 1e-9)": (
                "The denominator holds the wins twice ({got:.2f} instead of {wanted:.2f}): pulls "
                "are wins and losses together."
            ),
        },
    ),
    Exercise(
        "13.bonus",
        solution=with_bonus,
        cases=counts,
        others=(with_bonus_by_powers,),
        read="Four players, made by hand",
        mistakes={
            "(1 + wins) / (2 + pulls) - c * torch.sqrt(2 * torch.log(pulls.sum() + 1) "
            "/ (2 + pulls))": (
                "You subtracted the bonus ({got:.2f} instead of {wanted:.2f}): that player avoids "
                "what it does not know. Optimism adds it."
            ),
            "(1 + wins) / (2 + pulls) + c * torch.sqrt(2 * torch.log(2 + pulls) / (2 + pulls))": (
                "You took the logarithm of the pulls of the arm itself ({got:.2f} instead of "
                "{wanted:.2f}). t counts all pulls: an arm that waits gets a growing bonus."
            ),
            "(1 + wins) / (2 + pulls) + c * 2 * torch.log(pulls.sum() + 1) / (2 + pulls)": (
                "The square root is missing ({got:.2f} instead of {wanted:.2f}): what is unknown "
                "about a mean shrinks with the root of the pulls."
            ),
            "(1 + wins) / (2 + pulls) + c * torch.sqrt(2 * torch.log(pulls.sum() + 1) * "
            "(2 + pulls))": (
                "Your bonus grows with the pulls of an arm ({got:.2f} instead of {wanted:.2f}). It "
                "should shrink: divide."
            ),
            "(1 + wins) / (2 + pulls) + torch.sqrt(2 * torch.log(pulls.sum() + 1) / (2 + pulls))": (
                "c is not used: {got:.2f} instead of {wanted:.2f}. It says how much the bonus "
                "counts."
            ),
        },
    ),
    Exercise(
        "13.gains",
        solution=gains_of,
        cases=episodes,
        others=(gains_by_powers,),
        read="RL² in one loop",
        mistakes={
            gains_forwards: (
                "You summed forwards: {got:.2f} holds the rewards *before* the pull. An action "
                "answers for what comes after it: {wanted:.2f}."
            ),
            gains_of_the_whole: (
                "Every pull gets the return of the whole episode ({got:.2f} instead of "
                "{wanted:.2f}). That is right on average, but noisier: rewards before a pull "
                "cannot be its doing."
            ),
            gains_from_the_start: (
                "You discounted from the beginning of the episode ({got:.2f} instead of "
                "{wanted:.2f}). The reward j pulls *later* counts discount to the power j."
            ),
            "expected - gains_of(rewards, expected * 0, discount)": (
                "The sign is turned round ({got:.2f}): a gain is what came minus what was "
                "expected, {wanted:.2f}."
            ),
            "gains_of(rewards, expected * 0, discount)": (
                "This is the return, {got:.2f}. An advantage says how much better it went than "
                "expected: {wanted:.2f}."
            ),
        },
    ),
    Exercise(
        "13.reset",
        solution=last_states,
        cases=streams,
        others=(last_states_by_reduce,),
        read="Two checks that must fall to chance",
        mistakes={
            carried_over: (
                "The memory of one task goes on in the next ({got:.2f} instead of {wanted:.2f}). "
                "What was learned of another bandit is no evidence about this one."
            ),
            forgotten: (
                "The memory is emptied before every step ({got:.2f} instead of {wanted:.2f}): it "
                "holds the last pull only, and the player falls to chance. Empty it between tasks."
            ),
            "torch.stack([step(torch.zeros(width), past.mean(0)) for past in tasks])": (
                "The mean of a past is not the past: {got:.2f} instead of {wanted:.2f}. A "
                "recurrent memory takes one step for each pull."
            ),
        },
    ),
)
