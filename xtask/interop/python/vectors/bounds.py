"""Bounds: what is refused by a look at the headers, before anything is decoded or allocated."""

from cachekit._rust_serializer import check_msgpack_structure


def documents():
    yield "decode-bounds.json", {
        "description": "The look at the headers that comes before decoding: lists and maps no deeper than `max_depth`, "
        "but an empty one may be one deeper; no length beyond the input; no more elements owed by all that is open than bytes are left; "
        "no reserved byte. What follows the first document is not its concern.",
        "rows": [looked_at(*row) for row in ROWS],
    }


def looked_at(name, document, depth):
    try:
        check_msgpack_structure(document, depth)
    except Exception as error:
        result = f"reject: {error}"
    else:
        result = "ok"
    if result.startswith("ok") != name.startswith("ok_"):
        raise SystemExit(f"the client says of `{name}`: {result}")
    return {"name": name, "bytes_hex": document.hex(), "bytes_note": None, "max_depth": depth, "result": result}


ROWS = [
    ("ok_scalar", b"\x07", 100),
    ("ok_lists_to_the_bound", b"\x91" * 100 + b"\x07", 100),
    ("ok_empty_list_below_the_bound", b"\x91" * 100 + b"\x90", 100),
    ("lists_beyond_the_bound", b"\x91" * 101 + b"\x07", 100),
    ("empty_list_far_below_the_bound", b"\x91" * 101 + b"\x90", 100),
    ("ok_maps_to_the_bound", b"\x81\xa0" * 100 + b"\xc0", 100),
    ("ok_empty_map_below_the_bound", b"\x81\xa0" * 100 + b"\x80", 100),
    ("maps_beyond_the_bound", b"\x81\xa0" * 101 + b"\xc0", 100),
    ("ok_extension_below_the_bound", b"\x91" * 100 + b"\xd5\x01\x02\x03", 100),
    ("ok_bytes_below_the_bound", b"\x91" * 100 + b"\xc4\x01\x02", 100),
    ("ok_lists_side_by_side", b"\x93" + (b"\x91" * 99 + b"\x07") * 3, 100),
    ("lists_side_by_side_beyond_the_bound", b"\x93\x07\x07" + b"\x91" * 100 + b"\x07", 100),
    ("ok_depth_in_a_key", b"\x81" + b"\x91" * 99 + b"\x07\xc0", 100),
    ("depth_in_a_key_counts", b"\x81" + b"\x91" * 100 + b"\x07\xc0", 100),
    ("list_of_2_to_the_32", bytes.fromhex("ddffffffff"), 100),
    ("map_of_2_to_the_32", bytes.fromhex("dfffffffff"), 100),
    ("list_of_16_bits_too_long", bytes.fromhex("dc0003c0c0"), 100),
    ("ok_list_of_16_bits", bytes.fromhex("dc0002c0c0"), 100),
    ("sum_of_what_is_owed", bytes.fromhex("92dc0003c0c0c0dc0003c0c0"), 100),
    ("owed_by_what_is_around", bytes.fromhex("94dc0003c0c0c0"), 100),
    ("a_map_owes_two_a_pair", bytes.fromhex("82a0c0a0"), 100),
    ("text_beyond_the_end", bytes.fromhex("d90361"), 100),
    ("bytes_beyond_the_end", bytes.fromhex("c5000361"), 100),
    ("extension_beyond_the_end", bytes.fromhex("c7020161"), 100),
    ("extension_of_2_to_the_32", bytes.fromhex("c9ffffffff01"), 100),
    ("reserved_byte", b"\xc1", 100),
    ("reserved_byte_inside", b"\x92\xc0\xc1", 100),
    ("nothing", b"", 100),
    ("header_cut_short", b"\xdc\x00", 100),
    ("float_cut_short", b"\xcb\x00\x00", 100),
    ("ok_whatever_follows", b"\xc0\xc1\xff", 100),
]
