"""The stage `classifier`: a linear head on a frozen encoder; `score` reads its models."""
