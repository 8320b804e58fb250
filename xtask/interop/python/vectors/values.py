"""Values: what Python stores for one, and which bytes it reads and refuses."""

import datetime
import uuid

import msgpack
from cachekit import interop

from spelling import KINDS, Odd, plain, spell

from .keys import FLOATS, INTEGERS, LENGTHS, COUNTS, MAPS, TEXTS, TIMES, at

# No reader may be asked for more, and each must take this.
DEPTH_FOR_ALL = 32
DEPTH_OF_PYTHON = 1024


def documents():
    yield "interop-values.json", values()


def values():
    return {
        "description": "Values that are shared: one MessagePack document each. `write`: exactly these bytes. "
        "`write_reject`: an error to the caller. `read_accept`: not only canonical bytes are read; a row without `value` "
        "is about the bytes alone. `read_reject`: never a value; with `required_of_every_reader` false, it is Python "
        "that refuses. `read_ext`: what Python makes of extension types.",
        "tags": KINDS,
        "write": [written(name, value) for name, value in WRITE],
        "write_reject": [not_written(name, value) for name, value in WRITE_REJECT],
        "read_accept": [accepted(*row) for row in READ_ACCEPT],
        "read_reject": [refused(name, document, True) for name, document in READ_REJECT]
        + [refused(name, document, False) for name, document in READ_REJECT_PYTHON],
        "read_ext": [extension(name, document) for name, document in READ_EXT],
    }


def written(name, value):
    document = interop.encode_interop_value(plain(value))
    if spell(interop.decode_interop_value(document)) != spell(value):
        raise SystemExit(f"the client does not read what it wrote of `{name}`")
    return {"name": name, "value": spell(value), "bytes_hex": document.hex()}


def not_written(name, value):
    try:
        interop.encode_interop_value(plain(value))
    except Exception as error:
        return {"name": name, "value": spell(value), "python_error": type(error).__name__}
    raise SystemExit(f"the client writes `{name}`, which is to be refused")


def accepted(name, document, told=True):
    value = interop.decode_interop_value(document)
    row = {"name": name, "bytes_hex": document.hex()}
    return {**row, "value": spell(value)} if told else row


def refused(name, document, required):
    try:
        interop.decode_interop_value(document)
    except Exception as error:
        kind = type(error).__name__
    else:
        raise SystemExit(f"the client reads `{name}`, which is to be refused")
    return {"name": name, "bytes_hex": document.hex(), "required_of_every_reader": required, "python_error": kind}


def extension(name, document):
    value = interop.decode_interop_value(document)
    return {"name": name, "bytes_hex": document.hex(), "python_result": type(value).__name__}


def nested(depth):
    return b"\x91" * depth + b"\xc0"


def sentinel(kind, flag, text):
    return msgpack.packb({kind: flag, "value": text})


WRITE = [
    ("null", None),
    ("true", True),
    ("false", False),
    *[(f"integer_{number}", number) for number in INTEGERS],
    *[(f"float_{number!r}", number) for number in FLOATS],
    *[(f"text_of_{length}", "t" * length) for length in LENGTHS],
    *[(f"text_{name}", text) for name, text in TEXTS.items()],
    *[(f"bytes_of_{length}", bytes(index % 256 for index in range(length))) for length in LENGTHS],
    *[(f"list_of_{count}", list(range(count))) for count in COUNTS],
    ("list_of_everything", [None, True, -1, 2.5, 2.0, "x", b"x", [], {}]),
    *[(f"map_of_{count}", {f"k{index:02}": index for index in range(count)}) for count in COUNTS],
    *[(f"map_{name}", dict(sorted(value.items()))) for name, value in MAPS.items()],
    *[(f"time_{name}", at(text)) for name, text in TIMES.items()],
    ("naive_time", at("2024-02-29T12:30:45")),
    ("naive_time_with_a_fraction", at("2024-02-29T12:30:45.000120")),
    ("date", datetime.date(2024, 2, 29)),
    ("first_date", datetime.date(1, 1, 1)),
    ("last_date", datetime.date(9999, 12, 31)),
    ("time_of_day", datetime.time(12, 30, 45)),
    ("time_of_day_with_a_fraction", datetime.time(23, 59, 59, 999999)),
    ("times_inside", {"on": [datetime.date(2024, 2, 29)], "at": at("2024-02-29T12:30:45+01:00")}),
    ("a_record", {"id": 7, "name": "Ada", "score": 9.0, "tags": ["x", "y"], "vip": None}),
]

WRITE_REJECT = [
    ("nan", float("nan")),
    ("infinity", float("inf")),
    ("negative_infinity_inside", {"a": [float("-inf")]}),
    ("integer_2_to_the_64", 2**64),
    ("integer_below_all", -(2**63) - 1),
    ("integer_as_key", {1: "one"}),
    ("null_as_key", {None: "none"}),
    ("set", {1, 2}),
    ("id", uuid.UUID(int=7)),
    ("lone_surrogate", "\ud800"),
    ("foreign_object", Odd()),
    ("foreign_object_inside", {"a": [Odd()]}),
]

READ_ACCEPT = [
    ("shortest_form", bytes.fromhex("82a16101a16202")),
    ("keys_in_any_order", bytes.fromhex("82a16202a16101")),
    ("integers_in_long_headers", bytes.fromhex("96cc07cd0007ce00000007cf0000000000000007d007d3ffffffffffffffff")),
    ("text_in_long_headers", bytes.fromhex("93d90161da000161db0000000161")),
    ("bytes_in_long_headers", bytes.fromhex("92c500016bc6000000016b")),
    ("lists_in_long_headers", bytes.fromhex("92dc000107dd0000000107")),
    ("maps_in_long_headers", bytes.fromhex("92de0001a16107df00000001a16107")),
    ("float32", bytes.fromhex("ca3e800000")),
    ("float32_that_is_no_short_decimal", bytes.fromhex("ca3dcccccd")),
    ("the_last_of_two_equal_keys_counts", bytes.fromhex("82a16101a16102")),
    ("integers_as_keys", bytes.fromhex("820102ff03")),
    ("bytes_as_keys", bytes.fromhex("81c4016b07")),
    ("bool_and_null_as_keys", bytes.fromhex("83c301c202c003")),
    ("32_keys_that_are_no_text", msgpack.packb({number: number for number in range(32)})),
    ("time_with_an_offset", sentinel("__datetime__", True, "2024-02-29T12:30:45+01:00")),
    ("time_with_a_z", sentinel("__datetime__", True, "2024-02-29T12:30:45Z")),
    ("time_without_an_offset", sentinel("__datetime__", True, "2024-02-29T12:30:45")),
    ("time_whose_value_comes_first", msgpack.packb({"value": "2024-02-29T12:30:45+00:00", "__datetime__": True})),
    ("date", sentinel("__date__", True, "2024-02-29")),
    ("time_of_day", sentinel("__time__", True, "12:30:45.000120")),
    ("no_time_for_its_flag_is_one", sentinel("__datetime__", 1, "2024-02-29T12:30:45+00:00")),
    ("no_time_for_its_flag_is_false", sentinel("__datetime__", False, "2024-02-29T12:30:45+00:00")),
    ("no_time_for_its_value_is_no_text", sentinel("__datetime__", True, 7)),
    (f"depth_{DEPTH_FOR_ALL}", nested(DEPTH_FOR_ALL)),
    ("depth_100", nested(100), False),
    (f"depth_{DEPTH_OF_PYTHON}", nested(DEPTH_OF_PYTHON), False),
]

READ_REJECT = [
    ("nothing", b""),
    ("a_nul_after_the_document", b"\x07\x00"),
    ("a_second_document", b"\x07\x07"),
    ("a_byte_after_a_map", bytes.fromhex("81a16101c0")),
    ("magic_of_a_frame", b"CK"),
    ("a_frame", b"CK\x03\x00\x00\x00\x02{}\xc0"),
    ("reserved_byte", b"\xc1"),
    ("reserved_byte_inside", b"\x92\x01\xc1"),
    ("text_cut_short", bytes.fromhex("a36162")),
    ("bytes_cut_short", bytes.fromhex("c40261")),
    ("integer_cut_short", bytes.fromhex("cf00000000000000")),
    ("float_cut_short", bytes.fromhex("cb3ff00000")),
    ("header_cut_short", bytes.fromhex("dd0000")),
    ("list_cut_short", bytes.fromhex("9301")),
    ("map_without_its_last_value", bytes.fromhex("81a161")),
    ("text_that_promises_too_much", bytes.fromhex("dbffffffff61")),
    ("bytes_that_promise_too_much", bytes.fromhex("c6ffffffff61")),
    ("list_that_promises_too_much", bytes.fromhex("ddffffffffc0")),
    ("map_that_promises_too_much", bytes.fromhex("dfffffffffc0c0")),
    (f"depth_{DEPTH_OF_PYTHON + 1}", nested(DEPTH_OF_PYTHON + 1)),
    ("depth_5000", nested(5000)),
]

READ_REJECT_PYTHON = [
    ("text_that_is_not_utf8", bytes.fromhex("a2c328")),
    ("list_as_key", bytes.fromhex("8191c0c0")),
    ("map_as_key", bytes.fromhex("8180c0")),
    ("33_keys_that_are_no_text", msgpack.packb({number: number for number in range(33)})),
    ("a_time_that_is_none", sentinel("__datetime__", True, "yesterday")),
    ("a_date_that_is_none", sentinel("__date__", True, "2023-02-29")),
]

READ_EXT = [
    ("one_byte", bytes.fromhex("d40507")),
    ("eight_bits_of_length", bytes.fromhex("c70305010203")),
    ("timestamp_of_4_bytes", bytes.fromhex("d6ff65e07a55")),
    ("timestamp_of_8_bytes", bytes.fromhex("d7ff0000000065e07a55")),
]
