/*
 * frames: see frames.h.
 *
 * No reference is held: a code object in the cache may be freed and another allocated at its
 * address. So every hit is checked against the object's version number, if it has one, or else
 * against a sum over the addresses of its texts and both ends of its line table. An entry that
 * fails the check is defined again under a new id.
 */
#include <stdbool.h>
#include <stddef.h>

#include "probe/abi.h"
#include "probe/chain.h"
#include "probe/frames.h"
#include "probe/read.h"
#include "probe/serialise.h"

/* of a line table; a code object with a larger one has only its first line */
#define TABLE_MAX_BYTES 65536u
#define TEXT_MAX_BYTES  1024u /* of a file or function name */

/* A number that distinguishes a code object from another one that was created later at the same
 * address. `salt` stands for the interpreter. */
static inline uint32_t code_version_check(const struct probe_layout *l, uint64_t code,
					  uint32_t salt)
{
	/* Objects/codeobject.c, init_code: a counter of the interpreter; 0 when it is exhausted.
	 * Short-lived interpreters repeat both addresses and version numbers, but the id of an
	 * interpreter is never reused (Python/pystate.c, interpreters.next_id). */
	uint32_t version = rd32(code + l->code_version);
	return version ? version ^ salt : 0;
}

static inline uint32_t code_content_check(const struct probe_layout *l, uint64_t code,
					  uint32_t salt)
{
	uint64_t table = rd64(code + l->code_linetable), name = rd64(code + l->code_name);
	uint64_t n = rd64(table + l->ob_size), data = table + l->bytes_data;
	uint64_t where = rd64(code + l->code_filename) ^ (name << 17 | name >> 47) ^
			 (table << 34 | table >> 30),
		 what = n;
	if (n >= 8) {
		uint64_t last = rd64(data + n - 8);
		what ^= rd64(data) ^ (last << 29 | last >> 35);
	}
	return (uint32_t)((where * 0x9e3779b97f4a7c15ull ^ what * 0xff51afd7ed558ccdull) >> 32) ^
	       salt;
}

static inline uint32_t code_check(const struct probe_layout *l, uint64_t code, uint32_t salt)
{
	uint32_t check = l->code_version ? code_version_check(l, code, salt) : 0;
	return check ? check : code_content_check(l, code, salt);
}

/* Define a code object behind the frame just written; false if not even its fixed part fits. */
LANE_CODE static bool code_define(struct out *o, const struct probe_layout *l, uint64_t code,
				  uint64_t table)
{
	if ((uint64_t)(o->end - o->p) < sizeof(struct record_code) + 2 * (TEXT_MAX_BYTES + 32) + 64)
		return false;
	struct record_code *def = (struct record_code *)o->p;
	o->p += sizeof(*def);
	uint8_t *file = o->p;
	serialise_str(o, rd64(code + l->code_filename), TEXT_MAX_BYTES);
	uint8_t *name = o->p;
	serialise_str(o,
		      rd64(code + (l->code_qualname != OFF_NONE ? l->code_qualname : l->code_name)),
		      TEXT_MAX_BYTES);
	uint8_t *bytes = o->p;
	uint64_t full = rd64(table + l->ob_size), n = full;
	if (n > TABLE_MAX_BYTES || n + 16 > (uint64_t)(o->end - o->p))
		n = 0;
	for (uint64_t i = 0; i < n; i++)
		*o->p++ = rd8(table + l->bytes_data + i);
	while ((uint64_t)(o->p - (uint8_t *)def) & 7)
		*o->p++ = 0;
	def->size = (uint32_t)(o->p - (uint8_t *)def);
	def->first_line = rd32(code + l->code_firstlineno);
	def->file_bytes = (uint32_t)(name - file);
	def->name_bytes = (uint32_t)(bytes - name);
	def->table_bytes = (uint32_t)n;
	def->table_full_bytes = full > UINT32_MAX ? UINT32_MAX : (uint32_t)full;
	return true;
}

static inline uint32_t cache_set_of(uint64_t code)
{
	return (uint32_t)((code >> 4) * 0x9e3779b97f4a7c15ull >> 40) % CODE_CACHE_SETS;
}

LANE_CODE static bool frame_put(struct out *o, struct probe_lane *lane,
				const struct probe_layout *l, uint64_t code, uint32_t lasti,
				uint32_t interp_salt)
{
	if ((uint64_t)(o->end - o->p) < sizeof(struct record_frame) + 64)
		return false;
	struct record_frame *frame = (struct record_frame *)o->p;
	uint32_t first_line = rd32(code + l->code_firstlineno),
		 check = code_check(l, code, interp_salt);
	struct code_cache_line *ways = lane->code_cache[cache_set_of(code)], *line = NULL;
	for (unsigned w = 0; w < CODE_CACHE_WAYS; w++) {
		struct code_cache_line *c = &ways[w];
		if (c->code == code && c->check == check && c->first_line == first_line) {
			frame->code = c->id;
			frame->lasti = lasti;
			/* a needless write to a cache line costs more than the read that avoids
			 * it */
			if (!c->used) {
				c->used = 1;
				ways[1 - w].used = 0;
			}
			o->p += sizeof(*frame);
			return true;
		}
		if (!line || !c->used)
			line = c;
	}
	uint32_t id = lane->next_code_id + 1;
	o->p += sizeof(*frame);
	if (!code_define(o, l, code, rd64(code + l->code_linetable))) {
		o->p -= sizeof(*frame);
		return false;
	}
	if (id >= FRAME_DEFINES) /* after 2^31 definitions; an id is never reused */
		return false;
	lane->next_code_id = id;
	frame->code = id | FRAME_DEFINES;
	frame->lasti = lasti;
	*line = (struct code_cache_line){ code, first_line, check, id, 1 };
	ways[line == ways].used = 0;
	return true;
}

/* The first of the instructions that the frame runs: in free-threaded 3.14+ every thread has its
 * own copy (v3.14.0 Include/internal/pycore_code.h, _PyCode_GetTLBC; Python/ceval.c). Index 0 is
 * the code object's own copy. */
static inline uint64_t instructions_of(const struct probe_layout *l, uint64_t frame, uint64_t code)
{
	if (l->frame_tlbc_index != OFF_NONE) {
		uint64_t index = rd32(frame + l->frame_tlbc_index),
			 copies = rd64(code + l->code_tlbc);
		if (index && copies && index < rd64(copies))
			return rd64(copies + 8 + 8 * index);
	}
	return code + l->code_instructions;
}

LANE_CODE static void anchor_add(struct frame_walk *walk, uint64_t address)
{
	if (walk->n_anchors < walk->max_anchors && address >= walk->sp && address < walk->sp_limit)
		walk->anchors[walk->n_anchors++] = (struct record_anchor){
			(uint32_t)(address - walk->sp), walk->n_frames
		};
}

/*
 * 3.10, 3.11: every run of the evaluator keeps a cframe in its C frame; the cframes are chained
 * outwards. The walk has passed this run's outermost Python frame, so its cframe is the anchor.
 * Returns the next cframe, or 0 at the end. In 3.10 the thread's root_cframe.previous is not
 * initialised (Python/pystate.c, new_threadstate), so an address outside the stack ends the chain.
 */
LANE_CODE static uint64_t cframe_anchor(const struct probe_layout *l, uint64_t cframe,
					struct frame_walk *walk)
{
	if (cframe < walk->sp || cframe >= walk->sp_limit)
		return 0;
	anchor_add(walk, cframe);
	return rd64(cframe + l->cframe_previous);
}

/*
 * The common case: no anchors wanted, no thread-local copies of instructions, every frame in the
 * chunk of the data stack or an entry frame, every code object in the cache. Offsets stay in
 * registers; the general walk cannot keep them there, because it writes through pointers that may
 * alias anything. This walk stops at the first frame that needs more, and the general walk
 * continues from there. `by_version` and `position` are constants at each call, so the compiler
 * makes one loop for each.
 */
static inline __attribute__((always_inline)) uint64_t
frames_cached(struct out *o, struct probe_lane *lane, struct chain *chain, uint64_t *from,
	      uint64_t frame, uint32_t salt, struct frame_walk *walk, bool by_version,
	      enum position_kind position)
{
	const struct probe_layout *l = &o->ctx->layout;
	const uint32_t previous_off = l->frame_previous, code_off = l->frame_code,
		       position_off = l->frame_position;
	const uint32_t owner_off = l->frame_owner, line_off = l->code_firstlineno;
	const uint32_t type_off = l->ob_type, instructions_off = l->code_instructions,
		       skip = l->owner_skip;
	const uint64_t tag_mask = ~(uint64_t)l->code_tag_mask, type_code = l->type_code;
	const uint64_t chunk = chain->chunk, chunk_bytes = chain->chunk_bytes,
		       position_max = chain->position_max, stack_end = chain->stack_end;
	uint64_t room = (uint64_t)(o->end - o->p) / sizeof(struct record_frame);
	uint32_t n = walk->n_frames, max = o->ctx->max_frames;
	struct record_frame *to = (struct record_frame *)o->p;
	room = room > 16 ? n + room - 16 : 0;
	if (max > room)
		max = (uint32_t)room;
	for (;;) {
		if (frame - chunk < chunk_bytes) {
			uint64_t code = rd64(frame + code_off) & tag_mask;
			uint64_t at = 0;
			if (position == POSITION_POINTER) {
				at = rd64(frame + position_off) - code - instructions_off;
				if (at + 2 >= position_max)
					break;
			}
			if (n >= max || !code || rd64(code + type_off) != type_code)
				break;
			uint32_t check = by_version ? code_version_check(l, code, salt)
						    : code_content_check(l, code, salt);
			struct code_cache_line *c = lane->code_cache[cache_set_of(code)];
			if (c->code != code || c->check != check) {
				c++;
				if (c->code != code || c->check != check)
					break;
			}
			if ((by_version && !check) || !c->used ||
			    c->first_line != rd32(code + line_off))
				break;
			to->code = c->id;
			if (position == POSITION_POINTER)
				to->lasti = (uint32_t)at;
			else
				to->lasti = rd32(frame + position_off) *
					    (position == POSITION_LASTI_UNITS ? 2 : 1);
			to++;
			n++;
		} else if (position == POSITION_POINTER && frame >= chain->stack &&
			   frame < stack_end && !(frame & 7) && rd8(frame + owner_off) >= skip) {
			chain_pass_entry(chain, frame);
		} else {
			break;
		}
		*from = frame;
		frame = rd64(frame + previous_off);
	}
	walk->n_frames = n;
	o->p = (uint8_t *)to;
	return frame;
}

LANE_CODE static uint64_t frames_cached_of(struct out *o, struct probe_lane *lane,
					   struct chain *chain, uint64_t *from, uint64_t frame,
					   uint32_t salt, struct frame_walk *walk)
{
	const struct probe_layout *l = &o->ctx->layout;
	switch (l->position_kind) {
	case POSITION_LASTI_BYTES:
		return frames_cached(o, lane, chain, from, frame, salt, walk, false,
				     POSITION_LASTI_BYTES);
	case POSITION_LASTI_UNITS:
		return frames_cached(o, lane, chain, from, frame, salt, walk, false,
				     POSITION_LASTI_UNITS);
	default:
		if (l->frame_owner == OFF_NONE)
			return frame;
		return l->code_version ? frames_cached(o, lane, chain, from, frame, salt, walk,
						       true, POSITION_POINTER)
				       : frames_cached(o, lane, chain, from, frame, salt, walk,
						       false, POSITION_POINTER);
	}
}

LANE_CODE void frames_out(struct out *o, struct probe_lane *lane, uint64_t tstate,
			  struct frame_walk *walk)
{
	const struct probe_layout *l = &o->ctx->layout;
	if (!tstate)
		return;
	struct chain chain;
	uint64_t frame = chain_begin(o->ctx, tstate, &chain), from = 0, code = 0;
	uint64_t interp = rd64(tstate + l->tstate_interp);
	uint32_t interp_salt = interp ? (uint32_t)rd64(interp + l->interp_id) * 0x9e3779b9u : 0;
	uint64_t cframe = 0;
	if (walk->max_anchors && l->tstate_cframe != OFF_NONE && l->cframe_previous != OFF_NONE &&
	    l->minor < 12)
		cframe = rd64(tstate + l->tstate_cframe);
	uint32_t max = o->ctx->max_frames;
	bool full = false, is_simple = l->frame_tlbc_index == OFF_NONE && !walk->max_anchors &&
				       chain.runs_left == UINT32_MAX;
	walk->cut |= chain.runs_left == 0;
	for (uint32_t steps = 0; steps < 1u << 20; steps++) {
		if (is_simple && !full)
			frame = frames_cached_of(o, lane, &chain, &from, frame, interp_salt, walk);
		if (!frame)
			break;
		enum chain_kind kind = chain_look(l, &chain, from, frame, &code);
		if (kind == CHAIN_BROKEN) {
			walk->cut = true;
			break;
		}
		if (kind == CHAIN_ENTRY) {
			anchor_add(walk, frame);
		} else if (walk->n_frames >= max || full) {
			walk->cut = true;
			if (!walk->max_anchors)
				/* continue only if anchors are wanted: they are collected up to the
				 * outer end */
				return;
		} else if (kind == CHAIN_FRAME) {
			uint32_t lasti;
			if (l->position_kind == POSITION_POINTER) {
				lasti = (uint32_t)(rd64(frame + l->frame_position) -
						   instructions_of(l, frame, code));
			} else {
				lasti = rd32(frame + l->frame_position);
				if (l->position_kind == POSITION_LASTI_UNITS)
					lasti *= 2;
			}
			if (frame_put(o, lane, l, code, lasti, interp_salt))
				walk->n_frames++;
			else
				full = walk->cut = true;
		}
		if (cframe && (!l->frame_is_entry_3_11 || rd8(frame + l->frame_is_entry_3_11)))
			cframe = cframe_anchor(l, cframe, walk);
		if (!chain_pass(l, &chain, frame, kind)) {
			walk->cut = true;
			break;
		}
		from = frame;
		frame = rd64(frame + l->frame_previous);
	}
}
