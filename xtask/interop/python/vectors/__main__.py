"""Writes the vectors: `python -m vectors FOLDER [KEPT]`.

Every expected result comes out of the Python client; the inputs are ours. The documents are the same from run to run:
ciphertexts are taken from the folder KEPT where it has them.
"""

import json
import os
import pathlib
import sys
from importlib.metadata import version

# Nothing of the machine's settings reaches the client.
for name in list(os.environ):
    if name.upper().startswith("CACHEKIT") or name == "REDIS_URL":
        del os.environ[name]

from . import bounds, encryption, keys, values  # noqa: E402


def main(folder, kept=None):
    for name, document in [
        *keys.documents(),
        *values.documents(),
        *bounds.documents(),
        *encryption.documents(read(kept, "encryption.json")),
    ]:
        by = {"generated_by": f"cachekit {version('cachekit')} of PyPI"}
        text = json.dumps({**by, **document}, indent=1, ensure_ascii=True)
        pathlib.Path(folder, name).write_text(text + "\n", encoding="ascii")
        rows = sum(len(part) for part in document.values() if isinstance(part, list))
        print(f"{name}: {rows} rows")


def read(folder, name):
    if folder is None or not pathlib.Path(folder, name).exists():
        return {}
    return json.loads(pathlib.Path(folder, name).read_text(encoding="ascii"))


main(*sys.argv[1:])
