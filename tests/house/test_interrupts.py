"""An interrupt at any moment leaves nothing half done: afterwards the same call gives the same
number."""

import copy
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from torch import nn
from toys import episode, smooth

from course_lib import interrupts
from course_lib.classroom.exercises.running import run_limited
from course_lib.episodes import Episode
from course_lib.learners import MAML, Baseline, Nearest, Prototypical
from course_lib.training.evaluation import evaluate, evaluate_each_step
from course_lib.training.outer_loop import Plan, meta_train

EACH = 50  # interrupts a learner and way of use, at least

pytestmark = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="NOT TESTED: only a main thread gets interrupts",
)


def classes() -> Episode:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, 12, 4, generator=generator, dtype=torch.float64)
    y = torch.arange(12).remainder(3).expand(8, 12)
    return Episode(x[:, :6], y[:, :6], x[:, 6:], y[:, 6:], names={"classes": y[:, :3]})


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)).double()


LEARNERS = {
    **{
        f"MAML, {way}": (lambda way=way: MAML(smooth(), alpha=0.1, steps=3, way=way), episode)
        for way in ("higher", "autograd", "vmap")
    },
    "prototypical": (lambda: Prototypical(net()), classes),
    "baseline": (lambda: Baseline(net(), 3, 3, steps=20).double(), classes),
    "nearest": (lambda: Nearest(), classes),
}


def loss_and_gradient(learner, tasks) -> list:
    loss = learner.outer_loss(tasks)
    if not loss.requires_grad:
        return [loss.item()]
    gradients = torch.autograd.grad(loss, [p for p in learner.parameters() if p.requires_grad])
    return [loss.item(), *(g.sum().item() for g in gradients)]


USES = {
    "evaluate": lambda learner, tasks: evaluate(learner, tasks, batch=2).per_episode.tolist(),
    "outer_loss": loss_and_gradient,
}


def interrupted(use, after: float) -> bool:
    """Call ``use``, with an interrupt after so many seconds; whether it took effect inside."""
    wait = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    done = False
    try:
        wait.start()
        use()
        done = True
        wait.join()
        time.sleep(0.001)  # an interrupt that comes late is raised here, outside of the call
    except KeyboardInterrupt:
        pass
    return not done


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", LEARNERS)
def test_the_same_number_after_an_interrupt_at_any_moment(name, use):
    make, draw = LEARNERS[name]
    learner, tasks, call = make().train(), draw(), USES[use]
    wanted, before = call(learner, tasks), copy.deepcopy(learner.state_dict())
    began = time.perf_counter()
    call(learner, tasks)
    seconds, moments, inside = time.perf_counter() - began, random.Random(0), 0
    for tries in range(6 * EACH):
        if tries >= EACH and inside >= EACH // 5:  # on a busy machine many come too late
            break
        learner.load_state_dict(before)  # running averages of batch norm move while training
        inside += interrupted(lambda: call(learner, tasks), moments.uniform(0, 1.1 * seconds))
        assert learner.training and torch.is_grad_enabled() and not learner.inside
        assert interrupts.held.outermost is None
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        learner.load_state_dict(before)
        assert call(learner, tasks) == wanted
    assert inside >= EACH // 5


def test_it_takes_effect_between_outer_steps_and_the_learner_goes_on():
    from course_lib.families import Sinusoids
    from course_lib.networks import mlp

    learner = MAML(mlp(seed=0), way="vmap")
    plan = Plan(outer_steps=10_000, tasks=2, shots=3, queries=3)
    state = torch.get_rng_state()
    assert interrupted(lambda: meta_train(learner, Sinusoids(), plan, progress=False), 0.3)
    assert torch.get_rng_state().equal(state)
    tasks = Sinusoids().sample(2, shots=3, queries=3)
    assert evaluate(learner, tasks).per_episode.equal(evaluate(learner, tasks).per_episode)


def test_each_step_is_scored_in_eval_mode_even_if_interrupted():
    learner = MAML(smooth(), alpha=0.1, way="vmap").train()
    tasks = episode()
    for after in (0.0, 0.002, 0.005):
        interrupted(lambda: evaluate_each_step(learner, tasks, 20, batch=1), after)
        assert learner.training


def test_the_third_interrupt_does_not_wait():
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        reached = True
        signal.raise_signal(signal.SIGINT)
        reached = False
    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_now_raises_what_waits_and_only_that():
    interrupts.now()
    with interrupts.held():
        interrupts.now()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.now()
        interrupts.now()


def test_another_error_is_not_hidden_and_nothing_is_held_afterwards():
    with pytest.raises(ZeroDivisionError), interrupts.held():
        1 / 0  # noqa: B018
    assert interrupts.held.outermost is None


def test_an_interrupt_is_not_lost_where_a_thread_works():
    """Elsewhere than in the main thread nothing is held, and nothing is done."""
    seen = []

    def work():
        with interrupts.held():
            seen.append(interrupts.held.outermost)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]


# --- interrupts that Python would lose ------------------------------------------------------------


class Bomb:
    """Is interrupted while it is thrown away, where nobody can catch anything."""

    def __del__(self):
        raise KeyboardInterrupt


@pytest.fixture
def hook():
    """The hook of notebooks, with what it tells as usual in a list."""
    told, before = [], sys.unraisablehook
    sys.unraisablehook = lambda lost: interrupts.pass_on(lost, told.append)
    yield told
    sys.unraisablehook = before


def test_an_interrupt_in_a_callback_of_the_collector_arrives_a_moment_later(hook):
    with pytest.raises(KeyboardInterrupt):
        Bomb()
        time.sleep(5)
    assert hook == []


def test_another_error_there_is_told_as_usual(hook):
    class Broken:
        def __del__(self):
            raise OSError("lost")

    Broken()
    time.sleep(0.05)
    assert [lost.exc_type for lost in hook] == [OSError]


def test_notebooks_have_the_hook():
    import course_lib.classroom

    command = "import sys, course_lib.classroom as c; print(sys.unraisablehook.__name__)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.stdout.strip() == "pass_on" and course_lib.classroom


def test_an_interrupt_that_an_error_has_taken_the_place_of_is_let_through(monkeypatch):
    from course_lib.classroom import exercises

    def replaced(*_):
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("release unlocked lock")

    monkeypatch.setattr(exercises, "judge", replaced)
    with pytest.raises(KeyboardInterrupt):
        exercises.check("01.split", lambda: None)
    monkeypatch.setattr(exercises, "judge", lambda *_: 1 / 0)
    assert "The checker itself stopped (ZeroDivisionError" in exercises.check("01.split", None).text


def test_no_interrupt_of_an_exercise_is_swallowed():
    """At 200 moments, from before the reader's function starts until after it has ended."""
    moments, lost = random.Random(5), 0

    def work():
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            pass

    for _ in range(200):
        wait = threading.Timer(moments.uniform(0.001, 0.015), os.kill, (os.getpid(), signal.SIGINT))
        try:
            wait.start()
            run_limited(work, 5.0)
            while wait.is_alive():
                time.sleep(0.001)
            time.sleep(0.001)
            lost += 1
        except KeyboardInterrupt:
            pass
    assert lost == 0
