"""The comparison of chapter 08: everyone sees as many drawings, the shipped runs are those of the
code, and queries come in groups."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.chapters import named_run
from course_lib.chapters.ch08 import study as closer_look
from course_lib.chapters.ch08.study import (
    LINE_UP,
    asked_in_groups,
    episodes,
    run_of,
    thick,
    trained,
    with_statistics,
)
from course_lib.networks.small import conv4
from course_lib.training.evaluation import evaluate

NAMES = [*LINE_UP, "classifier", "maml, running"]
each_run = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def tasks():
    return episodes("held out", 12)


@each_run
def test_every_learner_sees_as_many_drawings_in_a_step_of_the_same_scripts_through_the_same_backbone(  # noqa: E501
    name,
):
    learner, family, plan = run_of(name).prepared()
    assert plan.tasks * family.ways * (1 + plan.queries) == 120 and plan.shots == 1 and plan.decay
    assert family.only == (0, 50) and family.scripts == 70
    convolutions = [
        tuple(m.weight.shape) for m in learner.modules() if isinstance(m, torch.nn.Conv2d)
    ]
    assert convolutions == [
        tuple(m.weight.shape) for m in conv4(32).modules() if isinstance(m, torch.nn.Conv2d)
    ]


def test_everyone_in_the_line_up_spends_the_same_number_of_steps():
    steps = {name: run_of(name).prepared()[2].outer_steps for name in NAMES}
    assert steps.pop("classifier") + steps.pop("meta-baseline") == closer_look.STEPS
    assert set(steps.values()) == {closer_look.STEPS}


def test_another_number_of_steps_trains_anew(capsys):
    trained("prototypical", steps=2)
    assert capsys.readouterr().out.startswith("trained for")


@pytest.mark.parametrize("name", LINE_UP)
def test_the_shipped_weights_score_as_they_did_and_far_above_chance(name):
    stored = named_run("look_scores").tensors()
    some = episodes("held out", closer_look.STORED["held out"])[:40]
    right = closer_look.count_right(evaluate(trained(name), some)).double()
    assert (
        right - stored[f"held out/{name}"][:40]
    ).abs().mean() < 0.5  # of 25; processors differ in the last bits
    assert right.mean() / 25 > 0.4


def test_the_first_episodes_are_not_those_of_another_number_of_episodes():
    """So a stored score and a fresh one are paired only when both asked for the same number."""
    few, many = episodes("held out", 5), episodes("held out", 10)
    assert not few.support_x.equal(many.support_x[:5])


def test_the_marker_thickens_the_very_same_drawings(tasks):
    shifted = episodes("shifted", 12)
    assert shifted.query_y.equal(tasks.query_y) and shifted.support_x.shape == tasks.support_x.shape
    assert shifted.query_x.equal(thick(tasks.query_x)) and (shifted.query_x >= tasks.query_x).all()
    dot = torch.zeros(1, 1, 1, 28, 28)
    dot[..., 10, 10] = 0.7
    assert (
        (thick(dot) == 0.7).sum() == 5
        and thick(dot)[..., 9, 10] == 0.7
        and thick(dot)[..., 9, 9] == 0
    )


def test_all_queries_in_one_group_are_what_evaluate_asks(tasks):
    collected = trained("maml, running")
    for mode in ("query", "running"):
        learner = with_statistics(collected, mode)
        torch.testing.assert_close(
            asked_in_groups(learner, tasks, 25).per_episode,
            evaluate(learner, tasks).per_episode,
            rtol=0,
            atol=0.041,
        )
    assert (
        next(m for m in collected.network.modules() if hasattr(m, "statistics")).statistics
        == "running"
    )


def test_with_running_averages_groups_change_nothing_and_with_support_statistics_they_are_refused(
    tasks,
):
    running = trained("maml, running")
    torch.testing.assert_close(
        asked_in_groups(running, tasks, 1).per_episode,
        asked_in_groups(running, tasks, 25).per_episode,
        rtol=0,
        atol=0.041,
    )
    with pytest.raises(ValueError, match="no answer depends on the other queries"):
        asked_in_groups(trained("maml, support"), tasks, 1)


def test_an_unknown_learner_is_refused_by_name():
    with pytest.raises(ValueError, match="'knn': choose one of baseline"):
        run_of("knn")


def test_meta_baseline_starts_from_the_classifier_of_half_the_steps():
    classifier, meta = trained("classifier"), run_of("meta-baseline").prepared()[0]
    assert all(
        one.equal(other)
        for one, other in zip(
            classifier.encoder.parameters(), meta.encoder.parameters(), strict=True
        )
    )
    moved = [
        torch.cat([p.flatten() for p in m.encoder.parameters()])
        for m in (classifier, trained("meta-baseline"))
    ]
    assert F.cosine_similarity(*moved, dim=0) < 0.9999
