"""Howdah on one machine: its own Temporal server, and a fleet of workers that comes over to new code by itself."""
