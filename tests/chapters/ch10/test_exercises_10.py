"""The exercises of chapter 10 say the same as the library that the chapter runs: prompts and
ceiling."""

import torch

from course_lib.chapters.ch10.exercises import (
    calibrate,
    calibration_cases,
    ceiling,
    label_score,
    write_prompt,
)
from course_lib.families.prompt_worlds import TOKENS, Worlds, covered, encode, text
from course_lib.language_models.tiny_gpt import shipped_model
from course_lib.learners.in_context import InContext
from course_lib.learners.token_prompts import as_prompts


def episodes(tasks=20, ways=4, shots=4):
    family = Worlds(ways)
    return family.sample(tasks, shots=shots, queries=1, generator=family.generator(0))


def written(episode, task):
    """The exercise's prompt of one task of `Worlds`."""
    x, y = (
        torch.cat([part[task], more[task]])
        for part, more in (
            (episode.support_x, episode.query_x),
            (episode.support_y, episode.query_y),
        )
    )
    names = [TOKENS[i] for i in episode.names["labels"][task].tolist()]
    return write_prompt([TOKENS[i] for i in x[:, 0].tolist()], y.tolist(), names)


def test_the_prompt_is_the_one_that_the_model_reads():
    episode = episodes()
    prompts = as_prompts(episode, 4)[:, 0].tolist()
    for task, ids in enumerate(prompts):
        assert encode(written(episode, task)) == ids and written(episode, task) == text(ids)


def test_without_its_separator_the_next_token_is_the_separator():
    """What the diagnosis of `no_separator` says, on the shipped model."""
    model, prompts = shipped_model(), as_prompts(episodes(100), 4)[:, 0]
    with torch.no_grad():
        after = model(prompts[:, :-1])[:, -1].argmax(-1)
    assert (after == prompts[0, -1]).float().mean() > 0.95


def test_the_score_of_a_label_is_the_one_that_the_course_reads():
    model, episode = shipped_model(), episodes(5)
    scores, prompts = (
        InContext(model, 4)(episode).log_softmax(-1)[:, 0],
        as_prompts(episode, 4)[:, 0],
    )
    for task, ids in enumerate(prompts):
        mine = []
        for label in episode.names["labels"][task]:
            tokens = torch.cat([ids, label[None]])
            with torch.no_grad():
                mine.append(label_score(model(tokens[None])[0].log_softmax(-1), tokens, len(ids)))
        assert torch.allclose(torch.stack(mine).log_softmax(0), scores[task], atol=1e-4)


def test_the_ceiling_is_the_share_of_queries_whose_label_is_shown():
    for ways, k in ((2, 2), (4, 0), (4, 4), (4, 8)):
        episode = episodes(4000, ways, 8)
        assert abs(float(covered(episode, k).float().mean()) - ceiling(k, ways)) < 0.025


def test_a_query_without_content_is_calibrated_to_even_shares():
    for _, p_cf in calibration_cases(torch.Generator().manual_seed(1)):
        assert torch.allclose(
            calibrate(p_cf[None], p_cf), torch.full((1, len(p_cf)), 1 / len(p_cf))
        )
