/*
 * abi: the contract between the probe, which runs inside the target, and the recorder.
 *
 * Fields have fixed widths, offsets replace pointers, padding is explicit, sizes are asserted. Both
 * sides check PROBE_ABI first; a commit that changes anything here raises it.
 *
 * A target holds one reservation, at `base`:
 *
 *   base + 0            struct probe_context    RW  private      layout of this Python, addresses,
 *                                                                policy
 *   base + .blob_off    the probe's code        R-X private
 *   base + .state_off   struct probe_state      RW  private, MADV_WIPEONFORK: all zero in a forked
 *                                                   child
 *                       probe_lane[0] … [.n_lanes - 1], task_places[0] … [.n_lanes - 1], then
 *                       thread_seen[][]
 *   base + .shared_off  struct ring_shared      RW  shared with the recorder and forked children
 *                       ring_slot[0] header (one page), data; ring_slot[1] …; if events are
 *                       counted, uint64_t [VERDICT_COUNT] for each slot
 */
#pragma once
#include <stdint.h>

#include "abi_cpu.h"
#include "base/value.h"

#define PROBE_ABI 21u
/* the oldest ABI whose context and ring begin like ours: a leftover of it can be taken over */
#define PROBE_ABI_OLDEST 6u
#define PROBE_MAGIC      0x31565f4245425250ull /* "PRBEB_V1" */
/* of an entry's user data: the base; the bits beside it belong to visit/lazy_link_code.h, and stay
 * set in a link that was lazy */
#define PROBE_BASE_MASK 0x0000fffffffff000ull

/* ---- the layout of this Python (filled by src/python, read by the probe) ---- */

enum position_kind {
	POSITION_LASTI_BYTES, /* 3.8, 3.9: int32 f_lasti, byte offset */
	POSITION_LASTI_UNITS, /* 3.10: int32 f_lasti, instructions of 2 bytes */
	POSITION_POINTER,     /* 3.11+: pointer to the (previous or current) instruction */
};

enum dict_kind {
	/* 3.8-3.10: dk_refcnt, dk_size, dk_lookup, dk_usable, dk_nentries, dk_indices[] ; {hash key
	   value} */
	DICT_38,
	DICT_311, /* 3.11+: log2 sizes and dk_kind; entries {hash key value} or {key value} */
};

/* How the asyncio task that a thread executes is found. */
enum tasks_kind {
	TASKS_UNKNOWN, /* it is not */
	/* 3.8-3.12: tstate.dict["__asyncio_running_event_loop__"] leads to the loop; the task is in
	 * _asyncio._current_tasks, a dict {loop: task} */
	TASKS_BY_DICT,
	TASKS_BY_LOOP,   /* 3.13: the thread state has the loop */
	TASKS_BY_THREAD, /* 3.14+: the thread state has the task */
};

/* All offsets in bytes. 0xffff = does not exist in this version. */
#define OFF_NONE 0xffffu
/* Of asyncio (python/task_layout.h). */
struct probe_tasks {
	uint8_t kind; /* enum tasks_kind */
	uint8_t pad[1];
	uint16_t tstate; /* BY_DICT: of tstate.dict; else of the loop or task */
	uint16_t dict_version;
	/* tp_basicsize of _asyncio.Future and _asyncio.Task: objects of another size are not
	 * read */
	uint16_t future_bytes, task_bytes;
	uint16_t callback0, callbacks; /* of a future: a callback; a list of (callback, context) */
	/* 3.14+: of a future: a future, or a set of them; u8: it is a set */
	uint16_t awaited_by, awaited_by_is_set;
	uint16_t task_name; /* str, or the int n of "Task-n" */
	uint16_t function_closure;
	uint16_t pad1;
	uint32_t interp_modules;
};
struct probe_layout {
	uint32_t version_hex; /* 0x030c01f0 = 3.12.1 final */
	uint8_t minor;        /* 12 */
	uint8_t free_threaded, debug_build;
	/* tstate_frame points to a _PyCFrame, whose cframe_current points to the frame */
	uint8_t has_cframe;
	/* thread state */
	uint16_t tstate_frame, tstate_interp, cframe_current;
	uint16_t interp_id_width; /* bytes: 8 */
	uint32_t interp_id;       /* offset in PyInterpreterState of int64 id */
	/* frames */
	uint16_t frame_previous, frame_code, frame_position, frame_owner; /* owner: u8 */
	uint8_t owner_skip;    /* frames with owner ≥ this are not Python frames (0xff: none) */
	uint8_t position_kind; /* enum position_kind */
	uint8_t code_tag_mask; /* low bits of frame_code that are tags (3.14+: 3) */
	uint8_t frame_is_entry_3_11; /* 3.11: offset of is_entry (0 = none) */
	uint16_t cframe_previous;    /* 3.10-3.12 */
	uint16_t tstate_cframe;      /* 3.10-3.12, for anchors */
	/* code objects */
	uint16_t code_filename, code_name, code_qualname, code_linetable, code_firstlineno,
	    code_instructions;
	/* 3.12+: u32 co_version, different for every code object ever created; 0: does not exist */
	uint16_t code_version;
	/* objects and types */
	uint16_t ob_type, ob_size;
	uint16_t tp_name, tp_basicsize, tp_flags, tp_base, tp_dictoffset;
	uint16_t type_module_slot; /* reserved */
	/* text */
	uint16_t str_state, str_length, str_ascii_data, str_compact_data, str_noncompact_data;
	/* in the u32 at str_state */
	uint8_t str_kind_shift, str_kind_bits, str_compact_shift, str_ascii_shift;
	/* numbers */
	uint16_t int_tag, int_digits; /* int_tag: 3.12+ lv_tag; before: signed ob_size */
	uint8_t int_has_tag;          /* 1: lv_tag = ndigits << 3 | sign */
	uint8_t pad0[3];
	uint16_t float_value, complex_value;
	/* containers */
	uint16_t bytes_data, tuple_items, list_items;
	uint16_t bytearray_start; /* char *ob_start; length is ob_size */
	uint16_t dict_used, dict_keys, dict_values;
	uint16_t dict_kind; /* enum dict_kind */
	/* DICT_38: keys_log2_size is dk_size (int64) */
	uint16_t keys_log2_size, keys_log2_index_bytes, keys_kind, keys_nentries, keys_indices;
	/* offset of the first value inside PyDictValues (split tables) */
	uint16_t values_array;
	uint16_t set_fill, set_used, set_mask, set_table; /* entries {key, hash} */
	/* known objects */
	uint16_t module_dict; /* md_dict */
	uint16_t module_name; /* md_name (3.4+) */
	uint16_t function_module, function_name, function_qualname, function_code;
	uint16_t method_function, method_self; /* bound methods */
	/* builtin: PyMethodDef *, whose first word is ml_name */
	uint16_t cfunction_ml, cfunction_module, cfunction_self;
	uint16_t heaptype_qualname, heaptype_name; /* PyHeapTypeObject.ht_qualname, ht_name */
	uint16_t type_dict;                        /* tp_dict, for __module__ */
	/* int32 each; _socket.socket */
	uint16_t socket_fd, socket_family, socket_type, socket_proto;
	/* pathlib.PurePath slots; OFF_NONE unknown */
	uint16_t path_str, path_raw_paths, path_drv, path_root, path_parts;
	uint16_t ob_mutex; /* free-threaded: u8 PyMutex of every object */
	/* free-threaded 3.14+: int32 index of the thread's copy of the instructions; pointer to
	 * {int64 n, char *copies[n]}. Index 0: code_instructions */
	uint16_t frame_tlbc_index, code_tlbc;
	/* to find the name of the running thread: local variables of its outermost frame, and the
	 * int32 count of positional parameters of a code object */
	uint16_t frame_locals, code_argcount;
	/* PyHeapTypeObject.ht_cached_keys: the keys of attributes that are stored inline in the
	 * instance */
	uint16_t heaptype_cached_keys;
	/* 3.11+: {chunk, top, limit} of the data stack, in which most frames are; the innermost
	 * _PyErr_StackItem, of which each generator that runs has one */
	uint16_t tstate_datastack, tstate_exc_info;
	struct probe_tasks tasks;
	/* addresses in the target */
	uint64_t runtime;       /* _PyRuntime */
	uint64_t audit_head;    /* &_PyRuntime.audit_hooks.head */
	uint64_t fn_tstate_get; /* PyThreadState *(void), never fails */
	/* PyMutex_Unlock, free-threaded builds; 0: containers are not read */
	uint64_t fn_mutex_unlock;
	/* Py_IsInitialized: has no side effects, returns ≥ 0 */
	uint64_t fn_neutral;
	/* int Py_AtExit(void (*)(void)); 0: does not exist */
	uint64_t fn_at_exit;
	uint64_t none, true_, false_, ellipsis; /* the singletons */
	/* exact types, for quick dispatch; 0 = not found (then tp_flags are used) */
	uint64_t type_code, type_module, type_function, type_cfunction, type_method, type_type,
	    type_float, type_complex, type_bytearray, type_set, type_frozenset, type_bool;
};

/* ---- the probe's private memory ---- */

enum probe_flag {
	PROBE_DROP = 1, /* ring full: count the loss and continue, never wait */
	/* 2: used until ABI 11, for a process with a seccomp filter */
	PROBE_STACK_PYTHON = 4,
	PROBE_STACK_NATIVE = 8,
	/* times come from ring_shared.now, and the TSC is not read (probe/clock.h) */
	PROBE_CLOCK_RING = 16,
	PROBE_TID_UNKNOWN = 32, /* the offset of tid in struct pthread is not known, or not yet */
	/* with PROBE_CLOCK_RING: earlier times of this process came from the TSC */
	PROBE_CLOCK_CHANGED = 64,
	/* forked children are not recorded: their hooks return before anything else, and unlink
	 * themselves */
	PROBE_ALONE = 256,
};

struct probe_context {
	uint64_t magic;
	uint32_t abi;
	uint32_t flags; /* enum probe_flag */
	uint64_t base;  /* the address of this context */
	uint32_t state_off, blob_off, shared_off;
	/* a power of two; 0 until ABI 8, where struct probe_state was one lane with its lock at +
	 * 8 */
	uint32_t n_lanes;
	uint64_t total_bytes;      /* of the reservation */
	uint64_t entry;            /* address of our hook entry {next, fn, userData} */
	uint64_t mailbox;          /* address of the u64 into which the stub writes its answer */
	uint64_t fn_clock_gettime; /* in the vdso, for CLOCK_MONOTONIC_COARSE; 0: there is none */
	uint32_t tid_off;          /* offset of tid in struct pthread, from fs base */
	uint32_t string_bytes;     /* option -s */
	/* bytes kept of the arguments of marshal.loads, compile, code.__new__ */
	uint32_t bulk_bytes;
	uint32_t max_frames;
	uint32_t max_items;   /* elements kept of a container */
	uint32_t slice_bytes; /* native: the most bytes of stack copied */
	/* offset of {stackblock, stackblock_size} in struct pthread; 0 unknown */
	uint32_t stackblock_off;
	uint32_t ascii_mask; /* mask for the u32 at layout.str_state: kind, compact, ascii */
	/* name_hash() of events whose first string is limited to bulk_bytes; 0 ends the list */
	uint64_t bulk_names[8];
	uint64_t stack_end; /* __libc_stack_end of the main thread */
	/* namespace-local pid of the process. Not wiped at fork: a child that the recorder has not
	 * informed sees the pid of its parent */
	uint32_t pid;
	/* str_state & ascii_mask for a str that is ASCII and stored in its object */
	uint32_t ascii_state;
	/* the function that CPython will call when it is finalised; 0: none. The probe writes it */
	uint64_t at_exit;
	struct probe_layout layout;
	/* The places of things in the ring. The probe takes them only from here: any process that
	 * shares the ring (a forked child that has given up its rights, for example) can write into
	 * the ring, and must not be able to redirect us to other memory of this process. */
	/* as in struct ring_shared */
	uint64_t slots_off, slot_bytes, slot_data_bytes, first_extra_bytes;
	uint32_t ring_slots;
	uint32_t pad2;
	/* of the counters of slot 0, from the start of the shared area; the others follow, each
	 * COUNTS_BYTES. 0: events are not counted. Counters are a multiple of 8 bytes from the
	 * start, each is one u64 that processes add to atomically */
	uint64_t counts_off;
};

/* Fill the fields that follow from .layout. */
static inline void probe_context_complete(struct probe_context *ctx)
{
	const struct probe_layout *l = &ctx->layout;
	ctx->ascii_state = 1u << l->str_kind_shift | 1u << l->str_compact_shift |
			   1u << l->str_ascii_shift;
	ctx->ascii_mask = ctx->ascii_state | ((1u << l->str_kind_bits) - 1) << l->str_kind_shift;
}

#define CODE_CACHE_SETS 2048u
#define CODE_CACHE_WAYS 2u
struct code_cache_line {
	uint64_t code;
	uint32_t first_line, check; /* check: frames.c, code_check() */
	uint32_t id, used;          /* used: more recently than the other way was */
};

/* Where a key was found in a dict: it still is there if the dict has the same table of keys, and
 * the key in that entry. */
struct dict_place {
	uint64_t keys;    /* address of the table; 0: it was not searched */
	uint64_t key;     /* 0: it was not found, among n entries */
	uint64_t version; /* of the dict, if it has one, when it was not found */
	uint64_t n;       /* index of the entry; how many there were */
};

/* What a lane knows about asyncio. It is not in struct probe_lane, whose size a recorder that takes
 * over an older probe relies on. */
struct task_places {
	struct dict_place loop;    /* in tstate.dict */
	struct dict_place asyncio; /* in sys.modules */
	struct dict_place current; /* in that module */
	/* a sum over the task that the last event with a task in this slot has; 0: none had one */
	uint64_t last;
	/*
	 * 3.8-3.12: what was found in dicts, and the versions that they had. An interpreter never
	 * uses a version twice, so a dict that has its version still refers to what was found in
	 * it. The others are reached only if those before them are unchanged.
	 */
	uint64_t interpreter;                               /* id + 1; ids are never reused */
	uint64_t thread_dict, thread_version, running_loop; /* 0: no loop runs */
	uint64_t modules_version, module_dict;              /* of _asyncio; 0: nothing was found */
	uint64_t module_version, current_tasks;
	uint64_t current_version, task_loop, task; /* of that loop; 0: none */
};

/*
 * A lane is what a process needs for one event while it writes it: a slot of the ring, and a cache
 * of the code objects that were defined there. If one GIL lets only one thread at a time raise
 * events, one lane is always free. If threads run side by side (free-threaded builds; interpreters
 * with a GIL of their own), each thread has a lane that it tries first, and takes another lane if
 * that one is held.
 */
#define PROBE_LANES 8u /* for a process that may need several */
/* in .lock: with the low bits of its thread pointer, identifies a thread whose tid is not known */
#define LANE_NO_TID 0x80000000u
struct probe_lane {
	/* 0 free, else the thread that is inside, identified by its tid or LANE_NO_TID. A thread
	 * that runs a signal handler on top of its own event must not wait for itself */
	uint32_t lock;
	/* slot index + 1; 0 none yet. Constant from then on, for the life of the process */
	uint32_t slot;
	uint32_t next_code_id;
	/* ring_shared.slots_freed + 1 at the moment when no slot was free for this lane */
	uint32_t refused;
	uint64_t n_pending_drop; /* losses not reported yet (accessed atomically only) */
	uint64_t drop_first_tsc;
	/* tail + 1 of its slot when waiting for room without sleep has failed; 0 never */
	uint64_t vain_tail;
	uint32_t reserved[6];
	struct code_cache_line code_cache[CODE_CACHE_SETS][CODE_CACHE_WAYS];
};
/*
 * What was last reported about the name of a thread. The table is right before .shared_off. All
 * lanes use it, so two threads of a free-threaded process may write to one entry at once: then a
 * name is reported twice, or late.
 */
#define THREAD_SEEN_SETS 1024u
#define THREAD_SEEN_WAYS 2u
struct thread_seen {
	uint32_t tid;   /* namespace-local; 0: free */
	uint32_t check; /* of the name that was reported; 0: none */
	uint32_t due;   /* time >> THREAD_TIME_SHIFT from which the name is read again */
	/* frames that may be walked before that time to read the name at each event */
	uint32_t frames_left;
};

struct probe_state { /* zero = "this process has not run the probe yet" */
	/* pid << 32 | a number that earlier processes with that pid do not have */
	uint64_t identity;
	/* no recorder drains the ring: count and return at once, until the heart beats again */
	uint32_t abandoned;
	uint32_t abandoned_beat; /* heartbeat at that moment */
	uint32_t n_slots;        /* number of its lanes that have a slot */
	/* events in a row that waited for a lane in vain, for as long as allowed (probe.c,
	 * lane_wait()) */
	uint32_t n_vain;
	/* namespace-local, 0 unknown. The recorder writes it, with `identity` and `is_known`, at
	 * attach and when a followed process forks */
	uint32_t parent_pid;
	/* 0: the process has assumed that its tid is its pid, and may not ask */
	uint32_t is_known;
	/* slots_freed + 1 when waiting for a slot without sleep has failed; 0 never */
	uint32_t slot_vain;
	uint32_t reserved[7];
	struct probe_lane lanes[]; /* [probe_context.n_lanes] */
};

#define THREADS_SEEN_BYTES                                                                         \
	(THREAD_SEEN_SETS * THREAD_SEEN_WAYS * (uint32_t)sizeof(struct thread_seen))

/* Bytes of the state of a process: struct probe_state, its lanes and what each knows about asyncio,
 * and the table of threads at the end. */
static inline uint64_t probe_state_bytes(uint32_t n_lanes)
{
	uint64_t n = sizeof(struct probe_state) +
		     n_lanes * (uint64_t)(sizeof(struct probe_lane) + sizeof(struct task_places)) +
		     THREADS_SEEN_BYTES;
	return (n + PROBE_PAGE - 1) / PROBE_PAGE * PROBE_PAGE;
}

/* Offset of the code in the reservation: the code finds its context from its own address. */
#define PROBE_BLOB_OFF PROBE_PAGE

/* ---- shared memory ---- */

/* Twice the largest record without a native part, so that one always fits without a wrap (probe.c,
 * RECORD_MAX_BYTES). */
#define RING_SLOT_MIN_BYTES (512u << 10)

#define VERDICT_COUNT    4096u /* open addressing, by name hash */
#define VERDICT_WANTED   1u
#define VERDICT_UNWANTED 2u
/* It is counted and nothing else: 1 is added to the counter of its slot that has the place of the
 * verdict. If there are no counters, it is wanted. */
#define VERDICT_COUNTED 3u
/* It is wanted, and its thread waits in the hook until the recorder has matched its record
 * (ring_hold). */
#define VERDICT_HOLD 0u
/* A verdict is one u64: the upper 62 bits of the name's hash and two bits of verdict. 0 = empty.
 * Only the recorder writes it. */
/* of one slot; a multiple of a page */
#define COUNTS_BYTES ((VERDICT_COUNT * 8u + PROBE_PAGE - 1) / PROBE_PAGE * PROBE_PAGE)

enum ring_state {
	/* no recorder drains the ring: hooks return at once, and a thread that waits for room gives
	 * up */
	RING_OFF,
	RING_ON,
	/* paused or leaving: hooks return at once; a thread that waits for room still gets it */
	RING_HELD
};

/* The last bytes of the blob: offsets in it of the code that is executed only inside a lane. */
struct probe_blob_end {
	uint64_t lane_code, lane_code_end;
};

/*
 * A system call can kill the thread that makes it, by a seccomp filter that may apply to that
 * thread only and may be installed at any time. So the probe makes no system call on its own. A
 * thread that waits asks the recorder, and spins until the recorder has read
 * /proc/PID/task/TID/status. A yes allows one call, made at once.
 */
#define RING_ASKS 16u
/* A ticket is a serial number << TICKET_STATE_BITS | a state. A place in the state TAKEN belongs to
 * the thread that writes its fields, and nobody else changes it. It is lost if the process is
 * killed at that moment. */
#define TICKET_STATE_BITS 8
#define TICKET_STATES     ((1ull << TICKET_STATE_BITS) - 1)
enum ask_state { ASK_FREE, ASK_TAKEN, ASK_WAITS, ASK_YES, ASK_NO };
struct ring_ask {
	uint64_t ticket;   /* enum ask_state */
	uint64_t identity; /* of the process: probe_state.identity */
	uint32_t tid, pad; /* namespace-local */
};

/*
 * A thread that raised an event with VERDICT_HOLD takes a place, publishes its record, and waits
 * before the operation happens. The recorder matches the record and writes HOLD_GO, or HOLD_HELD
 * and later HOLD_GO. The thread also continues by itself: if recording is paused or ends, if there
 * is no sign of the recorder for 1.5 s, in a forked child, and if it may not sleep. If no place is
 * free it does not wait.
 */
#define RING_HOLDS 64u
enum hold_state {
	HOLD_FREE,
	HOLD_TAKEN, /* its fields are being written */
	HOLD_WAITS, /* for the recorder to match its record */
	HOLD_HELD,  /* it matches */
	HOLD_GO,
	HOLD_UNHEARD, /* the thread continued: there was no sign of the recorder */
	HOLD_REFUSED, /* the thread continued: it may not sleep (ring_ask) */
	HOLD_STATE_COUNT
};
struct ring_hold {
	uint64_t ticket;    /* enum hold_state; the lower half is a futex */
	uint64_t identity;  /* of the process: probe_state.identity */
	uint64_t head;      /* of the record, in bytes ever published in its slot */
	uint32_t slot, tid; /* slot: index; tid: namespace-local, 0 unknown */
};
/* ring_shared.filter_on: verdicts are read; a name without a verdict has VERDICT_HOLD. */
#define FILTER_VERDICTS 1u
#define FILTER_HOLDS    2u

struct ring_tick {
	/* CLOCK_MONOTONIC of the recorder's time namespace, and the recorder's clock, read just
	 * before */
	uint64_t mono_ns, ticks;
};

struct ring_shared {
	uint64_t magic;
	uint32_t abi, n_slots;
	/* header page + data, both powers of two: data = slot_data_bytes */
	uint64_t slot_bytes;
	uint64_t slot_data_bytes;
	uint32_t slots_off;     /* offset from the start of the shared area */
	uint32_t enabled;       /* enum ring_state */
	uint32_t heartbeat;     /* the recorder adds 1 at least every 200 ms */
	uint32_t recorder_pid;  /* in the recorder's namespace */
	uint32_t filter_on;     /* FILTER_*. 0: every event is wanted; no verdict is read */
	uint32_t slots_freed;   /* futex: the recorder adds 1 when a slot becomes free */
	uint32_t slots_claimed; /* slots ever claimed; the recorder notices new ones by it */
	/* heartbeat + 1 when a process last began to wait for a slot, at most 100 ms at a time; 0
	 * never. It is not a count of waiters: one that is killed while it waits would be counted
	 * forever */
	uint32_t slot_waited;
	uint64_t lost_unserved; /* events for which there was no slot, or no lane */
	uint64_t nonce;         /* a number that no other ring has */
	/* 1 << 32 | slots_freed, when a process waited for a slot for as long as allowed; 0
	 * never */
	uint64_t slots_in_vain;
	/* slot 0 has this many more bytes of data, and the other slots are this much further
	 * back */
	uint64_t first_extra_bytes;
	uint32_t n_holds; /* places of holds[] ever taken; the recorder notices new ones by it */
	uint32_t holds_missed; /* events with VERDICT_HOLD that found no place */
	/* for other auditviews that look: how many threads are held, the first of them (its tid in
	 * the recorder's namespace, 0 unknown), and since when (CLOCK_MONOTONIC). The recorder
	 * writes them, and the probe does not read them */
	uint32_t n_held, held_tid;
	uint64_t held_since_ns;
	uint64_t reserved[1];
	uint64_t verdicts[VERDICT_COUNT];
	/* PROBE_CLOCK_RING: the time of the newest event. The recorder raises it to the present of
	 * its clock whenever it looks, and each event adds a nanosecond. */
	uint64_t now __attribute__((aligned(64)));
	/* .tick selects the one that is valid */
	struct ring_tick ticks[2] __attribute__((aligned(64)));
	uint64_t ticks_per_ns; /* 32.32 fixed point */
	uint32_t tick;
	uint32_t n_asked; /* questions ever asked; the recorder notices new ones by it */
	struct ring_ask asks[RING_ASKS] __attribute__((aligned(64)));
	struct ring_hold holds[RING_HOLDS] __attribute__((aligned(64)));
};

/* `writing` of an event must not be visible before the previous `head` is. tests/unit/test_order.c
 * tries all interleavings. */
#define RING_STORE_WRITING __ATOMIC_RELEASE
#define RING_STORE_TIME    __ATOMIC_RELAXED
#define RING_STORE_HEAD    __ATOMIC_RELEASE

enum slot_state {
	SLOT_FREE,
	SLOT_ACTIVE,
	/* set by the recorder: the records in it are malformed. The slot is neither drained nor
	 * claimed again */
	SLOT_GIVEN_UP
};
struct ring_slot { /* the header page of a slot; data follows at + PROBE_PAGE */
	/* written by the probe */
	uint64_t head;  /* bytes ever published; record at head % data */
	uint32_t state; /* enum slot_state; claimed by compare-exchange */
	uint32_t pid;   /* namespace-local */
	uint32_t tid;   /* tid of the claimer */
	/* futex: a thread waits for this many bytes; the recorder stores 0 when there is room for
	 * them */
	uint32_t waiting;
	uint64_t n_dropped;  /* losses ever; each RECORD_LOST reports a part of them */
	uint32_t parent_pid; /* namespace-local getppid(), 0 unknown */
	/* low half of probe_state.identity: with pid, identifies the slots of one process */
	uint32_t birth;
	/* thread pointer of the claimer: if .tid is 0, its tid is found from it */
	uint64_t thread;
	/* The time of an event is read before the event becomes visible. The next two fields show
	 * that an event is being written: `writing` is stored before the clock is read, `time`
	 * after that, `head` last, in the orders of RING_STORE_*. recorder/lineup.h says how they
	 * are read. */
	/* head + 1 of an event: it is in flight as long as head has not changed. 0: there was
	 * none */
	uint64_t writing;
	/* time of the newest event, published or not; at first, of the moment when the slot was
	 * claimed */
	uint64_t time;
	/* written by the recorder */
	uint64_t tail __attribute__((aligned(64))); /* bytes consumed */
	uint32_t generation;                        /* times this slot was recycled */
	uint32_t pad_recorder;
};

/* ---- records ---- */

enum record_type { RECORD_PAD = 1, RECORD_EVENT, RECORD_LOST, RECORD_FINALISED };

struct record {        /* every record begins with this and is padded to 8 bytes */
	uint32_t size; /* of the whole record */
	uint8_t type;  /* enum record_type */
	uint8_t flags; /* enum record_flag */
	uint16_t n_frames;
	/* ticks of the recorder's clock: the TSC, or ns if the TSC is not invariant */
	uint64_t tsc;
};
enum {
	/* of the name of an event; one that is so long may be longer, and is known by the bytes
	 * before the last */
	RECORD_NAME_BYTES = 2048
};
enum record_flag {
	RECORD_STACK_CUT = 1,
	RECORD_ARGS_CUT = 2,
	RECORD_NATIVE = 4,
	RECORD_SLICE_CUT = 8,
	RECORD_NO_SLICE = 16,
	RECORD_COMES_BACK = 32, /* FINALISED: the probe links itself again after the finalisation */
	RECORD_HOLD = 64, /* its thread waits: a place of ring_shared.holds[] names this record */
	RECORD_TASK = 128 /* an asyncio task raised it */
};

struct record_event {
	struct record r;
	uint32_t tid; /* namespace-local */
	uint32_t interpreter;
	uint32_t name_hash; /* low half of name_hash() */
	uint16_t name_bytes;
	uint16_t n_anchors;
	uint32_t args_bytes;   /* one TUPLE value */
	uint32_t frames_bytes; /* of the frame stream */
	uint32_t slice_bytes;  /* RECORD_NATIVE */
	/* size of a STR or STR_CUT: the name of the thread if it is new or has changed; else 0 */
	uint16_t thread_name_bytes;
	/* RECORD_TASK: size of a LIST (task.h); 0: the same task as that of the last event with a
	 * task in this slot */
	uint16_t task_bytes;
	/* then, each padded to 8 bytes:
	 *   name_bytes of name
	 *   args_bytes of value                        (only OBJECT_AT, never OBJECT or REF)
	 *   thread_name_bytes of value
	 *   task_bytes of value
	 *   frames_bytes of stream: n_frames × struct record_frame, innermost first; a frame whose
	 *     code has FRAME_DEFINES set is followed by a struct record_code and its texts
	 *   with RECORD_NATIVE: struct record_native, struct record_anchor[n_anchors] innermost
	 *     first, slice_bytes of stack from record_native.sp */
};
/* most bytes of a thread's name, without its tag and sizes; the rest is cut off */
#define THREAD_NAME_MAX 255u
#define TASK_NAME_MAX   255u /* the same of a task's name */
#define TASK_WAITERS    15u  /* most tasks that are named as waiting for it */
/* The room that a task needs, with those that wait for it. */
#define TASK_ROOM     ((TASK_WAITERS + 1) * (TASK_NAME_MAX + 16u) + 512u)
#define FRAME_DEFINES 0x80000000u
struct record_frame {
	/* id of a code object of this slot's process, defined here or earlier */
	uint32_t code;
	uint32_t lasti; /* bytes from the first instruction; see enum position_kind */
};
struct record_code {
	uint32_t size; /* size of this struct and everything that belongs to it, a multiple of 8 */
	uint32_t first_line;
	uint32_t file_bytes, name_bytes; /* encoded values: STR, STR_CUT or UNREADABLE */
	uint32_t table_bytes;            /* raw line table */
	/* > table_bytes: the table did not fit; only first_line is known */
	uint32_t table_full_bytes;
	/* followed by file, name and table, back to back */
};
struct record_native {
	uint64_t pc, sp, fp, saved[NATIVE_SAVED]; /* the registers that a call preserves */
};
/* One run of the evaluator that is on the stack. stacks/merge.h says what the anchor is in each
 * version. */
struct record_anchor {
	/* offset of an address inside the evaluator's C frame, from record_native.sp */
	uint32_t sp_off;
	/* number of Python frames recorded up to and including this run's outermost */
	uint32_t frames_end;
};
struct record_lost {
	struct record r;
	uint64_t n_lost, first_tsc;
};

/* A hash of the name without its NUL, eight bytes a step, never 0. `tail`: the bytes after the last
 * eight, as the low bytes of a word. The probe and the recorder must compute the same. */
static inline uint64_t name_hash_with(const char *name, uint32_t n, uint64_t tail)
{
	const uint64_t k = 0x9fb21c651e98df25ull;
	uint64_t h = n * k, w;
	for (; n >= 8; n -= 8, name += 8) {
		__builtin_memcpy(&w, name, 8);
		h = (h ^ w) * k;
		h ^= h >> 35;
	}
	h = (h ^ tail) * k;
	h ^= h >> 29;
	return h ? h : 1;
}

static inline uint64_t name_hash(const char *name, uint32_t n)
{
	uint64_t tail = 0;
	for (uint32_t i = 0; i < n % 8; i++)
		tail |= (uint64_t)(uint8_t)name[n - n % 8 + i] << 8 * i;
	return name_hash_with(name, n, tail);
}

_Static_assert(sizeof(struct record) == 16, "record");
_Static_assert(sizeof(struct record_event) == 48, "record_event");
_Static_assert(sizeof(struct record_code) == 24, "record_code");
_Static_assert(sizeof(struct record_native) == 8 * (3 + NATIVE_SAVED), "record_native");
_Static_assert(sizeof(struct record_anchor) == 8, "record_anchor");
_Static_assert(sizeof(struct code_cache_line) == 24, "code_cache_line");
_Static_assert(sizeof(struct ring_slot) <= PROBE_PAGE, "ring_slot");
_Static_assert(__builtin_offsetof(struct ring_slot, tail) == 64, "the probe's line of a slot");
_Static_assert(sizeof(struct probe_state) == 64 &&
		   __builtin_offsetof(struct probe_lane, code_cache) == 64,
	       "lines of 64 bytes");
_Static_assert(sizeof(struct task_places) == 192, "task_places");
_Static_assert(sizeof(struct ring_hold) == 32, "ring_hold");
_Static_assert(COUNTS_BYTES % PROBE_PAGE == 0, "counters of a slot are given back alone");
_Static_assert(sizeof(struct thread_seen) == 16 && THREADS_SEEN_BYTES % 4096 == 0, "thread_seen");
_Static_assert(sizeof(struct probe_lane) % 64 == 0 && (PROBE_LANES & (PROBE_LANES - 1)) == 0,
	       "lanes");
