"""A shop that sends a newsletter to those who want it, and sees who reads it."""
