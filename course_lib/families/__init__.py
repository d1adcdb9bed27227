"""Task families: each file is one distribution over tasks."""

from course_lib.families.sinusoids import Sinusoids

__all__ = ["Sinusoids"]
