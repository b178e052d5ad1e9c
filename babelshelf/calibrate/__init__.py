"""The stage `calibrate`: thresholds, chosen on dev."""
