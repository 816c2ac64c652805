"""Whether what others wrote while a round was being chosen changes what it rests on."""

from __future__ import annotations

from labloop import store
from labloop.campaign import notes
from labloop.store import Store

# A note is read by people alone. The formulas of a round whose files are written are on their way
# as before, so the choice, and a replay of it, come out the same with the export and without it.
_NO_NEWS = frozenset({notes.ACTION, "export"})


def has_news(opened: Store, known_event: int) -> bool:
    """Return whether an event after `known_event` could have changed the choice of a plate."""
    return last_news(opened) > known_event


def last_news(opened: Store) -> int:
    """Return the number of the last event that could change what is learned; 0 for none."""
    news = (e.sequence for e in store.read_events(opened) if e.action not in _NO_NEWS)
    return max(news, default=0)
