"""Tuning: a trained language model and the examples of one task, and a few numbers, or many, that
are trained on them."""

from course_lib.learners.in_context import InContextTuning
from course_lib.learners.tuning.adapter import Adapter
from course_lib.learners.tuning.fine_tune import FineTune
from course_lib.learners.tuning.hugging_face_peft import PeftTuning
from course_lib.learners.tuning.lora import LoRA
from course_lib.learners.tuning.soft_prompt import SoftPrompt

__all__ = ["Adapter", "FineTune", "InContextTuning", "LoRA", "PeftTuning", "SoftPrompt"]
