/*
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.

Lean objects on one side, the C ABI of the native library on the other. This is the only file that
includes lean/lean.h. It is compiled against the header of the user's own Lean, and includes no libc
header, because the compiler that comes with Lean has none.

All arguments of the functions below are borrowed, all results are owned. An IO result has tag 0 for
a value and 1 for an exception; `Except` has tag 0 for an error and 1 for a value.
*/
#include <lean/lean.h>
#include "lean_oracle.h"

#ifndef LEAN_ORACLE_SHIM_ABI /* overridden only by the test of the check below */
#define LEAN_ORACLE_SHIM_ABI LEAN_ORACLE_ABI_VERSION
#endif

static lean_obj_res throw_text(char const *text) {
  return lean_io_result_mk_error(lean_mk_io_user_error(lean_mk_string(text)));
}

static int abi_matches(void) { return lean_oracle_abi_version() == (uint32_t)LEAN_ORACLE_SHIM_ABI; }

static lean_obj_res throw_abi(void) {
  return throw_text("lean-oracle: the native library that was loaded has another ABI version than the Lean shim was "
                    "compiled for. Rebuild both: `lake build` (or `scripts/lean-check` without Lake), then "
                    "restart Lean.");
}

static LeanOracleText text_of(b_lean_obj_arg s) {
  LeanOracleText t = {(uint8_t const *)lean_string_cstr(s), lean_string_size(s) - 1};
  return t;
}

/* Invalid UTF-8 is replaced, an absent text becomes "". */
static lean_obj_res string_of(uint8_t const *ptr, size_t len) {
  return len ? lean_mk_string_from_bytes((char const *)ptr, len) : lean_mk_string("");
}

/* `-?[0-9]+`, and nothing after it before the final NUL. */
static int is_integer(LeanOracleText t) {
  size_t i = t.len && t.ptr[0] == '-' ? 1 : 0;
  if (i == t.len || t.ptr[t.len] != 0) return 0;
  for (; i < t.len; i++)
    if (t.ptr[i] < '0' || t.ptr[i] > '9') return 0;
  return 1;
}

static lean_obj_res int_of(LeanOracleText t) { return lean_cstr_to_int((char const *)t.ptr); }

LEAN_EXPORT uint32_t lean_oracle_ffi_abi_version(void) { return lean_oracle_abi_version(); }

/* The text of an answer, as an IO result; frees the buffer. */
static lean_obj_res answer_in(LeanOracleBuffer *out) {
  lean_obj_res result = out->len ? lean_io_result_mk_ok(string_of(out->ptr, out->len))
                                 : throw_text("lean-oracle: the native library gave no answer");
  lean_oracle_free(out);
  return result;
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_call_json(b_lean_obj_arg request) {
  if (!abi_matches()) return throw_abi();
  LeanOracleText text = text_of(request);
  LeanOracleBuffer out = {0};
  lean_oracle_call_json(text.ptr, text.len, &out); /* a refusal is in the answer too */
  return answer_in(&out);
}

/* --- LeanOracle.FFI.Cancel: an external object around a LeanOracleCancel */

/* What external objects stand for refers to no Lean objects. */
static void visit_nothing(void *data, b_lean_obj_arg visit) {
  (void)data;
  (void)visit;
}

/* A class is registered at its first use. Two threads may both register one; the first to store its own
   wins, and the other is never used. */
static lean_external_class *class_in(lean_external_class **registered, void (*finalize)(void *)) {
  lean_external_class *known = __atomic_load_n(registered, __ATOMIC_ACQUIRE);
  if (!known) {
    lean_external_class *mine = lean_register_external_class(finalize, visit_nothing);
    if (__atomic_compare_exchange_n(registered, &known, mine, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) known = mine;
  }
  return known;
}

static void finalize_cancel(void *flag) { lean_oracle_cancel_free((LeanOracleCancel *)flag); }

static lean_external_class *cancel_class(void) {
  static lean_external_class *registered;
  return class_in(&registered, finalize_cancel);
}

static LeanOracleCancel *flag_of(b_lean_obj_arg flag) { return (LeanOracleCancel *)lean_get_external_data(flag); }

/* Option LeanOracle.FFI.Cancel */
static LeanOracleCancel *flag_in(b_lean_obj_arg cancel) {
  return lean_is_scalar(cancel) ? 0 : flag_of(lean_ctor_get(cancel, 0));
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_cancel_new(void) {
  if (!abi_matches()) return throw_abi();
  return lean_io_result_mk_ok(lean_alloc_external(cancel_class(), lean_oracle_cancel_new()));
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_cancel_set(b_lean_obj_arg flag) {
  if (!abi_matches()) return throw_abi();
  lean_oracle_cancel(flag_of(flag));
  return lean_io_result_mk_ok(lean_box(0));
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_call_json_cancellable(b_lean_obj_arg request, b_lean_obj_arg flag) {
  if (!abi_matches()) return throw_abi();
  LeanOracleText text = text_of(request);
  LeanOracleBuffer out = {0};
  lean_oracle_call_json_cancellable(text.ptr, text.len, flag_of(flag), &out);
  return answer_in(&out);
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_cache_resize(uint64_t bytes) {
  if (!abi_matches()) return throw_abi();
  lean_oracle_cache_resize(bytes < SIZE_MAX ? (size_t)bytes : SIZE_MAX);
  return lean_io_result_mk_ok(lean_box(0));
}

/* LeanOracle.FFI.CacheStats: five objects */
LEAN_EXPORT lean_obj_res lean_oracle_ffi_cache_stats(void) {
  if (!abi_matches()) return throw_abi();
  LeanOracleCacheStats s = {0};
  lean_oracle_cache_stats(&s);
  lean_object *r = lean_alloc_ctor(0, 5, 0);
  lean_ctor_set(r, 0, lean_uint64_to_nat(s.hits));
  lean_ctor_set(r, 1, lean_uint64_to_nat(s.misses));
  lean_ctor_set(r, 2, lean_uint64_to_nat(s.entries));
  lean_ctor_set(r, 3, lean_uint64_to_nat(s.bytes));
  lean_ctor_set(r, 4, lean_uint64_to_nat(s.capacity));
  return lean_io_result_mk_ok(r);
}

static lean_obj_res except_ok(lean_obj_arg value) {
  lean_object *r = lean_alloc_ctor(1, 1, 0); /* Except.ok */
  lean_ctor_set(r, 0, value);
  return r;
}

static lean_obj_res except_error(lean_obj_arg value) {
  lean_object *r = lean_alloc_ctor(0, 1, 0); /* Except.error */
  lean_ctor_set(r, 0, value);
  return r;
}

/* Except.error (code, message, field : LeanOracle.FFI.Failure), as the value of an IO result */
static lean_obj_res refuse(lean_obj_arg code, lean_obj_arg message, lean_obj_arg field) {
  lean_object *failure = lean_alloc_ctor(0, 3, 0);
  lean_ctor_set(failure, 0, code);
  lean_ctor_set(failure, 1, message);
  lean_ctor_set(failure, 2, field);
  return lean_io_result_mk_ok(except_error(failure));
}

/* LeanOracle.FFI.Answer: nine objects, then one byte */
static lean_obj_res answer_of(LeanOracleUnaryAnswer const *a) {
  lean_object *r = lean_alloc_ctor(0, 9, 1);
  lean_ctor_set(r, 0, int_of(a->input_mid));
  lean_ctor_set(r, 1, int_of(a->input_rad));
  lean_ctor_set(r, 2, int_of(a->input_exp));
  lean_ctor_set(r, 3, int_of(a->mid));
  lean_ctor_set(r, 4, int_of(a->rad));
  lean_ctor_set(r, 5, int_of(a->exp));
  lean_ctor_set(r, 6, string_of(a->lo.ptr, a->lo.len));
  lean_ctor_set(r, 7, string_of(a->hi.ptr, a->hi.len));
  lean_ctor_set(r, 8, lean_unsigned_to_nat(a->bits_used));
  lean_ctor_set_uint8(r, 9 * sizeof(void *), a->tight != 0);
  return r;
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_unary(b_lean_obj_arg function, b_lean_obj_arg lo, b_lean_obj_arg hi,
                                               uint32_t digits, uint32_t prec_bits, uint32_t max_bits,
                                               uint32_t exp_limit) {
  if (!abi_matches()) return throw_abi();
  LeanOracleUnaryRequest request = {
      .function = text_of(function),
      .lo = text_of(lo),
      .hi = text_of(hi),
      .digits = digits,
      .prec_bits = prec_bits,
      .max_bits = max_bits,
      .exp_limit = exp_limit,
  };
  LeanOracleUnaryAnswer a = {0};
  lean_obj_res result;
  if (lean_oracle_unary(&request, &a) != 0) {
    result = refuse(string_of(a.code.ptr, a.code.len), string_of(a.message.ptr, a.message.len),
                    string_of(a.field.ptr, a.field.len));
  } else if (!is_integer(a.input_mid) || !is_integer(a.input_rad) || !is_integer(a.input_exp) || !is_integer(a.mid) ||
             !is_integer(a.rad) || !is_integer(a.exp)) {
    result = refuse(lean_mk_string("internal"),
                    lean_mk_string("the native library gave a ball that is not made of integers"), lean_mk_string(""));
  } else {
    result = lean_io_result_mk_ok(except_ok(answer_of(&a)));
  }
  lean_oracle_free(&a.storage);
  return result;
}

/* --- LeanOracle.FFI.Client: an external object around a LeanOracleClient */

static void finalize_client(void *client) { lean_oracle_client_free((LeanOracleClient *)client); }

static lean_external_class *client_class(void) {
  static lean_external_class *registered;
  return class_in(&registered, finalize_client);
}

static LeanOracleClient *client_of(b_lean_obj_arg client) { return (LeanOracleClient *)lean_get_external_data(client); }

/* A refusal in JSON, as Except.error; frees the buffer. */
static lean_obj_res refuse_in(LeanOracleBuffer *json) {
  lean_object *text = string_of(json->ptr, json->len);
  lean_oracle_free(json);
  return lean_io_result_mk_ok(except_error(text));
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_client_new(b_lean_obj_arg config) {
  if (!abi_matches()) return throw_abi();
  LeanOracleText text = text_of(config);
  LeanOracleClient *client = 0;
  LeanOracleBuffer failure = {0};
  if (lean_oracle_client_new(text.ptr, text.len, &client, &failure) != 0) return refuse_in(&failure);
  return lean_io_result_mk_ok(except_ok(lean_alloc_external(client_class(), client)));
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_client_close(b_lean_obj_arg client) {
  if (!abi_matches()) return throw_abi();
  lean_oracle_client_close(client_of(client));
  return lean_io_result_mk_ok(lean_box(0));
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_client_metrics(b_lean_obj_arg client) {
  if (!abi_matches()) return throw_abi();
  LeanOracleBuffer out = {0};
  lean_oracle_client_metrics(client_of(client), &out);
  return answer_in(&out);
}

/* Memory that Lean allocates and `lean_dec_ref` frees: there is no libc header for another kind. */
static lean_obj_res bytes_of(unsigned size, void const *data, size_t count) {
  lean_object *o = lean_alloc_sarray(size, count, count);
  if (data && count) __builtin_memcpy(lean_sarray_cptr(o), data, size * count);
  return o;
}

/* LeanOracle.FFI.NumArray: a shape and a `Numbers`, whose constructors have the numbers of the C ABI */
static lean_obj_res array_of(LeanOracleArray const *a) {
  lean_object *shape = lean_alloc_array(a->dimensions, a->dimensions);
  for (uint32_t i = 0; i < a->dimensions; i++) lean_array_set_core(shape, i, lean_uint64_to_nat(a->shape[i]));
  lean_object *numbers = lean_alloc_ctor(a->dtype, 1, 0);
  lean_ctor_set(numbers, 0,
                a->dtype == LEAN_ORACLE_F64 ? bytes_of(sizeof(double), a->data, a->len / sizeof(double))
                                            : bytes_of(1, a->data, a->len));
  lean_object *r = lean_alloc_ctor(0, 2, 0);
  lean_ctor_set(r, 0, shape);
  lean_ctor_set(r, 1, numbers);
  return r;
}

/* Except CallFailure Reply */
static lean_obj_res reply_of(LeanOracleReply const *reply) {
  if (reply->kind != LEAN_ORACLE_REPLY_OK) {
    lean_object *failure = lean_alloc_ctor(0, 4, 0);
    lean_ctor_set(failure, 0, lean_unsigned_to_nat(reply->kind));
    lean_ctor_set(failure, 1, string_of(reply->code.ptr, reply->code.len));
    lean_ctor_set(failure, 2, string_of(reply->message.ptr, reply->message.len));
    lean_ctor_set(failure, 3, string_of(reply->field.ptr, reply->field.len));
    return except_error(failure);
  }
  lean_object *arrays = lean_alloc_array(reply->array_count, reply->array_count);
  for (uint32_t i = 0; i < reply->array_count; i++) lean_array_set_core(arrays, i, array_of(&reply->arrays[i]));
  lean_object *r = lean_alloc_ctor(0, 3, 0);
  lean_ctor_set(r, 0, string_of(reply->content_type.ptr, reply->content_type.len));
  lean_ctor_set(r, 1, bytes_of(1, reply->payload.ptr, reply->payload.len));
  lean_ctor_set(r, 2, arrays);
  return except_ok(r);
}

/* Every number of an array in a request is read where Lean has it; dimensions that do not fit are
   impossible ones. */
static void read_array(b_lean_obj_arg array, LeanOracleArray *a, uint64_t *shape) {
  lean_object *dimensions = lean_ctor_get(array, 0), *numbers = lean_ctor_get(array, 1);
  lean_object *data = lean_ctor_get(numbers, 0);
  a->dtype = lean_obj_tag(numbers);
  a->dimensions = (uint32_t)lean_array_size(dimensions);
  for (uint32_t i = 0; i < a->dimensions; i++) {
    lean_object *n = lean_array_get_core(dimensions, i);
    shape[i] = lean_is_scalar(n) ? lean_unbox(n) : UINT64_MAX;
  }
  a->shape = shape;
  a->data = lean_sarray_cptr(data);
  a->len = lean_sarray_size(data) * (a->dtype == LEAN_ORACLE_F64 ? sizeof(double) : 1);
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_client_call(b_lean_obj_arg client, b_lean_obj_arg requests,
                                                     uint64_t timeout_ms, uint64_t deadline_ms, uint32_t retries,
                                                     uint8_t flags, b_lean_obj_arg cancel) {
  if (!abi_matches()) return throw_abi();
  size_t count = lean_array_size(requests), arrays = 0, dimensions = 0;
  for (size_t i = 0; i < count; i++) {
    lean_object *list = lean_ctor_get(lean_array_get_core(requests, i), 3);
    arrays += lean_array_size(list);
    for (size_t j = 0; j < lean_array_size(list); j++)
      dimensions += lean_array_size(lean_ctor_get(lean_array_get_core(list, j), 0));
  }
  lean_object *memory = bytes_of(1, 0, count * (sizeof(LeanOracleRequest) + sizeof(LeanOracleReply)) +
                                           arrays * sizeof(LeanOracleArray) + dimensions * sizeof(uint64_t));
  LeanOracleRequest *request = (LeanOracleRequest *)(void *)lean_sarray_cptr(memory);
  LeanOracleReply *replies = (LeanOracleReply *)(request + count);
  LeanOracleArray *array = (LeanOracleArray *)(replies + count);
  uint64_t *shape = (uint64_t *)(array + arrays);
  for (size_t i = 0; i < count; i++) {
    lean_object *r = lean_array_get_core(requests, i), *payload = lean_ctor_get(r, 2), *list = lean_ctor_get(r, 3);
    request[i].op = text_of(lean_ctor_get(r, 0));
    request[i].content_type = text_of(lean_ctor_get(r, 1));
    request[i].payload.ptr = lean_sarray_cptr(payload);
    request[i].payload.len = lean_sarray_size(payload);
    request[i].arrays = array;
    request[i].array_count = lean_array_size(list);
    for (size_t j = 0; j < request[i].array_count; j++, array++) {
      read_array(lean_array_get_core(list, j), array, shape);
      shape += array->dimensions;
    }
  }
  LeanOracleCallOptions options = {
      .timeout_ms = timeout_ms,
      .deadline_ms = deadline_ms,
      .retries = retries > INT32_MAX ? -1 : (int32_t)retries,
      .once = flags & 1,
      .raw = flags >> 1 & 1,
  };
  lean_oracle_client_call(client_of(client), request, count, &options, flag_in(cancel), replies);
  lean_object *result = lean_alloc_array(count, count);
  for (size_t i = 0; i < count; i++) {
    lean_array_set_core(result, i, reply_of(&replies[i]));
    lean_oracle_reply_free(&replies[i]);
  }
  lean_dec_ref(memory);
  return lean_io_result_mk_ok(result);
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_payload_convert(b_lean_obj_arg payload, b_lean_obj_arg source,
                                                         b_lean_obj_arg target, uint64_t msgpack_from,
                                                         uint64_t protobuf_from) {
  if (!abi_matches()) return throw_abi();
  LeanOracleText bytes = {lean_sarray_cptr(payload), lean_sarray_size(payload)}, chosen = {0};
  LeanOracleBuffer out = {0};
  if (lean_oracle_payload_convert(bytes, text_of(source), text_of(target), msgpack_from, protobuf_from, &chosen,
                                  &out) != 0)
    return refuse_in(&out);
  lean_object *pair = lean_alloc_ctor(0, 2, 0);
  lean_ctor_set(pair, 0, string_of(chosen.ptr, chosen.len));
  lean_ctor_set(pair, 1, bytes_of(1, out.ptr, out.len));
  lean_oracle_free(&out);
  return lean_io_result_mk_ok(except_ok(pair));
}

/* --- LeanOracle.FFI.Pool and Session: external objects around a LeanOraclePool and a LeanOracleSession */

static void finalize_pool(void *pool) { lean_oracle_pool_free((LeanOraclePool *)pool); }

static void finalize_session(void *session) { lean_oracle_session_free((LeanOracleSession *)session); }

static lean_external_class *pool_class(void) {
  static lean_external_class *registered;
  return class_in(&registered, finalize_pool);
}

static lean_external_class *session_class(void) {
  static lean_external_class *registered;
  return class_in(&registered, finalize_session);
}

static LeanOraclePool *pool_of(b_lean_obj_arg pool) { return (LeanOraclePool *)lean_get_external_data(pool); }

static LeanOracleSession *session_of(b_lean_obj_arg session) {
  return (LeanOracleSession *)lean_get_external_data(session);
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_pool_new(b_lean_obj_arg config) {
  if (!abi_matches()) return throw_abi();
  LeanOracleText text = text_of(config);
  LeanOraclePool *pool = 0;
  LeanOracleBuffer failure = {0};
  if (lean_oracle_pool_new(text.ptr, text.len, &pool, &failure) != 0) return refuse_in(&failure);
  return lean_io_result_mk_ok(except_ok(lean_alloc_external(pool_class(), pool)));
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_pool_check(b_lean_obj_arg pool, b_lean_obj_arg request,
                                                    b_lean_obj_arg cancel) {
  if (!abi_matches()) return throw_abi();
  LeanOracleText text = text_of(request);
  LeanOracleBuffer out = {0};
  lean_oracle_pool_check(pool_of(pool), text.ptr, text.len, flag_in(cancel), &out);
  return answer_in(&out);
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_pool_status(b_lean_obj_arg pool) {
  if (!abi_matches()) return throw_abi();
  LeanOracleBuffer out = {0};
  lean_oracle_pool_status(pool_of(pool), &out);
  return answer_in(&out);
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_pool_close(b_lean_obj_arg pool, uint64_t drain_ms) {
  if (!abi_matches()) return throw_abi();
  lean_oracle_pool_close(pool_of(pool), drain_ms);
  return lean_io_result_mk_ok(lean_box(0));
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_session_new(b_lean_obj_arg pool, b_lean_obj_arg request,
                                                     b_lean_obj_arg cancel) {
  if (!abi_matches()) return throw_abi();
  LeanOracleText text = text_of(request);
  LeanOracleSession *session = 0;
  LeanOracleBuffer failure = {0};
  if (lean_oracle_session_new(pool_of(pool), text.ptr, text.len, flag_in(cancel), &session, &failure) != 0)
    return refuse_in(&failure);
  return lean_io_result_mk_ok(except_ok(lean_alloc_external(session_class(), session)));
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_session_request(b_lean_obj_arg session, b_lean_obj_arg request,
                                                         b_lean_obj_arg cancel) {
  if (!abi_matches()) return throw_abi();
  LeanOracleText text = text_of(request);
  LeanOracleBuffer out = {0};
  lean_oracle_session_request(session_of(session), text.ptr, text.len, flag_in(cancel), &out);
  return answer_in(&out);
}

LEAN_EXPORT lean_obj_res lean_oracle_ffi_session_close(b_lean_obj_arg session) {
  if (!abi_matches()) return throw_abi();
  lean_oracle_session_close(session_of(session));
  return lean_io_result_mk_ok(lean_box(0));
}
