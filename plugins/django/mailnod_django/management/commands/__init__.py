"""``manage.py mailnod``."""
