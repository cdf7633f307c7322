"""Which links let a reader unsubscribe: they are never tracked."""

# The phrases are written in their own scripts.
# ruff: noqa: RUF001

from __future__ import annotations

import re
from html import unescape
from typing import Final

from mailnod.html.urls import find_destination

__all__ = ["find_targets", "is_unsubscribe_text"]

_TARGET = re.compile(r"<([^<>]*)>")
# More markup than this around one short phrase is not an unsubscribe link.
_MAX_INNER: Final = 1200
_CLOSE = re.compile(r"</[aA](?=[\t\n\f\r />])")
_MARKUP = re.compile(r"<!--.*?(?:-->|\Z)|<[^>]*>", re.DOTALL)
# No phrase is longer, with every character written as a reference.
_MAX_PHRASE: Final = 400
_EDGES: Final = " .,:;!?»«›‹<>|()[]→←-–—*·•\"'„“”"

#: Whole link texts, casefolded, in the languages that senders commonly write.
_PHRASES: Final = frozenset(
    """
    unsubscribe|unsubscribe here|unsubscribe now|unsubscribe me|click here to unsubscribe|click to unsubscribe
    |unsubscribe from this list|unsubscribe from this email|unsubscribe from these emails|unsubscribe from all emails
    |unsubscribe from this newsletter|unsubscribe from all|one-click unsubscribe|opt out|opt-out|opt out here
    |remove me|remove me from this list|stop receiving these emails|cancel subscription
    |abmelden|hier abmelden|jetzt abmelden|abbestellen|hier abbestellen|newsletter abmelden|newsletter abbestellen
    |vom newsletter abmelden|von diesem newsletter abmelden|abmeldung|austragen|aus dem verteiler austragen
    |se désabonner|me désabonner|désabonnement|désabonnez-vous|se désinscrire|me désinscrire|désinscription
    |désinscrivez-vous|se désabonner de la newsletter|se désinscrire de la newsletter
    |darse de baja|darme de baja|dar de baja|date de baja|cancelar suscripción|cancelar la suscripción
    |anular suscripción|anular la suscripción|cancelar mi suscripción|desuscribirse|desuscribirme
    |annulla iscrizione|annulla l'iscrizione|cancella iscrizione|cancella l'iscrizione|cancellati|disiscriviti
    |disiscriversi|cancellazione|annulla l'iscrizione alla newsletter
    |cancelar inscrição|cancelar a inscrição|cancelar assinatura|cancelar subscrição|cancelar a subscrição
    |descadastrar|descadastre-se|desinscrever|desinscrever-se|anular subscrição|remover inscrição
    |afmelden|uitschrijven|hier afmelden|afmelden voor deze nieuwsbrief|uitschrijven voor deze nieuwsbrief
    |nieuwsbrief opzeggen|schrijf je uit
    |avregistrera|avregistrera dig|avprenumerera|avsluta prenumeration|avsluta prenumerationen
    |afmeld|afmeld dig|afmeld nyhedsbrev|afmeld nyhedsbrevet|avmeld|avmeld nyhetsbrev|meld deg av|meld av
    |peruuta tilaus|peru tilaus|lopeta tilaus|poistu listalta|poistu postituslistalta
    |wypisz się|wypisz mnie|zrezygnuj z subskrypcji|anuluj subskrypcję|rezygnacja z subskrypcji
    |zrezygnuj z newslettera|wypisz się z newslettera
    |odhlásit|odhlásit se|odhlásit odběr|odhlásit se z odběru|zrušit odběr|odhlásiť|odhlásiť sa|zrušiť odber
    |leiratkozás|leiratkozom|feliratkozás lemondása|dezabonare|dezabonează-te|dezabonați-vă|отписване
    |odjava|odjavi se|odjavite se|odjavi me
    |abonelikten çık|abonelikten ayrıl|aboneliği iptal et|listeden çık|üyelikten çık
    |отписаться|отписаться от рассылки|отказаться от рассылки|отменить подписку|відписатися|відписатися від розсилки
    |διαγραφή|κατάργηση εγγραφής|απεγγραφή|ακύρωση εγγραφής
    |配信停止|配信停止はこちら|配信を停止する|配信解除|登録解除|購読解除|購読を解除|購読を解除する|メール配信停止|メルマガ解除
    |退订|取消订阅|退訂|取消訂閱|取消訂閱電子報|点击退订|수신거부|수신 거부|구독 취소|구독취소|구독 해지|수신 거부하기
    |إلغاء الاشتراك|الغاء الاشتراك|להסרה|הסרה מרשימת התפוצה|להסרה מרשימת התפוצה|ביטול הרשמה|לביטול הרשמה
    |hủy đăng ký|huỷ đăng ký|berhenti berlangganan|nyahlanggan|ยกเลิกการสมัคร|ยกเลิกการรับข่าวสาร
    |सदस्यता रद्द करें|सदस्यता समाप्त करें
    """.replace("\n", "")
    .replace("    ", "")
    .casefold()
    .split("|")
)


def find_targets(list_unsubscribe: str | None) -> frozenset[str]:
    """Return the http(s) targets of a ``List-Unsubscribe`` header (RFC 2369, section 3.2).

    :param list_unsubscribe: the header's unfolded value, or None where the mail has none.
    :returns: the destinations as :func:`~mailnod.html.urls.find_destination` writes them.
    """
    if not list_unsubscribe:
        return frozenset()
    found = (find_destination(re.sub(r"\s", "", target)) for target in _TARGET.findall(list_unsubscribe))
    return frozenset(destination.url for destination in found if destination.obstacle is None)


def is_unsubscribe_text(html: str, start: int) -> bool:
    """Tell whether the whole text of a link is an unsubscribe phrase.

    :param html: the HTML text.
    :param start: where the link's content begins.
    :returns: True where everything up to ``</a>`` is one phrase in a common language.
    """
    end = html.find("<", start, start + _MAX_INNER)
    if html.startswith("</a>", end):
        text = html[start:end]
    elif close := _CLOSE.search(html, start, start + _MAX_INNER):
        # What follows the last ">" is no markup, and each "<" there would be looked at up to the end.
        cut = html.rfind(">", start, close.start()) + 1 or start
        text = _MARKUP.sub("", html[start:cut]) + html[cut : close.start()]
    else:
        return False
    if "&" in text:
        text = " ".join(text.split())
        text = unescape(text) if len(text) <= _MAX_PHRASE else ""
    if not text.isascii():
        text = text.replace("’", "'").replace("\N{ZERO WIDTH SPACE}", "")
    return " ".join(text.split()).strip(_EDGES).casefold() in _PHRASES
