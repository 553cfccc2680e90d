"""Print where pathlib.PurePath keeps its slots in this Python: the path_* fields of a row in src/python/layouts.c.

A slot is a member descriptor: {PyObject head, d_type, d_name, d_qualname, PyMemberDef *d_member}, and PyMemberDef is
{const char *name, int type, Py_ssize_t offset, ...} (CPython v3.8.0 Include/descrobject.h, structmember.h).
"""
import ctypes
import pathlib
import sys

head = object.__basicsize__
for field, name in (("path_str", "_str"), ("path_raw_paths", "_raw_paths"), ("path_drv", "_drv"),
                    ("path_root", "_root"), ("path_parts", "_parts")):
    slot = getattr(pathlib.PurePath, name, None)
    if type(slot).__name__ != "member_descriptor":
        print("." + field + " = OFF_NONE,")
        continue
    member = ctypes.c_size_t.from_address(id(slot) + head + 3 * 8).value
    assert ctypes.string_at(ctypes.c_size_t.from_address(member).value) == name.encode()
    print(".%s = %d," % (field, ctypes.c_ssize_t.from_address(member + 16).value))
