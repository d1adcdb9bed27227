"""The explorers of each chapter: functions that return an `Explorer`, listed in each module's EXPLORERS for the tests."""
