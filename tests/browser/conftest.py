"""A browser for the tests in this folder. Without one they are skipped, loudly; on the build server
they fail instead."""

import os
from contextlib import ExitStack

import pytest

from tools.lab import NoBrowser, browser


@pytest.fixture(scope="session")
def chromium():
    with ExitStack() as stack:
        try:
            found = stack.enter_context(browser())
        except NoBrowser as problem:
            if os.environ.get("CI"):
                pytest.fail(f"CI must run the browser tests: {problem}")
            pytest.skip(f"NOTHING WAS TRIED IN A BROWSER: {problem}")
        yield found
