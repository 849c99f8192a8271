"""The SQL statements that store a batch of posts.

They are SQLAlchemy Core's and built once: with an ORM session, creating an object for each row took
longer than encrypting, writing and committing together.
"""

from sqlalchemy import BindParameter, and_, bindparam, insert, null, select, union_all, update

from models import SQLModel

from .openings import READERS_MAX

_tables = SQLModel.metadata.tables
_room, _member = _tables["room"], _tables["member"]
_visitor, _message = _tables["visitor"], _tables["message"]
_tombstone, _span = _tables["tombstone"], _tables["span"]
_standing = _tables["standing"]
_opening = _tables["opening"]
_mention = _tables["mention"]

# The row lock on a room also protects its sequence numbers: posts, joins and leaves wait for it.
ROOMS = (
    select(_room)
    .where(_room.c.id.in_(bindparam("rooms", expanding=True)))
    .order_by(_room.c.id)
    .with_for_update(key_share=True)
)
AUTHORS = (
    select(
        _member.c.room_id,
        _member.c.author,
        _member.c.read_seq,
        _member.c.has_posted.label("has_posted_here"),
        _standing.c.sealed.label("standing"),
        _visitor,
    )
    .join_from(_member, _visitor, _visitor.c.id == _member.c.visitor_id)
    .outerjoin(
        _standing,
        and_(
            _standing.c.room_id == _member.c.room_id,
            _standing.c.visitor_id == _member.c.visitor_id,
        ),
    )
    .where(
        _member.c.room_id.in_(bindparam("rooms", expanding=True)),
        _member.c.visitor_id.in_(bindparam("visitors", expanding=True)),
    )
    .order_by(_visitor.c.id)
    .with_for_update(of=_visitor, read=True, key_share=True)  # visitors are not deleted meanwhile
)
MEMBERS = (
    select(_member.c.visitor_id, _member.c.author)
    .join_from(_member, _visitor, _visitor.c.id == _member.c.visitor_id)
    .where(_member.c.room_id == bindparam("room"))
    .order_by(_visitor.c.id)
    .limit(READERS_MAX + 2)  # one too many, and the author
    .with_for_update(of=_visitor, read=True, key_share=True)
)
_DEDUP_KEYS: BindParameter[bytes] = bindparam("keys", expanding=True)
EXISTING = union_all(
    select(_message).where(_message.c.dedup_key.in_(_DEDUP_KEYS)),
    select(*(_tombstone.c.get(name, null()) for name in _message.columns.keys())).where(
        _tombstone.c.dedup_key.in_(_DEDUP_KEYS)
    ),
)
GENERATIONS = select(_span.c.number, _span.c.generation).where(
    _span.c.number.in_(bindparam("numbers", expanding=True))
)
INSERT_MESSAGES = insert(_message)
INSERT_OPENINGS = insert(_opening)
INSERT_MENTIONS = insert(_mention)
UPDATE_ROOMS = (
    update(_room)
    .where(_room.c.id == bindparam("room"))
    .values({name: bindparam(f"new_{name}") for name in ("last_seq", "active_at", "expires_at")})
)
UPDATE_READ_SEQ = (
    update(_member)
    .where(_member.c.room_id == bindparam("room"), _member.c.visitor_id == bindparam("visitor"))
    .values(read_seq=bindparam("seq"))
)
MARK_FIRST_POSTS = (
    update(_member)
    .where(_member.c.room_id == bindparam("room"), _member.c.visitor_id == bindparam("visitor"))
    .values(has_posted=True)
)
EXTEND_VISITORS = (
    update(_visitor)
    .where(_visitor.c.id == bindparam("visitor"))
    .values(expires_at=bindparam("new_expires_at"), has_posted=True)
)
