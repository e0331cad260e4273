/* A library with a lock of its own. */
#include <pthread.h>

static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

pthread_mutex_t *library_mutex(void);

pthread_mutex_t *library_mutex(void) { return &library_lock; }
