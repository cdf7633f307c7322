"""Mails rendered by Qt WebEngine, which loads nothing from outside; imported only where a preview is shown."""
