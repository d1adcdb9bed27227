"""Task families: each file is one distribution over tasks."""

from course_lib.families.as_written import AsWritten
from course_lib.families.bandits import Bandits
from course_lib.families.intents import Intents, SentenceClasses, own_sentences
from course_lib.families.omniglot import Omniglot
from course_lib.families.picture_files import PictureError, own_pictures
from course_lib.families.pictures import PictureClasses
from course_lib.families.points import Points
from course_lib.families.regressions import LinearRegressions
from course_lib.families.sinusoids import Sinusoids, sine
from course_lib.families.strokes import Strokes
from course_lib.families.vocabulary import Vocabulary, tokens

__all__ = [
    "AsWritten", "Bandits",
    "Intents", "LinearRegressions", "Omniglot", "PictureClasses", "PictureError", "Points",
    "SentenceClasses", "Sinusoids", "Strokes",
    "Vocabulary", "own_pictures", "own_sentences", "sine", "tokens",
]  # fmt: skip
