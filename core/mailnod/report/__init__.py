"""The reporting stage: what happened, in numbers."""
