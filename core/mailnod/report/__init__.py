"""The reporting stage: what is done with facts once they are judged."""
