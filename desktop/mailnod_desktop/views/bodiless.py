"""What stands in the place of a body that is not there."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from mailnod_desktop.services.model import Inspection

__all__ = ["explain_no_html", "knows_text"]


def knows_text(inspection: Inspection) -> bool:
    """Tell whether the text of a mail is known; a store may have recorded its delivery and nothing else."""
    return inspection.parsed.mail.recorded is None or bool(inspection.parsed.htmls)


def explain_no_html(inspection: Inspection) -> str:
    """Return why there is no HTML to show."""
    if knows_text(inspection):
        return QCoreApplication.translate("Bodiless", "This mail has no HTML.")
    return QCoreApplication.translate("Bodiless", "The database keeps no text of this mail.")
