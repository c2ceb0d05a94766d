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

static void finalize_cancel(void *flag) { lean_oracle_cancel_free((LeanOracleCancel *)flag); }

/* A flag refers to no Lean objects. */
static void visit_nothing(void *flag, b_lean_obj_arg visit) {
  (void)flag;
  (void)visit;
}

/* The class is registered at the first use. Two threads may both register one; the first to store its
   own wins, and the other is never used. */
static lean_external_class *cancel_class(void) {
  static lean_external_class *registered;
  lean_external_class *known = __atomic_load_n(&registered, __ATOMIC_ACQUIRE);
  if (!known) {
    lean_external_class *mine = lean_register_external_class(finalize_cancel, visit_nothing);
    if (__atomic_compare_exchange_n(&registered, &known, mine, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) known = mine;
  }
  return known;
}

static LeanOracleCancel *flag_of(b_lean_obj_arg flag) { return (LeanOracleCancel *)lean_get_external_data(flag); }

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

/* Except.error (code, message, field : LeanOracle.FFI.Failure), as the value of an IO result */
static lean_obj_res refuse(lean_obj_arg code, lean_obj_arg message, lean_obj_arg field) {
  lean_object *failure = lean_alloc_ctor(0, 3, 0);
  lean_ctor_set(failure, 0, code);
  lean_ctor_set(failure, 1, message);
  lean_ctor_set(failure, 2, field);
  lean_object *error = lean_alloc_ctor(0, 1, 0);
  lean_ctor_set(error, 0, failure);
  return lean_io_result_mk_ok(error);
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
    lean_object *ok = lean_alloc_ctor(1, 1, 0); /* Except.ok */
    lean_ctor_set(ok, 0, answer_of(&a));
    result = lean_io_result_mk_ok(ok);
  }
  lean_oracle_free(&a.storage);
  return result;
}
