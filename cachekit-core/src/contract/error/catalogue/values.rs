//! Values, E020 to E022: what cannot be stored, or not be read again.

macro_rules! value_codes {
    ([$($before:tt)*] $next:ident $($rest:ident)*) => { $next! { [$($before)*

E020: Serialization, Permanent, retried: No, trips_breaker: false, Published {
    title: "The value is outside what the serializer can hold.",
    meaning: "The chosen format has no place for this value, or for a part of it. The message names the path of the \
        offending field where it is known, and never its content.",
    causes: [
        "JSON: a map whose keys are not strings, or a number that is not finite.",
        "A number is beyond what the format can hold.",
        "postcard: the type needs a self-describing format, through `#[serde(flatten)]` or an untagged enum.",
        "Arrow: the value is not a table.",
        "A `Serialize` implementation of your own returned an error.",
    ],
    fixes: [
        "Look up the field that the message names, and give it a type that the format holds.",
        "Or choose another serializer for the namespace; it gets another name with it.",
        "Or keep the values in this process only, with `cache.local::<T>(..)`, which asks for no serializer.",
    ],
    avoid: "Write a test that serializes one full value of each cached type and reads it back.",
    meanwhile: "The value is returned, uncached, and the error is reported.",
}

E021: Deserialization, Permanent, retried: No, trips_breaker: false, Published {
    title: "The stored bytes are damaged, or another serializer wrote them.",
    meaning: "An entry was found, and it is not a document of the expected format and type: its header, its checksum or \
        its content does not fit.",
    causes: [
        "The type was changed in a way that older documents do not fit, and its schema version was not raised.",
        "Another program, or another version, writes the same keys in another format or layout.",
        "In Redis, another program keeps something else than a string under this key.",
        "The bytes were cut or altered in the store.",
    ],
    fixes: [
        "See how an entry begins: `redis-cli -u \"$CACHEKIT_REDIS_URL\" getrange KEY 0 15 | xxd`.",
        "Remove that entry: `redis-cli -u \"$CACHEKIT_REDIS_URL\" unlink KEY`. It is computed anew.",
        "Remove all of a namespace: `redis-cli -u \"$CACHEKIT_REDIS_URL\" --scan --pattern 'products:*' | xargs -r redis-cli \
         -u \"$CACHEKIT_REDIS_URL\" unlink`, with your namespace for `products`.",
        "If it comes back, look for the other writer; two programs that share keys need the same format and layout.",
    ],
    avoid: "Raise the schema version with each incompatible change of a type, or give new fields `#[serde(default)]`.",
    meanwhile: "A direct read returns the error. A cached function treats the entry as a miss, computes and overwrites \
        it, and warns once per key and minute. An entry of a newer schema version is a miss that is left in place.",
}

E022: Serialization, Permanent, retried: No, trips_breaker: false, Addition {
    title: "The value is larger than is allowed.",
    meaning: "The encoded value exceeds `CACHEKIT_MAX_VALUE_SIZE`, or what the backend takes. Nothing was sent; the \
        message has both figures in bytes.",
    causes: [
        "A list or a document grew without bound, or one entry collects what should be many.",
        "The limit is lower than what this data needs.",
    ],
    fixes: [
        "See which entries are large: `redis-cli -u \"$CACHEKIT_REDIS_URL\" --memkeys`.",
        "Cache the parts under keys of their own, or page by page.",
        "Switch compression on for the namespace, if the data is text or repeats itself.",
        "If values of this size are meant, raise the limit, in bytes: `export CACHEKIT_MAX_VALUE_SIZE=209715200`. A \
         backend's own limit stays.",
    ],
    avoid: "Bound collections before they are cached, and watch the size of what is written.",
    meanwhile: "A cached function returns its value, uncached, and the error is reported.",
}

    ] $($rest)* } };
}
