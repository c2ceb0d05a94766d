/* Every export of the C ABI, called from C: answers, refusals, misuse, threads.
 *
 *   capi [--light] FUNCTION...
 *   capi --leave
 *
 * FUNCTION... are the names of all functions in the order of the table. --light does less of
 * everything, for a run under valgrind. --leave stops a long question and ends at once. Prints the number of checks; exit code 1 if one failed. */

#define _POSIX_C_SOURCE 200809L
#include <math.h>
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
  BAD_NUMBER = 2,
  REVERSED = 3,
  UNKNOWN_FUNCTION = 4,
  DOMAIN_ = 5,
  POLE = 6,
  PRECISION_CAP = 7,
  EXPONENT_LIMIT = 8,
  BAD_REQUEST = 9,
  INTERNAL = 10,
  TIMEOUT = 11,
  BUDGET = 12,
  CANCELLED = 13
  /* 14 and more: tests/capi_transport.c */
};

static const char *const code_names[] = {
  "ok", "parse", "bad_number", "reversed", "unknown_function", "domain",
  "pole", "precision_cap", "exponent_limit", "bad_request", "internal", "timeout", "budget", "cancelled"
};

static int light;
static int checks, failures;
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;

static int check(int ok, int line, const char *what, const char *detail) {
  pthread_mutex_lock(&count_lock);
  checks++;
  if (!ok) {
    failures++;
    printf("line %d: %s: %.600s\n", line, what, detail == NULL ? "" : detail);
  }
  pthread_mutex_unlock(&count_lock);
  return ok;
}
#define CHECK(condition) check(condition, __LINE__, #condition, NULL)
#define CHECK_FOR(condition, detail) check(condition, __LINE__, #condition, detail)

/* --- JSON ------------------------------------------------------------------------------------- */

/* Asks, checks the code and that the answer contains `part`; returns the answer. */
static LeanOracleBuffer json_bytes(const void *request, size_t len, int want, const char *part, int line) {
  LeanOracleBuffer out;
  memset(&out, 0xAB, sizeof out);
  int32_t code = lean_oracle_call_json(request, len, &out);
  if (!check(out.ptr != NULL, line, "no answer", NULL)) return out;
  const char *text = (const char *)out.ptr;
  check(code == want, line, "another code", text);
  check(strlen(text) == out.len, line, "a NUL right after the answer", text);
  check(out.cap > out.len, line, "room for the NUL", text);
  check(text[0] == '{' && text[out.len - 1] == '}', line, "an object", text);
  if (want == OK) {
    check(strstr(text, "\"status\":\"ok\"") != NULL, line, "status ok", text);
  } else {
    char named[64];
    snprintf(named, sizeof named, "{\"error\":{\"code\":\"%s\",\"field\":", code_names[want]);
    check(strstr(text, named) == text, line, named, text);
    check(strstr(text, "},\"status\":\"error\"}") != NULL, line, "status error", text);
  }
  check(strstr(text, part) != NULL, line, part, text);
  return out;
}

static void json_at(const char *request, int want, const char *part, int line) {
  LeanOracleBuffer out = json_bytes(request, strlen(request), want, part, line);
  lean_oracle_free(&out);
}
#define JSON(request, want, part) json_at(request, want, part, __LINE__)

static void json_answers(void) {
  JSON("{\"kind\":\"unary\",\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\"}", OK,
       "\"output\":{\"ball\":{\"exp\":\"-47\",\"mid\":\"185914091422952261768014373567633124887862354685\",");
  /* e = 2.71828182845904523536028747135266249775724709369995957..., upwards to 50 and 5 digits. */
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\"}", OK,
       "\"hi\":\"2.7182818284590452353602874713526624977572470937\",\"lo\":\"1\"}");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\",\"digits\":5,\"prec_bits\":64}", OK,
       "\"hi\":\"2.7183\",\"lo\":\"1\"}");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\",\"digits\":5,\"prec_bits\":64}", OK,
       "\"ctx\":{\"digits\":5,\"prec_bits\":64}");
  /* Numbers as JSON numbers are read digit for digit. */
  JSON("{\"func\":\"neg\",\"lo\":0.1,\"hi\":1e400}", OK, "\"hi\":\"-0.1\",\"lo\":\"-1e+400\"}");
  JSON("{\"func\":\"neg\",\"lo\":12345678901234567890123456789,\"hi\":\"12345678901234567890123456789\"}", OK,
       "\"ball\":{\"exp\":\"0\",\"mid\":\"-12345678901234567890123456789\",\"rad\":\"0\"}");
  JSON(" {\"fun\\u0063\":\"sqr\",\"lo\":\"\\u002d3\",\"hi\":2,\"more\":[{}]} ", OK,
       "\"output\":{\"ball\":{\"exp\":\"-1\",\"mid\":\"45\",\"rad\":\"45\"},\"hi\":\"9\",\"lo\":\"0\"}");
}

static void json_refusals(void) {
  JSON("", PARSE, "\"field\":null");
  JSON("{", PARSE, "");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\"} x", PARSE, "");
  JSON("{\"func\":\"exp\",\"lo\":0x10,\"hi\":\"1\"}", PARSE, "");
  JSON("nonsense", PARSE, "");
  JSON("[]", BAD_REQUEST, "");
  JSON("null", BAD_REQUEST, "");
  JSON("\"exp\"", BAD_REQUEST, "");
  JSON("[\"unary\",\"exp\",\"0\",\"1\",null,null,null,null]", BAD_REQUEST, "");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"lo\":\"0\",\"hi\":\"1\"}", BAD_REQUEST, "");
  JSON("{\"func\":1,\"lo\":\"0\",\"hi\":\"1\"}", BAD_REQUEST, "");
  JSON("{\"func\":\"exp\",\"lo\":\"0\"}", BAD_REQUEST, "\"field\":\"hi\"");
  JSON("{\"func\":\"exp\",\"hi\":\"0\"}", BAD_REQUEST, "\"field\":\"lo\"");
  JSON("{\"lo\":\"0\",\"hi\":\"0\"}", BAD_REQUEST, "\"field\":\"func\"");
  JSON("{\"kind\":\"nosuch\",\"func\":\"exp\",\"lo\":0,\"hi\":1}", BAD_REQUEST, "\"field\":\"kind\"");
  JSON("{\"kind\":\"__panic__\"}", BAD_REQUEST, "\"field\":\"kind\"");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\",\"digits\":0}", BAD_REQUEST, "\"field\":\"digits\"");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\",\"digits\":-1}", BAD_REQUEST, "");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\",\"digits\":1000001}", BAD_REQUEST, "\"field\":\"digits\"");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\",\"prec_bits\":1}", BAD_REQUEST, "\"field\":\"prec_bits\"");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\",\"max_bits\":4294967295}", BAD_REQUEST, "\"field\":\"max_bits\"");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\",\"max_bits\":4294967296}", BAD_REQUEST, "");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\",\"exp_limit\":0}", BAD_REQUEST, "\"field\":\"exp_limit\"");
  JSON("{\"func\":\"exp\",\"lo\":\"zero\",\"hi\":\"1\"}", BAD_NUMBER, "\"field\":\"lo\"");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"inf\"}", BAD_NUMBER, "\"field\":\"hi\"");
  JSON("{\"func\":\"exp\",\"lo\":\"nan\",\"hi\":\"nan\"}", BAD_NUMBER, "\"field\":\"lo\"");
  JSON("{\"func\":\"exp\",\"lo\":\"0\\u0000\",\"hi\":\"1\"}", BAD_NUMBER, "\"field\":\"lo\"");
  JSON("{\"func\":\"exp\",\"lo\":\"1/0\",\"hi\":\"1\"}", BAD_NUMBER, "\"field\":\"lo\"");
  JSON("{\"func\":\"exp\",\"lo\":true,\"hi\":\"1\"}", BAD_NUMBER, "\"field\":\"lo\"");
  JSON("{\"func\":\"exp\",\"lo\":[1],\"hi\":\"1\"}", BAD_NUMBER, "\"field\":\"lo\"");
  JSON("{\"func\":\"exp\",\"lo\":\"1\",\"hi\":\"0\"}", REVERSED, "\"field\":\"lo\"");
  JSON("{\"func\":\"exq\",\"lo\":\"0\",\"hi\":\"1\"}", UNKNOWN_FUNCTION, "did you mean exp");
  JSON("{\"func\":\"\\\"\\u0001\\u00e9\",\"lo\":\"0\",\"hi\":\"1\"}", UNKNOWN_FUNCTION, "\"field\":\"func\"");
  JSON("{\"func\":\"log\",\"lo\":\"-1\",\"hi\":\"1\"}", DOMAIN_, "x > 0");
  JSON("{\"func\":\"tan\",\"lo\":\"1\",\"hi\":\"2\"}", POLE, "");
  /* 100 digits of -1/e, the edge of the domain, which 64 bits cannot tell from -1/e. */
  JSON("{\"func\":\"lambertw\",\"hi\":\"0\",\"digits\":1,\"prec_bits\":2,\"max_bits\":64,\"lo\":\"-0.367879441171442321"
       "5955237701614608674458111310317678345078368016974614957448998033571472743459196437\"}",
       PRECISION_CAP, "max_bits");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1e1000001\"}", EXPONENT_LIMIT, "\"field\":\"hi\"");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1e7\"}", EXPONENT_LIMIT, "");
  JSON("{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1e1000\"}", EXPONENT_LIMIT, "");
}

static void json_misuse(void) {
  static const char good[] = "{\"func\":\"sqrt\",\"lo\":\"0\",\"hi\":\"4\"}";
  const uint8_t *request = (const uint8_t *)good;
  CHECK(lean_oracle_call_json(request, strlen(good), NULL) == BAD_REQUEST);
  CHECK(lean_oracle_call_json(NULL, 0, NULL) == BAD_REQUEST);

  LeanOracleBuffer out = json_bytes(NULL, 0, PARSE, "", __LINE__);
  lean_oracle_free(&out);
  out = json_bytes(NULL, 1, BAD_REQUEST, "\"field\":\"request\"", __LINE__);
  lean_oracle_free(&out);
  out = json_bytes(NULL, SIZE_MAX, BAD_REQUEST, "\"field\":\"request\"", __LINE__);
  lean_oracle_free(&out);
  /* Lengths that no object can have. */
  out = json_bytes(good, SIZE_MAX, BAD_REQUEST, "\"field\":\"request\"", __LINE__);
  lean_oracle_free(&out);
  out = json_bytes(good, (size_t)PTRDIFF_MAX + 1, BAD_REQUEST, "\"field\":\"request\"", __LINE__);
  lean_oracle_free(&out);
  /* A length that is too short, and the NUL counted in. */
  out = json_bytes(good, strlen(good) - 1, PARSE, "", __LINE__);
  lean_oracle_free(&out);
  out = json_bytes(good, sizeof good, PARSE, "", __LINE__);
  lean_oracle_free(&out);

  /* Not UTF-8: a lone byte, an overlong form, a surrogate, a cut sequence; in and outside strings. */
  static const char *const bad[] = {
    "\xff", "{\"func\":\"\x80\",\"lo\":\"0\",\"hi\":\"1\"}", "{\"func\":\"exp\",\"lo\":\"\xc0\xb0\",\"hi\":\"1\"}",
    "{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"\xed\xa0\x80\"}", "{\"\xe2\x82\":0,\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\"}",
    "{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"1\",\"more\":\"\xff\"}"
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) json_at(bad[i], PARSE, "", __LINE__);
  /* UTF-8 that is no number. */
  JSON("{\"func\":\"exp\",\"lo\":\"\xd9\xa3\",\"hi\":\"4\"}", BAD_NUMBER, "\"field\":\"lo\"");

  /* The request is only read: it may lie in memory that is not followed by anything. */
  size_t len = strlen(good);
  uint8_t *tight = malloc(len);
  memcpy(tight, good, len);
  out = json_bytes(tight, len, OK, "\"hi\":\"2\",\"lo\":\"0\"}", __LINE__);
  CHECK(memcmp(tight, good, len) == 0);
  free(tight);
  /* ... and the answer does not refer to it. */
  CHECK(strstr((const char *)out.ptr, "\"func\":\"sqrt\"") != NULL);
  lean_oracle_free(&out);
}

/* `open` n times, then `middle`, then `close` n times. */
static char *nested(char open, const char *middle, char close, size_t n, const char *before, const char *after) {
  size_t a = strlen(before), m = strlen(middle), b = strlen(after);
  char *text = malloc(a + n + m + n + b + 1);
  memcpy(text, before, a);
  memset(text + a, open, n);
  memcpy(text + a + n, middle, m);
  memset(text + a + n + m, close, n);
  memcpy(text + a + n + m + n, after, b + 1);
  return text;
}

static void json_large(void) {
  size_t depth = light ? 20000 : 1000000;
  /* Deep nesting must not use up the stack, wherever it is. */
  char *text = nested('[', "", ']', depth, "", "");
  LeanOracleBuffer out;
  memset(&out, 0, sizeof out);
  int32_t code = lean_oracle_call_json((const uint8_t *)text, strlen(text), &out);
  CHECK_FOR(code == PARSE || code == BAD_REQUEST, (const char *)out.ptr);
  lean_oracle_free(&out);
  free(text);
  text = nested('[', "", ']', depth, "{\"func\":\"exp\",\"lo\":", ",\"hi\":1}");
  code = lean_oracle_call_json((const uint8_t *)text, strlen(text), &out);
  CHECK_FOR(code == PARSE || code == BAD_NUMBER, (const char *)out.ptr);
  lean_oracle_free(&out);
  free(text);
  text = nested('[', "", ']', depth, "{\"func\":\"abs\",\"lo\":1,\"hi\":2,\"more\":", "}");
  code = lean_oracle_call_json((const uint8_t *)text, strlen(text), &out);
  CHECK_FOR(code == PARSE || code == OK, (const char *)out.ptr);
  lean_oracle_free(&out);
  free(text);
  /* Much white space, and a very long name, which the message does not repeat. */
  text = nested(' ', "{\"func\":\"neg\",\"lo\":-1,\"hi\":1}", '\n', depth, "", "");
  json_at(text, OK, "\"hi\":\"1\",\"lo\":\"-1\"}", __LINE__);
  free(text);
  text = nested('e', "x", 'p', depth, "{\"lo\":0,\"hi\":1,\"func\":\"", "\"}");
  out = json_bytes(text, strlen(text), UNKNOWN_FUNCTION, "", __LINE__);
  CHECK(out.len < 1000);
  lean_oracle_free(&out);
  free(text);

  /* A number of many digits is read exactly: 10^n + 10^n/10^n with n zeros on each side. */
  size_t n = light ? 5000 : 200000;
  char settings[100];
  snprintf(settings, sizeof settings, "1\",\"hi\":\"3\",\"digits\":%zu}", 2 * n + 1);
  text = nested('0', ".", '0', n, "{\"func\":\"sqr\",\"lo\":\"1", settings);
  CHECK(strlen(text) > 2 * n);
  json_at(text, REVERSED, "\"field\":\"lo\"", __LINE__);
  free(text);
  /* Too long a number is refused before work is done on it. */
  text = nested('1', "", '1', 2000001, "{\"func\":\"sqr\",\"hi\":1,\"lo\":", "}");
  out = json_bytes(text, strlen(text), BAD_NUMBER, "\"field\":\"lo\"", __LINE__);
  CHECK(out.len < 1000);
  lean_oracle_free(&out);
  free(text);

  /* A big answer: sqrt(2) to many digits begins and is as long as it should be. */
  unsigned digits = light ? 2000 : 200000;
  char request[100];
  snprintf(request, sizeof request, "{\"func\":\"sqrt\",\"lo\":2,\"hi\":2,\"digits\":%u}", digits);
  out = json_bytes(request, strlen(request), OK, "\"hi\":\"1.41421356237309504880168872420969807856967187537694", __LINE__);
  CHECK(out.len > 3 * (size_t)digits && out.len < 4 * (size_t)digits + 1000);
  CHECK(strstr((const char *)out.ptr, "\"tight\":true") != NULL);
  lean_oracle_free(&out);
}

static void panics(void) {
  /* Only where the environment asks for it, and then it is an answer like any other. */
  setenv("LEAN_ORACLE_TEST_PANIC", "1", 1);
  for (int i = 0; i < 3; i++) {
    JSON("{\"kind\":\"__panic__\"}", INTERNAL, "asked to panic");
    JSON("{\"func\":\"abs\",\"lo\":-1,\"hi\":2}", OK, "\"hi\":\"2\",\"lo\":\"0\"}");
  }
  unsetenv("LEAN_ORACLE_TEST_PANIC");
}

/* --- stopping a call -------------------------------------------------------------------------- */

/* Several minutes of work, if nothing stops it. */
#define LONG_QUESTION(settings)                                                                                  \
  "{\"kind\":\"expr\",\"level\":\"tight\",\"tol\":\"1e-900\",\"digits\":1000," settings                                \
  "\"vars\":{\"a\":{\"lo\":-1,\"hi\":2},\"b\":{\"lo\":-1,\"hi\":2},\"c\":{\"lo\":-1,\"hi\":2},\"d\":{\"lo\":-1,\"hi\":2}}," \
  "\"expr\":\"sin(a-b)^2 + sin(c*d-a)^2 + 1/10*sin(a*b*c*d)\"}"

typedef struct {
  const char *request;
  const LeanOracleCancel *cancel;
  LeanOracleBuffer out;
  int32_t code;
} Call;

static void pause_for(long milliseconds) {
  struct timespec t = {0, milliseconds * 1000000};
  nanosleep(&t, NULL);
}

static void *call(void *argument) {
  Call *c = argument;
  c->code = lean_oracle_call_json_cancellable((const uint8_t *)c->request, strlen(c->request), c->cancel, &c->out);
  return NULL;
}

static void cancelling(void) {
  static const char good[] = "{\"func\":\"sqrt\",\"lo\":\"0\",\"hi\":\"4\"}";
  const uint8_t *request = (const uint8_t *)good;
  lean_oracle_cancel(NULL);
  lean_oracle_cancel_free(NULL);
  LeanOracleCancel *flag = lean_oracle_cancel_new();
  CHECK(flag != NULL);

  /* A flag that is not set, or none, changes nothing. */
  LeanOracleBuffer plain, out;
  CHECK(lean_oracle_call_json(request, strlen(good), &plain) == OK);
  for (int i = 0; i < 2; i++) {
    CHECK(lean_oracle_call_json_cancellable(request, strlen(good), i ? flag : NULL, &out) == OK);
    CHECK(out.len == plain.len && memcmp(out.ptr, plain.ptr, out.len) == 0);
    lean_oracle_free(&out);
    CHECK(lean_oracle_call_json_cancellable(request, strlen(good), i ? flag : NULL, NULL) == BAD_REQUEST);
    CHECK(lean_oracle_call_json_cancellable(NULL, 1, i ? flag : NULL, &out) == BAD_REQUEST);
    lean_oracle_free(&out);
    CHECK(lean_oracle_call_json_cancellable(request, SIZE_MAX, i ? flag : NULL, &out) == BAD_REQUEST);
    lean_oracle_free(&out);
  }
  lean_oracle_free(&plain);

  /* Two calls watch one flag, which a third thread sets while they run. */
  Call calls[2] = {{.request = LONG_QUESTION(""), .cancel = flag}, {.request = LONG_QUESTION(""), .cancel = flag}};
  pthread_t ids[2];
  for (int i = 0; i < 2; i++) pthread_create(&ids[i], NULL, call, &calls[i]);
  pause_for(300);
  lean_oracle_cancel(flag);
  for (int i = 0; i < 2; i++) {
    pthread_join(ids[i], NULL);
    CHECK_FOR(calls[i].code == CANCELLED, (const char *)calls[i].out.ptr);
    CHECK_FOR(strstr((const char *)calls[i].out.ptr, "\"code\":\"cancelled\"") != NULL, (const char *)calls[i].out.ptr);
    lean_oracle_free(&calls[i].out);
  }
  /* The flag stays set. */
  Call late = {.request = LONG_QUESTION(""), .cancel = flag};
  call(&late);
  CHECK_FOR(late.code == CANCELLED, (const char *)late.out.ptr);
  lean_oracle_free(&late.out);
  lean_oracle_cancel_free(flag);

  /* A flag may be freed while a call that has begun watches it: that ends when its time is over, with what
   * was proved by then, if anything was. */
  flag = lean_oracle_cancel_new();
  Call orphan = {.request = LONG_QUESTION("\"timeout_ms\":1500,"), .cancel = flag};
  pthread_create(&ids[0], NULL, call, &orphan);
  pause_for(500);
  lean_oracle_cancel_free(flag);
  pthread_join(ids[0], NULL);
  CHECK_FOR(orphan.code == OK || orphan.code == TIMEOUT, (const char *)orphan.out.ptr);
  CHECK_FOR(strstr((const char *)orphan.out.ptr, "\"tight\":true") == NULL, (const char *)orphan.out.ptr);
  lean_oracle_free(&orphan.out);

  /* No time and no work at all prove nothing. */
  JSON(LONG_QUESTION("\"timeout_ms\":0,"), TIMEOUT, "\"field\":\"timeout_ms\"");
  JSON(LONG_QUESTION("\"max_nodes\":10,"), BUDGET, "\"field\":\"max_nodes\"");
  JSON(LONG_QUESTION("\"max_nodes\":0,"), BUDGET, "\"field\":\"max_nodes\"");
}

/* Computations that nothing interrupts are left; they go on, and end later. */
static void leaving(void) {
  static const char slow[] = "{\"kind\":\"constant\",\"name\":\"khinchin\",\"digits\":2500}";
  Call calls[2] = {{.request = slow, .cancel = lean_oracle_cancel_new()}, {.request = slow}};
  calls[1].cancel = calls[0].cancel;
  pthread_t ids[2];
  for (int i = 0; i < 2; i++) pthread_create(&ids[i], NULL, call, &calls[i]);
  pause_for(50);
  lean_oracle_cancel(calls[0].cancel);
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < 2; i++) pthread_join(ids[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  double ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
  printf("cancelled after %.1f ms\n", ms);
  /* The computation itself takes much longer. */
  CHECK(light || ms < 5000);
  for (int i = 0; i < 2; i++) {
    /* Under valgrind, which runs one thread at a time, it may end before it is cancelled. */
    CHECK_FOR(calls[i].code == CANCELLED || (light && calls[i].code == OK), (const char *)calls[i].out.ptr);
    lean_oracle_free(&calls[i].out);
  }
  lean_oracle_cancel_free((LeanOracleCancel *)calls[0].cancel);
}

/* --- the cache -------------------------------------------------------------------------------- */

static LeanOracleCacheStats cached(void) {
  LeanOracleCacheStats stats;
  memset(&stats, 0xAB, sizeof stats);
  lean_oracle_cache_stats(&stats);
  return stats;
}

static void caching(void) {
  lean_oracle_cache_stats(NULL);
  LeanOracleCacheStats s = cached();
  CHECK(s.hits == 0 && s.misses == 0 && s.entries == 0 && s.bytes == 0 && s.capacity == 0);
  JSON("{\"func\":\"sqr\",\"lo\":2,\"hi\":3}", OK, "\"hi\":\"9\",\"lo\":\"4\"}");
  CHECK(cached().misses == 0);
  lean_oracle_cache_resize(20000);
  for (int i = 0; i < 3; i++) {
    JSON("{\"func\":\"sqr\",\"lo\":2,\"hi\":3}", OK, "\"hi\":\"9\",\"lo\":\"4\"}");
    JSON("{\"func\":\"log\",\"lo\":-2,\"hi\":3}", DOMAIN_, "");
    /* An item of a batch is a request. */
    JSON("{\"kind\":\"batch\",\"requests\":[{\"func\":\"sqr\",\"lo\":2,\"hi\":3},{\"func\":\"neg\",\"lo\":1,\"hi\":1}]}",
         OK, "\"hi\":\"9\",\"lo\":\"4\"}");
    /* What depends on limits is not kept. */
    JSON(LONG_QUESTION("\"max_nodes\":10,"), BUDGET, "");
    JSON(LONG_QUESTION("\"timeout_ms\":0,"), TIMEOUT, "");
  }
  s = cached();
  CHECK(s.hits == 9 && s.misses == 9 && s.entries == 3 && s.bytes > 0 && s.bytes <= s.capacity);
  /* It stays within its bounds. */
  char request[100];
  for (int i = 0; i < 200; i++) {
    snprintf(request, sizeof request, "{\"func\":\"neg\",\"lo\":%d,\"hi\":%d}", i, i);
    JSON(request, OK, "");
  }
  s = cached();
  CHECK(s.entries > 10 && s.entries < 200 && s.bytes <= s.capacity && s.capacity == 20000);
  JSON(request, OK, "\"lo\":\"-199\"");
  CHECK(cached().hits == s.hits + 1);
  lean_oracle_cache_resize(1);
  JSON(request, OK, "\"lo\":\"-199\"");
  s = cached();
  CHECK(s.hits == 0 && s.misses == 1 && s.entries == 0 && s.bytes == 0 && s.capacity == 1);
  lean_oracle_cache_resize(0);
  CHECK(cached().capacity == 0 && cached().misses == 0);
}

/* --- the typed call --------------------------------------------------------------------------- */

static LeanOracleText text_of(const char *s) { return (LeanOracleText){(const uint8_t *)s, strlen(s)}; }

static LeanOracleUnaryRequest asking(const char *function, const char *lo, const char *hi) {
  LeanOracleUnaryRequest r = {text_of(function), text_of(lo), text_of(hi), 50, 200, 0, 0};
  return r;
}

static int is(LeanOracleText t, const char *s) {
  return t.ptr != NULL && t.len == strlen(s) && memcmp(t.ptr, s, t.len) == 0;
}

/* Asks and checks what must hold of every answer. */
static LeanOracleUnaryAnswer unary(const LeanOracleUnaryRequest *r, int want, int line) {
  LeanOracleUnaryAnswer a;
  memset(&a, 0xAB, sizeof a);
  int32_t code = lean_oracle_unary(r, &a);
  check(code == want, line, "another code", (const char *)a.message.ptr);
  const LeanOracleText texts[] = {a.input_mid, a.input_rad, a.input_exp, a.mid,     a.rad,  a.exp,
                                  a.lo,        a.hi,        a.code,      a.message, a.field};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    const LeanOracleText t = texts[i];
    int inside = t.ptr >= a.storage.ptr && t.ptr + t.len < a.storage.ptr + a.storage.cap;
    check(inside, line, "inside the storage", NULL);
    if (inside) check(t.ptr[t.len] == 0, line, "a NUL after the text", (const char *)t.ptr);
    /* Up to `hi` on success, the last three on failure (`field` may be empty then). */
    int set = want == OK ? i < 8 : i == 8 || i == 9;
    if (i != 10 || want == OK) check((t.len > 0) == set, line, "the right texts are set", (const char *)t.ptr);
  }
  if (want == OK) {
    check(a.rad.ptr[0] != '-', line, "a radius is not negative", (const char *)a.rad.ptr);
    check(a.bits_used >= 2 && a.tight <= 1, line, "bits and tight", NULL);
  } else {
    check(is(a.code, code_names[want]), line, "the name of the code", (const char *)a.code.ptr);
    check(a.bits_used == 0 && a.tight == 0, line, "nothing else is set", NULL);
  }
  return a;
}

static void typed_answers(void) {
  CHECK(lean_oracle_abi_version() == LEAN_ORACLE_ABI_VERSION);

  LeanOracleUnaryRequest r = asking("exp", "0", "1");
  LeanOracleUnaryAnswer a = unary(&r, OK, __LINE__);
  CHECK(is(a.lo, "1") && is(a.hi, "2.7182818284590452353602874713526624977572470937"));
  CHECK(is(a.mid, "185914091422952261768014373567633124887862354685"));
  CHECK(is(a.rad, "85914091422952261768014373567633124887862354685") && is(a.exp, "-47"));
  CHECK(is(a.input_mid, "5") && is(a.input_rad, "5") && is(a.input_exp, "-1"));
  CHECK(a.tight == 1 && a.bits_used == 200);
  lean_oracle_free(&a.storage);
  CHECK(a.storage.ptr == NULL && a.storage.len == 0 && a.storage.cap == 0);

  r = asking("sqrt", "0", " 4 ");
  a = unary(&r, OK, __LINE__);
  CHECK(is(a.lo, "0") && is(a.hi, "2") && is(a.mid, "1") && is(a.rad, "1") && is(a.exp, "0"));
  lean_oracle_free(&a.storage);

  /* Exactly zero is (0, 0, 0). */
  r = asking("sin", "0", "0");
  a = unary(&r, OK, __LINE__);
  CHECK(is(a.mid, "0") && is(a.rad, "0") && is(a.exp, "0") && is(a.lo, "0") && is(a.hi, "0"));
  lean_oracle_free(&a.storage);

  /* A ball literal, a fraction; text that is followed by something else. */
  r = asking("abs", "[0.5 +/- 0.1]ignored", "5/6 +/- 1/6");
  r.lo.len = strlen("[0.5 +/- 0.1]");
  a = unary(&r, OK, __LINE__);
  CHECK(is(a.lo, "0.4") && is(a.hi, "1"));
  lean_oracle_free(&a.storage);

  /* The settings are heeded: digits, bits, and the limit on exponents. */
  r = asking("sin", "1", "1");
  r.digits = 3;
  r.prec_bits = 777;
  a = unary(&r, OK, __LINE__);
  CHECK(is(a.lo, "0.841") && is(a.hi, "0.842") && a.bits_used == 777);
  lean_oracle_free(&a.storage);
  r = asking("neg", "1e20", "1e20");
  r.exp_limit = 19;
  a = unary(&r, EXPONENT_LIMIT, __LINE__);
  CHECK(is(a.field, "lo"));
  lean_oracle_free(&a.storage);
  r.exp_limit = 20;
  a = unary(&r, OK, __LINE__);
  CHECK(is(a.lo, "-100000000000000000000"));
  lean_oracle_free(&a.storage);

  r = asking("sqrt", "2", "2");
  r.digits = light ? 1000 : 100000;
  a = unary(&r, OK, __LINE__);
  CHECK(a.lo.len == r.digits + 1 && strncmp((const char *)a.lo.ptr, "1.4142135623730950488016887242", 30) == 0);
  CHECK(a.tight == 1);
  lean_oracle_free(&a.storage);
}

static void typed_refusals(void) {
  static const struct {
    const char *function, *lo, *hi, *field;
    int want;
  } cases[] = {
    {"\xff", "0", "1", "func", PARSE},           {"exp", "0\xc3", "1", "lo", PARSE},
    {"exp", "0", "\xed\xa0\x80", "hi", PARSE},   {"exp", "", "1", "lo", BAD_NUMBER},
    {"exp", "0", "infinity", "hi", BAD_NUMBER},  {"exp", "-nan", "1", "lo", BAD_NUMBER},
    {"exp", "1", "0.999", "lo", REVERSED},       {"", "0", "1", "func", UNKNOWN_FUNCTION},
    {"EXP", "0", "1", "func", UNKNOWN_FUNCTION}, {"exp ", "0", "1", "func", UNKNOWN_FUNCTION},
    {"sqrt", "-1e-999999", "1", "", DOMAIN_},   {"atanh", "0", "1", "", DOMAIN_},
    {"inv", "-1", "1", "", POLE},                {"gamma", "-3", "-3", "", POLE},
    {"exp", "0", "1e1000001", "hi", EXPONENT_LIMIT},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    LeanOracleUnaryRequest r = asking(cases[i].function, cases[i].lo, cases[i].hi);
    LeanOracleUnaryAnswer a = unary(&r, cases[i].want, __LINE__);
    CHECK_FOR(is(a.field, cases[i].field), (const char *)a.message.ptr);
    lean_oracle_free(&a.storage);
  }
  LeanOracleUnaryRequest r = asking("lambertw",
                                    "-0.36787944117144232159552377016146086744581113103176783450783680169746149574"
                                    "48998033571472743459196437", "0");
  r.digits = 1;
  r.prec_bits = 2;
  r.max_bits = 64;
  LeanOracleUnaryAnswer a = unary(&r, PRECISION_CAP, __LINE__);
  lean_oracle_free(&a.storage);

  const uint32_t most = UINT32_MAX;
  for (int i = 0; i < 7; i++) {
    static const char *const fields[] = {"digits", "digits", "prec_bits", "prec_bits", "prec_bits", "max_bits", "exp_limit"};
    r = asking("exp", "0", "1");
    if (i == 0) r.digits = 0;
    if (i == 1) r.digits = most;
    if (i == 2) r.prec_bits = 0;
    if (i == 3) r.prec_bits = 1;
    if (i == 4) r.prec_bits = most;
    if (i == 5) r.max_bits = most;
    if (i == 6) r.exp_limit = most;
    a = unary(&r, BAD_REQUEST, __LINE__);
    CHECK_FOR(is(a.field, fields[i]), (const char *)a.message.ptr);
    lean_oracle_free(&a.storage);
  }
}

static void typed_misuse(void) {
  LeanOracleUnaryRequest r = asking("exp", "0", "1");
  CHECK(lean_oracle_unary(&r, NULL) == BAD_REQUEST);
  CHECK(lean_oracle_unary(NULL, NULL) == BAD_REQUEST);
  LeanOracleUnaryAnswer a = unary(NULL, BAD_REQUEST, __LINE__);
  CHECK(is(a.field, "request"));
  lean_oracle_free(&a.storage);

  static const char *const fields[] = {"func", "lo", "hi"};
  for (int i = 0; i < 3; i++) {
    for (int how = 0; how < 5; how++) {
      r = asking("exp", "0", "1");
      LeanOracleText *t = i == 0 ? &r.function : i == 1 ? &r.lo : &r.hi;
      int want = BAD_REQUEST;
      if (how == 0) *t = (LeanOracleText){NULL, 1};
      if (how == 1) *t = (LeanOracleText){NULL, SIZE_MAX};
      if (how == 2) t->len = SIZE_MAX;
      if (how == 3) t->len = (size_t)PTRDIFF_MAX + 1;
      if (how == 4) {
        *t = (LeanOracleText){NULL, 0};
        want = i == 0 ? UNKNOWN_FUNCTION : BAD_NUMBER;
      }
      a = unary(&r, want, __LINE__);
      CHECK_FOR(is(a.field, fields[i]), (const char *)a.message.ptr);
      lean_oracle_free(&a.storage);
    }
  }
  /* A NUL inside a text is a character like any other, and no digit. */
  r = asking("exp", "0", "1");
  r.lo.len = 2;
  a = unary(&r, BAD_NUMBER, __LINE__);
  lean_oracle_free(&a.storage);
}

/* --- the binary call -------------------------------------------------------------------------- */

static int32_t index_of(const char *name) { return lean_oracle_function_index((const uint8_t *)name, strlen(name)); }

static int32_t binary(const char *name, double lo, double hi, uint32_t bits, LeanOracleDyadic *l, LeanOracleDyadic *h) {
  uint8_t tight = 7;
  int32_t code = lean_oracle_unary_f64(index_of(name), lo, hi, bits, l, h, &tight);
  CHECK_FOR(code == OK ? tight <= 1 : tight == 7, name);
  return code == OK && tight != 1 ? -1 : code;
}

static int well_formed(const LeanOracleDyadic *x) {
  if (x->sign < -1 || x->sign > 1 || x->limb_count > LEAN_ORACLE_DYADIC_LIMBS) return 0;
  if (x->sign == 0) return x->limb_count == 0;
  return x->limb_count > 0 && x->limbs[x->limb_count - 1] != 0;
}

/* The bit length of the mantissa without its trailing zeros. */
static unsigned significant(const LeanOracleDyadic *x) {
  unsigned top = 0, low = UINT32_MAX;
  for (unsigned i = 0; i < x->limb_count; i++) {
    for (unsigned b = 0; b < 64; b++) {
      if ((x->limbs[i] >> b & 1) != 0) {
        top = 64 * i + b + 1;
        if (low == UINT32_MAX) low = 64 * i + b;
      }
    }
  }
  return top == 0 ? 0 : top - low;
}

/* Exact when the number has at most 53 significant bits and is in range. */
static double value(const LeanOracleDyadic *x) {
  double sum = 0;
  for (unsigned i = x->limb_count; i-- > 0;) sum = sum * 18446744073709551616.0 + (double)x->limbs[i];
  return x->sign * ldexp(sum, (int)x->exponent);
}

static void expect(const char *name, double lo, double hi, uint32_t bits, double want_lo, double want_hi, int line) {
  LeanOracleDyadic l, h;
  check(binary(name, lo, hi, bits, &l, &h) == OK, line, name, NULL);
  check(well_formed(&l) && well_formed(&h), line, "well-formed", name);
  check(significant(&l) <= bits && significant(&h) <= bits, line, "no more bits than asked for", name);
  char shown[200];
  snprintf(shown, sizeof shown, "%s: [%a, %a], not [%a, %a]", name, value(&l), value(&h), want_lo, want_hi);
  check(value(&l) == want_lo && value(&h) == want_hi, line, "another value", shown);
}
#define EXPECT(name, lo, hi, bits, want_lo, want_hi) expect(name, lo, hi, bits, want_lo, want_hi, __LINE__)

static void binary_known_values(void) {
  EXPECT("sqrt", 4, 4, 53, 2, 2);
  EXPECT("sqrt", 0, 4, 2, 0, 2);
  EXPECT("inv", 4, 4, 53, 0.25, 0.25);
  EXPECT("inv", -4, -0.5, 10, -2, -0.25);
  EXPECT("neg", 0, 0, 2, 0, 0);
  EXPECT("neg", -0.0, 0.0, 2, 0, 0);
  EXPECT("sqr", -3, 2, 53, 0, 9);
  EXPECT("abs", -3, 2, 960, 0, 3);
  EXPECT("exp", 0, 0, 53, 1, 1);
  EXPECT("sin", 1, 2, 53, 0x1.aed548f090ceep-1, 1);        /* sin 1 = 0.841470984807896506652502321630 */
  EXPECT("exp", 0, 1, 53, 1, 0x1.5bf0a8b14576ap+1);        /* e = 2.71828182845904523536028747135... */
  EXPECT("exp", -1, 1, 3, 0.3125, 3);                      /* 1/e = 0.3678..., in steps of 1/16 */
  EXPECT("exp2", -1074, -1074, 2, 0x1p-1074, 0x1p-1074);
  EXPECT("neg", 0x1p-1074, 0x1.fffffffffffffp1023, 53, -0x1.fffffffffffffp1023, -0x1p-1074);
  EXPECT("neg", 0x1.fffffffffffffp1023, 0x1.fffffffffffffp1023, 2, -INFINITY, -0x1.8p1023); /* -2^1024 */
  EXPECT("tanh", -800, 800, 53, -1, 1);
  EXPECT("gamma", 5, 6, 53, 24, 120);
}

/* x87 or not, these are compared with the C library's functions, which are less than one unit of the
 * last place off: such a value lies within the two doubles around the true one. */
static void binary_against_libm(void) {
  static const struct {
    const char *name;
    double (*f)(double);
    double lo, hi;
  } cases[] = {{"exp", exp, -700, 700}, {"log", log, 1e-300, 1e300},     {"sin", sin, -100, 100},
               {"cos", cos, -100, 100}, {"sqrt", sqrt, 0, 1e300},        {"atan", atan, -1000, 1000},
               {"log", log, 0.25, 4},   {"expm1", expm1, -0.01, 0.01},   {"asin", asin, -1, 1},
               {"exp", exp, -1, 1},     {"log1p", log1p, -0.5, 0.5},     {"cbrt", NULL, -1e9, 1e9}};
  uint64_t state = 88172645463325252u;
  int rounds = light ? 20 : 2000;
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    for (int i = 0; i < rounds; i++) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      double x = cases[c].lo + (cases[c].hi - cases[c].lo) * ((double)(state >> 11) * 0x1p-53);
      LeanOracleDyadic l, h;
      if (!CHECK_FOR(binary(cases[c].name, x, x, 53, &l, &h) == OK, cases[c].name)) continue;
      double lo = value(&l), hi = value(&h);
      char shown[200];
      snprintf(shown, sizeof shown, "%s(%a): [%a, %a]", cases[c].name, x, lo, hi);
      CHECK_FOR(well_formed(&l) && well_formed(&h) && significant(&l) <= 53 && significant(&h) <= 53, shown);
      CHECK_FOR(hi == lo || hi == nextafter(lo, INFINITY), shown);
      if (cases[c].f != NULL) {
        double y = cases[c].f(x);
        CHECK_FOR(lo <= y && y <= hi, shown);
      } else {
        /* lo^3 <= x <= hi^3, with 64 bits of mantissa where the machine has them. */
        CHECK_FOR((long double)lo * lo * lo <= (long double)x * (1 + 1e-15L * (x > 0 ? 1 : -1)), shown);
        CHECK_FOR((long double)hi * hi * hi >= (long double)x * (1 - 1e-15L * (x > 0 ? 1 : -1)), shown);
      }
    }
  }
}

/* Natural numbers as little-endian 32-bit digits, enough for the square of a 960-bit number. */
typedef struct {
  uint32_t digit[64];
} Natural;

static Natural natural(const LeanOracleDyadic *x) {
  Natural n = {{0}};
  for (unsigned i = 0; i < x->limb_count; i++) {
    n.digit[2 * i] = (uint32_t)x->limbs[i];
    n.digit[2 * i + 1] = (uint32_t)(x->limbs[i] >> 32);
  }
  return n;
}

static Natural times(const Natural *a, const Natural *b) {
  Natural p = {{0}};
  for (int i = 0; i < 32; i++) {
    uint64_t carry = 0;
    for (int j = 0; j < 32; j++) {
      carry += (uint64_t)a->digit[i] * b->digit[j] + p.digit[i + j];
      p.digit[i + j] = (uint32_t)carry;
      carry >>= 32;
    }
    p.digit[i + 32] = (uint32_t)carry;
  }
  return p;
}

/* The sign of n - 2^k. */
static int compare_power(const Natural *n, int k) {
  int top = -1;
  int rest = 0;
  for (int i = 0; i < 64 * 32; i++) {
    if ((n->digit[i / 32] >> (i % 32) & 1) == 0) continue;
    if (top >= 0) rest = 1;
    top = i;
  }
  return top < k ? -1 : top > k ? 1 : rest;
}

/* h - l is one unit of the last of `bits` bits of l. */
static int neighbours(const LeanOracleDyadic *l, const LeanOracleDyadic *h, uint32_t bits) {
  Natural a = natural(l), b = natural(h);
  int64_t ea = l->exponent, eb = h->exponent;
  Natural *larger = ea > eb ? &a : &b;
  for (int64_t shift = ea > eb ? ea - eb : eb - ea; shift > 0; shift--) {
    for (int i = 63; i >= 0; i--) larger->digit[i] = larger->digit[i] << 1 | (i > 0 ? larger->digit[i - 1] >> 31 : 0);
  }
  int length = 0;
  while (compare_power(&a, length) >= 0) length++;
  int64_t borrow = 0;
  for (int i = 0; i < 64; i++) {
    borrow += (int64_t)b.digit[i] - a.digit[i];
    b.digit[i] = (uint32_t)borrow;
    borrow = borrow < 0 ? -1 : 0;
  }
  return borrow == 0 && compare_power(&b, length - (int)bits) == 0;
}

/* sqrt 2 and 1/3 to many bits, by integer arithmetic of our own. */
static void binary_large(void) {
  static const uint32_t bits[] = {2, 3, 52, 53, 63, 64, 65, 127, 128, 129, 500, 959, 960};
  for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
    LeanOracleDyadic l, h;
    CHECK(binary("sqrt", 2, 2, bits[i], &l, &h) == OK);
    CHECK(well_formed(&l) && well_formed(&h) && significant(&l) <= bits[i] && significant(&h) <= bits[i]);
    /* (m 2^e)^2 < 2  <=>  m^2 < 2^(1 - 2e) */
    Natural m = natural(&l), square = times(&m, &m);
    CHECK(compare_power(&square, (int)(1 - 2 * l.exponent)) < 0);
    m = natural(&h), square = times(&m, &m);
    CHECK(compare_power(&square, (int)(1 - 2 * h.exponent)) > 0);
    CHECK(neighbours(&l, &h, bits[i]));

    CHECK(binary("inv", 3, 3, bits[i], &l, &h) == OK);
    Natural three = {{3}};
    m = natural(&l), square = times(&m, &three);
    CHECK(compare_power(&square, (int)-l.exponent) < 0);
    m = natural(&h), square = times(&m, &three);
    CHECK(compare_power(&square, (int)-h.exponent) > 0);
    CHECK(neighbours(&l, &h, bits[i]));

    CHECK(binary("neg", 1, 1, bits[i], &l, &h) == OK);
    CHECK(l.sign == -1 && h.sign == -1 && value(&l) == -1 && value(&h) == -1);
  }
}

static void binary_refusals(void) {
  LeanOracleDyadic l, h, before;
  memset(&l, 0xAB, sizeof l);
  memset(&before, 0xAB, sizeof before);
  h = l;
  uint8_t tight = 7;
  int32_t f = index_of("exp");
  const struct {
    int32_t function;
    double lo, hi;
    uint32_t bits;
    int want;
  } cases[] = {
    {-1, 0, 1, 53, UNKNOWN_FUNCTION},  {INT32_MIN, 0, 1, 53, UNKNOWN_FUNCTION}, {INT32_MAX, 0, 1, 53, UNKNOWN_FUNCTION},
    {f, 0, 1, 0, BAD_REQUEST},         {f, 0, 1, 1, BAD_REQUEST},               {f, 0, 1, 961, BAD_REQUEST},
    {f, 0, 1, UINT32_MAX, BAD_REQUEST}, {f, 1, 0, 53, REVERSED},                {f, INFINITY, 0, 53, REVERSED},
    {f, NAN, 1, 53, BAD_NUMBER},       {f, 0, NAN, 53, BAD_NUMBER},             {f, 0, INFINITY, 53, BAD_NUMBER},
    {f, -INFINITY, 0, 53, BAD_NUMBER}, {index_of("sqrt"), -0x1p-1074, 1, 53, DOMAIN_},
    {index_of("log"), 0, 1, 53, DOMAIN_}, {index_of("inv"), -1, 1, 53, POLE},   {index_of("tan"), 1, 2, 53, POLE},
    {index_of("gamma"), -0.0, 1, 53, POLE},
    {f, 0, 0x1.fffffffffffffp1023, 53, EXPONENT_LIMIT},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int32_t code = lean_oracle_unary_f64(cases[i].function, cases[i].lo, cases[i].hi, cases[i].bits, &l, &h, &tight);
    char shown[100];
    snprintf(shown, sizeof shown, "case %zu: code %d, not %d", i, code, cases[i].want);
    CHECK_FOR(code == cases[i].want, shown);
    /* The outputs are left alone. */
    CHECK_FOR(memcmp(&l, &before, sizeof l) == 0 && memcmp(&h, &before, sizeof h) == 0 && tight == 7, shown);
  }
  /* Any output may be NULL. */
  CHECK(lean_oracle_unary_f64(f, 0, 1, 53, NULL, NULL, NULL) == OK);
  CHECK(lean_oracle_unary_f64(f, 0, 1, 53, &l, NULL, NULL) == OK && value(&l) == 1);
  CHECK(lean_oracle_unary_f64(f, 0, 0, 53, NULL, &h, NULL) == OK && value(&h) == 1);
  CHECK(lean_oracle_unary_f64(f, 0, 1, 53, NULL, NULL, &tight) == OK && tight == 1);
  CHECK(lean_oracle_unary_f64(f, 1, 0, 53, NULL, NULL, NULL) == REVERSED);
}

static void function_indices(int n, char **names) {
  CHECK(n >= 50);
  for (int i = 0; i < n; i++) CHECK_FOR(index_of(names[i]) == i, names[i]);
  const uint8_t *exp1 = (const uint8_t *)"expm1";
  CHECK(lean_oracle_function_index(exp1, 5) == index_of("expm1"));
  CHECK(lean_oracle_function_index(exp1, 3) == index_of("exp"));
  CHECK(lean_oracle_function_index(exp1, 6) == -1); /* with its NUL */
  CHECK(lean_oracle_function_index(exp1, 4) == -1);
  CHECK(lean_oracle_function_index(exp1, 0) == -1);
  CHECK(lean_oracle_function_index(exp1, SIZE_MAX) == -1);
  CHECK(lean_oracle_function_index(NULL, 0) == -1);
  CHECK(lean_oracle_function_index(NULL, 3) == -1);
  CHECK(lean_oracle_function_index(NULL, SIZE_MAX) == -1);
  CHECK(index_of("Exp") == -1 && index_of(" exp") == -1 && index_of("\xff\xfe") == -1);
  uint8_t tight;
  CHECK(lean_oracle_unary_f64(n, 0.5, 0.5, 53, NULL, NULL, &tight) == UNKNOWN_FUNCTION);
  CHECK(lean_oracle_unary_f64(n - 1, 0.5, 0.5, 53, NULL, NULL, &tight) == OK);
}

/* The three ways of asking agree, for every function. */
static void ways_agree(int n, char **names) {
  static const struct {
    const char *lo, *hi;
    double l, h;
  } intervals[] = {{"0.25", "0.75", 0.25, 0.75}, {"-2.5", "-2.25", -2.5, -2.25}, {"1.5", "1.5", 1.5, 1.5}, {"-1", "1", -1, 1}};
  for (int i = 0; i < n; i++) {
    for (size_t k = 0; k < sizeof intervals / sizeof *intervals; k++) {
      char request[200];
      snprintf(request, sizeof request, "{\"func\":\"%s\",\"lo\":\"%s\",\"hi\":\"%s\",\"digits\":30}", names[i], intervals[k].lo,
               intervals[k].hi);
      LeanOracleBuffer out;
      int32_t code = lean_oracle_call_json((const uint8_t *)request, strlen(request), &out);
      CHECK_FOR(code == OK || code == DOMAIN_ || code == POLE, request);

      LeanOracleUnaryRequest r = asking(names[i], intervals[k].lo, intervals[k].hi);
      r.digits = 30;
      LeanOracleUnaryAnswer a = unary(&r, code, __LINE__);
      if (code == OK) {
        char part[1000];
        snprintf(part, sizeof part, "\"output\":{\"ball\":{\"exp\":\"%s\",\"mid\":\"%s\",\"rad\":\"%s\"},\"hi\":\"%s\",\"lo\":\"%s\"},",
                 (const char *)a.exp.ptr, (const char *)a.mid.ptr, (const char *)a.rad.ptr, (const char *)a.hi.ptr,
                 (const char *)a.lo.ptr);
        CHECK_FOR(strstr((const char *)out.ptr, part) != NULL, (const char *)out.ptr);
      } else {
        CHECK_FOR(strstr((const char *)out.ptr, (const char *)a.message.ptr) != NULL, (const char *)out.ptr);
      }

      LeanOracleDyadic l, h;
      CHECK_FOR(binary(names[i], intervals[k].l, intervals[k].h, 53, &l, &h) == code, request);
      if (code == OK) {
        /* The C library reads a decimal to the nearest double, which is one of the two around it. */
        double lo = strtod((const char *)a.lo.ptr, NULL), hi = strtod((const char *)a.hi.ptr, NULL);
        CHECK_FOR(lo == value(&l) || lo == nextafter(value(&l), INFINITY), request);
        CHECK_FOR(hi == value(&h) || hi == nextafter(value(&h), -INFINITY), request);
      }
      lean_oracle_free(&out);
      lean_oracle_free(&a.storage);
    }
  }
}

/* --- memory and threads ----------------------------------------------------------------------- */

static void freeing(void) {
  lean_oracle_free(NULL);
  LeanOracleBuffer out = {NULL, 0, 0};
  lean_oracle_free(&out);
  lean_oracle_free(&out);
  CHECK(out.ptr == NULL && out.len == 0 && out.cap == 0);
  CHECK(lean_oracle_call_json((const uint8_t *)"{}", 2, &out) == BAD_REQUEST);
  CHECK(out.ptr != NULL && out.len > 0);
  /* A freed buffer is empty: to free it again does nothing. */
  lean_oracle_free(&out);
  CHECK(out.ptr == NULL && out.len == 0 && out.cap == 0);
  lean_oracle_free(&out);
  lean_oracle_free(&out);
  CHECK(out.ptr == NULL && out.len == 0 && out.cap == 0);
  LeanOracleUnaryRequest r = asking("exp", "0", "1");
  LeanOracleUnaryAnswer a;
  CHECK(lean_oracle_unary(&r, &a) == OK);
  lean_oracle_free(&a.storage);
  lean_oracle_free(&a.storage);
  CHECK(a.storage.ptr == NULL);
}

enum { THREADS = 16, KINDS = 24 };

static int function_count;
static char **function_names;

typedef struct {
  LeanOracleBuffer json[KINDS];
  LeanOracleUnaryAnswer answer[KINDS];
  LeanOracleDyadic lo[KINDS], hi[KINDS];
  int32_t code[KINDS][3];
  unsigned seed;
  int rounds, same;
} Work;

static Work expected;

/* One of KINDS questions, in all three ways; some are refused. */
static void ask(Work *w, int kind) {
  const char *name = function_names[kind * 2 % function_count];
  static const char *const ends[] = {"0.125", "0.25", "-1", "2", "1.5", "1.75", "-0.5", "3"};
  const char *lo = ends[kind % 4 * 2], *hi = ends[kind % 4 * 2 + 1];
  char request[200];
  /* As a question of one function, and as part of longer questions, which take other paths. */
  static const char *const forms[] = {
    "{\"func\":\"%s\",\"lo\":\"%s\",\"hi\":%s,\"digits\":%d}",
    "{\"kind\":\"expr\",\"expr\":\"%s(x)\",\"vars\":{\"x\":{\"lo\":\"%s\",\"hi\":%s}},\"digits\":%d,\"max_nodes\":200}",
    "{\"kind\":\"batch\",\"requests\":[{\"func\":\"%s\",\"lo\":\"%s\",\"hi\":%s,\"digits\":%d},{}]}",
    "{\"kind\":\"roots\",\"expr\":\"%s(x) - x\",\"vars\":{\"x\":{\"lo\":\"%s\",\"hi\":%s}},\"digits\":%d,\"max_nodes\":200}",
  };
  int n = snprintf(request, sizeof request, forms[kind / 4 % 4], name, lo, hi, 20 + kind * 10);
  w->code[kind][0] = lean_oracle_call_json((const uint8_t *)request, (size_t)n, &w->json[kind]);
  LeanOracleUnaryRequest r = asking(name, lo, hi);
  r.prec_bits = 64;
  w->code[kind][1] = lean_oracle_unary(&r, &w->answer[kind]);
  memset(&w->lo[kind], 0, sizeof w->lo[kind]);
  memset(&w->hi[kind], 0, sizeof w->hi[kind]);
  w->code[kind][2] =
    lean_oracle_unary_f64(index_of(name), strtod(lo, NULL), strtod(hi, NULL), 100, &w->lo[kind], &w->hi[kind], NULL);
}

static int agrees(const Work *w, int kind) {
  const LeanOracleBuffer *a = &w->json[kind], *b = &expected.json[kind];
  const LeanOracleBuffer *c = &w->answer[kind].storage, *d = &expected.answer[kind].storage;
  const LeanOracleDyadic *l = &w->lo[kind], *m = &expected.lo[kind], *h = &w->hi[kind], *i = &expected.hi[kind];
  return memcmp(w->code[kind], expected.code[kind], sizeof w->code[kind]) == 0 && a->len == b->len &&
         memcmp(a->ptr, b->ptr, a->len) == 0 && c->len == d->len && memcmp(c->ptr, d->ptr, c->len) == 0 &&
         l->sign == m->sign && l->exponent == m->exponent && l->limb_count == m->limb_count &&
         memcmp(l->limbs, m->limbs, 8 * l->limb_count) == 0 && h->sign == i->sign && h->exponent == i->exponent &&
         h->limb_count == i->limb_count && memcmp(h->limbs, i->limbs, 8 * h->limb_count) == 0;
}

static void release(Work *w, int kind) {
  lean_oracle_free(&w->json[kind]);
  lean_oracle_free(&w->answer[kind].storage);
}

static void *work(void *argument) {
  Work *w = argument;
  for (int round = 0; round < w->rounds; round++) {
    for (int i = 0; i < KINDS; i++) {
      int kind = (int)((unsigned)i * 7 + w->seed) % KINDS;
      ask(w, kind);
      w->same += agrees(w, kind);
      /* The last answers are freed by another thread, after this one has ended. */
      if (round + 1 < w->rounds) release(w, kind);
    }
  }
  return NULL;
}

static void threads(void) {
  for (int kind = 0; kind < KINDS; kind++) ask(&expected, kind);
  /* More than once, so that threads end while others begin. */
  for (int generation = 0; generation < (light ? 2 : 5); generation++) {
    static Work works[THREADS];
    pthread_t ids[THREADS];
    int count = light ? 4 : THREADS;
    for (int t = 0; t < count; t++) {
      works[t] = (Work){.seed = (unsigned)t * 5 + (unsigned)generation, .rounds = light ? 2 : 8};
      if (pthread_create(&ids[t], NULL, work, &works[t]) != 0) {
        printf("no thread\n");
        exit(2);
      }
    }
    for (int t = 0; t < count; t++) {
      pthread_join(ids[t], NULL);
      CHECK(works[t].same == works[t].rounds * KINDS);
      for (int kind = 0; kind < KINDS; kind++) release(&works[t], kind);
    }
  }
  int refused = 0;
  for (int kind = 0; kind < KINDS; kind++) {
    refused += expected.code[kind][0] != OK;
    release(&expected, kind);
  }
  CHECK(refused > 0 && refused < KINDS / 2);
}

typedef struct {
  const char *request;
  int ways;
  int32_t code;
} Only;

static void *ask_only(void *argument) {
  Only *o = argument;
  if (o->ways == 0) {
    LeanOracleBuffer out;
    o->code = lean_oracle_call_json((const uint8_t *)o->request, strlen(o->request), &out);
    lean_oracle_free(&out);
  } else if (o->ways == 1) {
    LeanOracleUnaryRequest r = asking("gamma", "0.5", "0.75");
    LeanOracleUnaryAnswer a;
    o->code = lean_oracle_unary(&r, &a);
    lean_oracle_free(&a.storage);
  } else {
    o->code = lean_oracle_unary_f64(index_of("gamma"), 0.5, 0.75, 53, NULL, NULL, NULL);
  }
  return NULL;
}

/* Whatever a thread asks first and last, nothing of it stays behind. */
static void short_threads(void) {
  Only only[] = {
    {"{\"func\":\"gamma\",\"lo\":\"0.5\",\"hi\":0.75}", 0, -1},
    {"{\"kind\":\"expr\",\"expr\":\"gamma(x) + zeta(x)\",\"vars\":{\"x\":{\"lo\":\"1.5\",\"hi\":1.75}}}", 0, -1},
    {"{\"kind\":\"range\",\"expr\":\"gamma(x)*x\",\"vars\":{\"x\":{\"lo\":\"1.5\",\"hi\":1.75}}}", 0, -1},
    {"{\"kind\":\"compare\",\"expr\":\"log(x)\",\"other\":\"x\",\"vars\":{\"x\":{\"lo\":\"1.5\",\"hi\":1.75}}}", 0, -1},
    {"{\"kind\":\"roots\",\"expr\":\"gamma(x) - 3/2\",\"vars\":{\"x\":{\"lo\":\"2\",\"hi\":3}}}", 0, -1},
    {"{\"kind\":\"batch\",\"requests\":[{\"func\":\"gamma\",\"lo\":\"0.5\",\"hi\":0.75}]}", 0, -1},
    {NULL, 1, -1},
    {NULL, 2, -1},
  };
  for (size_t i = 0; i < sizeof only / sizeof *only; i++) {
    pthread_t id;
    pthread_create(&id, NULL, ask_only, &only[i]);
    pthread_join(id, NULL);
    CHECK_FOR(only[i].code == OK, only[i].request);
  }
}

/* On a thread of its own: what a thread keeps for itself must be gone when it ends, and only the
 * thread of `main` never ends in that sense. */
static void *everything(void *unused) {
  (void)unused;
  json_answers();
  json_refusals();
  json_misuse();
  json_large();
  panics();
  cancelling();
  leaving();
  caching();
  typed_answers();
  typed_refusals();
  typed_misuse();
  function_indices(function_count, function_names);
  binary_known_values();
  binary_against_libm();
  binary_large();
  binary_refusals();
  ways_agree(function_count, function_names);
  freeing();
  threads();
  short_threads();
  return NULL;
}

/* Ends the process while the library is still at work. */
static int leave(void) {
  static const char slow[] =
      "{\"kind\":\"batch\",\"timeout_ms\":100,\"requests\":[{\"kind\":\"constant\",\"name\":\"khinchin\",\"digits\":10000},"
      "{\"kind\":\"constant\",\"name\":\"glaisher\",\"digits\":10000},{\"func\":\"neg\",\"lo\":1,\"hi\":1}]}";
  Call stopped = {.request = slow};
  call(&stopped);
  return stopped.code == OK && strstr((const char *)stopped.out.ptr, "\"code\":\"timeout\"") != NULL ? 0 : 1;
}

int main(int argc, char **argv) {
  argc--, argv++;
  if (argc > 0 && strcmp(argv[0], "--leave") == 0) return leave();
  if (argc > 0 && strcmp(argv[0], "--light") == 0) light = 1, argc--, argv++;
  if (argc == 0) {
    printf("usage: capi [--light] FUNCTION...\n");
    return 2;
  }
  function_count = argc, function_names = argv;
  pthread_t thread;
  if (pthread_create(&thread, NULL, everything, NULL) != 0 || pthread_join(thread, NULL) != 0) return 2;
  printf("%d checks, %d failed\n", checks, failures);
  return failures != 0;
}
