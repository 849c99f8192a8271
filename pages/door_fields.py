"""The fields of the doors of a room: who can find it, and who may come in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import html

from anonchat import Cost, InvalidPassword, InvalidRules, RoomRules

from .elements.checkbox import Checkbox
from .elements.form import Fields
from .elements.secret_field import SecretField
from .elements.select import Select
from .elements.text_field import TextField
from .i18n.language import current_language

_PASSWORD_CHARACTERS = 200
_YES, _NO = "yes", "no"


def show_listing(*, listed: bool = True) -> None:
    """Create the choice whether a room is listed, named `listed`."""
    _ = current_language()
    Select(
        _("Who can find it"),
        name="listed",
        options={
            _YES: _("Everybody: listed in the lobby"),
            _NO: _("Only those who have the link"),
        },
        value=_YES if listed else _NO,
    )


def is_listed(fields: Fields) -> bool:
    """Return the choice."""
    return fields.get("listed") != _NO


def cost_with_password(cost: float, fields: Fields) -> float:
    """Return the cost of an operation, in milliseconds, with that of hashing a given password."""
    return cost + Cost.PASSWORD if fields.get("password") else cost


def show_password_field(label: str) -> SecretField:
    """Create a field for the password of a room, named `password`."""
    _ = current_language()
    return SecretField(
        label,
        name="password",
        show_label=_("Show the password"),
        maxlength=_PASSWORD_CHARACTERS,
    )


@contextmanager
def report_password(field: SecretField) -> Iterator[None]:
    """Show beside the field why its password cannot be one."""
    try:
        yield
    except InvalidPassword as error:
        field.refuse(current_language().explain(error))


class DoorFields:
    """What the owner of a room decides about its doors."""

    def __init__(self, rules: RoomRules, *, listed: bool) -> None:
        _ = current_language()
        show_listing(listed=listed)
        self._password = show_password_field(
            _("New password (optional)") if rules.has_password else _("Password (optional)")
        )
        html.p(_("Who joins is asked for it. Members are not.")).classes("hint")
        if rules.has_password:
            Checkbox(_("Remove the password"), name="without_password")
        Checkbox(_("Lock"), name="locked", checked=rules.locked)
        html.p(_("Nobody else can come in. Members stay.")).classes("hint")
        Checkbox(_("Ask before letting in"), name="asks", checked=rules.asks)
        html.p(_("Who wants to come in waits until you or a helper let them in.")).classes("hint")
        self._most = TextField(
            _("Most members"),
            name="members_max",
            value=str(rules.members_max or ""),
            maxlength=6,
            inputmode="numeric",
        )

    @contextmanager
    def report_errors(self) -> Iterator[None]:
        """Show what is wrong with a field beside it; other errors propagate."""
        try:
            with report_password(self._password):
                yield
        except InvalidRules as error:
            if error.details.get("rule") != "members_max":
                raise
            self._most.refuse(current_language().explain(error))

    def read(self, fields: Fields) -> dict[str, Any]:
        """Return the changes for `RoomEditor.update`."""
        password = fields.get("password") or None
        return {
            "listed": is_listed(fields),
            "password": "" if _is_checked(fields, "without_password") else password,
            "locked": _is_checked(fields, "locked"),
            "asks": _is_checked(fields, "asks"),
            "members_max": _parse_count(fields.get("members_max", "")),
        }


def _is_checked(fields: Fields, name: str) -> bool:
    return fields.get(name) == _YES


def _parse_count(text: str) -> int:
    """Return a number of members; -1, which is refused, if the text is none."""
    text = text.strip()
    if not text:
        return 0
    return int(text) if text.isascii() and text.isdecimal() else -1
