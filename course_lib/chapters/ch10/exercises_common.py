"""The sections that the exercises of chapter 10 send a reader back to."""

SUPPORT = "A prompt is a support set"
ANSWERS = "The model answers"
CEILING = "The ceiling"
CALIBRATION = "Calibration"
STEP = "A prompt beside a gradient step"
