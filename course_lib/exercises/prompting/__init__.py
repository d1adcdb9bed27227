"""The exercises of chapter 10, a module each. `chapter_10.py` collects them."""
