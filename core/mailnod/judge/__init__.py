"""The judging stage: tell people from machines."""
