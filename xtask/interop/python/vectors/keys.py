"""Keys: arguments, their canonical bytes, the digest of these, and the key that is stored."""

import datetime
import decimal
import enum
import inspect
import pathlib
import struct
import uuid

from cachekit import interop

from spelling import KINDS, Odd, Said, plain, spell

UTC = datetime.timezone.utc


def documents():
    yield "interop-keys.json", keys()
    yield "interop-python-binding.json", binding()


def keys():
    return {
        "description": "Keys of entries that are shared: the flat list of arguments as canonical MessagePack, its BLAKE2b "
        "with a digest of 32 bytes, and the key. `accept`: exactly these bytes. `reject`: an error to the caller. "
        "`equal`: lists of arguments with one key. `different`: lists that must not meet. `conveniences`: what Python "
        "takes besides, with the arguments that stand for it elsewhere.",
        "tags": KINDS,
        "accept": [accepted(name, *where, arguments) for name, where, arguments in ACCEPT],
        "reject": [rejected(name, *where, arguments) for name, where, arguments in REJECT],
        "equal": [equal(rule, lists) for rule, lists in EQUAL],
        "different": [different(rule, lists) for rule, lists in DIFFERENT],
        "conveniences": [convenience(name, value, stands_for) for name, value, stands_for in CONVENIENCES],
    }


def accepted(name, namespace, operation, arguments):
    values = plain(arguments)
    return {
        "name": name,
        "namespace": namespace,
        "operation": operation,
        "args": spell(arguments),
        "canonical_args_hex": interop.canonical_args_bytes(values).hex(),
        "args_hash": interop.args_hash(values),
        "key": interop.generate_interop_key(namespace, operation, values),
    }


def rejected(name, namespace, operation, arguments):
    try:
        interop.generate_interop_key(namespace, operation, plain(arguments))
    except Exception as error:
        kind = type(error).__name__
    else:
        raise SystemExit(f"the client makes a key of `{name}`, which is to be refused")
    return {
        "name": name,
        "namespace": namespace,
        "operation": operation,
        "args": spell(arguments),
        "python_error": kind,
    }


def equal(rule, lists):
    digests = {interop.args_hash(plain(arguments)) for arguments in lists}
    if len(digests) != 1:
        raise SystemExit(f"not equal to the client: {rule}")
    return {"rule": rule, "a": spell(lists), "args_hash": digests.pop()}


def different(rule, lists):
    digests = [interop.args_hash(plain(arguments)) for arguments in lists]
    if len(set(digests)) != len(digests):
        raise SystemExit(f"equal to the client: {rule}")
    return {"rule": rule, "args": spell(lists), "args_hashes": digests}


def convenience(name, value, stands_for):
    digest = interop.args_hash([value])
    if digest != interop.args_hash([stands_for]):
        raise SystemExit(f"{stands_for!r} does not stand for {name}")
    return {"name": name, "args": spell([stands_for]), "args_hash": digest}


def binding():
    return {
        "description": "How Python makes the flat list of a call: parameters in the order of their declaration, defaults "
        "filled in, *args as one list, **kwargs as one map. `flat_args` is what another client hands over for it.",
        "rows": [bound(*row) for row in BINDING],
    }


def bound(name, call, function, positional, named):
    flat = interop.bind_flat_args(inspect.signature(function), positional, named)
    return {"name": name, "call": call, "flat_args": spell(flat), "args_hash": interop.args_hash(flat)}


def at(text):
    return datetime.datetime.fromisoformat(text)


def after(number, steps=1):
    """The float64 that is so many steps further from zero."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", number))
    return struct.unpack(">d", struct.pack(">Q", bits + steps))[0]


HERE = ("shop", "price")
ID = uuid.UUID("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")
LOUD_ID = Said({"$uuid": str(ID).upper()}, ID)

# Each header of an integer, at both ends of what it carries.
INTEGERS = [
    0, 1, 127, 128, 129, 254, 255, 256, 257, 65534, 65535, 65536, 65537,
    2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1,
    -1, -2, -31, -32, -33, -34, -127, -128, -129, -130, -32767, -32768, -32769, -32770,
    -(2**31) + 1, -(2**31), -(2**31) - 1, -(2**53) - 1, -(2**63) + 1, -(2**63),
]  # fmt: skip

# Those that are whole and fit become integers, the others stay.
FLOATS = [
    0.0, -0.0, 1.0, -1.0, 0.25, -0.75, 0.1, 1 / 3, 3.5, 127.0, 128.0, -32.0, -33.0, 65535.0, 65536.0, 1e9, 1e10,
    2.0**31, 2.0**32, 2.0**53, 2.0**53 + 2, 2.0**63, after(2.0**63, -1), after(2.0**63), after(2.0**64, -1), 2.0**64,
    after(2.0**64), -(2.0**63), after(-(2.0**63)), after(-(2.0**63), -1), -(2.0**64), 1e100, -1e100,
    2.2250738585072014e-308, 5e-324, -5e-324, 1.7976931348623157e308, after(1.0), 4503599627370495.5,
]  # fmt: skip

LENGTHS = [0, 1, 31, 32, 33, 255, 256, 257]
COUNTS = [0, 1, 15, 16, 17]

TEXTS = {
    "two_byte_letters": "\u00e4\u00f6\u00fc\u00df",
    "three_byte_letters": "\u65e5\u672c\u8a9e",
    "four_byte_letters": "\U0001d11e\U0001f600",
    "thirty_one_bytes_in_sixteen_letters": "\u00e4" * 15 + "a",
    "thirty_two_bytes_in_sixteen_letters": "\u00e4" * 16,
    "composed": "\u00c5",
    "decomposed": "A\u030a",
    "compatibility_sign": "\u212b",
    "nul_inside": "a\u0000b",
    "controls": "\t\r\n\u007f\u0085",
    "byte_order_mark": "\ufeffx",
    "noncharacter": "\uffff",
    "right_to_left": "\u05e9\u05dc\u05d5\u05dd",
    "joined_emoji": "\U0001f469\u200d\U0001f680",
    "looks_like_a_kind": "$int",
}

TIMES = {
    "epoch": "1970-01-01T00:00:00+00:00",
    "whole_second": "2024-02-29T12:30:45+00:00",
    "half_second": "2024-02-29T12:30:45.500000+00:00",
    "one_microsecond": "2024-02-29T12:30:45.000001+00:00",
    "last_microsecond": "2024-02-29T12:30:45.999999+00:00",
    "east": "2024-02-29T23:59:59.123456+14:00",
    "west": "2024-02-29T00:00:00.123456-12:00",
    "half_an_hour_east": "2024-02-29T12:30:45+05:30",
    "a_second_before_the_epoch": "1969-12-31T23:59:59+00:00",
    "a_microsecond_after_the_epoch": "1970-01-01T00:00:00.000001+00:00",
    "a_microsecond_before_the_epoch": "1969-12-31T23:59:59.999999+00:00",
    "before_the_epoch_with_a_fraction": "1901-12-13T20:45:51.999999+00:00",
    "second_2_to_the_31": "2038-01-19T03:14:08+00:00",
    "second_2_to_the_32": "2106-02-07T06:28:16+00:00",
    "first_of_all": "0001-01-01T00:00:00+00:00",
    "first_of_all_and_a_microsecond": "0001-01-01T00:00:00.000001+00:00",
    "last_of_all": "9999-12-31T23:59:59.999999+00:00",
    "far_where_floats_are_coarse": "7000-07-07T07:07:07.777777+00:00",
}

LISTS = {
    "of_lists": [[1], [2, 3], []],
    "of_everything": [None, True, -1, 2.5, "x", b"x", [], {}],
    "deep": [[[[[[[["bottom"]]]]]]]],
    "of_whole_floats": [1.0, 2.0, 3.5],
    "of_ids": [ID, str(ID)],
    "of_times": [at("2024-02-29T12:30:45+00:00"), at("2024-02-29T12:30:45.250000+00:00")],
}

MAPS = {
    "one": {"a": 1},
    "written_backwards": {"c": 1, "b": 2, "a": 3},
    "capitals_first": {"b": 1, "B": 2, "a": 3, "A": 4, "_": 5, "0": 6},
    "prefixes": {"abc": 1, "ab": 2, "a": 3, "": 4, "abd": 5},
    "beyond_the_basic_plane": {"\U00010000": 1, "\uffff": 2, "\ue000": 3, "z": 4},
    "long_before_short": {"b": 1, "a" * 40: 2},
    "of_maps": {"z": {"b": 1, "a": 2}, "y": [{"d": 3, "c": 4}], "x": {}},
    "whole_float_inside": {"half": 0.5, "whole": 4.0},
    "key_of_300_bytes": {"k" * 300: None},
    "composed_and_decomposed": {"\u00c5": 1, "A\u030a": 2},
    "keys_like_kinds": {"$int": "7"},
}

SETS = {
    "of_integers": {3, 1, 2},
    "by_bytes_not_by_size": {-1, 1, 128, 300, 70000},
    "of_texts": {"b", "a", "ab", ""},
    "of_kinds": {None, True, 7, 7.5, "7", b"7"},
    "whole_float_alone": {2.0},
    "of_lists": {(1, 2), (2, 1), ()},
    "of_sets": {frozenset({2, 1}), frozenset()},
    "of_ids": {ID, str(ID)},
    "of_bytes": {b"\xff", b"\x00", b""},
    "of_16": set(range(16)),
}

REALISTIC = {
    "a_search": ["shoes", {"colour": ["red", "blue"], "price": {"from": 10.0, "to": 99.95}}, 1, 50, None],
    "a_report": [ID, at("2024-01-01T00:00:00+01:00"), at("2024-02-01T00:00:00+01:00"), {"net", "gross"}],
    "a_picture": [b"\x89PNG\r\n\x1a\n", 640, 480, 0.85, True],
    "sixteen": list(range(16)),
    "thirty": ["argument"] * 30,
}


def of(name, value):
    return (name, HERE, [value])


ACCEPT = [
    ("no_arguments", HERE, []),
    of("null", None),
    of("true", True),
    of("false", False),
    ("null_and_null", HERE, [None, None]),
    *[of(f"integer_{number}", number) for number in INTEGERS],
    *[of(f"float_{number!r}", number) for number in FLOATS],
    *[of(f"text_of_{length}", "t" * length) for length in LENGTHS],
    *[of(f"text_{name}", text) for name, text in TEXTS.items()],
    *[of(f"bytes_of_{length}", bytes(index % 256 for index in range(length))) for length in LENGTHS],
    *[of(f"list_of_{count}", list(range(count))) for count in COUNTS],
    *[of(f"list_{name}", value) for name, value in LISTS.items()],
    *[of(f"map_of_{count}", {f"k{index:02}": index for index in reversed(range(count))}) for count in COUNTS],
    *[of(f"map_{name}", value) for name, value in MAPS.items()],
    of("set_empty", set()),
    *[of(f"set_{name}", value) for name, value in SETS.items()],
    of("set_whole_float_meets_its_integer", Said({"$set": [2, {"$float": "2.0"}, 3]}, {2, 3})),
    *[of(f"time_{name}", at(text)) for name, text in TIMES.items()],
    of("id", ID),
    of("id_in_capitals", LOUD_ID),
    of("id_of_zeros", uuid.UUID(int=0)),
    *[(f"like_{name}", ("shop", "search"), arguments) for name, arguments in REALISTIC.items()],
    ("names_of_one_character", ("7", "q"), [1]),
    ("names_of_64_characters", ("n" + "-" * 63, "o" + "." + "_" * 62), [1]),
    ("names_with_all_signs", ("a.b_c-9", "0-z_y.x"), [1]),
    ("names_that_begin_like_reserved_ones", ("ns1", "nsapi2"), [1]),
    ("operation_ns", ("shop", "ns"), [1]),
    ("operation_nsapi", ("shop", "nsapi"), [1]),
    ("names_that_end_in_signs", ("a.", "b-"), [1]),
]

REJECT = [
    of("nan", float("nan")),
    of("infinity", float("inf")),
    of("negative_infinity", float("-inf")),
    of("nan_deep_inside", {"a": [1, {"b": float("nan")}]}),
    of("infinity_in_a_set", {float("inf")}),
    of("integer_2_to_the_64", 2**64),
    of("integer_far_too_large", 10**30),
    of("integer_below_all", -(2**63) - 1),
    of("integer_too_large_in_a_list", [1, 2**64]),
    of("naive_time", at("2024-02-29T12:30:45")),
    of("naive_time_in_a_map", {"since": at("2024-02-29T12:30:45")}),
    of("date", datetime.date(2024, 2, 29)),
    of("time_of_day", datetime.time(12, 30, 45)),
    of("lone_surrogate_first_half", "\ud83d"),
    of("lone_surrogate_second_half", "a\ude00b"),
    of("lone_surrogate_as_key", {"\ud800": 1}),
    of("integer_as_key", {1: "one"}),
    of("bool_as_key", {True: 1}),
    of("null_as_key", {None: 1}),
    of("bytes_as_key", {b"k": 1}),
    of("float_as_key", {1.5: 1}),
    of("integer_as_key_deep_inside", [{"a": {1: 2}}]),
    of("foreign_object", Odd()),
    of("foreign_object_in_a_list", [Odd()]),
    *[
        (f"{which}_{name}", (text, "price") if which == "namespace" else ("shop", text), [1])
        for which in ("namespace", "operation")
        for name, text in {
            "empty": "",
            "of_65_characters": "a" * 65,
            "capital_first": "Shop",
            "capital_inside": "sHop",
            "colon": "a:b",
            "slash": "a/b",
            "backslash": "a\\b",
            "space": "a b",
            "space_before": " a",
            "newline_after": "a\n",
            "nul": "a\u0000",
            "percent": "a%41",
            "tilde": "a~",
            "plus": "a+b",
            "braces": "{a}",
            "dot_first": ".a",
            "dash_first": "-a",
            "underscore_first": "_a",
            "two_dots": "a..b",
            "two_dots_after": "a..",
            "accented_letter": "caf\u00e9",
            "full_width_letter": "\uff41",
            "other_digits": "a\u0663",
            "cyrillic_letter": "\u0430",
        }.items()
    ],
    ("namespace_reserved_ns", ("ns", "price"), [1]),
    ("namespace_reserved_nsapi", ("nsapi", "price"), [1]),
]

EQUAL = [
    ("a float that is whole is its integer", [[41.0], [41]]),
    ("zeros are one", [[0], [0.0], [-0.0]]),
    ("a float that is whole is its integer inside, too", [[{"a": [1.0]}], [{"a": [1]}]]),
    ("an id is its text in small letters", [[LOUD_ID], [ID], [str(ID)]]),
    (
        "one instant is one key, whatever the offset",
        [[at("2024-02-29T12:00:00.500000+00:00")], [at("2024-02-29T17:30:00.500000+05:30")]],
    ),
    ("a whole second is its number", [[at("2024-02-29T12:30:45+00:00")], [1709209845], [1709209845.0]]),
    ("the order in which a map was filled does not matter", [[{"a": 1, "b": 2}], [{"b": 2, "a": 1}]]),
    ("a set is the list of its elements in the order of their bytes", [[{300, 5, -1}], [[5, 300, -1]]]),
]

DIFFERENT = [
    ("texts are not normalized", [["\u00c5"], ["A\u030a"], ["\u212b"]]),
    ("text and bytes differ", [["ab"], [b"ab"]]),
    ("booleans are no integers", [[True], [1]]),
    ("nothing, null, false, zero, empty text, empty list differ", [[], [None], [False], [0], [""], [[]]]),
    ("a number and its digits differ", [[12], ["12"]]),
    ("one list and its elements differ", [[[1, 2]], [1, 2]]),
    ("order matters", [[1, 2], [2, 1]]),
    ("2^64 as a float is no integer", [[2.0**64], [2**64 - 1]]),
    ("neighbours among floats differ", [[0.1], [after(0.1)]]),
    ("instants a microsecond apart differ", [[at(TIMES["half_second"])], [at("2024-02-29T12:30:45.500001+00:00")]]),
]


class Size(enum.Enum):
    SMALL = "s"
    LARGE = 3


CONVENIENCES = [
    ("Decimal('19.90')", decimal.Decimal("19.90"), "19.90"),
    ("Decimal('1E+3')", decimal.Decimal("1E+3"), "1E+3"),
    ("PurePosixPath('/srv/data')", pathlib.PurePosixPath("/srv/data"), "/srv/data"),
    ("an enum whose value is 's'", Size.SMALL, "s"),
    ("an enum whose value is 3", Size.LARGE, 3),
    ("a tuple", (1, 2), [1, 2]),
    ("a bytearray", bytearray(b"ab"), b"ab"),
]


def price(item, currency="EUR", *, net=False):
    """With defaults, one of them to be named."""


def total(first, *others, discount=None, **options):
    """With everything that a signature may hold."""


def placed(left, right, /, middle=0):
    """With what cannot be named."""


BINDING = [
    ("positional", "price(7)", price, (7,), {}),
    ("named", "price(item=7)", price, (), {"item": 7}),
    ("named_in_another_order", "price(net=True, currency='USD', item=7)", price, (), {"net": True, "currency": "USD", "item": 7}),
    ("defaults_spelled_out", "price(7, 'EUR', net=False)", price, (7, "EUR"), {"net": False}),
    ("nothing_more", "total(1)", total, (1,), {}),
    ("more_of_both", "total(1, 2, 3, zone='b', area='a')", total, (1, 2, 3), {"zone": "b", "area": "a"}),
    ("everything", "total(1, 2, discount=0.5, area=None)", total, (1, 2), {"discount": 0.5, "area": None}),
    ("only_by_place", "placed(1, 2)", placed, (1, 2), {}),
    ("by_place_and_by_name", "placed(1, 2, middle=3)", placed, (1, 2), {"middle": 3}),
]
