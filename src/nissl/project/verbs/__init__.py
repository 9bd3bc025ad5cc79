"""The methods of `Project`, a file for each group of verbs, one line each over functions."""
