"""A few steps in Meta-World, where it is installed."""

import importlib.util

MISSING = (
    "Meta-World is not installed here: `pip install metaworld==3.1.1 packaging` brings it with "
    "MuJoCo (Linux and macOS), then run this cell again."
)


def reach(steps: int = 5, seed: int = 0) -> str:
    """Move a robot's arm at random in one task of ML1's `reach-v3`, without a picture; or one
    sentence that says what to do where the package is missing."""
    if importlib.util.find_spec("metaworld") is None:
        return MISSING
    import metaworld

    benchmark = metaworld.ML1("reach-v3", seed=seed)
    world = benchmark.train_classes["reach-v3"]()
    world.set_task(benchmark.train_tasks[0])
    seen, _ = world.reset(seed=seed)
    world.action_space.seed(seed)
    rewards = [world.step(world.action_space.sample())[1] for _ in range(steps)]
    world.close()
    return (
        f"ML1, reach-v3: {len(benchmark.train_tasks)} goals to learn on, "
        f"{len(benchmark.test_tasks)} others to test; {len(seen)} numbers seen, "
        f"{world.action_space.shape[0]} to act with; rewards of {steps} random steps: "
        + ", ".join(f"{reward:.2f}" for reward in rewards)
    )
