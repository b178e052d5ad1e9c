"""The stage `distill`: a small student learns the scores of a teacher."""
