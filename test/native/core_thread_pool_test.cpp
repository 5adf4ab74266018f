#include "check.h"
#include "cpu/thread_pool.h"

namespace {

constexpr int32_t rounds = 200;

// Every worker writes its place, all meet, and each checks what the others wrote: a barrier that lets one through early
// is seen.
struct Meeting {
  rdi::ThreadPool& pool;
  int32_t places[8] = {};
  int32_t taken[1000] = {};
  int32_t mistakes = 0;

  void work(int32_t worker) {
    for (int32_t round = 1; round <= rounds; round++) {
      places[worker] = round;
      pool.barrier();
      for (int32_t other = 0; other < pool.workers(); other++) {
        if (places[other] != round) __atomic_fetch_add(&mistakes, 1, __ATOMIC_RELAXED);
      }
      pool.barrier();
    }
    for (int32_t task = pool.takeTask(); task < 1000; task = pool.takeTask()) taken[task]++;
  }
};

void poolOf(int32_t workers) {
  rdi::Heap heap;
  rdi::Message message;
  rdi::ThreadPool pool;
  test::check(pool.start(heap, workers, message), "the pool starts");
  test::check(pool.workers() == workers, "the pool has its workers");
  for (int32_t job = 0; job < 50; job++) {
    Meeting meeting{pool};
    pool.run([](void* meeting, int32_t worker) { static_cast<Meeting*>(meeting)->work(worker); }, &meeting);
    bool once = true;
    for (int32_t count : meeting.taken) once = once && count == 1;
    test::check(once, "each task goes to one worker");
    test::check(meeting.mistakes == 0, "nobody passes a barrier before all are there");
  }
}

void refusals() {
  rdi::Heap heap;
  for (int32_t workers : {0, -1, 257}) {
    rdi::Message message;
    rdi::ThreadPool pool;
    test::check(!pool.start(heap, workers, message), "a bad number of workers is refused");
    test::check(strstr(message.text(), "Expected 1 to 256 workers but received"), "and the message says so");
  }
}

}  // namespace

int main() {
  poolOf(1);
  poolOf(2);
  poolOf(5);
  refusals();
  return test::finish("thread pool");
}
