"""`python -m course_lib <command>`: thin modules that read words and call the other rooms."""
