#ifndef LEAN_ORACLE_H
#define LEAN_ORACLE_H

/* Generated from src/capi by cbindgen; do not edit. */

#include <stddef.h>
#include <stdint.h>

/*
 The version of this C ABI. A change that breaks callers raises it.
 */
#define LEAN_ORACLE_ABI_VERSION 1

/*
 The number of 64-bit limbs that a `LeanOracleDyadic` holds.
 */
#define LEAN_ORACLE_DYADIC_LIMBS 16

/*
 A flag by which any thread stops a running `lean_oracle_call_json_cancellable`.
 */
typedef struct LeanOracleCancel LeanOracleCancel;

/*
 Bytes owned by this library. Give it back with `lean_oracle_free`. A NUL follows the last byte.
 */
typedef struct LeanOracleBuffer {
  /*
   The first byte; NULL when there is none.
   */
  uint8_t *ptr;
  /*
   The number of bytes, the closing NUL not counted.
   */
  size_t len;
  /*
   For `lean_oracle_free`.
   */
  size_t cap;
} LeanOracleBuffer;

/*
 What the cache holds and how it was used since it was last resized.
 */
typedef struct LeanOracleCacheStats {
  /*
   Requests that were answered from the cache.
   */
  uint64_t hits;
  /*
   Requests that were not.
   */
  uint64_t misses;
  /*
   The number of answers that are kept.
   */
  uint64_t entries;
  /*
   The bytes that they take, with their requests.
   */
  uint64_t bytes;
  /*
   The most bytes that they may take; 0 when the cache is off.
   */
  uint64_t capacity;
} LeanOracleCacheStats;

/*
 Borrowed UTF-8 text. Text in an answer has a NUL after its last byte.
 */
typedef struct LeanOracleText {
  /*
   The first byte; may be NULL when `len` is 0.
   */
  const uint8_t *ptr;
  /*
   The number of bytes, a closing NUL not counted.
   */
  size_t len;
} LeanOracleText;

/*
 A unary question: which values does a function take on `[lo, hi]`?
 */
typedef struct LeanOracleUnaryRequest {
  /*
   The function's name.
   */
  struct LeanOracleText function;
  /*
   The lower endpoint: a decimal, a fraction or a ball literal; read exactly.
   */
  struct LeanOracleText lo;
  /*
   The upper endpoint.
   */
  struct LeanOracleText hi;
  /*
   Significant digits at each end, at least 1.
   */
  uint32_t digits;
  /*
   Working precision to begin with, in bits, at least 2.
   */
  uint32_t prec_bits;
  /*
   Cap on the working precision, in bits; 0 for the default.
   */
  uint32_t max_bits;
  /*
   Limit on the absolute value of powers of ten; 0 for the default of 1,000,000.
   */
  uint32_t exp_limit;
} LeanOracleUnaryRequest;

/*
 The answer to a unary question, or why there is none.
 */
typedef struct LeanOracleUnaryAnswer {
  /*
   Midpoint of the interval asked about, rounded outward; a decimal integer.
   */
  struct LeanOracleText input_mid;
  /*
   Radius of the interval asked about; a decimal integer.
   */
  struct LeanOracleText input_rad;
  /*
   Power of ten of the interval asked about; a decimal integer.
   */
  struct LeanOracleText input_exp;
  /*
   Midpoint of the enclosure `[(mid - rad)*10^exp, (mid + rad)*10^exp]`; a decimal integer.
   */
  struct LeanOracleText mid;
  /*
   Radius of the enclosure; a decimal integer, not negative.
   */
  struct LeanOracleText rad;
  /*
   Power of ten of the enclosure; a decimal integer.
   */
  struct LeanOracleText exp;
  /*
   The lower end of the enclosure, exactly, as a decimal number.
   */
  struct LeanOracleText lo;
  /*
   The upper end of the enclosure, exactly, as a decimal number.
   */
  struct LeanOracleText hi;
  /*
   On failure, the name of the code.
   */
  struct LeanOracleText code;
  /*
   On failure, what was asked, what is wrong and what to do.
   */
  struct LeanOracleText message;
  /*
   On failure, the field at fault; may be empty.
   */
  struct LeanOracleText field;
  /*
   The working precision that was used, in bits.
   */
  uint32_t bits_used;
  /*
   1 when each end is proved to be within one unit of its last requested digit of the true range.
   */
  uint8_t tight;
  /*
   Owns every text above: `lean_oracle_free(&answer.storage)`.
   */
  struct LeanOracleBuffer storage;
} LeanOracleUnaryAnswer;

/*
 The dyadic number `sign * (limbs[0] + limbs[1]*2^64 + ...) * 2^exponent`.
 */
typedef struct LeanOracleDyadic {
  /*
   The power of two.
   */
  int64_t exponent;
  /*
   -1, 0 or 1.
   */
  int32_t sign;
  /*
   The number of limbs in use.
   */
  uint32_t limb_count;
  /*
   The absolute value of the mantissa, least significant limb first.
   */
  uint64_t limbs[LEAN_ORACLE_DYADIC_LIMBS];
} LeanOracleDyadic;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The version of the C ABI that this library has. Compare with `LEAN_ORACLE_ABI_VERSION`.
 */
uint32_t lean_oracle_abi_version(void);

/*
 Answers a JSON request with JSON.

 `*out` receives an object in either case; a failure is
 `{"error":{"code":...,"field":...,"message":...},"status":"error"}`. Returns 0 or the code; only
 with `out == NULL` is nothing written (code 9).

 # Safety

 `request` must point to `len` readable bytes (it may be NULL if `len` is 0), and `out`, unless NULL,
 to writable memory. What `*out` held before is not freed.
 */
int32_t lean_oracle_call_json(const uint8_t *request,
                              size_t len,
                              struct LeanOracleBuffer *out);

/*
 A new flag, not set. Give it back with `lean_oracle_cancel_free`.
 */
struct LeanOracleCancel *lean_oracle_cancel_new(void);

/*
 Sets a flag, from any thread: calls that watch it end within 10 ms with code 13 (cancelled), unless
 the processors are overloaded. NULL is fine.

 A computation that cannot be interrupted goes on, on a thread of this library, until its step is done;
 a process may end before that.

 # Safety

 `cancel`, unless NULL, must come from `lean_oracle_cancel_new` and not be freed yet.
 */
void lean_oracle_cancel(const struct LeanOracleCancel *cancel);

/*
 Frees a flag. Calls that watch it go on unwatched. NULL is fine.

 # Safety

 `cancel`, unless NULL, must come from `lean_oracle_cancel_new` and not be freed yet; no other thread
 may be using it, except for calls that have begun.
 */
void lean_oracle_cancel_free(struct LeanOracleCancel *cancel);

/*
 As `lean_oracle_call_json`; ends soon after `cancel` is set. With `cancel == NULL` it is the same.

 # Safety

 As for `lean_oracle_call_json` and, for `cancel`, `lean_oracle_cancel`.
 */
int32_t lean_oracle_call_json_cancellable(const uint8_t *request,
                                          size_t len,
                                          const struct LeanOracleCancel *cancel,
                                          struct LeanOracleBuffer *out);

/*
 Empties the cache of the process, and lets it take up to `capacity` bytes; 0, as at the beginning,
 turns it off.

 It keeps answers and refusals of JSON requests, and of the requests in batches, and gives them again
 for the same bytes. What time limits or other requests of a batch may have had a part in is not kept.
 */
void lean_oracle_cache_resize(size_t capacity);

/*
 Tells what the cache holds and how it was used. NULL is fine.

 # Safety

 `stats`, unless NULL, must point to writable memory.
 */
void lean_oracle_cache_stats(struct LeanOracleCacheStats *stats);

/*
 Answers a unary question without JSON. Returns 0 or the code.

 On success the fields from `input_mid` to `hi`, `bits_used` and `tight` are set, on failure `code`,
 `message` and `field`; texts that are not set are empty. `storage` is to be freed in either case.

 # Safety

 `request`, unless NULL, must point to a request whose texts point to readable bytes, and `answer`,
 unless NULL, to writable memory. What `*answer` held before is not freed.
 */
int32_t lean_oracle_unary(const struct LeanOracleUnaryRequest *request,
                          struct LeanOracleUnaryAnswer *answer);

/*
 The index of a function for `lean_oracle_unary_f64`, or -1. It is fixed within one ABI version's
 build only: look it up at start-up, do not store it.

 # Safety

 `name` must point to `len` readable bytes (it may be NULL if `len` is 0).
 */
int32_t lean_oracle_function_index(const uint8_t *name, size_t len);

/*
 Encloses the values of a function on `[lo, hi]` between two dyadic numbers of `bits` bits (2 to
 960): no text is read or written. Returns 0 or the code, and then leaves the outputs alone.

 `*tight`, if not NULL, is set to 1 when each end is proved to be within one unit of its last bit of
 the true range, else to 0.

 # Safety

 `out_lo`, `out_hi` and `tight`, unless NULL, must point to writable memory.
 */
int32_t lean_oracle_unary_f64(int32_t function,
                              double lo,
                              double hi,
                              uint32_t bits,
                              struct LeanOracleDyadic *out_lo,
                              struct LeanOracleDyadic *out_hi,
                              uint8_t *tight);

/*
 Frees a buffer and empties it. NULL and an empty buffer are fine.

 # Safety

 `buffer`, unless NULL, must point to a buffer that this library filled and that was not changed,
 or to an empty one.
 */
void lean_oracle_free(struct LeanOracleBuffer *buffer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LEAN_ORACLE_H */
