"""The typed sections of params.yaml, a module a section, so that a new knob in one reruns only its own stage."""
