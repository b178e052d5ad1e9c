"""Logs, measured resources and child processes of stages; they change no output."""
