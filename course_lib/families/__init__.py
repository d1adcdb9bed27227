"""Task families: each file is one distribution over tasks."""

from course_lib.families.sinusoids import Sinusoids
from course_lib.families.strokes import Strokes

__all__ = ["Sinusoids", "Strokes"]
