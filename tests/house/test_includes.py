# SPDX-License-Identifier: GPL-2.0-or-later
"""Includes: between two rooms only where docs/rooms.dot has an arrow, and never in a circle.

A room is a folder of hw/display/helix/ ("encode", with encode/x264/ as a part of it) or of desktop/ ("desktop/client").
"""

import graphlib
import os
import re

from source_tree import HouseTest

DOT = "docs/rooms.dot"
HOST, GUEST = "hw/display/helix", "desktop"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.M)

# Rooms that are built by QEMU alone: they may include QEMU's headers, and the headers that lie in HOST beside the rooms.
IN_QEMU = {"capture", "qemu", "measure"}
# What only some rooms may know, by the beginning of a header's name.
LIBRARIES = {
    "va/": {"desktop/va-driver"},
    "gst/": {"desktop/gst-vsockenc", "desktop/helix-screencast"},
    "virglrenderer": {"capture"}, "epoxy/": {"capture", "gpu"}, "IOSurface/": {"capture"}, "objc/": {"capture"},
    "libav": {"encode"}, "libsw": {"encode"}, "VideoToolbox/": {"encode"}, "CoreVideo/": {"capture", "encode"},
}
# The one header of the host that the guest's rooms share.
SHARED_WITH_GUEST = HOST + "/protocol/helix-wire.h"


def room_of(path):
    """The room that @path lies in, "" for a file beside the rooms, None for a file of neither HOST nor GUEST."""
    for base, prefix in ((HOST, ""), (GUEST, GUEST + "/")):
        if path.startswith(base + "/"):
            room, slash, _ = path[len(base) + 1:].partition("/")
            return prefix + room if slash else ""
    return None


def rooms_of(tree):
    return {room_of(path) for path in tree.files(HOST, GUEST) if path.endswith((".c", ".h"))} - {""}


def allowed_arrows(tree):
    """(rooms, {arrow: line}) of the graph's text."""
    text = re.sub(r"//.*", "", tree.text(DOT))
    rooms, arrows = set(), {}
    for number, line in enumerate(text.split("\n"), 1):
        arrow = re.match(r'\s*"([^"]+)"\s*->\s*"([^"]+)"', line)
        node = re.match(r'\s*"([^"]+)"\s*\[', line)
        if arrow:
            arrows[arrow.groups()] = number
        elif node:
            rooms.add(node.group(1))
    return rooms, arrows


def includes(tree):
    """(path, line, <> or "", name, included path or None) of every include of the product."""
    files = tree.files(HOST, GUEST)
    present = set(files)
    for path in files:
        if not path.endswith((".c", ".h")):
            continue
        text = tree.text(path)
        for match in INCLUDE.finditer(text):
            target = os.path.normpath(os.path.join(os.path.dirname(path), match.group(2)))
            yield (path, text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2),
                   target if match.group(1) == '"' and target in present else None)


def forbidden_include(room, quote, name, target, arrows):
    """What is wrong with an include of a file in @room, or None."""
    if quote == "<":
        for beginning, may in LIBRARIES.items():
            if name.startswith(beginning) and room not in may:
                return "<%s> belongs to %s" % (name, " and ".join(sorted(may)))
        return None
    if target is None:
        return None if room in IN_QEMU | {""} else "%s knows nothing of QEMU, and \"%s\" is no file of ours" % (room, name)
    other = room_of(target)
    if other == room:
        return None
    if other == "":
        return None if room in IN_QEMU else "\"%s\" is for %s" % (name, " and ".join(sorted(IN_QEMU)))
    if room == "":
        return "a file beside the rooms includes none of them"
    if (room, other) not in arrows:
        may = sorted(to for of, to in arrows if of == room)
        return "%s has no arrow from %s to %s; %s may include: %s" % (DOT, room, other, room, ", ".join(may) or "no room")
    if room.startswith(GUEST + "/") and not other.startswith(GUEST + "/") and target != SHARED_WITH_GUEST:
        return "the guest's part shares %s with the host, and nothing else" % SHARED_WITH_GUEST
    return None


def check_arrows(tree):
    rooms, arrows = allowed_arrows(tree)
    findings, used = [], set()
    there = rooms_of(tree)
    for path, line, quote, name, target in includes(tree):
        room = room_of(path)
        used.add((room, room_of(target) if target else None))
        why = forbidden_include(room, quote, name, target, arrows)
        if why:
            findings.append("%s:%d: includes %s: %s" % (path, line, name, why))
    findings += ["%s: %s has no node here" % (DOT, room) for room in sorted(there - rooms)]
    findings += ["%s: there is no room %s" % (DOT, room) for room in sorted(rooms - there)]
    findings += ["%s:%d: no include needs the arrow from %s to %s: remove it" % (DOT, line, *arrow)
                 for arrow, line in arrows.items() if arrow not in used]
    return findings


def module_of(path):
    """A .c file, its header and its private header of one folder are one module."""
    return re.sub(r"(-private)?\.[ch]$", "", path)


def find_circle(graph):
    """The nodes of one circle of {node: {node}}, the first again at the end; None if there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return None


def check_circles(tree):
    findings = []
    for what, name_of in (("files", module_of), ("rooms", room_of)):
        graph = {}
        for path, _, _, _, target in includes(tree):
            if target and name_of(path) != name_of(target):
                graph.setdefault(name_of(path), set()).add(name_of(target))
        circle = find_circle(graph)
        if circle:
            findings.append("these %s include each other in a circle: %s" % (what, " <- ".join(circle)))
    return findings


SMALL = {
    DOT: 'digraph rooms {\n    "high" [label = "high"];\n    "low" [label = "low"];\n    "desktop/client" [label = "c"];\n'
         '    "protocol" [label = "p"];\n    "high" -> "low";  // "low" -> "high";\n    "desktop/client" -> "protocol";\n}\n',
    HOST + "/high/high.c": '#include <glib.h>\n#include "high.h"\n',
    HOST + "/high/high.h": '#include "../low/low.h"\n',
    HOST + "/low/low.c": '#include "low-private.h"\n',
    HOST + "/low/low-private.h": '#include "low.h"\n',
    HOST + "/low/low.h": '#include "part/part.h"\n',
    HOST + "/low/part/part.h": "#pragma once\n",
    HOST + "/protocol/helix-wire.h": "#pragma once\n",
    HOST + "/protocol/wire.h": '#include "helix-wire.h"\n',
    HOST + "/beside.h": "#pragma once\n",
    GUEST + "/client/client.c": '#include "../../hw/display/helix/protocol/helix-wire.h"\n',
}


class Arrows(HouseTest):
    def planted(self, **changed):
        return check_arrows(self.plant(dict(SMALL, **changed)))

    def test_project(self):
        self.assertNothingFound(check_arrows(self.project))

    def test_project_is_read(self):
        found = list(includes(self.project))
        self.assertGreater(len(found), 300)
        self.assertGreater(len({room_of(path) for path, *_ in found}), 8)

    def test_good_tree(self):
        self.assertNothingFound(self.planted())

    def test_upward_include_is_found(self):
        self.assertFound(self.planted(**{HOST + "/low/part/part.h": '\n  #  include "../../high/high.h"\n'}),
                         (HOST + "/low/part/part.h:2:", "no arrow from low to high", "low may include: no room"))

    def test_missing_arrow_is_found(self):
        self.assertFound(self.planted(**{HOST + "/high/new.c": '#include "../protocol/wire.h"\n'}),
                         ("high/new.c:1:", "no arrow from high to protocol", "high may include: low"))

    def test_arrow_that_nothing_uses_is_found(self):
        self.assertFound(self.planted(**{HOST + "/high/high.h": "#pragma once\n"}),
                         (DOT + ":6:", "no include needs the arrow from high to low"))

    def test_room_without_node_is_found(self):
        self.assertFound(self.planted(**{HOST + "/new/new.c": "\n"}), ("new has no node",))

    def test_node_without_room_is_found(self):
        self.assertFound(self.planted(**{DOT: SMALL[DOT].replace("{\n", '{\n "gone" [];\n')}), ("there is no room gone",))

    def test_header_of_qemu_is_found(self):
        self.assertFound(self.planted(**{HOST + "/low/low.c": '#include "qemu/osdep.h"\n'}),
                         ("low.c:1:", "low knows nothing of QEMU"))

    def test_header_beside_the_rooms_is_found(self):
        self.assertFound(self.planted(**{HOST + "/low/low.c": '#include "../beside.h"\n'}),
                         ("low.c:1:", "is for capture and measure and qemu"))

    def test_room_in_header_beside_the_rooms_is_found(self):
        self.assertFound(self.planted(**{HOST + "/beside.h": '#include "low/low.h"\n'}),
                         ("beside.h:1:", "includes none of them"))

    def test_library_of_another_room_is_found(self):
        self.assertFound(self.planted(**{GUEST + "/client/other.c": "\n#include <gst/gst.h>\n"}),
                         ("client/other.c:2:", "<gst/gst.h> belongs to desktop/gst-vsockenc"))

    def test_guest_with_another_header_of_the_host_is_found(self):
        self.assertFound(self.planted(**{GUEST + "/client/other.c": '#include "../../hw/display/helix/protocol/wire.h"\n'}),
                         ("client/other.c:1:", "shares " + SHARED_WITH_GUEST))


class Circles(HouseTest):
    def planted(self, **changed):
        return check_circles(self.plant(dict(SMALL, **changed)))

    def test_project(self):
        self.assertNothingFound(check_circles(self.project))

    def test_good_tree(self):
        self.assertNothingFound(self.planted())

    def test_circle_of_files_is_found(self):
        self.assertFound(self.planted(**{HOST + "/low/other.h": '#include "low.h"\n',
                                         HOST + "/low/low-private.h": '#include "other.h"\n'}),
                         ("files", "low/low <- ", "low/other <- "))

    def test_circle_of_rooms_is_found(self):
        self.assertFound(self.planted(**{HOST + "/low/other.c": '#include "../high/leaf.h"\n', HOST + "/high/leaf.h": "\n"}),
                         ("rooms", "high <- low"))
