"""nginx.conf: its text, its directives and variables, and the model that they build."""
