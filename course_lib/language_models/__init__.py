"""Models that can be prompted: the small one of the course, those of Hugging Face, and log P(label
| prompt)."""
