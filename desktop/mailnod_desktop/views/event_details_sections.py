"""The details of an event, section by section, each a widget of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QLayout, QVBoxLayout, QWidget

from mailnod.explanation import Explanation, Reason, Step
from mailnod.model import Delivery, Verdict
from mailnod_desktop.models.plain import make_visible
from mailnod_desktop.services import explaining_text as words
from mailnod_desktop.services.explaining import Details
from mailnod_desktop.services.wording import count, format_time
from mailnod_desktop.theme import get_theme, make_mono_font
from mailnod_desktop.views.controls import make_label
from mailnod_desktop.views.event_details_parts import FreeText, NeighbourLine, Pill, ProbabilityBar, WeightBar

__all__ = ["make_content"]


def make_content(details: Details) -> QWidget:
    """Return a widget that shows everything that is known of an event."""
    explanation = details.explanation
    content = QWidget()
    content.setObjectName("event-details-content")
    # Once for all texts: each style sheet of a widget's own is read anew.
    content.setStyleSheet("QTextEdit { background: transparent; }")
    column = QVBoxLayout(content)
    column.setContentsMargins(14, 10, 14, 16)
    column.setSpacing(18)
    column.addWidget(_make_head(explanation))
    number = len(explanation.neighbours)
    for heading, widgets in (
        (_tr("Evidence: left speaks for a person, right for a machine"), _list_evidence(explanation.reasons)),
        (_tr("What came in"), _list_request(details)),
        (_tr("The mail"), _list_mail(explanation.record.delivery)),
        (_tr("Around it: {0} in its window").format(count(number, "other hit")), _list_window(explanation)),
        (
            _tr("How it came about: {0}").format(count(len(explanation.history), "verdict")),
            _list_history(explanation.history),
        ),
        (_tr("The rules of today"), _list_today(explanation)),
    ):
        column.addWidget(_make_section(heading, widgets))
    column.addStretch(1)
    return content


def _make_head(explanation: Explanation) -> QWidget:
    record = explanation.record
    hit, verdict = record.observation.hit, record.event.verdict
    title = make_label(words.name_hit(hit), heading=True)
    font = title.font()
    font.setPointSizeF(font.pointSizeF() * 1.25)
    title.setFont(font)
    head = _stack(spacing=6)
    row = QHBoxLayout()
    row.addWidget(title)
    row.addStretch(1)
    if record.delivery is not None and record.delivery.test:
        row.addWidget(Pill(_tr("test"), get_theme().muted))
    row.addWidget(make_class_pill(verdict))
    _add(head, row)
    age = words.say_mail_age(explanation.age_s)
    when = format_time(hit.received_at) + (f", {age}" if age else "")
    _add(head, make_label(when, muted=True, wrap=True))
    _add(head, ProbabilityBar(verdict.probability, get_theme().classes[verdict.classification]))
    _add(head, make_label(words.say_counted(verdict), wrap=True))
    _add(head, _make_grid([(_tr("Client"), make_label(make_visible(words.say_client(verdict)), wrap=True))]))
    return head


def make_class_pill(verdict: Verdict) -> Pill:
    """Return the class of a verdict in its colour."""
    return Pill(words.name_class(verdict.classification), get_theme().classes[verdict.classification])


def _list_evidence(reasons: Iterable[Reason]) -> Iterator[QWidget]:
    empty = True
    for reason in reasons:
        empty = False
        yield _make_reason(reason)
    if empty:
        yield make_label(words.NOTHING_UNUSUAL, muted=True, wrap=True)


def _make_reason(reason: Reason) -> QWidget:
    widget = QWidget()
    row = QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(12)
    row.addWidget(WeightBar(reason.weight), 0, Qt.AlignmentFlag.AlignTop)
    text = _stack(spacing=1)
    code = make_label(make_visible(reason.code))
    code.setFont(make_mono_font())
    _add(text, code)
    _add(text, FreeText(reason.sentence, _tr("What it means")))
    if reason.source:
        _add(text, FreeText(reason.source, _tr("Where the rule comes from"), muted=True))
    row.addWidget(text, 1)
    return widget


def _list_request(details: Details) -> Iterator[QWidget]:
    observation = details.explanation.record.observation
    mono = make_mono_font()
    yield _make_grid(
        (_tr(name), FreeText(value, name, font=mono)) for name, value in words.list_request(observation.hit)
    )
    if observation.purged:
        yield _make_note(words.PURGED)
        if details.traces is not None:
            yield make_label(make_visible(words.say_traces(details.traces)), muted=True, wrap=True)
    elif observation.hit.headers:
        headers = sorted(observation.hit.headers.items())
        yield _make_grid([(make_visible(name), FreeText(value, name, font=mono)) for name, value in headers], mono=True)
    else:
        yield make_label(_tr("It sent none of the headers that are kept."), muted=True, wrap=True)


def _list_mail(delivery: Delivery | None) -> Iterator[QWidget]:
    if delivery is None:
        yield make_label(_tr("This store does not know the mail."), muted=True, wrap=True)
        return
    envelope = delivery.envelope
    facts = [
        (_tr("Subject"), envelope.subject or _tr("(none)")),
        (_tr("To"), words.say_recipients(delivery)),
        (_tr("Route"), delivery.decision.route),
        (_tr("Campaign"), envelope.campaign or _tr("(none)")),
        (_tr("Message-ID"), envelope.message_id),
    ]
    yield _make_grid((name, FreeText(value, name)) for name, value in facts)
    yield make_label(_tr("Why it was tracked"), muted=True)
    yield from (FreeText(f"{number}. {one}", one) for number, one in enumerate(delivery.decision.reasons, start=1))


def _list_window(explanation: Explanation) -> Iterator[QWidget]:
    neighbours = explanation.neighbours
    if not neighbours:
        yield make_label(_tr("No other hit came near it in time."), muted=True, wrap=True)
        return
    yield NeighbourLine(neighbours, explanation.record.observation.hit.kind == "click")
    nearest = words.find_nearest(neighbours)
    yield _make_grid(
        [(words.say_offset(one.offset_s), FreeText(words.say_neighbour(one), _tr("Another hit"))) for one in nearest],
        mono=True,
    )
    if len(neighbours) > len(nearest):
        yield make_label(
            _tr("and {0:,} more, further away; the JSON has all").format(len(neighbours) - len(nearest)), muted=True
        )


def _list_history(history: Iterable[Step]) -> Iterator[QWidget]:
    for number, step in enumerate(history, start=1):
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(make_label(f"{number}."))
        row.addWidget(make_class_pill(step.verdict))
        row.addWidget(make_label(f"{step.verdict.probability} %"))
        row.addStretch(1)
        entry = _stack(spacing=3)
        _add(entry, row)
        rules = _tr("{0}, by the rules {1}").format(format_time(step.at), step.verdict.ruleset)
        _add(entry, make_label(make_visible(rules), muted=True, wrap=True))
        if step.causes:
            _add(entry, FreeText(words.say_change(step), _tr("Why it was judged again")))
            for widget in _list_changes(step.gained, step.lost):
                _add(entry, widget)
        yield entry


def _list_today(explanation: Explanation) -> Iterator[QWidget]:
    today = explanation.today
    yield (
        _make_note(words.say_today(explanation))
        if today.changed
        else make_label(words.say_today(explanation), wrap=True)
    )
    if today.verdict is None or not today.changed:
        return
    row = QHBoxLayout()
    row.setSpacing(8)
    row.addWidget(make_class_pill(explanation.record.event.verdict))
    row.addWidget(make_label(f"{explanation.record.event.verdict.probability} %  →"))
    row.addWidget(make_class_pill(today.verdict))
    row.addWidget(make_label(f"{today.verdict.probability} %"))
    row.addStretch(1)
    line = _stack(spacing=0)
    _add(line, row)
    yield line
    yield from _list_changes(*explanation.today_reasons)


def _list_changes(gained: Iterable[Reason], lost: Iterable[Reason]) -> Iterator[QWidget]:
    for sign, name, reasons in (("+", _tr("Gained"), gained), ("-", _tr("Lost"), lost)):
        for reason in reasons:
            weight = "" if reason.weight is None else f" ({reason.weight:+d})"
            yield FreeText(f"{sign} {reason.code}{weight}: {reason.sentence}", name)


def _make_section(heading: str, widgets: Iterable[QWidget]) -> QWidget:
    section = _stack(spacing=7)
    _add(section, make_label(heading, heading=True, wrap=True))
    line = QFrame()
    line.setFixedHeight(1)
    line.setStyleSheet(f"background: {get_theme().border};")
    _add(section, line)
    for widget in widgets:
        _add(section, widget)
    return section


def _make_grid(rows: Iterable[tuple[str, QWidget]], *, mono: bool = False) -> QWidget:
    """Return names with what they name beside them."""
    widget = QWidget()
    grid = QGridLayout(widget)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(4)
    grid.setColumnStretch(1, 1)
    grid.setColumnMinimumWidth(0, 74)
    for number, (name, value) in enumerate(rows):
        label = make_label(name, muted=True)
        if mono:
            label.setFont(make_mono_font())
        grid.addWidget(label, number, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(value, number, 1)
    return widget


def _make_note(text: str) -> QLabel:
    label = make_label(text, wrap=True)
    theme = get_theme()
    label.setStyleSheet(
        f"background: {theme.tint(theme.warn).name()}; color: {theme.text}; border-radius: 5px; padding: 6px 9px;"
    )
    return label


def _stack(*, spacing: int) -> QWidget:
    widget = QWidget()
    column = QVBoxLayout(widget)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(spacing)
    return widget


def _add(stack: QWidget, item: QWidget | QLayout) -> None:
    column = stack.layout()
    assert isinstance(column, QVBoxLayout), "it was made so"  # noqa: S101
    if isinstance(item, QWidget):
        column.addWidget(item)
    else:
        column.addLayout(item)


def _tr(text: str) -> str:
    return QCoreApplication.translate("EventDetails", text)
