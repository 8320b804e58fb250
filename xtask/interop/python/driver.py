"""The Python side of `cargo xtask interop`: cached functions that are called from the other side.

One request a line comes in as JSON, one answer a line goes out. A request is answered or the program ends; what the
client logs goes to standard error.

    {"do": "call", "function": F, "positional": [..], "named": {..}, "computes": V}
        calls the cached function; {"returned": V, "ran": bool}, or {"raised": "ItsClass"}
    {"do": "delete", "function": F, "positional": [..], "named": {..}}
        deletes the entry of that call; {"outcome": "succeeded"}
    {"do": "key", ...as delete}
        {"key": the key of that call, "left": milliseconds that the entry under it has left, -1 without end, -2 if there
        is none}

A function F is {"namespace", "operation", "signature", "ttl", "encryption"}: a name out of SIGNATURES, seconds or null,
and null or {"master_key", "tenant", "fail_closed"}. Values are spelled as `spelling.py` says.
"""

import functools
import inspect
import json
import sys

import redis
from cachekit import cache
from cachekit.backends.redis import RedisBackend
from cachekit.interop import bind_flat_args, generate_interop_key

from spelling import read, spell


class Driver:
    def __init__(self, url):
        self.backend = RedisBackend(url)
        self.redis = redis.Redis.from_url(url)
        # What a function computes when it runs, and whether it did.
        self.computes, self.ran = None, False
        self.made = functools.cache(self.make)

    def answer(self, request):
        function = request["function"]
        cached = self.made(json.dumps(function, sort_keys=True))
        positional = [read(argument) for argument in request["positional"]]
        named = {name: read(argument) for name, argument in request["named"].items()}
        match request["do"]:
            case "call":
                return self.call(cached, positional, named, read(request["computes"]))
            case "delete":
                return {"outcome": cached.invalidate_cache(*positional, **named).value}
            case "key":
                flat = bind_flat_args(SIGNATURES[function["signature"]], tuple(positional), named)
                key = generate_interop_key(function["namespace"], function["operation"], flat)
                return {"key": key, "left": self.redis.pttl(key)}
        raise ValueError(f"no such request: {request['do']}")

    def call(self, cached, positional, named, computes):
        self.computes, self.ran = computes, False
        try:
            returned = cached(*positional, **named)
        except Exception as error:
            return {"raised": type(error).__name__}
        return {"returned": spell(returned), "ran": self.ran}

    def make(self, function):
        """The cached function as a user has it, but for its own copies in memory, which would hide what is stored."""
        function = json.loads(function)
        settings = {
            "interop": function["operation"],
            "namespace": function["namespace"],
            "ttl": function["ttl"],
            "backend": self.backend,
            "l1_enabled": False,
        }
        encryption = function["encryption"]
        if encryption is None:
            return cache(**settings)(self.computing(function["signature"]))
        secure = cache.secure(
            master_key=encryption["master_key"],
            deployment_uuid=encryption["tenant"],
            fail_closed=encryption["fail_closed"],
            **settings,
        )
        return secure(self.computing(function["signature"]))

    def computing(self, signature):
        def compute(*_positional, **_named):
            self.ran = True
            return self.computes

        compute.__signature__ = SIGNATURES[signature]
        return compute


def none(): ...
def one(a): ...
def two(a, b): ...
def three(a, b, c): ...
def price(item, currency="EUR", *, net=False): ...
def total(first, *others, discount=None, **options): ...


SIGNATURES = {function.__name__: inspect.signature(function) for function in (none, one, two, three, price, total)}


def main(url):
    driver = Driver(url)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(driver.answer(json.loads(line))), flush=True)


main(*sys.argv[1:])
