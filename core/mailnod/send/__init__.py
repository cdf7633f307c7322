"""The sending stage: decide whether a message is tracked, and prepare the copy that leaves."""
