"""How the course teaches: predictions, explorers, exercises, progress, lectures. It knows no learner and no family."""
