"""Tables that several stages read: predictions, prediction sets, ground truth (shared)."""
