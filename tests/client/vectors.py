# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire vectors of tests/vectors, with their values as helix_client.py has them."""

import glob
import json
import os

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")
NUMBERS = {"pts", "dts", "duration", "modifier", "received", "resolved", "submitted", "encoded"}
BYTES = {"pixels", "payload", "unknown"}


def native(name, value):
    """64-bit numbers are strings in the files, and bytes are hexadecimal."""
    if isinstance(value, dict):
        return {key: native(key, item) for key, item in value.items()}
    if name == "entries":
        return [bytes.fromhex(item) for item in value]
    if name in NUMBERS:
        return int(value)
    return bytes.fromhex(value) if name in BYTES else value


class Vector:
    """One vector: .name, .data (all of its bytes), and its JSON: .text, and of that .header, .fields (None: none)."""

    def __init__(self, path):
        self.name = os.path.basename(path)[:-len(".json")]
        with open(path, encoding="utf-8") as file:
            self.text = json.load(file)
        with open(path[:-len(".json")] + ".bin", "rb") as file:
            self.data = file.read()
        self.header, self.valid = self.text["header"], self.text["valid"]
        self.to_host = self.text["direction"] == "guest-to-host"
        self.fields = native("", self.text["fields"]) if "fields" in self.text else None
        self.unit = bytes.fromhex(self.text.get("access_unit", ""))


def load():
    """{name: Vector}; every file belongs to one."""
    vectors = {vector.name: vector for vector in map(Vector, sorted(glob.glob(os.path.join(FOLDER, "*.json"))))}
    bytes_of = {os.path.basename(path)[:-len(".bin")] for path in glob.glob(os.path.join(FOLDER, "*.bin"))}
    if not vectors or bytes_of != vectors.keys():
        raise ValueError("vectors without a JSON file: %s" % sorted(bytes_of - vectors.keys()))
    return vectors
