/*
 * layout_row: print the row of src/python/layouts.c for one CPython version, from that version's
 * own headers.
 *
 *   cc -I INCLUDE/python3.N -I INCLUDE/python3.N/internal layout_row.c -o row && ./row
 *   cc -DPy_GIL_DISABLED=1 …                       the row of the free-threaded build
 *
 * INCLUDE/python3.N needs pyconfig.h and the internal headers (a source build's `make install`, or
 * libpython3.N-dev). Every number is an offsetof the compiler made; the few structures which are no
 * header's are repeated below with their source. Path slots cannot be had from headers:
 * tests/path_slots.py prints them.
 */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#if PY_VERSION_HEX >= 0x03090000
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"
#else
#include "internal/pycore_pystate.h"
#endif
#if PY_VERSION_HEX >= 0x030b0000
#include "internal/pycore_code.h"
#include "internal/pycore_dict.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_moduleobject.h"
#else
/* v3.8.0, v3.9.0, v3.10.0 Objects/dict-common.h, struct _dictkeysobject */
struct _dictkeysobject {
	Py_ssize_t dk_refcnt, dk_size;
	void *dk_lookup;
	Py_ssize_t dk_usable, dk_nentries;
	char dk_indices[];
};
/* v3.8.0 Objects/moduleobject.c; v3.10.0 pycore_moduleobject.h has the same */
struct module_object {
	PyObject_HEAD PyObject *md_dict;
	struct PyModuleDef *md_def;
	void *md_state;
	PyObject *md_weaklist, *md_name;
};
#define PyModuleObject struct module_object
#endif
#if PY_VERSION_HEX >= 0x030e0000
#include "internal/pycore_interpframe_structs.h"
#endif
#if PY_VERSION_HEX >= 0x030d0000
#include "internal/pycore_stackref.h"
#endif

/* v3.8.0 … v3.13.0 Modules/socketmodule.h, PySocketSockObject: the head of it never changed */
struct socket_object {
	PyObject_HEAD int sock_fd, sock_family, sock_type, sock_proto;
};

/* One initialiser, on this line if it still fits in 100 columns. */
static int indent = 2, column;
static void put(const char *field, const char *value)
{
	int n = (int)(strlen(field) + strlen(value) + 6);
	if (column && column + n > 100) {
		printf("\n");
		column = 0;
	}
	if (!column) {
		printf("%.*s", indent, "\t\t\t\t");
		column = 8 * indent;
	} else {
		printf(" ");
	}
	printf(".%s = %s,", field, value);
	column += n;
}
static void put_number(const char *field, long value)
{
	char text[24];
	snprintf(text, sizeof(text), "%ld", value);
	put(field, text);
}
static void end_line(void)
{
	printf("\n");
	column = 0;
}
#define P(field, value)        put_number(#field, (long)(value))
#define O(field, type, member) P(field, offsetof(type, member))
#define NONE(field)            put(#field, "OFF_NONE")

static int bit_of(const PyASCIIObject *o)
{
	uint32_t word;
	memcpy(&word, &o->state, 4);
	return word ? __builtin_ctz(word) : -1;
}

int main(void)
{
#ifdef Py_GIL_DISABLED
	const char *kind = " free-threaded";
	int free_threaded = 1;
#else
	const char *kind = "";
	int free_threaded = 0;
#endif
	printf("\t{\n\t\t.source = \"headers of " PY_VERSION "%s\",\n", kind);
	P(minor, PY_MINOR_VERSION);
	P(free_threaded, free_threaded);
#if PY_VERSION_HEX >= 0x030c0000
	O(interp_modules, PyInterpreterState, imports.modules);
#else
	O(interp_modules, PyInterpreterState, modules);
#endif
	O(interp_sysdict, PyInterpreterState, sysdict);
	O(interp_threads_head, PyInterpreterState,
#if PY_VERSION_HEX >= 0x030b0000
	  threads.head
#else
	  tstate_head
#endif
	);
	O(tstate_next, PyThreadState, next);
	O(tstate_ident, PyThreadState, thread_id);
	O(runtime_interpreters_main, struct pyruntimestate, interpreters.main);
	O(runtime_interpreters_head, struct pyruntimestate, interpreters.head);
	O(runtime_initialized, struct pyruntimestate, initialized);
#if PY_VERSION_HEX >= 0x03090000
	O(runtime_finalizing, struct pyruntimestate, _finalizing);
#else
	O(runtime_finalizing, struct pyruntimestate, finalizing);
#endif
#if PY_VERSION_HEX >= 0x030c0000
	O(audit_head, struct pyruntimestate, audit_hooks.head);
#else
	O(audit_head, struct pyruntimestate, audit_hook_head);
#endif
	end_line();
	printf("\t\t.layout = {\n");
	indent = 3;
	P(minor, PY_MINOR_VERSION);
	P(free_threaded, free_threaded);
	O(tstate_interp, PyThreadState, interp);
#if PY_VERSION_HEX >= 0x030d0000
	O(tstate_frame, PyThreadState, current_frame);
	P(cframe_current, 0);
	P(has_cframe, 0);
#elif PY_VERSION_HEX >= 0x030c0000
	O(tstate_frame, PyThreadState, cframe);
	O(cframe_current, _PyCFrame, current_frame);
	P(has_cframe, 1);
#elif PY_VERSION_HEX >= 0x030b0000
	O(tstate_frame, PyThreadState, cframe);
	O(cframe_current, _PyCFrame, current_frame);
	P(has_cframe, 1);
#else
	O(tstate_frame, PyThreadState, frame);
	P(cframe_current, 0);
	P(has_cframe, 0);
#endif
#if PY_VERSION_HEX >= 0x030a0000 && PY_VERSION_HEX < 0x030d0000
	O(tstate_cframe, PyThreadState, cframe);
#if PY_VERSION_HEX >= 0x030b0000
	O(cframe_previous, _PyCFrame, previous);
#else
	O(cframe_previous, CFrame, previous);
#endif
#else
	NONE(tstate_cframe);
	NONE(cframe_previous);
#endif
	P(interp_id_width, sizeof(((PyInterpreterState *)0)->id));
	O(interp_id, PyInterpreterState, id);
#if PY_VERSION_HEX >= 0x030b0000
	O(frame_previous, _PyInterpreterFrame, previous);
#if PY_VERSION_HEX >= 0x030d0000
	O(frame_code, _PyInterpreterFrame, f_executable);
	O(frame_position, _PyInterpreterFrame, instr_ptr);
#else
	O(frame_code, _PyInterpreterFrame, f_code);
	O(frame_position, _PyInterpreterFrame, prev_instr);
#endif
	O(frame_owner, _PyInterpreterFrame, owner);
	put("position_kind", "POSITION_POINTER");
#else
	O(frame_previous, PyFrameObject, f_back);
	O(frame_code, PyFrameObject, f_code);
	O(frame_position, PyFrameObject, f_lasti);
	NONE(frame_owner);
	put("position_kind",
	    PY_VERSION_HEX >= 0x030a0000 ? "POSITION_LASTI_UNITS" : "POSITION_LASTI_BYTES");
#endif
#if PY_VERSION_HEX >= 0x030e0000
	P(owner_skip, FRAME_OWNED_BY_INTERPRETER);
	P(code_tag_mask, Py_TAG_BITS);
#elif PY_VERSION_HEX >= 0x030c0000
	P(owner_skip, FRAME_OWNED_BY_CSTACK);
	P(code_tag_mask, 0);
#else
	P(owner_skip, 0xff);
	P(code_tag_mask, 0);
#endif
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
	O(frame_is_entry_3_11, _PyInterpreterFrame, is_entry);
#else
	P(frame_is_entry_3_11, 0);
#endif
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030e0000
	O(frame_tlbc_index, _PyInterpreterFrame, tlbc_index);
	O(code_tlbc, PyCodeObject, co_tlbc);
#else
	NONE(frame_tlbc_index);
	NONE(code_tlbc);
#endif
	O(code_filename, PyCodeObject, co_filename);
	O(code_name, PyCodeObject, co_name);
#if PY_VERSION_HEX >= 0x030b0000
	O(code_qualname, PyCodeObject, co_qualname);
	O(code_linetable, PyCodeObject, co_linetable);
	O(code_instructions, PyCodeObject, co_code_adaptive);
#else
	NONE(code_qualname);
#if PY_VERSION_HEX >= 0x030a0000
	O(code_linetable, PyCodeObject, co_linetable);
#else
	O(code_linetable, PyCodeObject, co_lnotab);
#endif
	NONE(code_instructions);
#endif
	O(code_firstlineno, PyCodeObject, co_firstlineno);
#if PY_VERSION_HEX >= 0x030c0000
	O(code_version, PyCodeObject, co_version);
#endif
#ifdef Py_GIL_DISABLED
	O(ob_mutex, PyObject, ob_mutex);
#else
	NONE(ob_mutex);
#endif
	O(ob_type, PyObject, ob_type);
	O(ob_size, PyVarObject, ob_size);
	O(tp_name, PyTypeObject, tp_name);
	O(tp_basicsize, PyTypeObject, tp_basicsize);
	O(tp_flags, PyTypeObject, tp_flags);
	O(tp_base, PyTypeObject, tp_base);
	O(tp_dictoffset, PyTypeObject, tp_dictoffset);
	O(type_dict, PyTypeObject, tp_dict);
	O(str_state, PyASCIIObject, state);
	O(str_length, PyASCIIObject, length);
	P(str_ascii_data, sizeof(PyASCIIObject));
	P(str_compact_data, sizeof(PyCompactUnicodeObject));
	O(str_noncompact_data, PyUnicodeObject, data);
	PyASCIIObject o;
	memset(&o, 0, sizeof(o));
	o.state.kind = 7;
	uint32_t kinds;
	memcpy(&kinds, &o.state, 4);
	P(str_kind_shift, bit_of(&o));
	P(str_kind_bits, __builtin_popcount(kinds));
	memset(&o, 0, sizeof(o));
	o.state.compact = 1;
	P(str_compact_shift, bit_of(&o));
	memset(&o, 0, sizeof(o));
	o.state.ascii = 1;
	P(str_ascii_shift, bit_of(&o));
#if PY_VERSION_HEX >= 0x030c0000
	O(int_tag, PyLongObject, long_value.lv_tag);
	O(int_digits, PyLongObject, long_value.ob_digit);
	P(int_has_tag, 1);
#else
	O(int_tag, PyVarObject, ob_size);
	O(int_digits, struct _longobject, ob_digit);
	P(int_has_tag, 0);
#endif
	O(float_value, PyFloatObject, ob_fval);
	O(complex_value, PyComplexObject, cval);
	O(bytes_data, PyBytesObject, ob_sval);
	O(tuple_items, PyTupleObject, ob_item);
	O(list_items, PyListObject, ob_item);
	O(bytearray_start, PyByteArrayObject, ob_start);
	O(dict_used, PyDictObject, ma_used);
	O(dict_keys, PyDictObject, ma_keys);
	O(dict_values, PyDictObject, ma_values);
#if PY_VERSION_HEX >= 0x030b0000
	put("dict_kind", "DICT_311");
	O(keys_log2_size, struct _dictkeysobject, dk_log2_size);
	O(keys_log2_index_bytes, struct _dictkeysobject, dk_log2_index_bytes);
	O(keys_kind, struct _dictkeysobject, dk_kind);
	O(values_array, struct _dictvalues, values);
#else
	put("dict_kind", "DICT_38");
	O(keys_log2_size, struct _dictkeysobject, dk_size);
	NONE(keys_log2_index_bytes);
	NONE(keys_kind);
	P(values_array, 0);
#endif
	O(keys_nentries, struct _dictkeysobject, dk_nentries);
	O(keys_indices, struct _dictkeysobject, dk_indices);
	O(set_fill, PySetObject, fill);
	O(set_used, PySetObject, used);
	O(set_mask, PySetObject, mask);
	O(set_table, PySetObject, table);
	O(module_dict, PyModuleObject, md_dict);
	O(module_name, PyModuleObject, md_name);
	O(function_module, PyFunctionObject, func_module);
	O(function_name, PyFunctionObject, func_name);
	O(function_qualname, PyFunctionObject, func_qualname);
	O(function_code, PyFunctionObject, func_code);
	O(method_function, PyMethodObject, im_func);
	O(method_self, PyMethodObject, im_self);
	O(cfunction_ml, PyCFunctionObject, m_ml);
	O(cfunction_module, PyCFunctionObject, m_module);
	O(cfunction_self, PyCFunctionObject, m_self);
	O(heaptype_qualname, PyHeapTypeObject, ht_qualname);
	O(heaptype_name, PyHeapTypeObject, ht_name);
	O(socket_fd, struct socket_object, sock_fd);
	O(socket_family, struct socket_object, sock_family);
	O(socket_type, struct socket_object, sock_type);
	O(socket_proto, struct socket_object, sock_proto);
#if PY_VERSION_HEX >= 0x030b0000
	O(frame_locals, _PyInterpreterFrame, localsplus);
#else
	O(frame_locals, PyFrameObject, f_localsplus);
#endif
	O(code_argcount, PyCodeObject, co_argcount);
	O(heaptype_cached_keys, PyHeapTypeObject, ht_cached_keys);
	end_line();
	printf("\t\t\t/* tests/path_slots.py: */\n\t\t},\n\t},\n");
	return 0;
}
