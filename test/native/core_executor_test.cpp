// The executor through the C ABI, with several workers: what scripts/sanitize runs under ThreadSanitizer.
#include <algorithm>
#include <chrono>
#include <thread>

#include "check.h"
#include "core/rdi.h"
#include "plan_builder.h"

namespace {

using namespace test;
using std::copy_n;
using std::equal;
using std::string;
using std::vector;

constexpr int32_t endless = 1 << 30;  // repetitions: minutes of work, which only a cancelled run does not do

struct Engine {
  explicit Engine(int32_t workers, const char* name = nullptr)
      : isa(name), handle(rdi_engine_create(workers, isa, 0, RDI_FP32)) {
    if (handle) return;
    check(false, string("an engine can be created: ") + rdi_last_error(nullptr));
    exit(finish("executor"));
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine() { rdi_engine_destroy(handle); }

  rdi_plan* plan(const PlanBuilder& builder) {
    const vector<int32_t> words = builder.words();
    rdi_plan* plan = rdi_plan_create(handle, words.data(), words.size());
    if (plan) return plan;
    check(false, string("the engine takes the plan: ") + rdi_last_error(handle));
    exit(finish("executor"));
  }

  const char* isa;
  rdi_engine* handle;
};

struct Run {
  int32_t batch = 1, repeat = 1, version = 1;
  const int32_t* cancel = nullptr;
};

int32_t run(rdi_plan* plan, vector<void*> buffers, const Run& how) {
  return rdi_plan_run(plan, how.batch, how.batch, how.repeat, buffers.data(), how.version, how.cancel);
}

void expectRun(rdi_plan* plan, vector<void*> buffers, const Run& how, const string& what) {
  const int32_t status = run(plan, std::move(buffers), how);
  check(status == RDI_OK, what + ": " + rdi_run_error(plan));
}

vector<double> doubles(const vector<float>& values) { return {values.begin(), values.end()}; }

vector<float> random(size_t count, uint64_t seed) {
  Values values(seed);
  vector<float> list(count);
  for (float& value : list) value = values.uniform(-1, 1);
  return list;
}

// x ← clamp(x + 0.25, −9, 9) in every repetition, carried inside the tile.
PlanBuilder carryPlan(int32_t tile, int32_t maxBatch) {
  PlanBuilder plan(tile, maxBatch);
  const int32_t x = plan.external({3, 2, 2}), y = plan.external({3, 2, 2});
  const int32_t before = plan.arena({3, 2, 2}), sum = plan.arena({3, 2, 2}), after = plan.arena({3, 2, 2});
  plan.phase(Kind::Tiled,
             {{"affine", {before}, sum, {floatBits(1), floatBits(0.25f)}},
              {"clamp", {sum}, after, {floatBits(-9), floatBits(9)}}},
             {{"load", {x}, before}}, {{"store", {after}, y}});
  plan.carry(before, after);
  return plan;
}

void repetitions(Engine& engine) {
  constexpr int32_t images = 37;
  rdi_plan* plan = engine.plan(carryPlan(4, images));
  for (int32_t batch : {1, 5, images}) {
    vector<float> x = random(size_t(batch) * 12, 1), y(x.size());
    expectRun(plan, {x.data(), y.data()}, {.batch = batch, .repeat = 7}, "repetitions inside the tile");
    vector<double> expected = doubles(x);
    for (double& value : expected) value += 7 * 0.25;
    checkClose(y.data(), expected, 1e-6, "seven repetitions");
  }
  rdi_plan_destroy(plan);
}

// Fewer images than workers: all workers compute each, layer by layer, and what comes of it is what one worker
// computes.
void fewImages(Engine& engine) {
  constexpr int32_t channels = 32, size = 14, most = 4;
  const PlanBuilder::Dims dims = {channels, size, size};
  PlanBuilder builder(3, most);
  const int32_t x = builder.external(dims), y = builder.external(dims);
  const int32_t w = builder.external({channels, channels, 3, 3}, Rows::Whole);
  const int32_t before = builder.arena(dims), middle = builder.arena(dims), sum = builder.arena(dims);
  const int32_t after = builder.arena(dims);
  // Stride, padding, groups, ReLU, any method.
  builder.phase(Kind::Tiled,
                {{"conv2d", {before, w, -1, -1}, middle, {1, 1, 1, 1, 0}},
                 {"conv2d", {middle, w, -1, before}, sum, {1, 1, 1, 0, 0}},
                 {"clamp", {sum}, after, {floatBits(-1), floatBits(1)}}},
                {{"load", {x}, before}}, {{"store", {after}, y}});
  builder.carry(before, after);
  vector<float> weight = random(channels * channels * 9, 10);
  for (float& value : weight) value *= 0.1f;
  Engine single(1, engine.isa);
  rdi_plan *plan = engine.plan(builder), *expected = single.plan(builder);
  for (int32_t batch = 1; batch <= most; batch++) {
    vector<float> images = random(size_t(batch) * channels * size * size, 11);
    vector<float> together(images.size()), alone(images.size());
    const Run how = {.batch = batch, .repeat = 3};
    expectRun(plan, {images.data(), together.data(), weight.data()}, how, "few images");
    expectRun(expected, {images.data(), alone.data(), weight.data()}, how, "few images by one worker");
    check(together == alone, "workers compute an image together as one does alone");
  }
  rdi_plan_destroy(plan);
  rdi_plan_destroy(expected);
}

// y = (2·w)·x, with 2·w of a parameter phase, and w large enough for the workers to share that phase.
void parameters(Engine& engine) {
  constexpr int32_t outputs = 64, inputs = 300, images = 9;
  PlanBuilder builder(2, images);
  const int32_t w = builder.external({outputs, inputs}, Rows::Whole);
  const int32_t x = builder.external({inputs}), y = builder.external({outputs});
  const int32_t doubled = builder.shared({outputs, inputs}, Rows::Whole);
  builder.phase(Kind::Parameters, {{"affine", {w}, doubled, {floatBits(2), floatBits(0)}}});
  builder.phase(Kind::Tiled, {{"linear", {x, doubled}, y, {0}}});
  rdi_plan* plan = engine.plan(builder);

  vector<float> weight = random(outputs * inputs, 2), image = random(images * inputs, 3), result(images * outputs);
  vector<double> expected(result.size());
  for (size_t n = 0; n < images; n++) {
    for (size_t o = 0; o < outputs; o++) {
      for (size_t k = 0; k < inputs; k++)
        expected[n * outputs + o] += 2.0 * weight[o * inputs + k] * image[n * inputs + k];
    }
  }
  const vector<void*> buffers = {weight.data(), image.data(), result.data()};
  expectRun(plan, buffers, {.batch = images}, "a parameter phase");
  checkClose(result.data(), expected, 1e-5, "weights of the first version");
  for (float& value : weight) value *= 2;
  expectRun(plan, buffers, {.batch = images}, "the same version");
  checkClose(result.data(), expected, 1e-5, "weights are cached for their version");
  expectRun(plan, buffers, {.batch = images, .version = 2}, "the next version");
  for (double& value : expected) value *= 2;
  checkClose(result.data(), expected, 1e-5, "weights of the next version");
  rdi_plan_destroy(plan);
}

// Gradient descent on ½(w·x)², summed over the batch: reductions, then a whole phase that writes w in place, so that
// repetitions go from outside.
PlanBuilder trainingPlan(int32_t tile, int32_t maxBatch, int32_t inputs) {
  PlanBuilder plan(tile, maxBatch);
  const int32_t x = plan.external({inputs}), w = plan.external({1, inputs}, Rows::Whole);
  const int32_t newW = plan.external({1, inputs}, Rows::Whole), loss = plan.external({}, Rows::Whole);
  const int32_t y = plan.arena({1}), squares = plan.arena({1}), sum = plan.arena({});
  const int32_t gradient = plan.shared({1, inputs}, Rows::Whole), step = plan.shared({1, inputs}, Rows::Whole);
  plan.phase(Kind::Tiled, {{"linear", {x, w}, y, {0}},
                           {"mul", {y, y}, squares},
                           {"sumPerImage", {squares}, sum},
                           {"reduceBatch", {sum}, loss, {1}},
                           {"linearWeightGrad", {x, y}, gradient}});
  plan.phase(Kind::Whole, {{"affine", {gradient}, step, {floatBits(0.001f), floatBits(0)}}, {"sub", {w, step}, newW}});
  return plan;
}

void reductions(Engine& engine) {
  constexpr int32_t images = 53, inputs = 20, steps = 5;
  rdi_plan* plan = engine.plan(trainingPlan(3, images, inputs));
  vector<float> x = random(images * inputs, 4), start = random(inputs, 5), first;
  vector<double> expected = doubles(start);
  for (int step = 0; step < steps; step++) {
    vector<double> gradient(inputs);
    for (size_t n = 0; n < images; n++) {
      double y = 0;
      for (size_t k = 0; k < inputs; k++) y += expected[k] * x[n * inputs + k];
      for (size_t k = 0; k < inputs; k++) gradient[k] += y * x[n * inputs + k];
    }
    for (size_t k = 0; k < inputs; k++) expected[k] -= 0.001f * gradient[k];
  }
  for (int32_t again = 0; again < 4; again++) {
    vector<float> w = start, loss(1);
    // w is its own successor.
    const Run how = {.batch = images, .repeat = steps, .version = again};
    expectRun(plan, {x.data(), w.data(), w.data(), loss.data()}, how, "steps of gradient descent");
    checkClose(w.data(), expected, 1e-5, "the weights after five steps");
    if (again == 0) first = w;
    check(w == first, "sums have one order for as many workers");
  }
  rdi_plan_destroy(plan);
}

// y = (x + 1)·2 in two phases, with the sums of all images in the shared arena between them, and only one barrier after
// each.
PlanBuilder twoPhasePlan(int32_t tile, int32_t maxBatch) {
  PlanBuilder plan(tile, maxBatch);
  const int32_t x = plan.external({10}), y = plan.external({10}), sums = plan.shared({10}, Rows::PerImage);
  plan.phase(Kind::Tiled, {{"affine", {x}, sums, {floatBits(1), floatBits(1)}}});
  plan.phase(Kind::Tiled, {{"affine", {sums}, y, {floatBits(2), floatBits(0)}}});
  return plan;
}

void phases(Engine& engine) {
  constexpr int32_t images = 41;
  rdi_plan* plan = engine.plan(twoPhasePlan(3, images));
  vector<float> x = random(images * 10, 9), y(x.size());
  vector<double> expected = doubles(x);
  for (double& value : expected) value = (value + 1) * 2;
  expectRun(plan, {x.data(), y.data()}, {.batch = images, .repeat = 30}, "two phases, repeated");
  checkClose(y.data(), expected, 1e-6, "a second phase reads what the first wrote");
  rdi_plan_destroy(plan);
}

// Exits on logits x, W·x and W·W·x, W = 3: each is surer than the one before. The second checks labels.
PlanBuilder adaptivePlan(int32_t tile, int32_t maxBatch) {
  PlanBuilder plan(tile, maxBatch);
  const int32_t x = plan.external({4}), w = plan.external({4, 4}, Rows::Whole);
  const int32_t labels = plan.external({}, Rows::PerImage, true);
  const int32_t x0 = plan.arena({4}), labels0 = plan.arena({}, true);
  const int32_t x1 = plan.queue(1, {4}), labels1 = plan.queue(1, {}, true), x2 = plan.queue(2, {4});
  const int32_t y1 = plan.arena({4}), y2 = plan.arena({4}), checked = plan.arena({});
  const int32_t entropy = plan.arena({}), probabilities = plan.arena({4});
  auto phase = [&](PlanBuilder::Nodes body, int32_t logits, const PlanBuilder::Nodes& loads = {}) {
    body.push_back({"entropy", {logits}, entropy});
    body.push_back({"softmax", {logits}, probabilities});
    return plan.phase(Kind::Tiled, body, loads);
  };
  const int32_t first = phase({}, x0, {{"load", {x}, x0}, {"load", {labels}, labels0}});
  const int32_t second = phase({{"linear", {x1, w}, y1, {0}}, {"crossEntropy", {y1, labels1}, checked}}, y1);
  const int32_t third = phase({{"linear", {x2, w}, y2, {0}}}, y2);
  plan.segment(first, entropy, probabilities, 1, {x0, x1, labels0, labels1});
  plan.segment(second, entropy, probabilities, 2, {y1, x2});
  plan.segment(third, entropy, probabilities, 3, {});
  return plan;
}

struct Adaptive {
  explicit Adaptive(size_t images)
      : x(random(images * 4, 6)), w(16), labels(images), probabilities(images * 4), entropy(images), exits(images) {
    for (size_t i = 0; i < 4; i++) w[i * 5] = 3;
  }
  vector<float> x, w;
  vector<int32_t> labels;
  vector<float> probabilities, entropy;
  vector<int32_t> exits;

  int32_t run(rdi_plan* plan, const vector<float>& thresholds, const int32_t* cancel = nullptr) {
    vector<void*> buffers = {x.data(), w.data(), labels.data()};
    return rdi_adaptive_run(plan, int32_t(exits.size()), thresholds.data(), buffers.data(), probabilities.data(),
                            entropy.data(), exits.data(), 1, cancel);
  }
};

void adaptiveRuns(Engine& engine) {
  constexpr size_t images = 200;
  constexpr float thresholds[] = {1.2f, 0.9f};
  rdi_plan* plan = engine.plan(adaptivePlan(4, images));
  Adaptive data(images);
  check(data.run(plan, {thresholds[0], thresholds[1]}) == RDI_OK, string("an adaptive run: ") + rdi_run_error(plan));
  int32_t seen[4] = {};
  for (size_t n = 0; n < images; n++) {
    vector<double> p(4);
    double entropy = 0;
    int32_t exit = 1;
    for (double scale = 1;; scale *= 3, exit++) {
      double sum = 0;
      for (size_t c = 0; c < 4; c++) sum += p[c] = exp(scale * data.x[n * 4 + c]);
      entropy = 0;
      for (double& value : p) value /= sum, entropy -= value * log(value + 1e-5);
      if (exit == 3 || entropy < double(thresholds[exit - 1])) break;
    }
    check(data.exits[n] == exit, "image " + std::to_string(n) + " leaves where its entropy says");
    checkClose(&data.probabilities[n * 4], p, 1e-5, "its probabilities");
    check(fabs(data.entropy[n] - entropy) < 1e-5, "its entropy");
    seen[exit]++;
  }
  check(seen[1] > 0 && seen[2] > 0 && seen[3] > 0, "images leave at every exit");
  for (size_t n = 0; n < 12; n++) {
    Adaptive one(1);
    copy_n(&data.x[n * 4], 4, one.x.begin());
    check(one.run(plan, {thresholds[0], thresholds[1]}) == RDI_OK && one.exits[0] == data.exits[n] &&
              one.entropy[0] == data.entropy[n] &&
              equal(one.probabilities.begin(), one.probabilities.end(), data.probabilities.begin() + ptrdiff_t(n) * 4),
          "an image leaves alone as it does among others");
  }

  // Two of the labels that the second segment looks at are bad, for different workers to find.
  data.labels.front() = data.labels.back() = 77;
  check(data.run(plan, {0, 0}) == RDI_BAD_ARGUMENT && strstr(rdi_run_error(plan), "77"),
        string("bad labels fail the run, and are named: ") + rdi_run_error(plan));
  data.labels.front() = data.labels.back() = 3;
  check(data.run(plan, {0, 0}) == RDI_OK, "the next run is well again");
  rdi_plan_destroy(plan);
}

// Runs `work` while another thread does `act` once it has slept a little, and checks that the run ended as cancelled.
template <class Work, class Act>
void interrupt(const string& what, Work work, Act act) {
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    act();
  });
  const int32_t status = work();
  other.join();
  check(status == RDI_CANCELLED, what + " ends the run");
}

void cancels(Engine& engine) {
  constexpr int32_t images = 30;
  int32_t cancel = 0;
  auto set = [&] { __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED); };
  {
    rdi_plan* plan = engine.plan(carryPlan(4, images));
    vector<float> x(images * 12), y(x.size());
    const vector<void*> buffers = {x.data(), y.data()};
    interrupt(
        "a cancel inside the tile",
        [&] { return run(plan, buffers, {.batch = images, .repeat = endless, .cancel = &cancel}); }, set);
    check(strstr(rdi_run_error(plan), "cancelled"), "the message says so");
    check(run(plan, buffers, {.batch = images, .cancel = &cancel}) == RDI_CANCELLED, "a cancelled run does not start");
    cancel = 0;
    expectRun(plan, buffers, {.batch = images, .cancel = &cancel}, "after a cancelled run");
    check(y[0] == 0.25f && y.back() == 0.25f, "the next run is whole");
    rdi_plan_destroy(plan);
  }
  {
    rdi_plan* plan = engine.plan(trainingPlan(3, images, 20));
    vector<float> x = random(images * 20, 7), w = random(20, 8), loss(1);
    const vector<void*> buffers = {x.data(), w.data(), w.data(), loss.data()};
    interrupt(
        "a cancel between phases",
        [&] { return run(plan, buffers, {.batch = images, .repeat = endless, .cancel = &cancel}); }, set);
    cancel = 0;
    rdi_plan_destroy(plan);
  }
  {
    rdi_plan* plan = engine.plan(twoPhasePlan(4, images));
    vector<float> x(images * 10), y(x.size());
    interrupt(
        "a cancel between repetitions",
        [&] {
          return run(plan, {x.data(), y.data()}, {.batch = images, .repeat = endless, .cancel = &cancel});
        },
        set);
    cancel = 0;
    rdi_plan_destroy(plan);
  }
  {
    rdi_plan* plan = engine.plan(adaptivePlan(4, images));
    Adaptive data(images);
    cancel = 1;
    check(data.run(plan, {0, 0}, &cancel) == RDI_CANCELLED, "a cancelled adaptive run does not start");
    cancel = 0;
    check(data.run(plan, {0, 0}, &cancel) == RDI_OK, "the next is whole");
    rdi_plan_destroy(plan);
  }
}

void stops(int32_t workers) {
  Engine engine(workers);
  rdi_plan* plan = engine.plan(carryPlan(4, 30));
  vector<float> x(30 * 12), y(x.size());
  const vector<void*> buffers = {x.data(), y.data()};
  interrupt(
      "rdi_engine_stop", [&] { return run(plan, buffers, {.batch = 30, .repeat = endless}); },
      [&] { rdi_engine_stop(engine.handle); });
  check(run(plan, buffers, {.batch = 1}) == RDI_CANCELLED, "a stopped engine runs nothing more");
}  // the engine is destroyed with its plan

void allOf(int32_t workers, const char* isa) {
  Engine engine(workers, isa);
  repetitions(engine);
  fewImages(engine);
  parameters(engine);
  phases(engine);
  reductions(engine);
  adaptiveRuns(engine);
  cancels(engine);
  check(rdi_live_bytes(engine.handle) == 0, "nothing is left behind");
}

// The ABI lets one thread make plans while another runs others.
void plansDuringRuns(int32_t workers) {
  Engine engine(workers);
  rdi_plan* plan = engine.plan(carryPlan(4, 30));
  vector<float> x(30 * 12), y(x.size());
  const vector<void*> buffers = {x.data(), y.data()};
  std::thread runner([&] {
    for (int i = 0; i < 50; i++) expectRun(plan, buffers, {.batch = 30, .repeat = 20}, "while plans are made");
  });
  const int32_t bad[] = {1, 2, 3};
  for (int i = 0; i < 200; i++) {
    rdi_plan_destroy(engine.plan(trainingPlan(3, 8, 20)));
    rdi_free(engine.handle, rdi_alloc(engine.handle, 1000));
    check(!rdi_plan_create(engine.handle, bad, 3) && rdi_last_error(engine.handle)[0], "a bad plan is refused");
  }
  runner.join();
}

void devices() {
  check(rdi_device_count() == 1 && string(rdi_device_name(0)) == "cpu" && rdi_device_bytes(0) == 0,
        "the only device is the processor");
  check(!rdi_device_name(1) && !rdi_device_name(-1), "there is no other");
  auto refused = [](const char* isa, int32_t device, int32_t precision, const string& expected) {
    check(!rdi_engine_create(1, isa, device, precision) && string(rdi_last_error(nullptr)).find(expected) == 0,
          "refused: " + expected);
  };
  refused(nullptr, 1, RDI_FP32, "Expected 0 for device");
  refused(nullptr, 0, RDI_TF32, "Expected fp32 for precision");
  refused("altivec", 0, RDI_FP32, "Expected an instruction set of this machine");
}

void groups() {
  Engine first(1), second(1);
  rdi_engine* const engines[] = {first.handle, second.handle};
  check(rdi_group_create(engines, 1, nullptr) == RDI_OK, "an engine is a group");
  check(rdi_group_create(engines, 2, nullptr) == RDI_BAD_ARGUMENT &&
            string(rdi_last_error(first.handle)) == "Expected one engine for a group on the processor but received 2",
        "the processor makes no groups of several");
  check(!rdi_group_library(nullptr) && string(rdi_last_error(nullptr)).find("Expected GPUs") == 0,
        "nor needs a library");
}

void copies() {
  Engine engine(1);
  const vector<float> given = random(100, 1);
  vector<float> back(given.size());
  const size_t bytes = given.size() * sizeof(float);
  void* buffer = rdi_alloc(engine.handle, bytes);
  check(rdi_write(engine.handle, buffer, given.data(), bytes) == RDI_OK &&
            rdi_read(engine.handle, back.data(), buffer, bytes) == RDI_OK && back == given,
        "a buffer gives back what was written");
  check(rdi_write(engine.handle, buffer, nullptr, 0) == RDI_OK && rdi_read(engine.handle, nullptr, buffer, 0) == RDI_OK,
        "nothing can be copied from nowhere");
  rdi_free(engine.handle, buffer);
}

}  // namespace

int main() {
  devices();
  groups();
  copies();
  for (int32_t isa = 0; isa < rdi_isa_count(); isa++) {
    if (rdi_isa_supported(isa)) allOf(3, rdi_isa_name(isa));
  }
  for (int32_t workers : {1, 2, 8}) {
    allOf(workers, nullptr);
    stops(workers);
  }
  plansDuringRuns(3);
  // Engines are independent of each other.
  std::thread other([] { allOf(2, nullptr); });
  allOf(2, nullptr);
  other.join();
  return finish("executor");
}
