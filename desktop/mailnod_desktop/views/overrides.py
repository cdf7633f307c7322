"""The switches for one mail: route, opens, clicks, consent, and whose copy is shown; below them, what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from mailnod.model import ConsentState, Override, Route
from mailnod.send.override import read_headers
from mailnod_desktop.models.plain import make_tooltip, make_visible, shorten
from mailnod_desktop.services.model import Inspection, Wishes
from mailnod_desktop.views.bodiless import knows_text
from mailnod_desktop.views.controls import ChoiceBox, IconButton, make_label
from mailnod_desktop.views.overrides_outcome import Outcome
from mailnod_desktop.views.wishes_stack import describe_change

__all__ = ["OverridesPanel"]

_RECIPIENT_CHARS = 60


class OverridesPanel(QScrollArea):
    """Lets a person say how a mail is to be rewritten, and says what was decided and why.

    It applies nothing itself: who listens to :attr:`wishes_changed` hands the new inspection back.
    """

    #: The new :class:`Wishes`, and what was changed in words.
    wishes_changed = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("overrides")
        self.setAccessibleName(self.tr("Overrides"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._routes: Mapping[str, Route] = {}
        self._default = "default"
        self._inspection: Inspection | None = None
        self._header = Override()
        self._wishes = Wishes()
        self._combos: dict[str, QComboBox] = {}
        self._route_note = make_label(muted=True, wrap=True)
        self._reset = IconButton("restore", self.tr("Reset overrides"))
        self._reset.setObjectName("overrides_reset")
        self._reset.setToolTip(self.tr("Rewrite this mail as its route says, for recipients who agreed"))
        self._reset.clicked.connect(lambda: self._change(Wishes()))
        self._outcome = Outcome()
        self._inner = QWidget()
        layout = QVBoxLayout(self._inner)
        layout.setContentsMargins(12, 10, 12, 12)
        layout.setSpacing(8)
        layout.addLayout(self._make_form())
        layout.addWidget(self._reset)
        layout.addSpacing(6)
        layout.addWidget(self._outcome)
        layout.addStretch(1)
        self.setWidget(self._inner)
        self._show()

    @property
    def wishes(self) -> Wishes:
        """What the switches say."""
        return self._wishes

    def minimumSizeHint(self) -> QSize:
        """Be as wide as what it holds, because nothing of it can be reached by scrolling sideways."""
        width = self._inner.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(width, super().minimumSizeHint().height())

    @property
    def outcome(self) -> Outcome:
        """What was decided and why, below the switches."""
        return self._outcome

    def get_combo(self, field: str) -> QComboBox:
        """Return the switch of one field of :class:`Wishes`."""
        return self._combos[field]

    def set_routes(self, routes: Mapping[str, Route], default: str, *, ephemeral_keys: bool = False) -> None:
        """Offer routes by their names.

        :param default: name of the route of mail that names none.
        :param ephemeral_keys: whether tokens are signed with keys that were made for this run.
        """
        self._routes, self._default = dict(routes), default
        self._outcome.set_ephemeral_keys(ephemeral_keys)
        self._show()

    def set_inspection(self, inspection: Inspection | None) -> None:
        """Show the wishes of an inspection and what came of them."""
        self._inspection = inspection
        self._wishes = Wishes() if inspection is None else inspection.wishes
        fields = () if inspection is None else inspection.parsed.headers
        self._header = read_headers(fields) or Override()
        self._show()
        for combo in self._combos.values():
            # What is not there cannot be rewritten in another way.
            combo.setEnabled(inspection is None or knows_text(inspection))
        self._outcome.set_inspection(inspection)

    def _make_form(self) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(10)
        form.setVerticalSpacing(7)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for field, name, tip in (
            ("route", self.tr("Route"), self.tr("The kind of mail, as the settings name it")),
            ("track_opens", self.tr("Opens"), self.tr("Whether a pixel is added")),
            ("track_clicks", self.tr("Clicks"), self.tr("Whether links lead to the collector")),
            (
                "consent_opens",
                self.tr("Consent, opens"),
                self.tr("What each recipient is taken to have said about opens"),
            ),
            (
                "consent_clicks",
                self.tr("Consent, clicks"),
                self.tr("What each recipient is taken to have said about clicks"),
            ),
            ("recipient", self.tr("Copy of"), self.tr("Whose copy of the mail is shown")),
        ):
            combo = self._combos[field] = ChoiceBox(name, chars=10)
            combo.setObjectName(f"overrides_{field}")
            combo.setToolTip(tip)
            combo.activated.connect(partial(self._take, field))
            label = QLabel(name)
            label.setBuddy(combo)
            form.addRow(label, combo)
            if field == "route":
                form.addRow(self._route_note)
        return form

    def _show(self) -> None:
        """Fill every switch from the wishes."""
        route = self._find_route()
        self._fill("route", self._list_routes())
        self._fill("track_opens", self._list_axis("opens", route))
        self._fill("track_clicks", self._list_axis("clicks", route))
        for field in ("consent_opens", "consent_clicks"):
            self._fill(
                field,
                [
                    (self.tr("As recorded"), None, self.tr("As the opened store says; unknown where none is open")),
                    (self.tr("Granted"), ConsentState.GRANTED, ""),
                    (self.tr("Denied"), ConsentState.DENIED, ""),
                    (self.tr("Unknown"), ConsentState.UNKNOWN, ""),
                ],
            )
        self._fill("recipient", self._list_recipients())
        self._route_note.setText("" if route is None else self._describe_route(route))
        self._route_note.setVisible(route is not None)
        for combo in self._combos.values():
            combo.setEnabled(self._inspection is not None)
        self._reset.setEnabled(self._inspection is not None and self._wishes != Wishes())

    def _fill(self, field: str, items: list[tuple[str, Any, str]]) -> None:
        combo, wished = self._combos[field], getattr(self._wishes, field)
        if wished not in [value for _, value, _ in items]:
            items.append((self.tr("{name} (not known)").format(name=make_visible(str(wished))), wished, ""))
        with QSignalBlocker(combo):
            before = [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())]
            # Filling it afresh would close it under the hand of who has it open.
            if before != [(text, value) for text, value, _ in items]:
                combo.clear()
                for number, (text, value, tip) in enumerate(items):
                    combo.addItem(text, value)
                    combo.setItemData(number, make_tooltip(tip), Qt.ItemDataRole.ToolTipRole)
            combo.setCurrentIndex([value for _, value, _ in items].index(wished))

    def _take(self, field: str, index: int) -> None:
        self._change(replace(self._wishes, **{field: self._combos[field].itemData(index)}))

    def _change(self, wishes: Wishes) -> None:
        before, self._wishes = self._wishes, wishes
        if wishes != before:
            self._show()
            self.wishes_changed.emit(wishes, describe_change(before, wishes))

    def _find_route(self) -> Route | None:
        """Return the route that the mail takes: that of the wishes, of its header, or the default."""
        header = self._header.route
        for name in (self._wishes.route, header, self._default):
            if name is not None and name in self._routes:
                return self._routes[name]
        return None

    def _list_routes(self) -> list[tuple[str, Any, str]]:
        header = self._header.route
        inherited = header if header in self._routes else self._default
        items: list[tuple[str, Any, str]] = [
            (
                self.tr("Inherit ({name})").format(name=inherited),
                None,
                self.tr("As the mail's header says") if inherited == header else self.tr("The default route"),
            )
        ]
        return items + [(name, name, self._describe_route(route)) for name, route in self._routes.items()]

    def _list_axis(self, axis: str, route: Route | None) -> list[tuple[str, Any, str]]:
        said: bool | None = getattr(self._header, f"track_{axis}")
        on = said if said is not None else route is not None and getattr(route, f"track_{axis}")
        source = self.tr("As the mail's header says") if said is not None else self.tr("As the route says")
        return [
            (self.tr("Inherit (on)") if on else self.tr("Inherit (off)"), None, source),
            (self.tr("On"), True, ""),
            (self.tr("Off"), False, ""),
        ]

    def _list_recipients(self) -> list[tuple[str, Any, str]]:
        recipients = () if self._inspection is None else self._inspection.parsed.summary.recipients
        shared = self.tr("All share one copy")
        return [(shared, None, "")] + [
            (shorten(make_visible(each), _RECIPIENT_CHARS), each, each) for each in recipients
        ]

    def _describe_route(self, route: Route) -> str:
        words = {True: self.tr("on"), False: self.tr("off")}
        said = [
            self.tr("Opens {opens}, clicks {clicks}").format(
                opens=words[route.track_opens], clicks=words[route.track_clicks]
            ),
            self.tr("consent required") if route.consent == "required" else self.tr("consent assumed"),
            self.tr("recorded for {days} days").format(days=route.token_max_age_days),
        ]
        if route.link_style == "short":
            said.append(self.tr("short links"))
        if route.text_clicks:
            said.append(self.tr("text links too"))
        if route.honeypot:
            said.append(self.tr("hidden link"))
        return " · ".join(said)
