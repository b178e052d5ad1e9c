"""The stage `summarize`: the results of all tasks in one file."""
