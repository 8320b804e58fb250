"""Encryption: derived keys, what is authenticated, and entries that open, open by an earlier key, or must not open.

The client draws its nonces itself, so that each sealing gives other bytes. What was sealed before is therefore kept, as
long as the client still opens it to what the row says.
"""

import hashlib
import os
import struct

from cachekit import interop
from cachekit._rust_serializer import ZeroKnowledgeEncryptor, derive_domain_key, derive_tenant_keys, key_fingerprint
from cachekit.cache_handler import CacheSerializationHandler
from cachekit.config.singleton import reset_settings

from spelling import KINDS, spell

PREVIOUS = "CACHEKIT_PREVIOUS_MASTER_KEYS"


def documents(kept):
    yield "encryption.json", Encryption(kept).document()


def named(name):
    """A master key that nobody could take for a real one."""
    return hashlib.sha256(f"vectors, {name}".encode()).hexdigest()


CURRENT, FORMER, OLDER, OLDEST, STRANGER = map(named, ["current", "former", "older", "oldest", "stranger"])
LONG = CURRENT + named("sixteen bytes more")[:32]
ACME = "5d3f6a1e-90b2-4c47-8e15-7f2a9c04d6b8"

PRICE = interop.generate_interop_key("shop", "price", [7, "EUR"])
STOCK = interop.generate_interop_key("shop", "stock", [7])

DERIVED = [
    (CURRENT, "default"),
    (CURRENT, ACME),
    (CURRENT, "t"),
    (CURRENT, "t" * 255),
    (CURRENT, "\u00e4\u65e5\U0001d11e"),
    (FORMER, "default"),
    (OLDER, ACME),
    (LONG, "default"),
]

SEALED = [
    ("null", CURRENT, "default", PRICE, None),
    ("false", CURRENT, "default", PRICE, False),
    ("integer", CURRENT, "default", PRICE, 1999),
    ("float", CURRENT, "default", PRICE, 19.0),
    ("empty_text", CURRENT, "default", PRICE, ""),
    ("text", CURRENT, "default", PRICE, "\u00e4\u65e5\U0001d11e"),
    ("bytes", CURRENT, "default", PRICE, bytes(range(256))),
    ("list", CURRENT, "default", PRICE, [1, None, 2.0, b"\x00"]),
    ("record", CURRENT, "default", PRICE, {"net": 1999, "gross": 2379, "currency": "EUR"}),
    ("two_thousand_letters", CURRENT, "default", PRICE, "x" * 2000),
    ("another_key", CURRENT, "default", STOCK, {"left": 12}),
    ("another_tenant", CURRENT, ACME, PRICE, {"net": 1799}),
    ("another_master_key", STRANGER, "default", PRICE, {"net": 1}),
    ("by_the_former_key", FORMER, "default", PRICE, {"net": 1899}),
    ("by_the_former_key_for_a_tenant", FORMER, ACME, STOCK, {"left": 3}),
    ("by_a_master_key_of_48_bytes", LONG, "default", PRICE, 5),
]


class Encryption:
    def __init__(self, kept):
        """`kept`: the document as it was, for what is not sealed anew."""
        rows = [row for part in ("sealed", "must_fail") for row in kept.get(part, [])]
        self.kept = {row["name"]: bytes.fromhex(row["stored_hex"]) for row in rows}

    def document(self):
        sealed = {row[0]: self.sealed(*row) for row in SEALED}
        return {
            "description": "Entries that are shared and encrypted: nonce of 12 bytes, ciphertext, tag of 16. "
            "`derived_keys`: per tenant, by HKDF-SHA256. `sealed`: what Python stored, and what a reader returns. "
            "`must_fail`: never a value. `rotation`: opened by an earlier key of the ring.",
            "tags": KINDS,
            "derived_keys": [derived(*row) for row in DERIVED],
            "sealed": list(sealed.values()),
            "must_fail": list(self.must_fail({name: bytes.fromhex(row["stored_hex"]) for name, row in sealed.items()})),
            "rotation": [rotated(*row, sealed) for row in ROTATION],
        }

    def sealed(self, name, master, tenant, key, value):
        plaintext = interop.encode_interop_value(value)
        data = authenticated(tenant, key)
        stored = self.keep(name, master, tenant, data, plaintext)
        if stored is None:
            stored = bytes(handler(master, tenant).serialize_data(value, cache_key=key))
        if handler(master, tenant).deserialize_data(stored, cache_key=key) != value:
            raise SystemExit(f"the client does not read what it sealed of `{name}`")
        if opened(master, tenant, data, stored) != plaintext:
            raise SystemExit(f"`{name}` is not sealed with what its row says is authenticated")
        return {
            "name": name,
            "mode": "interop",
            "master_key_hex": master,
            "tenant_id": tenant,
            "cache_key": key,
            "value": spell(value),
            "plaintext_hex": plaintext.hex(),
            "aad_hex": data.hex(),
            "stored_hex": stored.hex(),
        }

    def keep(self, name, master, tenant, data, plaintext):
        """What is kept under `name`, if it is `plaintext` sealed with exactly that."""
        stored = self.kept.get(name)
        return stored if stored is not None and opened(master, tenant, data, stored) == plaintext else None

    def must_fail(self, sealed):
        entry = sealed["record"]

        def fails(name, why, stored, master=CURRENT, previous=(), tenant="default", key=PRICE):
            try:
                handler(master, tenant, previous).deserialize_data(stored, cache_key=key)
            except Exception as error:
                kind = type(error).__name__
            else:
                raise SystemExit(f"the client opens `{name}`, which must not open")
            return {
                "name": name,
                "why": why,
                "master_key_hex": master,
                "previous_master_keys_hex": list(previous),
                "tenant_id": tenant,
                "cache_key": key,
                "stored_hex": stored.hex(),
                "python_error": kind,
            }

        yield fails("moved_to_another_key", "the key is authenticated", entry, key=STOCK)
        yield fails("moved_to_another_operation", "all of the key is authenticated", entry, key=PRICE.replace("price", "prices"))
        yield fails("moved_to_another_tenant", "the tenant has a key of its own", entry, tenant=ACME)
        yield fails("read_with_another_master_key", "another key", entry, master=STRANGER)
        yield fails("by_a_former_key_that_is_not_listed", "only listed keys are tried", sealed["by_the_former_key"], previous=(OLDER, OLDEST))
        yield fails("by_a_former_key_of_another_tenant", "earlier keys are the tenant's, too", sealed["by_the_former_key"], previous=(FORMER,), tenant=ACME)
        last = len(entry) - 1
        for name, at in (("first_of_the_nonce", 0), ("last_of_the_nonce", 11), ("first_of_the_ciphertext", 12),
                         ("last_of_the_ciphertext", last - 16), ("first_of_the_tag", last - 15), ("last_of_the_tag", last)):  # fmt: skip
            yield fails(f"flipped_{name}", f"a bit of byte {at} is another", flipped(entry, at))
        yield fails("flipped_and_an_earlier_key_tried", "no key opens it", flipped(entry, 20), previous=(FORMER, OLDER, OLDEST))
        yield fails("cut_by_one", "the tag is not whole", entry[:-1])
        yield fails("cut_to_nonce_and_tag", "nothing is left that was sealed", entry[:12] + entry[-16:])
        yield fails("a_byte_after", "the tag is not the last 16 bytes", entry + b"\x00")
        yield fails("a_byte_before", "the nonce is not the first 12 bytes", b"\x00" + entry)
        yield fails("27_bytes", "shorter than nonce and tag", entry[:27])
        yield fails("12_bytes", "a nonce alone", entry[:12])
        yield fails("nothing", "no bytes at all", b"")
        yield fails("plaintext", "who encrypts accepts no plaintext", interop.encode_interop_value({"net": 1999}))
        yield fails("plaintext_as_long_as_an_entry", "who encrypts accepts no plaintext", interop.encode_interop_value("x" * 60))
        for name, why, data in FORGED:
            yield fails(name, why, self.forged(name, data, b"\x07"))
        for name, why, plaintext in ODD_DOCUMENTS:
            yield fails(name, why, self.forged(name, authenticated("default", PRICE), plaintext))

    def forged(self, name, data, plaintext):
        """What somebody with the key could store who keeps to nothing else."""
        stored = self.keep(name, CURRENT, "default", data, plaintext)
        if stored is not None:
            return stored
        return bytes(ZeroKnowledgeEncryptor().encrypt_with_keys(plaintext, data, tenant_keys(CURRENT, "default")))


def derived(master, tenant):
    domains = ("encryption", "authentication", "cache_keys")
    keys = {domain: bytes(derive_domain_key(bytes.fromhex(master), domain, tenant.encode())) for domain in domains}
    return {
        "master_key_hex": master,
        "tenant_id": tenant,
        "encryption_key_hex": keys["encryption"].hex(),
        "encryption_key_fingerprint_hex": bytes(key_fingerprint(keys["encryption"])).hex(),
        "authentication_key_hex": keys["authentication"].hex(),
        "cache_keys_key_hex": keys["cache_keys"].hex(),
    }


def rotated(name, previous, tenant, sealed_as, sealed):
    row = sealed[sealed_as]
    stored, key = bytes.fromhex(row["stored_hex"]), row["cache_key"]
    value = handler(CURRENT, tenant, previous).deserialize_data(stored, cache_key=key)
    if spell(value) != row["value"]:
        raise SystemExit(f"the client reads something else in `{name}`")
    return {
        "name": name,
        "current_hex": CURRENT,
        "previous_hex": list(previous),
        "tenant_id": tenant,
        "cache_key": key,
        "stored_hex": row["stored_hex"],
        "value": row["value"],
        "plaintext_hex": row["plaintext_hex"],
        # 0 is the current one, 1 the first of the earlier ones.
        "opened_by": [CURRENT, *previous].index(row["master_key_hex"]),
    }


def handler(master, tenant, previous=()):
    """The client's own reader and writer, set up as its decorator does."""
    os.environ[PREVIOUS] = ",".join(previous)
    reset_settings()
    made = CacheSerializationHandler(
        serializer_name="default",
        encryption=True,
        single_tenant_mode=True,
        deployment_uuid=None if tenant == "default" else tenant,
        master_key=master,
        interop_mode=True,
    )
    del os.environ[PREVIOUS]
    return made


def authenticated(tenant, key, *, version=3, format="msgpack", compressed="False", more=()):
    parts = [part.encode() for part in (tenant, key, format, compressed, *more)]
    return bytes([version]) + b"".join(struct.pack(">I", len(part)) + part for part in parts)


def tenant_keys(master, tenant):
    return derive_tenant_keys(bytes.fromhex(master), tenant)


def opened(master, tenant, data, stored):
    """The plaintext, or `None` if it does not open."""
    try:
        return bytes(ZeroKnowledgeEncryptor().decrypt_with_keys(stored, data, tenant_keys(master, tenant)))
    except Exception:
        return None


def flipped(stored, at):
    return stored[:at] + bytes([stored[at] ^ 0x80]) + stored[at + 1 :]


FORGED = [
    ("version_2_authenticated", "another version", authenticated("default", PRICE, version=2)),
    ("version_4_authenticated", "another version", authenticated("default", PRICE, version=4)),
    ("compressed_authenticated", "`True` for `False`", authenticated("default", PRICE, compressed="True")),
    ("compressed_in_small_letters", "`false` for `False`", authenticated("default", PRICE, compressed="false")),
    ("another_format_authenticated", "`json` for `msgpack`", authenticated("default", PRICE, format="json")),
    ("fifth_part_authenticated", "as Python does for entries of its own", authenticated("default", PRICE, more=["msgpack"])),
    ("no_tenant_authenticated", "an empty tenant", authenticated("", PRICE)),
    ("prefixed_key_authenticated", "the key with a prefix", authenticated("default", f"t:default:{PRICE}")),
    ("no_lengths_authenticated", "parts run together", b"\x03default" + PRICE.encode() + b"msgpackFalse"),
    ("nothing_authenticated", "no parts at all", b""),
]

ODD_DOCUMENTS = [
    ("sealed_document_and_a_byte", "authentic, but not one document", b"\x07\x07"),
    ("sealed_nothing", "authentic, but no document", b""),
    ("sealed_frame", "authentic, but an entry of Python's own", b"CK\x03\x00\x00\x00\x02{}\xc0"),
    ("sealed_cut_document", "authentic, but not whole", b"\xa3ab"),
]

ROTATION = [
    ("former_key_first", (FORMER,), "default", "by_the_former_key"),
    ("former_key_second", (OLDER, FORMER), "default", "by_the_former_key"),
    ("former_key_third", (OLDEST, OLDER, FORMER), "default", "by_the_former_key"),
    ("former_key_first_of_three", (FORMER, OLDER, OLDEST), "default", "by_the_former_key"),
    ("former_key_of_a_tenant", (OLDER, FORMER), ACME, "by_the_former_key_for_a_tenant"),
    ("current_key_with_former_ones", (FORMER, OLDER), "default", "record"),
]
