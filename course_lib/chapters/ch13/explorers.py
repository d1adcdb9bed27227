"""Explorers of chapter 13: ten pulls of your own, what RL2 makes of a past, and a goal to drag."""

import re
from functools import lru_cache

import torch
import torch.nn.functional as F

from course_lib.chapters.ch13.drawing import draw_game, draw_head, draw_walks
from course_lib.chapters.ch13.players import ARMS, TEN, bandits
from course_lib.chapters.ch13.quick_walks import walks_to
from course_lib.classroom.explorer import Choice, Explorer, Points, Slider, Text, Toggle
from course_lib.families.points import BOX
from course_lib.learners.bandit_players import UCB, Greedy, Thompson, luck_of, play
from course_lib.learners.best_player import Best
from course_lib.learners.rl2 import RL2
from course_lib.networks.small import seeded
from course_lib.training.runs import once

PULLS, GAMES, LUCK = 10, 30, 4  # of the explorer; LUCK is the seed of its games


# --- ten pulls ------------------------------------------------------------------------------------


@lru_cache
def opponents() -> dict[str, torch.Tensor]:
    """What each player earns in each game, (30,) each."""
    players = {
        "best possible": Best(PULLS), "UCB": UCB(0.1), "greedy": Greedy(),
        "Thompson": Thompson(), "RL²": once(TEN),
    }  # fmt: skip
    chances = bandits(GAMES, LUCK)
    return {name: play(who, chances, PULLS, seed=LUCK).totals for name, who in players.items()}


@lru_cache
def world() -> tuple[torch.Tensor, torch.Tensor]:
    """Chances (30, 5) and luck (10, 30) of the games, the same as for the opponents."""
    with seeded(LUCK):
        return bandits(GAMES, LUCK), luck_of(PULLS, GAMES)


def your_game(pulls: str, game: int) -> dict:
    """What happens when these arms are pulled. Signs that are no arm are passed over, and so is
    what comes after the tenth pull."""
    chances, luck = world()
    arms = [int(sign) - 1 for sign in re.findall(rf"[1-{ARMS}]", pulls)][:PULLS]
    paid = [bool(luck[t, game - 1] < chances[game - 1, arm]) for t, arm in enumerate(arms)]
    others = {name: int(totals[game - 1]) for name, totals in opponents().items()}
    return {
        "arms": arms, "paid": paid, "game": game, "done": len(arms) == PULLS,
        "others": others, "chances": chances[game - 1].tolist(),
        "foreign": re.sub(rf"[1-{ARMS}\s]", "", pulls),
    }  # fmt: skip


def said_of_game(result: dict) -> str:
    arms, total = result["arms"], sum(result["paid"])
    if not arms:
        return "Type a figure from 1 to 5 to pull that arm. You have ten pulls."
    if not result["done"]:
        last = "paid" if result["paid"][-1] else "paid nothing"
        return f"Pull {len(arms)} of {PULLS}: arm {arms[-1] + 1} {last}. You have {total}."
    others = ", ".join(f"{name} {earned}" for name, earned in result["others"].items())
    return f"You have {total}. In the same game, with the same luck: {others}."


def ten_pulls() -> Explorer:
    """Ten pulls of five arms, then what four players and the best possible one earned."""
    return Explorer(
        question="Five arms, ten pulls: how much do you earn?",
        compute=your_game,
        draw=draw_game,
        controls=[
            Text(
                "pulls", "the arms you pull, one figure at a time", "", most=20,
                samples=(
                    ("each arm twice", "1122334455"), ("always arm 3", "3333333333"),
                ),
            ),
            Slider("game", "game", 1, GAMES, 1, value=1),
        ],
        number=said_of_game,
        alt=lambda r: (
            f"Game {r['game']}, pulls so far: "
            + (", ".join(f"arm {a + 1} {'paid' if p else 'paid nothing'}"
                         for a, p in zip(r["arms"], r["paid"], strict=True)) or "none yet")
            + "."
        ),
        size=(9.0, 3.3),
        mosaic=[["pulls", "totals"]],
    )  # fmt: skip


# --- what is in its head --------------------------------------------------------------------------

EVENT = re.compile(rf"([1-{ARMS}])([+-])")


@lru_cache(maxsize=4)
def network(trained: str) -> RL2:
    return once(TEN) if trained == "trained" else RL2(ARMS, seed=0)


@torch.no_grad()
def after_past(past: str, who: str, forgets: bool, blind: bool) -> dict:
    """With what chance RL2 pulls each arm next after a past such as "1+ 1+ 2-", beside the mean of
    the posterior and the best next pull."""
    events = [(int(arm) - 1, sign == "+") for arm, sign in EVENT.findall(past)][: PULLS - 1]
    player, counter = network(who), Best(PULLS)
    memory, counts = player.begin(1, ARMS), counter.begin(1, ARMS)
    for arm, won in events:
        pulled = F.one_hot(torch.tensor([arm]), ARMS).float()
        told = torch.tensor([float(won and not blind)])
        memory = player.begin(1, ARMS) if forgets else player.see(memory, pulled, told)
        counts = counter.see(counts, pulled, torch.tensor([float(won)]))
    worths = counter.preferences(counts)[0]
    return {
        "events": events,
        "foreign": re.sub(r"\s", "", EVENT.sub("", past)),
        "chances": player.preferences(memory).softmax(-1)[0].tolist(),
        "means": Greedy().preferences(counts)[0].tolist(),
        "best": (worths >= worths.max() - 1e-6).tolist(),
    }


def said_of_head(r: dict) -> str:
    favourite = max(range(ARMS), key=lambda arm: r["chances"][arm])
    best = " or ".join(str(arm + 1) for arm in range(ARMS) if r["best"][arm])
    return (
        f"After {len(r['events'])} pulls RL² would pull arm {favourite + 1} with chance "
        f"{r['chances'][favourite]:.2f}. The best next pull is arm {best}."
    )


def in_its_head() -> Explorer:
    """What RL2 would pull after a past that you write."""
    return Explorer(
        question="What does RL² pull next, after this past?",
        compute=after_past,
        draw=draw_head,
        controls=[
            Text(
                "past", "the past: arm and + (paid) or - (not)", "1+ 1- 2-", most=60,
                samples=(
                    ("nothing yet", ""), ("one win", "1+"), ("one loss", "1-"),
                    ("one of two, twice", "1+ 1- 1- 2+ 2- 2-"),
                    ("late doubt", "1+ 1+ 1+ 1- 1- 1- 1-"),
                ),
            ),
            Choice("who", "weights", ("trained", "untrained"), "trained"),
            Toggle("forgets", "hidden state emptied after every pull", False),
            Toggle("blind", "every reward told as 0", False),
        ],
        number=said_of_head,
        alt=lambda r: (
            f"Bars for five arms after {len(r['events'])} pulls: the chance that RL2 pulls each, "
            + ", ".join(f"{c:.2f}" for c in r["chances"])
            + "; beside them the mean of the posterior, "
            + ", ".join(f"{m:.2f}" for m in r["means"])
            + "."
        ),
        size=(9.0, 3.3),
    )  # fmt: skip


# --- a goal to drag -------------------------------------------------------------------------------

WHO = {
    "MAML": "maml", "trained on all goals": "joint", "told the goal": "told",
    "untrained": "untrained",
}  # fmt: skip


def to_goal(goal: tuple, steps: int, who: str, noise: int) -> dict:
    """The walks after so many inner steps, and the returns after each of them."""
    (target,) = goal
    walks, returns = walks_to(WHO[who], target, steps, noise)
    return {"walks": walks, "returns": returns, "goal": target, "who": who}


def goal_walk() -> Explorer:
    """Twenty walks towards a goal that is not told, after 0 to 3 steps of policy gradient."""
    return Explorer(
        question="Where does the point go, and after how many steps does it find the goal?",
        compute=to_goal,
        draw=draw_walks,
        controls=[
            Points(
                "goal", "goal", value=((0.3, 0.4),), axes="plane",
                bounds=((-BOX, BOX), (-BOX, BOX)),
            ),
            Slider("steps", "inner steps", 0, 3, 1, value=0, play=True),
            Choice("who", "start", tuple(WHO), "MAML"),
            Slider("noise", "other noise", 0, 5, 1, value=0),
        ],
        number=lambda r: (
            f"{r['who']}, mean return of 20 walks after 0, 1, ... inner steps: "
            + ", ".join(f"{value:.1f}" for value in r["returns"])
            + "."
        ),
        alt=lambda r: (
            f"Twenty walks from the middle of a square towards the goal at ({r['goal'][0]:.2f}, "
            f"{r['goal'][1]:.2f}), and their returns after each inner step: "
            + ", ".join(f"{value:.1f}" for value in r["returns"])
            + "."
        ),
        size=(9.0, 3.7),
        mosaic=[["plane", "returns"]],
    )  # fmt: skip


EXPLORERS = (ten_pulls, in_its_head, goal_walk)
