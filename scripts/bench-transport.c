/* Round trips of raw libzmq, REQ and REP in two processes: the limit for scripts/bench-transport. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <signal.h>
#include <zmq.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void serve(const char *endpoint) {
  void *context = zmq_ctx_new(), *rep = zmq_socket(context, ZMQ_REP);
  zmq_msg_t message;
  if (zmq_bind(rep, endpoint) != 0) exit(1);
  for (;;) {
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, rep, 0) < 0 || zmq_msg_send(&message, rep, 0) < 0) exit(1);
  }
}

int main(int argc, char **argv) {
  static const int doubles[] = {1, 1000, 10000, 100000, 1000000}, rounds[] = {10000, 10000, 2000, 500, 60};
  for (int e = 1; e < argc; e++) {
    pid_t server = fork();
    if (server == 0) serve(argv[e]);
    void *context = zmq_ctx_new(), *req = zmq_socket(context, ZMQ_REQ);
    if (zmq_connect(req, argv[e]) != 0) return 1;
    for (size_t k = 0; k < sizeof doubles / sizeof *doubles; k++) {
      size_t size = 8 * (size_t)doubles[k];
      char *data = malloc(size);
      double *times = malloc(sizeof(double) * (size_t)rounds[k]);
      memset(data, 1, size);
      double begun = 0;
      for (int i = -rounds[k] / 10; i < rounds[k]; i++) {
        double start = now();
        if (i == 0) begun = start;
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_send(req, data, size, 0) < 0 || zmq_msg_recv(&message, req, 0) != (int)size) return 1;
        zmq_msg_close(&message);
        if (i >= 0) times[i] = now() - start;
      }
      double rate = rounds[k] / (now() - begun) * 1e6;
      qsort(times, (size_t)rounds[k], sizeof *times, compare);
      printf("%.3s\t%d\t1\t%.1f\t%.1f\t%.0f\n", argv[e], doubles[k], times[rounds[k] / 2],
             times[rounds[k] * 99 / 100], rate);
      free(data);
      free(times);
    }
    kill(server, SIGKILL);
  }
  return 0;
}
