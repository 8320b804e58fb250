"""How values are spelled in JSON.

What JSON has stands for itself, and a bare number is always an integer. Anything else is an object whose single key
starts with `$` and tells its kind, as in `{"$float": "2.0"}`.
"""

import datetime
import uuid

KINDS = {
    "$float": "a float64 as a decimal literal, or nan, inf, -inf",
    "$int": "an integer as decimal text, where a bare number would not be exact for all",
    "$bytes": "a byte string, in hex",
    "$set": "a set, as the list of its elements",
    "$datetime": "date and time as ISO 8601 text; without an offset it is naive",
    "$date": "a calendar date as ISO 8601 text",
    "$time": "a time of day as ISO 8601 text",
    "$uuid": "a UUID as text, in either case",
    "$str_utf16": "a string as the list of its UTF-16 code units, for one that has a lone surrogate",
    "$map": "a map as the list of its [key, value] pairs, for one with keys that are no strings",
    "$unsupported": "an object of the language that no layout has a place for",
}

# Beyond this, a reader that takes numbers for floats would round.
EXACT = 2**53


class Said:
    """A value together with a spelling of its own, where the usual one would lose what the row is about."""

    def __init__(self, spelled, value):
        self.spelled, self.value = spelled, value


class Odd:
    """What no layout has a place for."""


def plain(value):
    """The value itself, without what was said of its spelling."""
    if isinstance(value, Said):
        return value.value
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(plain(element) for element in value)
    if isinstance(value, dict):
        return {plain(key): plain(element) for key, element in value.items()}
    return value


def spell(value):
    """The JSON that stands for `value`."""
    if isinstance(value, Said):
        return value.spelled
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < EXACT else {"$int": str(value)}
    if isinstance(value, float):
        return {"$float": repr(value)}
    if isinstance(value, str):
        lone = any("\ud800" <= character <= "\udfff" for character in value)
        return {"$str_utf16": [ord(character) for character in value]} if lone else value
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": bytes(value).hex()}
    if isinstance(value, (list, tuple)):
        return [spell(element) for element in value]
    if isinstance(value, (set, frozenset)):
        # In an order that does not change from run to run, and is not the one of the encoding.
        return {"$set": sorted((spell(element) for element in value), key=repr)}
    if isinstance(value, datetime.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"$date": value.isoformat()}
    if isinstance(value, datetime.time):
        return {"$time": value.isoformat()}
    if isinstance(value, uuid.UUID):
        return {"$uuid": str(value)}
    if isinstance(value, dict):
        names = [key for key in value if isinstance(key, str) and not key.startswith("$")]
        if len(names) == len(value) and all(key == spell(key) for key in names):
            return {key: spell(element) for key, element in value.items()}
        return {"$map": [[spell(key), spell(element)] for key, element in value.items()]}
    return {"$unsupported": type(value).__name__}


def read(spelled):
    """The value that the JSON `spelled` stands for."""
    if isinstance(spelled, list):
        return [read(element) for element in spelled]
    if not isinstance(spelled, dict):
        return spelled
    if len(spelled) == 1:
        ((kind, content),) = spelled.items()
        if kind in READERS:
            return READERS[kind](content)
    return {key: read(element) for key, element in spelled.items()}


def hashable(value):
    """The value as an element of a set or a key: lists become tuples, and sets frozen ones."""
    if isinstance(value, list):
        return tuple(hashable(element) for element in value)
    return frozenset(value) if isinstance(value, set) else value


READERS = {
    "$float": float,
    "$int": int,
    "$bytes": bytes.fromhex,
    "$set": lambda elements: {hashable(read(element)) for element in elements},
    "$datetime": lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00")),
    "$date": datetime.date.fromisoformat,
    "$time": datetime.time.fromisoformat,
    "$uuid": uuid.UUID,
    "$str_utf16": lambda units: "".join(map(chr, units)),
    "$map": lambda pairs: {hashable(read(key)): read(value) for key, value in pairs},
    "$unsupported": lambda _: Odd(),
}
