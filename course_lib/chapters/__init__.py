"""What belongs to one chapter: its explorers, exercises, predictions, and what it measured (study)."""
