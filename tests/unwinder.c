/* Lean's run-time library is linked, ours is loaded beside it as Lean loads it, and panics inside.
 *
 *   unwinder LIBRARY [init]
 *
 * With `init`, Lean's run-time is initialised first. LEAN_ORACLE_TEST_PANIC=1 must be set. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "lean_oracle.h"

extern void lean_initialize_runtime_module(void);

typedef int32_t call_json_fn(const uint8_t *, size_t, LeanOracleBuffer *);
typedef void free_fn(LeanOracleBuffer *);

static int call(call_json_fn *call_json, free_fn *free_buffer, const char *request, int want, const char *part) {
  LeanOracleBuffer out;
  int code = call_json((const uint8_t *)request, strlen(request), &out);
  printf("%d %s\n", code, (const char *)out.ptr);
  fflush(stdout);
  int ok = code == want && strstr((const char *)out.ptr, part) != NULL;
  free_buffer(&out);
  return ok;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  /* Linked even when not called. */
  void (*volatile initialize)(void) = lean_initialize_runtime_module;
  if (argc > 2) initialize();

  void *library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (library == NULL) {
    printf("%s\n", dlerror());
    return 3;
  }
  call_json_fn *call_json;
  free_fn *free_buffer;
  /* POSIX's way to turn an object pointer into a function pointer. */
  *(void **)&call_json = dlsym(library, "lean_oracle_call_json");
  *(void **)&free_buffer = dlsym(library, "lean_oracle_free");
  if (call_json == NULL || free_buffer == NULL) return 4;

  /* Who offers the unwinder to libraries that bring none? */
  Dl_info info = {0};
  void *raise = dlsym(RTLD_DEFAULT, "_Unwind_RaiseException");
  if (raise != NULL && dladdr(raise, &info) == 0) return 5;
  printf("unwinder: %s\n", info.dli_fname == NULL ? "none" : info.dli_fname);
  fflush(stdout);

  for (int i = 0; i < 3; i++) {
    if (!call(call_json, free_buffer, "{\"kind\":\"__panic__\"}", 10, "\"code\":\"internal\"")) return 6;
    if (!call(call_json, free_buffer, "{\"func\":\"exp\",\"lo\":\"0\",\"hi\":\"0\"}", 0, "\"status\":\"ok\"")) return 7;
  }
  printf("survived\n");
  return 0;
}
