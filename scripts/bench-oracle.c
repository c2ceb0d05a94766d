/* Times the C ABI for scripts/bench-oracle: reads lines `func lo hi`, prints for each
   `func median_ns_typed median_ns_text median_ns_json` over several batches. */
#define _POSIX_C_SOURCE 200809L
#include "lean_oracle.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCHES = 21, CALLS = 2000 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void fail(const char *what) {
  fprintf(stderr, "bench-oracle: %s failed\n", what);
  exit(1);
}

int main(void) {
  char func[64], lo[64], hi[64];
  while (scanf("%63s %63s %63s", func, lo, hi) == 3) {
    int32_t index = lean_oracle_function_index((const uint8_t *)func, strlen(func));
    double a = atof(lo), b = atof(hi), median[3], times[BATCHES];
    LeanOracleUnaryRequest request = {{(const uint8_t *)func, strlen(func)},
                                      {(const uint8_t *)lo, strlen(lo)},
                                      {(const uint8_t *)hi, strlen(hi)},
                                      50, 200, 0, 0};
    char json[256];
    size_t len = (size_t)snprintf(json, sizeof json,
        "{\"kind\":\"unary\",\"func\":\"%s\",\"lo\":\"%s\",\"hi\":\"%s\",\"digits\":50,\"prec_bits\":200}", func, lo, hi);
    for (int kind = 0; kind < 3; kind++) {
      for (int batch = -2; batch < BATCHES; batch++) { /* two to warm up */
        double start = now();
        for (int i = 0; i < CALLS; i++) {
          if (kind == 0) {
            LeanOracleDyadic x, y;
            uint8_t tight;
            if (lean_oracle_unary_f64(index, a, b, 168, &x, &y, &tight) != 0) fail("typed");
          } else if (kind == 1) {
            LeanOracleUnaryAnswer answer;
            if (lean_oracle_unary(&request, &answer) != 0) fail("text");
            lean_oracle_free(&answer.storage);
          } else {
            LeanOracleBuffer out;
            if (lean_oracle_call_json((const uint8_t *)json, len, &out) != 0) fail("json");
            lean_oracle_free(&out);
          }
        }
        if (batch >= 0) times[batch] = (now() - start) / CALLS;
      }
      qsort(times, BATCHES, sizeof *times, ascending);
      median[kind] = times[BATCHES / 2];
    }
    printf("%s %.0f %.0f %.0f\n", func, median[0], median[1], median[2]);
    fflush(stdout);
  }
  return 0;
}
