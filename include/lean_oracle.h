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
 The numbers of an array are doubles.
 */
#define LEAN_ORACLE_F64 0

/*
 The numbers of an array are floats.
 */
#define LEAN_ORACLE_F32 1

/*
 The numbers of an array are signed integers of 64 bits.
 */
#define LEAN_ORACLE_I64 2

/*
 There is an answer.
 */
#define LEAN_ORACLE_REPLY_OK 0

/*
 Nobody answered in time.
 */
#define LEAN_ORACLE_REPLY_TIMEOUT 1

/*
 The server could not be reached, or the connection was lost.
 */
#define LEAN_ORACLE_REPLY_UNREACHABLE 2

/*
 The server refused.
 */
#define LEAN_ORACLE_REPLY_SERVER 3

/*
 The answer cannot be read.
 */
#define LEAN_ORACLE_REPLY_DECODE 4

/*
 The request was cancelled.
 */
#define LEAN_ORACLE_REPLY_CANCELLED 5

/*
 The client was closed.
 */
#define LEAN_ORACLE_REPLY_CLOSED 6

/*
 The request was not sent: it is not well-formed, there are too many, or the server does not let us in.
 */
#define LEAN_ORACLE_REPLY_REQUEST 7

/*
 A flag by which any thread stops a running `lean_oracle_call_json_cancellable` or
 `lean_oracle_client_call`.
 */
typedef struct LeanOracleCancel LeanOracleCancel;

/*
 A client of one server. Any thread may use it; see `lean_oracle_client_new`.
 */
typedef struct LeanOracleClient LeanOracleClient;

/*
 A pool of processes that check Lean code. Any thread may use it; see `lean_oracle_pool_new`.
 */
typedef struct LeanOraclePool LeanOraclePool;

/*
 What a reply points to.
 */
typedef struct LeanOracleReplyStorage LeanOracleReplyStorage;

/*
 A process of a pool for one conversation; see `lean_oracle_session_new`.
 */
typedef struct LeanOracleSession LeanOracleSession;

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

/*
 Numbers in a box, in row-major order, little-endian.
 */
typedef struct LeanOracleArray {
  /*
   `LEAN_ORACLE_F64`, `LEAN_ORACLE_F32` or `LEAN_ORACLE_I64`.
   */
  uint32_t dtype;
  /*
   The number of dimensions.
   */
  uint32_t dimensions;
  /*
   How many numbers there are along each dimension.
   */
  const uint64_t *shape;
  /*
   The bytes of the numbers; need not be aligned. NULL when there are none.
   */
  const uint8_t *data;
  /*
   The number of bytes.
   */
  size_t len;
} LeanOracleArray;

/*
 A request to a server.
 */
typedef struct LeanOracleRequest {
  /*
   What is asked for: an operation of the server, or `health`, which every server answers.
   */
  struct LeanOracleText op;
  /*
   How the payload is written: a content type of `docs/wire.md`; empty for `application/json`.
   */
  struct LeanOracleText content_type;
  /*
   The payload, any bytes.
   */
  struct LeanOracleText payload;
  /*
   Arrays beside the payload; may be NULL if there are none.
   */
  const struct LeanOracleArray *arrays;
  /*
   The number of arrays.
   */
  size_t array_count;
} LeanOracleRequest;

/*
 What is special about a call.
 */
typedef struct LeanOracleCallOptions {
  /*
   Milliseconds for each attempt; 0 for those of the client.
   */
  uint64_t timeout_ms;
  /*
   Milliseconds for everything; 0 for no such limit.
   */
  uint64_t deadline_ms;
  /*
   Attempts after the first; negative for those of the client.
   */
  int32_t retries;
  /*
   1 for what must not reach the server twice.
   */
  uint8_t once;
  /*
   1 to send the payload alone, in one frame, to a server that does not speak our envelope; the reply's
   payload is its one frame. Operation, content type and arrays are ignored.
   */
  uint8_t raw;
} LeanOracleCallOptions;

/*
 What became of a request. Give it back with `lean_oracle_reply_free`.
 */
typedef struct LeanOracleReply {
  /*
   `LEAN_ORACLE_REPLY_OK`, or why there is no answer.
   */
  uint32_t kind;
  /*
   The number of arrays.
   */
  uint32_t array_count;
  /*
   How the payload is written.
   */
  struct LeanOracleText content_type;
  /*
   The payload. No NUL follows it.
   */
  struct LeanOracleText payload;
  /*
   The arrays of the answer.
   */
  const struct LeanOracleArray *arrays;
  /*
   On failure, the name of the code; a server may have codes of its own. No NUL follows this and the
   next two.
   */
  struct LeanOracleText code;
  /*
   On failure, what is wrong.
   */
  struct LeanOracleText message;
  /*
   On failure, the field of the request at fault; may be empty.
   */
  struct LeanOracleText field;
  /*
   Owns everything that is pointed to.
   */
  struct LeanOracleReplyStorage *storage;
} LeanOracleReply;

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

/*
 Starts a pool. `config` is JSON:

 `{"engine": "auto", "dir": ".", "max_processes": ..., "max_uses": ..., "memory_limit": 12884901888,
 "address_space_limit": ..., "cpu_limit_ms": ..., "max_wait_ms": 60000, "warm": {"import Lean": 1},
 "warm_timeout_ms": 300000, "recycle_bytes": 6442450944, "max_answer": 1073741824}`

 All of it may be left out (`{}`). The engine is `"auto"` (what there is in `dir`), `{"repl": ["lake",
 "env", "repl"]}`, the community's REPL, or `{"lean": ["lean"]}`. Sizes are in bytes; a limit of 0 is
 none. Processes are started when they are needed. They end with the pool and, however it ends, with
 this process.

 Returns 0 and a pool, or the code, NULL and, in `*error`, what `lean_oracle_call_json` would write for
 it. After success `*error` is empty.

 # Safety

 `config` must point to `len` readable bytes, and `pool` and `error`, unless NULL, to writable memory.
 What they held before is not freed.
 */
int32_t lean_oracle_pool_new(const uint8_t *config,
                             size_t len,
                             struct LeanOraclePool **pool,
                             struct LeanOracleBuffer *error);

/*
 Checks snippets, as many at a time as the pool has processes, and writes what became of each, in the
 order of the request, to `*out`. The request is JSON:

 `{"snippets": [{"id": "a", "code": "#check 1"}], "timeout_ms": 30000, "max_wait_ms": 60000, "reuse": true,
 "infotree": "tactics", "all_tactics": false, "root_goals": false, "imports": "as_written", "audit": false}`

 Only the code is needed. The answer is `{"results": [...]}`, with `id`, `verdict`, `time`, `header_time`,
 `response` (the REPL's) or `repl_error` or `failure`, `audit` and `diagnostics` for each snippet: see
 docs/repl.md. A snippet that is wrong, or without an answer, is not an error of this function.

 When `cancel` is set, or the pool is closed, the snippets that have no answer yet fail as cancelled.

 Returns 0, or the code for a request that cannot be read, with what `lean_oracle_call_json` would write
 for it; only with `out == NULL` is nothing written.

 # Safety

 `pool` must come from `lean_oracle_pool_new` and not be freed before this returns; `request` must point
 to `len` readable bytes, `cancel`, unless NULL, to a flag that is not freed before this returns, and
 `out`, unless NULL, to writable memory. What `*out` held before is not freed.
 */
int32_t lean_oracle_pool_check(const struct LeanOraclePool *pool,
                               const uint8_t *request,
                               size_t len,
                               const struct LeanOracleCancel *cancel,
                               struct LeanOracleBuffer *out);

/*
 What the pool is doing, as JSON: see `PoolStatus` in docs/repl.md. Returns 0 or the code; only with
 `out == NULL` is nothing written.

 # Safety

 `pool` and `out` must be as for `lean_oracle_pool_check`.
 */
int32_t lean_oracle_pool_status(const struct LeanOraclePool *pool, struct LeanOracleBuffer *out);

/*
 Closes a pool: nothing new is begun, what is under way on other threads may go on for `drain_ms`, and
 then all processes are killed, those of sessions too. What has not ended by then fails as cancelled.
 Every later call is refused as cancelled (code 13). Closing twice, and NULL, are fine. The pool must
 still be freed.

 # Safety

 `pool`, unless NULL, must be as for `lean_oracle_pool_check`.
 */
void lean_oracle_pool_close(const struct LeanOraclePool *pool,
                            uint64_t drain_ms);

/*
 Closes a pool at once and frees it. NULL is fine.

 # Safety

 `pool`, unless NULL, must come from `lean_oracle_pool_new` and not be freed yet; no other thread may be
 using it. Its sessions may be freed later.
 */
void lean_oracle_pool_free(struct LeanOraclePool *pool);

/*
 Takes a process of the pool for a conversation: commands that build on each other, tactic steps, pickles.
 Only the community's REPL can do this. The request is `{"header": "import Lean"}`, with the options of
 `lean_oracle_pool_check`; `timeout_ms` is for each request of the session. It waits until a process is
 free, and nobody else gets this one before the session is closed, which ends it.

 Returns 0 and a session, or a code, NULL and, in `*error`, either `{"failure": ..., "message": ...}` or
 what `lean_oracle_call_json` would write. After success `*error` is empty.

 # Safety

 `pool`, `request`, `len` and `cancel` must be as for `lean_oracle_pool_check`, and `session` and
 `error`, unless NULL, point to writable memory. What they held before is not freed.
 */
int32_t lean_oracle_session_new(const struct LeanOraclePool *pool,
                                const uint8_t *request,
                                size_t len,
                                const struct LeanOracleCancel *cancel,
                                struct LeanOracleSession **session,
                                struct LeanOracleBuffer *error);

/*
 Sends one of the REPL's requests (docs/repl.md lists them) and writes its answer: `{"response": ...}` to
 a command, `{"step": ...}` to a tactic, `{"repl_error": ...}` when the REPL refuses it, or `{"failure":
 ..., "message": ...}` when there is none; the session is over then. A command without `env` runs on what
 the header gives. Calls of several threads come one after the other.

 When `cancel` is set the request fails as cancelled, and the session is over.

 Returns 0, or the code for a request that cannot be read, with what `lean_oracle_call_json` would write
 for it; only with `out == NULL` is nothing written.

 # Safety

 `session` must come from `lean_oracle_session_new` and not be freed before this returns; the others must
 be as for `lean_oracle_pool_check`.
 */
int32_t lean_oracle_session_request(const struct LeanOracleSession *session,
                                    const uint8_t *request,
                                    size_t len,
                                    const struct LeanOracleCancel *cancel,
                                    struct LeanOracleBuffer *out);

/*
 Ends a session and its process. What is under way on another thread is waited for, as long as its
 `timeout_ms` at most. Closing twice, and NULL, are fine. The session must still be freed.

 # Safety

 `session`, unless NULL, must be as for `lean_oracle_session_request`.
 */
void lean_oracle_session_close(const struct LeanOracleSession *session);

/*
 Ends a session and frees it. NULL is fine.

 # Safety

 `session`, unless NULL, must come from `lean_oracle_session_new` and not be freed yet; no other thread
 may be using it.
 */
void lean_oracle_session_free(struct LeanOracleSession *session);

/*
 Starts a client. `config` is JSON:

 `{"endpoint": "tcp://127.0.0.1:5555", "timeout_ms": 2500, "retries": 3, "backoff_ms": 100,
 "linger_ms": 100, "in_flight": 10000, "max_message_bytes": 268435456, "key": ..., "server_key": ...,
 "plaintext": false}`

 Only the endpoint is needed; the other values are the defaults. With `server_key`, a public key or a
 file of one, or else the environment's LEAN_ORACLE_SERVER_KEY, the connection is sealed by CURVE, with
 `key` (else LEAN_ORACLE_SECRET_KEY, else a new one) as our secret key. Without one, other machines are
 refused unless `plaintext` is true. The client connects with its first request; a server that is not
 there is no error here.

 Returns 0 and a client, or the code, NULL and, in `*error`, what
 `lean_oracle_call_json` would write for it. After success `*error` is empty.

 # Safety

 `config` must point to `len` readable bytes, and `client` and `error`, unless NULL, to writable memory.
 What they held before is not freed.
 */
int32_t lean_oracle_client_new(const uint8_t *config,
                               size_t len,
                               struct LeanOracleClient **client,
                               struct LeanOracleBuffer *error);

/*
 Sends `count` requests, one after the other without waiting, and waits for all answers. `replies[i]` is
 what became of `requests[i]`; each is to be freed. Returns 0, or the code of the first request without
 an answer.

 When `cancel` is set, the requests under way end as cancelled, and the server is told.

 # Safety

 `client` must come from `lean_oracle_client_new` and not be freed before this returns; `requests` must
 point to `count` requests that point to readable memory, `options`, unless NULL, to options, `cancel`,
 unless NULL, to a flag that is not freed before this returns, and `replies` to writable memory for
 `count` replies. What they held before is not freed.
 */
int32_t lean_oracle_client_call(const struct LeanOracleClient *client,
                                const struct LeanOracleRequest *requests,
                                size_t count,
                                const struct LeanOracleCallOptions *options,
                                const struct LeanOracleCancel *cancel,
                                struct LeanOracleReply *replies);

/*
 What the client has done, as JSON: counters, bounds of the median and the 99th percentile of the time
 from a request to its answer, and how many answers took how many microseconds at most. Returns 0 or the
 code; only with `out == NULL` is nothing written.

 # Safety

 `client` must be as for `lean_oracle_client_call`, and `out`, unless NULL, point to writable memory.
 What `*out` held before is not freed.
 */
int32_t lean_oracle_client_metrics(const struct LeanOracleClient *client,
                                   struct LeanOracleBuffer *out);

/*
 Closes a client: what is under way on other threads ends as closed, and so does every later call. What
 was sent before is given its `linger_ms` to leave. Closing twice, and NULL, are fine. The client must
 still be freed.

 # Safety

 `client`, unless NULL, must be as for `lean_oracle_client_call`.
 */
void lean_oracle_client_close(const struct LeanOracleClient *client);

/*
 Closes a client and frees it. NULL is fine.

 # Safety

 `client`, unless NULL, must come from `lean_oracle_client_new` and not be freed yet; no other thread may
 be using it.
 */
void lean_oracle_client_free(struct LeanOracleClient *client);

/*
 Frees what a reply points to and empties it. NULL and an empty reply are fine.

 # Safety

 `reply`, unless NULL, must point to a reply that this library filled and that was not changed, or to an
 empty one.
 */
void lean_oracle_reply_free(struct LeanOracleReply *reply);

/*
 Writes a payload in another format. `from` and `to` are content types; `to` may be empty for the format
 that fits the size: JSON below `msgpack_from` bytes, MessagePack below `protobuf_from`, else Protocol
 Buffers, or the next one that can say it; 0 for the defaults of 4 KiB and 1 MiB. What a format cannot
 say is refused. Returns 0 and the payload, or the code and what `lean_oracle_call_json` would
 write for it.

 `*chosen`, unless NULL, receives the content type, which is static.

 # Safety

 The texts must point to readable bytes, and `chosen` and `out`, unless NULL, to writable memory. What
 `*out` held before is not freed.
 */
int32_t lean_oracle_payload_convert(struct LeanOracleText payload,
                                    struct LeanOracleText from,
                                    struct LeanOracleText to,
                                    size_t msgpack_from,
                                    size_t protobuf_from,
                                    struct LeanOracleText *chosen,
                                    struct LeanOracleBuffer *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LEAN_ORACLE_H */
