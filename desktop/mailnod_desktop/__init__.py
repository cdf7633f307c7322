"""The inspector: see what tracking does to a mail before it goes out, and who really opened it.

``services`` know no Qt and can be used without a window; ``models`` and ``views`` are the window; ``web`` is the
preview, which needs Qt WebEngine and is imported when it is first shown.
"""
