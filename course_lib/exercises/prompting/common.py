"""What the exercises of chapter 10 share: the sections to read again, and a mistake with several known forms."""

from collections.abc import Callable

from course_lib.exercises.compare import same_values

SUPPORT = "A prompt is a support set"
ANSWERS = "The model answers"
CEILING = "The ceiling"
CALIBRATION = "Calibration"
STEP = "A prompt beside a gradient step"


def any_of(*functions: Callable) -> Callable[[list], bool]:
    """Does the reader's function do in every case what one of these does? For `seen`: several forms of one mistake."""

    def made(function, inputs):
        try:
            return function(*inputs)
        except Exception as error:
            return error

    def fits(result, other):
        if isinstance(result, Exception) or isinstance(other, Exception):
            return type(result) is type(other) and str(result) == str(other)
        return same_values(result, other, 1e-4)

    return lambda runs: any(all(fits(result, made(function, inputs)) for inputs, result in runs) for function in functions)
