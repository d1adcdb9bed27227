"""Learning to Learn: the library behind the notebooks of the course.

Importing it loads nothing heavy; `python -m course_lib` lists what it does without a notebook.
"""
__version__ = "0.1.0"
