# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire vectors against the Python client's code, and every message to the host against the real host: it answers
what the vector says, closes if the vector says so, and sends nothing else."""

import sys
import tempfile

import vectors
from helix_client import HEADER, PING, PONG, Broken, Client, Gone, annex_b, decode, encode
from host import Host
from tap import Tap


def differs(wanted, found):
    """What of @wanted is not so in @found; it may have more."""
    return {name: (value, found.get(name)) for name, value in wanted.items() if found.get(name) != value}


def check_code(tap, vector):
    header = dict(vector.header, magic=b"HXFR")
    kind, flags, payload = header["type"], header["flags"], vector.data[HEADER.size:]
    found = HEADER.unpack(vector.data)
    if vector.name != "invalid-magic":
        tap.check(not differs(found, header), "%s: header" % vector.name, differs(found, header))
    if vector.to_host:
        if vector.fields is not None and "unknown" not in vector.fields.get("ext", {}):
            made = encode(kind, flags, header["session_id"], vector.fields)
            tap.check(made == vector.data, "%s: encoded" % vector.name, made.hex())
        return
    try:
        fields = decode(kind, flags, payload)
    except Broken as error:
        tap.check(not vector.valid, "%s: refused" % vector.name, error)
        return
    tap.check(vector.valid and fields == vector.fields, "%s: decoded" % vector.name, fields)
    if vector.unit:
        tap.check(annex_b(fields["entries"]) == vector.unit, "%s: access unit" % vector.name)


def receive(client):
    """The next message as a vector's "answers" has it."""
    kind, flags, session_id, payload = client.receive_message()
    return {"type": kind, "flags": flags, "session_id": session_id, "payload_size": len(payload),
            "fields": decode(kind, flags, payload)}


def expect(client, vector, answers):
    """The @answers to @vector come, one after the other; what is wrong, or None."""
    message = None
    for answer in answers:
        wanted = {"session_id": vector.header["session_id"], **vectors.native("", answer)}
        optional, fields = wanted.pop("optional", False), wanted.pop("fields", {})
        wanted.pop("type_name")
        message = message or receive(client)
        if optional and message["type"] != wanted["type"]:
            continue
        wrong = differs(wanted, message) or differs(fields, message["fields"])
        if wrong:
            return "wanted and found: %s in %s" % (wrong, message)
        message = None
    return message


def replay(client, every, vector):
    for name in vector.text.get("before", ()):
        client.send_bytes(every[name].data)
        wrong = expect(client, every[name], every[name].text["answers"])
        if wrong:
            return "%s: %s" % (name, wrong)
    client.send_bytes(vector.data)
    wrong = expect(client, vector, vector.text["answers"])
    if wrong:
        return wrong
    if vector.text["closes"]:
        try:
            return "not closed: %s" % receive(client)
        except Gone as error:
            return None if "closed" in str(error) else error
    for step in vector.text.get("after", ()):
        client.send_bytes(every[step["send"]].data)
        wrong = expect(client, every[step["send"]], step["answers"])
        if wrong:
            return "%s: %s" % (step["send"], wrong)
    client.send(PING, payload=b"still there")
    last = receive(client)
    return None if last["type"] == PONG and last["fields"]["payload"] == b"still there" else "unasked: %s" % last


def main():
    tap = Tap()
    every = vectors.load()
    for vector in every.values():
        check_code(tap, vector)
    with tempfile.TemporaryDirectory() as folder, Host(folder) as host:
        for vector in every.values():
            if vector.name == "frame-request-ext-nv12-pages":
                tap.skip("%s: answered" % vector.name, "helix-host's pictures are RGB; see suite vm-picture")
            elif vector.to_host:
                with Client(host.address, timeout=60) as client:
                    wrong = replay(client, every, vector)
                tap.check(not wrong, "%s: answered" % vector.name, wrong)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
