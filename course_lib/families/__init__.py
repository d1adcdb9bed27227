"""Task families: each file is one distribution over tasks."""

from course_lib.families.omniglot import Omniglot
from course_lib.families.picture_files import own_pictures
from course_lib.families.pictures import PictureClasses
from course_lib.families.sinusoids import Sinusoids
from course_lib.families.strokes import Strokes

__all__ = ["Omniglot", "PictureClasses", "Sinusoids", "Strokes", "own_pictures"]
