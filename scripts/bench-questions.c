/* Times the C ABI for scripts/bench-questions: reads one JSON request a line, prints for each a line
   `median_ns answer`, the median over single calls in this process, after a first call. */
#define _POSIX_C_SOURCE 200809L
#include "lean_oracle.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

enum { RUNS = 2001 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  double limit = argc > 1 ? atof(argv[1]) * 1e9 : 0.3e9; /* for each request */
  char *line = NULL;
  size_t room = 0;
  ssize_t len;
  while ((len = getline(&line, &room, stdin)) > 0) {
    static double times[RUNS];
    double begin = now(), first;
    LeanOracleBuffer answer, again;
    (void)lean_oracle_call_json((const uint8_t *)line, (size_t)len, &answer);
    first = now() - begin;
    int runs = 0;
    begin = now();
    while (runs < RUNS && (runs < 3 || now() - begin < limit) && !(runs == 1 && first > 10 * limit)) {
      double start = now();
      (void)lean_oracle_call_json((const uint8_t *)line, (size_t)len, &again);
      times[runs++] = now() - start;
      lean_oracle_free(&again);
    }
    qsort(times, (size_t)runs, sizeof *times, ascending);
    printf("%.0f %.*s\n", times[runs / 2], (int)answer.len, (const char *)answer.ptr);
    fflush(stdout);
    lean_oracle_free(&answer);
  }
  free(line);
  return 0;
}
