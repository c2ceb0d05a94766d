/* The transport's part of the C ABI, called from C.
 *
 *   capi_transport [--light] ENDPOINT
 *
 * At ENDPOINT is the server of tests/capi.rs: `echo` returns what it gets, `slow` waits until nobody waits
 * for it any more, `refuse` refuses with the code that its payload names, without the quotation marks.
 * --light does less, for a run under valgrind. Prints the number of checks; exit code 1 if one failed. */

#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lean_oracle.h"

enum {
  OK = 0,
  PARSE = 1,
  BAD_REQUEST = 9,
  INTERNAL = 10,
  TIMEOUT = 11,
  CANCELLED = 13,
  TOO_LARGE = 14,
  UNAUTHORIZED = 15,
  UNREACHABLE = 16,
  BUSY = 17
};

static int light;
static int checks, failures;
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static const char *endpoint;

static int check(int ok, int line, const char *what, const char *detail, size_t len) {
  pthread_mutex_lock(&count_lock);
  checks++;
  if (!ok) {
    failures++;
    printf("line %d: %s: %.*s\n", line, what, (int)(len < 600 ? len : 600), detail == NULL ? "" : detail);
  }
  pthread_mutex_unlock(&count_lock);
  return ok;
}
#define CHECK(condition) check(condition, __LINE__, #condition, NULL, 0)
#define CHECK_REPLY(condition, reply) \
  check(condition, __LINE__, #condition, (const char *)(reply).message.ptr, (reply).message.len)

static LeanOracleText text_of(const char *s) { return (LeanOracleText){(const uint8_t *)s, strlen(s)}; }

static int is(LeanOracleText t, const char *s) {
  return t.len == strlen(s) && (t.len == 0 || memcmp(t.ptr, s, t.len) == 0);
}

/* Whether the text contains another. */
static int has(LeanOracleText t, const char *part) {
  size_t n = strlen(part);
  for (size_t i = 0; i + n <= t.len; i++)
    if (memcmp(t.ptr + i, part, n) == 0) return 1;
  return 0;
}

static void pause_for(long milliseconds) {
  struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&t, NULL);
}

/* --- clients ---------------------------------------------------------------------------------- */

static LeanOracleClient *client_of(const char *config, int want, const char *part, int line) {
  LeanOracleClient *client = (LeanOracleClient *)&checks;
  LeanOracleBuffer error;
  memset(&error, 0xAB, sizeof error);
  int32_t code = lean_oracle_client_new((const uint8_t *)config, strlen(config), &client, &error);
  const char *text = error.ptr == NULL ? "" : (const char *)error.ptr;
  check(code == want, line, config, text, error.len);
  check((client != NULL) == (want == OK), line, "a client or none", text, error.len);
  check((error.ptr != NULL) == (want != OK), line, "an error or none", text, error.len);
  check(strstr(text, part) != NULL, line, part, text, error.len);
  lean_oracle_free(&error);
  return client;
}
#define REFUSED(config, want, part) CHECK(client_of(config, want, part, __LINE__) == NULL)

/* A client of the server, with more settings. */
static LeanOracleClient *client_with(const char *more) {
  char config[500];
  /* Generous, for machines that are busy and for valgrind. */
  snprintf(config, sizeof config, "{\"endpoint\":\"%s\",\"timeout_ms\":60000%s}", endpoint, more);
  return client_of(config, OK, "", __LINE__);
}

static void configurations(void) {
  REFUSED("", PARSE, "\"field\":\"config\"");
  REFUSED("{", PARSE, "");
  REFUSED("[]", BAD_REQUEST, "");
  REFUSED("{}", BAD_REQUEST, "endpoint");
  REFUSED("{\"endpoint\":\"tcp://127.0.0.1:1\",\"nonsense\":1}", BAD_REQUEST, "nonsense");
  REFUSED("{\"endpoint\":\"tcp://127.0.0.1:1\",\"retries\":-1}", BAD_REQUEST, "");
  REFUSED("{\"endpoint\":\"nonsense\"}", BAD_REQUEST, "tcp://HOST:PORT");
  REFUSED("{\"endpoint\":\"tcp://192.0.2.1:1\"}", UNAUTHORIZED, "plaintext");
  REFUSED("{\"endpoint\":\"tcp://192.0.2.1:1\",\"server_key\":\"short\"}", BAD_REQUEST, "");
  /* What is not a secret key is not repeated. */
  REFUSED("{\"endpoint\":\"tcp://192.0.2.1:1\",\"key\":\"tops\",\"server_key\":"
          "\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"}", BAD_REQUEST, "40 characters");
  lean_oracle_client_free(client_of("{\"endpoint\":\"tcp://192.0.2.1:1\",\"plaintext\":true}", OK, "", __LINE__));

  LeanOracleClient *client;
  LeanOracleBuffer error;
  const uint8_t *good = (const uint8_t *)"{\"endpoint\":\"tcp://127.0.0.1:1\"}";
  CHECK(lean_oracle_client_new(good, strlen((const char *)good), NULL, &error) == BAD_REQUEST);
  lean_oracle_free(&error);
  CHECK(lean_oracle_client_new(good, strlen((const char *)good), NULL, NULL) == BAD_REQUEST);
  CHECK(lean_oracle_client_new(NULL, 5, &client, NULL) == BAD_REQUEST && client == NULL);
  CHECK(lean_oracle_client_new(good, SIZE_MAX, &client, NULL) == BAD_REQUEST && client == NULL);
  CHECK(lean_oracle_client_new(good, strlen((const char *)good), &client, NULL) == OK && client != NULL);
  lean_oracle_client_free(client);
  lean_oracle_client_free(NULL);
  lean_oracle_client_close(NULL);
}

/* --- calls ------------------------------------------------------------------------------------ */

static LeanOracleRequest asking(const char *op, const char *payload) {
  LeanOracleRequest r = {0};
  r.op = text_of(op), r.payload = text_of(payload);
  return r;
}

static LeanOracleReply call_with(const LeanOracleClient *client, LeanOracleRequest r, const LeanOracleCallOptions *o,
                                 const LeanOracleCancel *cancel, uint32_t kind, int want, int line) {
  LeanOracleReply reply;
  memset(&reply, 0xAB, sizeof reply);
  int32_t code = lean_oracle_client_call(client, &r, 1, o, cancel, &reply);
  const char *message = (const char *)reply.message.ptr;
  check(code == want, line, "another code", message, reply.message.len);
  check(reply.kind == kind, line, "another kind", message, reply.message.len);
  check((reply.kind == LEAN_ORACLE_REPLY_OK) == (reply.code.len == 0), line, "a code or none", message, reply.message.len);
  check(reply.storage != NULL, line, "storage", NULL, 0);
  return reply;
}
#define CALL(client, request, kind, want) call_with(client, request, NULL, NULL, kind, want, __LINE__)

static void refused(const LeanOracleClient *client, LeanOracleRequest r, uint32_t kind, int want, const char *name, int line) {
  LeanOracleReply reply = call_with(client, r, NULL, NULL, kind, want, line);
  check(is(reply.code, name), line, name, (const char *)reply.code.ptr, reply.code.len);
  check(reply.payload.len == 0 && reply.array_count == 0, line, "nothing beside the error", NULL, 0);
  lean_oracle_reply_free(&reply);
}
#define REFUSES(client, request, kind, want, name) refused(client, request, kind, want, name, __LINE__)

static void answers(void) {
  LeanOracleClient *client = client_with("");
  LeanOracleReply reply = CALL(client, asking("echo", "[1, 2]"), LEAN_ORACLE_REPLY_OK, OK);
  CHECK(is(reply.payload, "[1, 2]") && is(reply.content_type, "application/json") && reply.array_count == 0);
  lean_oracle_reply_free(&reply);
  CHECK(reply.storage == NULL && reply.payload.ptr == NULL && reply.payload.len == 0);
  lean_oracle_reply_free(&reply);
  lean_oracle_reply_free(NULL);
  reply = CALL(client, asking("health", "null"), LEAN_ORACLE_REPLY_OK, OK);
  CHECK(reply.payload.len > 2 && reply.payload.ptr[0] == '{');
  lean_oracle_reply_free(&reply);

  /* Bytes of another format, one of them 0; then none at all. */
  LeanOracleRequest r = asking("echo", "");
  r.content_type = text_of("application/msgpack");
  r.payload = (LeanOracleText){(const uint8_t *)"\xc4\x03\x00\xff\x01", 5};
  reply = CALL(client, r, LEAN_ORACLE_REPLY_OK, OK);
  CHECK(reply.payload.len == 5 && memcmp(reply.payload.ptr, r.payload.ptr, 5) == 0);
  CHECK(is(reply.content_type, "application/msgpack"));
  lean_oracle_reply_free(&reply);
  reply = CALL(client, asking("echo", ""), LEAN_ORACLE_REPLY_OK, OK);
  CHECK(reply.payload.len == 0);
  lean_oracle_reply_free(&reply);

  /* Arrays: not aligned, of every type, without dimensions, empty. */
  unsigned char bytes[1 + 6 * 8] = {0};
  double doubles[6] = {1.5, -0.0, 1e308, -1e-308, 0.1, 3};
  memcpy(bytes + 1, doubles, sizeof doubles);
  uint64_t shape[3] = {2, 3, 0};
  float one = 1.25f;
  LeanOracleArray arrays[4] = {
    {LEAN_ORACLE_F64, 2, shape, bytes + 1, sizeof doubles},
    {LEAN_ORACLE_F32, 0, NULL, (const uint8_t *)&one, 4},
    {LEAN_ORACLE_I64, 1, shape, bytes, 16},
    {LEAN_ORACLE_F64, 3, shape, NULL, 0},
  };
  r = asking("echo", "null");
  r.arrays = arrays, r.array_count = 4;
  reply = CALL(client, r, LEAN_ORACLE_REPLY_OK, OK);
  if (CHECK(reply.array_count == 4)) {
    for (int i = 0; i < 4; i++) {
      const LeanOracleArray *a = &reply.arrays[i], *b = &arrays[i];
      CHECK(a->dtype == b->dtype && a->dimensions == b->dimensions && a->len == b->len);
      CHECK(a->dimensions == 0 || memcmp(a->shape, b->shape, a->dimensions * sizeof *shape) == 0);
      CHECK(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
    }
  }
  lean_oracle_reply_free(&reply);

  /* Replies of every size are whole. */
  size_t sizes[] = {4095, 4096, 4097, light ? 100000 : 64 << 20};
  for (int i = 0; i < 4; i++) {
    char *text = malloc(sizes[i]);
    memset(text, 'x', sizes[i]);
    text[0] = text[sizes[i] - 1] = '"';
    r = asking("echo", "");
    r.payload = (LeanOracleText){(const uint8_t *)text, sizes[i]};
    reply = CALL(client, r, LEAN_ORACLE_REPLY_OK, OK);
    CHECK(reply.payload.len == sizes[i] && memcmp(reply.payload.ptr, text, sizes[i]) == 0);
    lean_oracle_reply_free(&reply);
    free(text);
  }
  LeanOracleBuffer metrics;
  CHECK(lean_oracle_client_metrics(client, &metrics) == OK);
  CHECK(strstr((const char *)metrics.ptr, "\"answered_total\":9,") != NULL);
  CHECK(strstr((const char *)metrics.ptr, "\"latency_seconds_count\":9,") != NULL);
  lean_oracle_free(&metrics);
  CHECK(lean_oracle_client_metrics(client, NULL) == BAD_REQUEST);
  CHECK(lean_oracle_client_metrics(NULL, &metrics) == BAD_REQUEST);
  lean_oracle_free(&metrics);

  /* Raw: one frame there, one back. */
  LeanOracleCallOptions raw = {0};
  raw.retries = -1, raw.raw = 1;
  reply = call_with(client, asking("", "\"HEARTBEAT\""), &raw, NULL, LEAN_ORACLE_REPLY_OK, OK, __LINE__);
  CHECK(has(reply.payload, "heartbeat_ack"));
  lean_oracle_reply_free(&reply);
  lean_oracle_client_free(client);
}

static void refusals(void) {
  LeanOracleClient *client = client_with("");
  static const struct { const char *name; int code; } codes[] = {
    {"parse", 1}, {"bad_number", 2}, {"reversed", 3}, {"unknown_function", 4}, {"domain", 5}, {"pole", 6},
    {"precision_cap", 7}, {"exponent_limit", 8}, {"bad_request", 9}, {"internal", 10}, {"timeout", 11},
    {"budget", 12}, {"cancelled", 13}, {"too_large", 14}, {"unauthorized", 15}, {"unsupported_version", 18},
  };
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    REFUSES(client, asking("refuse", codes[i].name), LEAN_ORACLE_REPLY_SERVER, codes[i].code, codes[i].name);
  /* Those that are worth another attempt. */
  LeanOracleCallOptions once = {0};
  LeanOracleReply reply = call_with(client, asking("refuse", "busy"), &once, NULL, LEAN_ORACLE_REPLY_SERVER, BUSY, __LINE__);
  CHECK(is(reply.code, "busy") && is(reply.message, "as asked") && is(reply.field, "payload"));
  lean_oracle_reply_free(&reply);
  reply = call_with(client, asking("refuse", "unreachable"), &once, NULL, LEAN_ORACLE_REPLY_SERVER, UNREACHABLE, __LINE__);
  lean_oracle_reply_free(&reply);
  REFUSES(client, asking("nothing", "1"), LEAN_ORACLE_REPLY_SERVER, BAD_REQUEST, "bad_request");
  REFUSES(client, asking("refuse", "panic"), LEAN_ORACLE_REPLY_SERVER, INTERNAL, "internal");
  char *long_name = calloc(301, 1);
  memset(long_name, 'x', 300);
  REFUSES(client, asking(long_name, "1"), LEAN_ORACLE_REPLY_SERVER, TOO_LARGE, "too_large");
  free(long_name);

  /* Misuse is refused before anything is sent. */
  LeanOracleRequest r = asking("echo", "1");
  r.op = (LeanOracleText){NULL, 3};
  REFUSES(client, r, LEAN_ORACLE_REPLY_REQUEST, BAD_REQUEST, "bad_request");
  r.op = text_of("\xff");
  REFUSES(client, r, LEAN_ORACLE_REPLY_REQUEST, PARSE, "parse");
  r = asking("echo", "1");
  r.payload.len = SIZE_MAX;
  REFUSES(client, r, LEAN_ORACLE_REPLY_REQUEST, BAD_REQUEST, "bad_request");
  r = asking("echo", "1");
  r.content_type = text_of("text/plain");
  REFUSES(client, r, LEAN_ORACLE_REPLY_REQUEST, BAD_REQUEST, "bad_request");
  r = asking("echo", "1");
  r.array_count = 1;
  REFUSES(client, r, LEAN_ORACLE_REPLY_REQUEST, BAD_REQUEST, "bad_request");
  uint64_t shape[2] = {1, 1};
  uint64_t huge[2] = {UINT64_MAX, UINT64_MAX};
  double x = 1;
  LeanOracleArray wrong[] = {
    {3, 1, shape, (uint8_t *)&x, 8},
    {LEAN_ORACLE_F64, 1, NULL, (uint8_t *)&x, 8},
    {LEAN_ORACLE_F64, 1, shape, NULL, 8},
    {LEAN_ORACLE_F64, 1, shape, (uint8_t *)&x, 7},
    {LEAN_ORACLE_F64, 2, huge, (uint8_t *)&x, 8},
    {LEAN_ORACLE_F32, 2, shape, (uint8_t *)&x, 8},
    {LEAN_ORACLE_F64, 1, shape, (uint8_t *)&x, SIZE_MAX},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    r.arrays = &wrong[i];
    REFUSES(client, r, LEAN_ORACLE_REPLY_REQUEST, BAD_REQUEST, "bad_request");
  }
  CHECK(lean_oracle_client_call(client, NULL, 0, NULL, NULL, NULL) == OK);
  CHECK(lean_oracle_client_call(client, &r, 1, NULL, NULL, NULL) == BAD_REQUEST);
  CHECK(lean_oracle_client_call(client, &r, SIZE_MAX, NULL, NULL, &reply) == BAD_REQUEST);
  CHECK(lean_oracle_client_call(client, NULL, 1, NULL, NULL, &reply) == BAD_REQUEST);
  CHECK_REPLY(reply.kind == LEAN_ORACLE_REPLY_REQUEST, reply);
  lean_oracle_reply_free(&reply);
  REFUSES(NULL, asking("echo", "1"), LEAN_ORACLE_REPLY_REQUEST, BAD_REQUEST, "bad_request");

  /* The connection still serves. */
  reply = CALL(client, asking("echo", "7"), LEAN_ORACLE_REPLY_OK, OK);
  CHECK(is(reply.payload, "7"));
  lean_oracle_reply_free(&reply);
  lean_oracle_client_free(client);

  client = client_with(",\"in_flight\":0");
  REFUSES(client, asking("echo", "1"), LEAN_ORACLE_REPLY_REQUEST, BUSY, "busy");
  lean_oracle_client_free(client);
  client = client_of("{\"endpoint\":\"ipc:///tmp/lean-oracle-nobody-is-here\",\"retries\":0}", OK, "", __LINE__);
  REFUSES(client, asking("echo", "1"), LEAN_ORACLE_REPLY_UNREACHABLE, UNREACHABLE, "unreachable");
  lean_oracle_client_free(client);
  client = client_with(",\"max_message_bytes\":1000,\"retries\":0");
  char *text = malloc(5001);
  memset(text, '1', 5000), text[5000] = 0;
  reply = CALL(client, asking("echo", text), LEAN_ORACLE_REPLY_UNREACHABLE, UNREACHABLE);
  lean_oracle_reply_free(&reply);
  free(text);
  lean_oracle_client_free(client);
}

static void batches(void) {
  LeanOracleClient *client = client_with("");
  enum { MOST = 400 };
  int count = light ? 60 : MOST;
  static char payloads[MOST][16];
  static LeanOracleRequest requests[MOST];
  static LeanOracleReply replies[MOST];
  for (int i = 0; i < count; i++) {
    snprintf(payloads[i], sizeof payloads[i], i % 10 == 3 ? "domain" : "%d", i);
    requests[i] = asking(i % 10 == 3 ? "refuse" : "echo", payloads[i]);
  }
  /* One of them is not even sent. */
  requests[5].content_type = text_of("?");
  memset(replies, 0xAB, sizeof replies);
  CHECK(lean_oracle_client_call(client, requests, count, NULL, NULL, replies) == 5 /* of number 3 */);
  for (int i = 0; i < count; i++) {
    if (i == 5) CHECK_REPLY(replies[i].kind == LEAN_ORACLE_REPLY_REQUEST, replies[i]);
    else if (i % 10 == 3) CHECK_REPLY(replies[i].kind == LEAN_ORACLE_REPLY_SERVER && is(replies[i].code, "domain"), replies[i]);
    else CHECK_REPLY(replies[i].kind == LEAN_ORACLE_REPLY_OK && is(replies[i].payload, payloads[i]), replies[i]);
    lean_oracle_reply_free(&replies[i]);
  }
  lean_oracle_client_free(client);
}

/* --- time, cancelling, closing ---------------------------------------------------------------- */

typedef struct {
  LeanOracleClient *client;
  LeanOracleCancel *cancel;
  LeanOracleReply replies[3];
  int32_t code;
} Slow;

static void *slow(void *argument) {
  Slow *s = argument;
  LeanOracleRequest r[3] = {asking("slow", "1"), asking("slow", "2"), asking("slow", "3")};
  s->code = lean_oracle_client_call(s->client, r, 3, NULL, s->cancel, s->replies);
  return NULL;
}

static void ended(Slow *s, uint32_t kind, const char *name) {
  CHECK(s->code == CANCELLED);
  for (int i = 0; i < 3; i++) {
    CHECK_REPLY(s->replies[i].kind == kind && is(s->replies[i].code, name), s->replies[i]);
    lean_oracle_reply_free(&s->replies[i]);
  }
}

static void *closing(void *client) {
  lean_oracle_client_close(client);
  return NULL;
}

static void stopping(void) {
  LeanOracleClient *client = client_with("");
  LeanOracleCallOptions o = {0};
  o.timeout_ms = 100;
  LeanOracleReply reply = call_with(client, asking("slow", "1"), &o, NULL, LEAN_ORACLE_REPLY_TIMEOUT, TIMEOUT, __LINE__);
  lean_oracle_reply_free(&reply);
  o = (LeanOracleCallOptions){.deadline_ms = 100, .retries = -1};
  reply = call_with(client, asking("slow", "1"), &o, NULL, LEAN_ORACLE_REPLY_TIMEOUT, TIMEOUT, __LINE__);
  lean_oracle_reply_free(&reply);

  /* One flag ends the calls of two threads, and those to come; others go on. */
  LeanOracleCancel *flag = lean_oracle_cancel_new();
  Slow watched[2] = {{.client = client, .cancel = flag}, {.client = client, .cancel = flag}}, other = {.client = client};
  pthread_t ids[3];
  for (int i = 0; i < 2; i++) pthread_create(&ids[i], NULL, slow, &watched[i]);
  pthread_create(&ids[2], NULL, slow, &other);
  pause_for(300);
  lean_oracle_cancel(flag);
  for (int i = 0; i < 2; i++) {
    pthread_join(ids[i], NULL);
    ended(&watched[i], LEAN_ORACLE_REPLY_CANCELLED, "cancelled");
  }
  Slow late = {.client = client, .cancel = flag};
  slow(&late);
  ended(&late, LEAN_ORACLE_REPLY_CANCELLED, "cancelled");
  lean_oracle_cancel_free(flag);
  /* A flag that is not set changes nothing. */
  flag = lean_oracle_cancel_new();
  reply = call_with(client, asking("echo", "1"), NULL, flag, LEAN_ORACLE_REPLY_OK, OK, __LINE__);
  lean_oracle_reply_free(&reply);
  lean_oracle_cancel_free(flag);

  /* Closing ends what is under way, on whatever thread, and may be done by several. */
  pthread_t closers[2];
  for (int i = 0; i < 2; i++)
    pthread_create(&closers[i], NULL, closing, client);
  for (int i = 0; i < 2; i++) pthread_join(closers[i], NULL);
  pthread_join(ids[2], NULL);
  ended(&other, LEAN_ORACLE_REPLY_CLOSED, "cancelled");
  REFUSES(client, asking("echo", "1"), LEAN_ORACLE_REPLY_CLOSED, CANCELLED, "cancelled");
  lean_oracle_client_close(client);
  LeanOracleBuffer metrics;
  CHECK(lean_oracle_client_metrics(client, &metrics) == OK);
  CHECK(strstr((const char *)metrics.ptr, "\"in_flight\":0,") != NULL);
  lean_oracle_free(&metrics);
  lean_oracle_client_free(client);
}

static void *many(void *argument) {
  LeanOracleClient *client = argument;
  for (int i = 0; i < (light ? 10 : 200); i++) {
    char payload[64];
    snprintf(payload, sizeof payload, "\"%p %d\"", (void *)&payload, i);
    LeanOracleReply reply = CALL(client, asking("echo", payload), LEAN_ORACLE_REPLY_OK, OK);
    CHECK_REPLY(is(reply.payload, payload), reply);
    lean_oracle_reply_free(&reply);
  }
  return NULL;
}

static void threads(void) {
  LeanOracleClient *client = client_with("");
  pthread_t ids[8];
  for (int i = 0; i < 8; i++) pthread_create(&ids[i], NULL, many, client);
  for (int i = 0; i < 8; i++) pthread_join(ids[i], NULL);
  lean_oracle_client_free(client);
}

/* --- formats ---------------------------------------------------------------------------------- */

static void convert(const char *payload, const char *to, size_t msgpack, size_t protobuf, const char *want, int line) {
  LeanOracleText chosen;
  LeanOracleBuffer out, back;
  int32_t code = lean_oracle_payload_convert(text_of(payload), text_of("application/json"), text_of(to), msgpack, protobuf,
                                             &chosen, &out);
  if (want == NULL) {
    check(code == BAD_REQUEST && is(chosen, ""), line, "refused", (char *)out.ptr, out.len);
    check(strstr((char *)out.ptr, "\"code\":\"bad_request\"") != NULL, line, "as JSON", (char *)out.ptr, out.len);
    lean_oracle_free(&out);
    return;
  }
  check(code == OK && is(chosen, want), line, want, (char *)out.ptr, out.len);
  LeanOracleText bytes = {out.ptr, out.len};
  code = lean_oracle_payload_convert(bytes, chosen, text_of("application/json"), 0, 0, NULL, &back);
  check(code == OK && back.len == strlen(payload) && memcmp(back.ptr, payload, back.len) == 0, line, "comes back",
        (char *)back.ptr, back.len);
  lean_oracle_free(&out);
  lean_oracle_free(&back);
}

static void formats(void) {
  static const char json[] = "application/json", msgpack[] = "application/msgpack", proto[] = "application/x-protobuf";
  const char *values[] = {"null", "\"NaN\"", "-0.0", "[1,1.0,-1e-300]", "{\"a\":[true,{}],\"\":\"\\u0000\"}"};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    convert(values[i], json, 0, 0, json, __LINE__);
    convert(values[i], msgpack, 0, 0, msgpack, __LINE__);
    convert(values[i], proto, 0, 0, proto, __LINE__);
    convert(values[i], "", 0, 0, json, __LINE__);
  }
  convert("[1,2,3]", "", 2, 1000, msgpack, __LINE__);
  convert("[1,2,3]", "", 1, 2, proto, __LINE__);
  convert("1180591620717411303424", proto, 0, 0, proto, __LINE__);
  convert("1180591620717411303424", msgpack, 0, 0, NULL, __LINE__);
  convert("1", "text/plain", 0, 0, NULL, __LINE__);
  LeanOracleBuffer out;
  LeanOracleText none = {NULL, 5};
  CHECK(lean_oracle_payload_convert(none, text_of(json), text_of(""), 0, 0, NULL, &out) == BAD_REQUEST);
  lean_oracle_free(&out);
  CHECK(lean_oracle_payload_convert(text_of("{"), text_of(json), text_of(""), 0, 0, NULL, &out) == PARSE);
  lean_oracle_free(&out);
  CHECK(lean_oracle_payload_convert(text_of("1"), text_of(json), text_of(""), 0, 0, NULL, NULL) == BAD_REQUEST);
}

/* On a thread of its own, as in capi.c. */
static void *everything(void *unused) {
  (void)unused;
  configurations();
  answers();
  refusals();
  batches();
  stopping();
  threads();
  formats();
  return NULL;
}

int main(int argc, char **argv) {
  argc--, argv++;
  if (argc > 0 && strcmp(argv[0], "--light") == 0) light = 1, argc--, argv++;
  if (argc != 1) {
    printf("usage: capi_transport [--light] ENDPOINT\n");
    return 2;
  }
  endpoint = argv[0];
  pthread_t thread;
  if (pthread_create(&thread, NULL, everything, NULL) != 0 || pthread_join(thread, NULL) != 0) return 2;
  printf("%d checks, %d failed\n", checks, failures);
  return failures != 0;
}
