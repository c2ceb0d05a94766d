/* Round trips of raw libzmq, which carries bytes and nothing else: the limit for scripts/bench-transport.
 *
 *   raw serve ENDPOINT                        a REP socket that sends back what comes; prints where
 *   raw ask ENDPOINT DOUBLES CLIENTS ROUNDS   a REQ socket on each thread; prints the median and the 99th
 *                                             percentile in microseconds, and round trips a second */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

static void *context;
static const char *endpoint;
static size_t size;
static int rounds;
static pthread_barrier_t start;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void check(int ok) {
  if (ok) return;
  fprintf(stderr, "libzmq: %s\n", zmq_strerror(zmq_errno()));
  exit(1);
}

static void serve(void) {
  void *rep = zmq_socket(context, ZMQ_REP);
  char bound[256];
  size_t length = sizeof bound;
  zmq_msg_t message;
  check(zmq_bind(rep, endpoint) == 0 && zmq_getsockopt(rep, ZMQ_LAST_ENDPOINT, bound, &length) == 0);
  puts(bound);
  fflush(stdout);
  for (;;) {
    zmq_msg_init(&message);
    check(zmq_msg_recv(&message, rep, 0) >= 0 && zmq_msg_send(&message, rep, 0) >= 0);
  }
}

static void *ask(void *times) {
  void *req = zmq_socket(context, ZMQ_REQ);
  char *data = malloc(size);
  memset(data, 1, size);
  check(zmq_connect(req, endpoint) == 0);
  for (int i = -rounds / 10 - 1; i < rounds; i++) {
    if (i == 0) pthread_barrier_wait(&start);
    double begun = now();
    zmq_msg_t message;
    zmq_msg_init(&message);
    check(zmq_send(req, data, size, 0) >= 0 && zmq_msg_recv(&message, req, 0) == (int)size);
    zmq_msg_close(&message);
    if (i >= 0) ((double *)times)[i] = now() - begun;
  }
  free(data);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  context = zmq_ctx_new();
  endpoint = argv[2];
  if (argc == 3) serve();
  int clients = atoi(argv[4]);
  size = 8 * (size_t)atoi(argv[3]);
  rounds = atoi(argv[5]);
  size_t count = (size_t)clients * (size_t)rounds;
  pthread_t *threads = malloc(sizeof *threads * (size_t)clients);
  double *times = malloc(sizeof *times * count);
  pthread_barrier_init(&start, NULL, (unsigned)clients + 1);
  for (int i = 0; i < clients; i++) pthread_create(&threads[i], NULL, ask, times + (size_t)i * (size_t)rounds);
  pthread_barrier_wait(&start);
  double begun = now();
  for (int i = 0; i < clients; i++) pthread_join(threads[i], NULL);
  double rate = (double)count / (now() - begun) * 1e6;
  qsort(times, count, sizeof *times, compare);
  printf("%.1f\t%.1f\t%.0f\n", times[count / 2], times[count * 99 / 100], rate);
  return 0;
}
