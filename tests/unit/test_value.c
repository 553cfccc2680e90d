/*
 * test_value: values as Python literals, as plain text, to JSON and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/attr.h"
#include "capture_util.h"
#include "model/trace.h"
#include "model/value_iter.h"
#include "model/value_json.h"
#include "model/value_text.h"

struct encoded {
	struct strbuf bytes;
	struct json_objects objects;
};

static bool encode(const char *json, size_t n, struct encoded *ret)
{
	struct json j = { .start = json, .p = json, .end = json + n };
	*ret = (struct encoded){ 0 };
	if (!value_json_read(&j, &ret->bytes, &ret->objects))
		return false;
	json_read_space(&j);
	return j.p == j.end;
}

static void encoded_fini(struct encoded *e)
{
	strbuf_fini(&e->bytes);
	vec_fini(&e->objects.addresses);
}

enum form { AS_JSON, AS_LITERAL, AS_PLAIN };

static char *show(const void *bytes, size_t n, const uint64_t *objects, uint32_t n_objects,
		  enum form form, size_t max)
{
	struct value_iter it;
	struct value_node v;
	struct strbuf b = { 0 };
	value_iter_init_bytes(&it, NULL, bytes, n, objects, n_objects);
	assert_true(value_iter_next(&it, &v));
	if (form == AS_JSON)
		value_json_write(&b, &it, &v);
	else if (form == AS_LITERAL)
		value_text_literal(&b, &it, &v, max);
	else
		value_text_plain(&b, &it, &v);
	struct value_node rest;
	assert_false(value_iter_next(&it, &rest)); /* it is after the value */
	return strbuf_take(&b);
}

/* JSON in, JSON out (NULL: the same), literal (NULL: not compared). */
static const struct row {
	const char *in, *out, *literal;
} rows[] = {
	{ "null", NULL, "None" },
	{ "true", NULL, "True" },
	{ "0", NULL, "0" },
	{ "-1", NULL, "-1" },
	{ "9223372036854775807", NULL, "9223372036854775807" },
	{ "-9223372036854775808", NULL, "-9223372036854775808" },
	{ "9223372036854775808", "{\"int\":\"9223372036854775808\"}", "9223372036854775808" },
	{ "{\"int\":\"123456789012345678901234567890\"}", NULL, "123456789012345678901234567890" },
	{ "{\"int\":\"-18446744073709551616\"}", NULL, "-18446744073709551616" },
	{ "{\"int\":\"0x10\"}", "16", "16" },
	{ "{\"int\":\"12\"}", "12", "12" },
	{ "1.0", NULL, "1.0" },
	{ "0.1", NULL, "0.1" },
	{ "1e5", "100000.0", "100000.0" },
	{ "1e16", "1e+16", "1e+16" },
	{ "123456789012345.6", NULL, NULL },
	{ "1e-7", "1e-07", "1e-07" },
	{ "0.0001", NULL, "0.0001" },
	{ "-0.0", NULL, "-0.0" },
	{ "2.2250738585072014e-308", NULL, NULL },
	{ "{\"float\":\"nan\"}", NULL, "nan" },
	{ "{\"float\":\"-inf\"}", NULL, "-inf" },
	{ "{\"complex\":[1.0,-2.5]}", NULL, "(1.0-2.5j)" },
	{ "{\"complex\":[0.0,{\"float\":\"nan\"}]}", NULL, "(0.0+nanj)" },
	{ "{\"const\":\"Ellipsis\"}", NULL, "Ellipsis" },
	{ "{\"unreadable\":true}", NULL, "??" },
	{ "\"\"", NULL, "\"\"" },
	{ "\"/etc/passwd\"", NULL, "\"/etc/passwd\"" },
	{ "\"a\\\"b\\\\c\\n\\u0001\"", NULL, "\"a\\\"b\\\\c\\n\\x01\"" },
	{ "\"\\u00e9\\/\"", "\"\xc3\xa9/\"", "\"\xc3\xa9/\"" },
	{ "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", NULL },
	{ "\"\\udcff.txt\"", NULL, "\"\\udcff.txt\"" },
	{ "{\"str\":\"7aC97bCA\"}", NULL, NULL }, /* a surrogate pair kept as two code points */
	{ "{\"str\":\"/w==\"}", NULL, NULL },     /* a byte that is no UTF-8 */
	{ "{\"str\":\"YWJj\"}", "\"abc\"", NULL },
	{ "{\"bytes\":\"\"}", NULL, "b\"\"" },
	{ "{\"bytes\":\"R0VUIC8=\"}", NULL, "b\"GET /\"" },
	{ "{\"bytearray\":\"AP8=\"}", NULL, "bytearray(b\"\\x00\\xff\")" },
	{ "{\"cut\":\"head\",\"length\":81920}", NULL, "\"head\"[cut 4 of 81920]" },
	{ "{\"cut\":{\"bytes\":\"AA==\"},\"length\":9}", NULL, "b\"\\x00\"[cut 1 of 9]" },
	{ "{\"cut\":{\"bytearray\":\"AA==\"},\"length\":9}", NULL,
	  "bytearray(b\"\\x00\"[cut 1 of 9])" },
	{ "{\"cut\":{\"str\":\"/w==\"},\"length\":9}", NULL, NULL },
	{ "{\"cut\":[1,2],\"length\":900}", NULL, "[1, 2, [cut 2 of 900]]" },
	{ "{\"cut\":[],\"length\":3}", NULL, "[[cut 0 of 3]]" },
	{ "[]", NULL, "[]" },
	{ "[1,[2,[\"x\"]],null]", NULL, "[1, [2, [\"x\"]], None]" },
	{ "{\"set\":[1,2]}", NULL, "{1, 2}" },
	{ "{\"set\":[]}", NULL, "set()" },
	{ "{\"frozenset\":[]}", NULL, "frozenset()" },
	{ "{\"frozenset\":[\"a\"],\"length\":7}", NULL, "frozenset({\"a\", [cut 1 of 7]})" },
	{ "{}", NULL, "{}" },
	{ "{\"a\":1,\"b\":[2]}", NULL, "{\"a\": 1, \"b\": [2]}" },
	{ "{\"dict\":[[1,2]]}", NULL, "{1: 2}" },
	{ "{\"dict\":[[\"a\",1]],\"length\":5}", NULL, "{\"a\": 1, [cut 1 of 5]}" },
	{ "{\"a\":1,\"a\":2}", "{\"dict\":[[\"a\",1],[\"a\",2]]}", NULL },
	{ "{\"dict\":[[\"a\",1]]}", "{\"a\":1}", NULL },
	/* JSON of other programs that only begins like ours */
	{ "{\"type\":\"click\",\"x\":1}", "{\"dict\":[[\"type\",\"click\"],[\"x\",1]]}", NULL },
	{ "{\"int\":5}", "{\"dict\":[[\"int\",5]]}", NULL },
	{ "{\"cut\":5,\"length\":6}", "{\"dict\":[[\"cut\",5],[\"length\",6]]}", NULL },
	{ "{\"cut\":[1,2],\"length\":1}", "{\"dict\":[[\"cut\",[1,2]],[\"length\",1]]}", NULL },
	{ "{\"bytes\":\"???\"}", "{\"dict\":[[\"bytes\",\"???\"]]}", NULL },
	{ "{\"complex\":[1,2]}", "{\"dict\":[[\"complex\",[1,2]]]}", NULL },
	{ "{\"x\":{\"bytes\":\"AA==\"}}", NULL, "{\"x\": b\"\\x00\"}" },
	/* objects */
	{ "{\"type\":\"socket.socket\",\"id\":\"0x7f00\",\"fd\":5,\"type_\":1}", NULL,
	  "<socket.socket fd=5 type=1 0x7f00>" },
	{ "{\"type\":\"T\",\"id\":null}", NULL, "<T>" },
	{ "{\"type\":\"T\",\"id\":null,\"id_\":1,\"id__\":2}", NULL, NULL },
	{ "{\"type\":\"code\",\"id\":null,\"name\":\"f\",\"file\":\"a.py\",\"line\":3}", NULL,
	  "<code f a.py:3>" },
	{ "{\"type\":\"function\",\"id\":null,\"name\":\"f\",\"module\":\"m\"}", NULL,
	  "<function m.f>" },
	{ "{\"type\":\"PosixPath\",\"id\":null,\"path\":\"/etc\"}", NULL, "PosixPath(\"/etc\")" },
	{ "[{\"type\":\"A\",\"id\":\"0x1\"},{\"type\":\"B\",\"id\":\"0x2\"}]", NULL,
	  "[<A 0x1>, <B 0x2>]" },
	/* deeper than VALUE_DEPTH_MAX: the container is kept, its contents are not */
	{ "[[[[[[[[[[1,2]]]]]]]]]]", "[[[[[[[[{\"cut\":[],\"length\":1}]]]]]]]]", NULL },
	{ " [ 1 , 2 ] ", "[1,2]", NULL },
};

static void test_rows(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct encoded e, again;
		const char *want = rows[i].out ? rows[i].out : rows[i].in;
		assert_true(encode(rows[i].in, strlen(rows[i].in), &e));
		char *json = show(e.bytes.s, e.bytes.n, e.objects.addresses.v,
				  (uint32_t)e.objects.addresses.n, AS_JSON, 0);
		assert_string_equal(json, want);
		/* what was written is read back as the same bytes */
		assert_true(encode(json, strlen(json), &again));
		if (!rows[i].out) {
			assert_int_equal(again.bytes.n, e.bytes.n);
			assert_memory_equal(again.bytes.s, e.bytes.s, e.bytes.n);
		}
		char *twice = show(again.bytes.s, again.bytes.n, again.objects.addresses.v,
				   (uint32_t)again.objects.addresses.n, AS_JSON, 0);
		assert_string_equal(twice, want);
		if (rows[i].literal) {
			char *literal = show(e.bytes.s, e.bytes.n, e.objects.addresses.v,
					     (uint32_t)e.objects.addresses.n, AS_LITERAL, 0);
			assert_string_equal(literal, rows[i].literal);
			free(literal);
		}
		free(json);
		free(twice);
		encoded_fini(&e);
		encoded_fini(&again);
	}
}

static void test_broken_json(void **state)
{
	static const char *const broken[] = { "",      "nul",        "tru",       "[1",
					      "[1,]",  "{\"a\"}",    "{\"a\":}",  "{1:2}",
					      "\"a",   "\"\\x\"",    "\"\\u12\"", "-",
					      "[1 2]", "{\"a\":1,}", "]",         "{\"dict\":[[1]]",
					      "x" };
	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		for (size_t n = 0; n <= strlen(broken[i]); n++) {
			struct encoded e;
			bool whole = encode(broken[i], n, &e);
			if (n == strlen(broken[i]))
				assert_false(whole);
			encoded_fini(&e);
		}
}

/* Every prefix and every changed byte of a text with all forms: never a crash, and what is read can
 * be written. */
static void test_damaged_json(void **state)
{
	struct strbuf all = { 0 };
	strbuf_addc(&all, '[');
	for (size_t i = 0; i < ARRAY_LEN(rows) - 2; i++)
		strbuf_addf(&all, "%s%s", i ? "," : "", rows[i].in);
	strbuf_addc(&all, ']');
	for (size_t i = 0; i < all.n; i++)
		for (int change = 0; change < 4; change++) {
			struct encoded e;
			char was = all.s[i];
			size_t n = change ? all.n : i;
			all.s[i] = change == 1   ? '"'
				   : change == 2 ? '}'
				   : change == 3 ? (char)0xff
						 : was;
			if (encode(all.s, n, &e))
				free(show(e.bytes.s, e.bytes.n, e.objects.addresses.v,
					  (uint32_t)e.objects.addresses.n, AS_JSON, 0));
			all.s[i] = was;
			encoded_fini(&e);
		}
	strbuf_fini(&all);
}

static void test_text(void **state)
{
	static const struct {
		const char *json, *plain;
		size_t max;
		const char *limited;
	} texts[] = {
		{ "\"a\\nb\\\"\"", "a\nb\"", 0, NULL },
		{ "[\"10.0.0.7\",8077]", "[10.0.0.7, 8077]", 6, "[\"10.0…" },
		{ "{\"type\":\"s.s\",\"id\":\"0x9\",\"fd\":5}", "<s.s fd=5>", 0, NULL },
		{ "{\"type\":\"P\",\"id\":\"0x9\",\"path\":\"/x\"}", "/x", 0, NULL },
		{ "{\"cut\":\"head\",\"length\":99}", "head", 0, NULL },
		{ "\"\xe5\xa4\xa7\xe9\x98\xaa\xe5\xa4\xa7\"",
		  "\xe5\xa4\xa7\xe9\x98\xaa\xe5\xa4\xa7", 5, "\"\xe5\xa4\xa7…" },
		{ "[1,2,3,4,5]", "[1, 2, 3, 4, 5]", 4, "[1, …" },
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct encoded e;
		assert_true(encode(texts[i].json, strlen(texts[i].json), &e));
		char *plain = show(e.bytes.s, e.bytes.n, e.objects.addresses.v,
				   (uint32_t)e.objects.addresses.n, AS_PLAIN, 0);
		assert_string_equal(plain, texts[i].plain);
		free(plain);
		if (texts[i].limited) {
			char *limited = show(e.bytes.s, e.bytes.n, NULL, 0, AS_LITERAL,
					     texts[i].max);
			assert_string_equal(limited, texts[i].limited);
			free(limited);
		}
		encoded_fini(&e);
	}
}

/* Write a value that holds `n` times the value `id`. */
static uint32_t repeated(struct writer *w, uint32_t id, unsigned n)
{
	struct strbuf b = { 0 };
	put_container(&b, VALUE_TUPLE, n, n);
	for (unsigned i = 0; i < n; i++) {
		strbuf_addc(&b, VALUE_REF);
		strbuf_add_varint(&b, id);
	}
	uint32_t made = writer_value(w, b.s, b.n);
	strbuf_fini(&b);
	return made;
}

/* Some hundred bytes that describe a text of 4 GB: reading them takes neither its memory nor its
 * time. */
static void test_bomb(void **state)
{
	char path[4096], text[4001];
	struct writer *w;
	struct trace *t;
	struct writer_options o = { .creator = "test" };
	struct strbuf b = { 0 };
	test_path(path, sizeof(path), "bomb");
	must(writer_open(path, &o, &w));
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	put_str(&b, text);
	uint32_t id = writer_value(w, b.s, b.n);
	strbuf_fini(&b);
	for (unsigned level = 0; level < 3; level++)
		id = repeated(w, id, 100);
	must(writer_close(w));
	must(trace_open(path, NULL, &t));

	struct value_iter it;
	struct value_node v;
	value_iter_init(&it, t, id, NULL, 0);
	assert_true(value_iter_next(&it, &v));
	value_text_plain(&b, &it, &v);
	assert_true(b.n > 1000 && b.n < 4u * VALUE_ITER_BYTES);
	assert_true(value_iter_failed(&it)); /* and it is known that this is not all */
	strbuf_fini(&b);
	value_iter_init(&it, t, id, NULL, 0);
	assert_true(value_iter_next(&it, &v));
	value_json_write(&b, &it, &v);
	assert_true(b.n > 1000 && b.n < 8u * VALUE_ITER_BYTES);
	strbuf_fini(&b);
	trace_close(t);
	unlink(path);
}

/* Each form that can hold a value, nested until a recursion over it would end the program. */
static void test_nested_json(void **state)
{
	static const struct {
		const char *open, *close;
	} forms[] = { { "[", "]" },
		      { "{\"a\":", "}" },
		      { "{\"set\":[", "]}" },
		      { "{\"dict\":[[1,", "]]}" },
		      { "{\"dict\":[[", ",1]]}" },
		      { "{\"complex\":[", ",1.0]}" },
		      { "{\"complex\":[1.0,", "]}" },
		      { "{\"type\":\"t\",\"id\":null,\"a\":", "}" },
		      { "{\"cut\":", ",\"length\":1}" },
		      { "{\"cut\":[", "],\"length\":1}" } };
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct strbuf text = { 0 };
		struct encoded e;
		for (int k = 0; k < 200000; k++)
			strbuf_adds(&text, forms[i].open);
		strbuf_addc(&text, '1');
		for (int k = 0; k < 200000; k++)
			strbuf_adds(&text, forms[i].close);
		assert_true(encode(text.s, text.n, &e));
		free(show(e.bytes.s, e.bytes.n, e.objects.addresses.v,
			  (uint32_t)e.objects.addresses.n, AS_JSON, 0));
		encoded_fini(&e);
		strbuf_fini(&text);
	}
}

/* Many objects that begin as a form does: the forms after them are read as ever. */
static void test_many_in_vain(void **state)
{
	struct strbuf text = { 0 };
	struct encoded e;
	strbuf_addc(&text, '[');
	for (int i = 0; i < 100000; i++)
		strbuf_adds(&text, "{\"type\":\"t\",\"name\":\"n\"},");
	strbuf_adds(&text, "{\"bytes\":\"AP8=\"}]");
	assert_true(encode(text.s, text.n, &e));
	static const char want[] = { VALUE_BYTES, 2, 0, (char)0xff };
	assert_true(e.bytes.n > sizeof(want));
	assert_memory_equal(e.bytes.s + e.bytes.n - sizeof(want), want, sizeof(want));
	encoded_fini(&e);
	strbuf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),         cmocka_unit_test(test_broken_json),
		cmocka_unit_test(test_damaged_json), cmocka_unit_test(test_text),
		cmocka_unit_test(test_bomb),         cmocka_unit_test(test_nested_json),
		cmocka_unit_test(test_many_in_vain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
