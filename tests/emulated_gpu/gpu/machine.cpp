// Runs the blocks of a launch, cluster by cluster, their threads in turns. What the hardware leaves open is
// drawn from a seed: which threads go first, and whether what runs on in the background (copies, products)
// ends at once or as late as it may. So a missing wait shows as a wrong result, and waits that nothing ends
// are told from slow ones.
#include "launch.h"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <stdexcept>
#include <utility>

#include "fibers.h"
#include "machine.h"
#include "tensor_map.h"

namespace burnish::emulated {
namespace {

constexpr unsigned shared_bytes_of_chip = 227 << 10, first_address = 1024, static_address = 1 << 20,
                   block_shift = 24;

struct Barrier {
  int count = 0, pending = 0;
  long long bytes = 0;  // that are expected and have not arrived
  int phase = 0;
};

struct Copy {  // into one block
  void* to;
  std::vector<char> bytes;
  unsigned barrier;
  size_t group = 0;  // of a thread's own copies
};

struct Exchange {
  alignas(32) char slots[32 * 32];
  unsigned arrived = 0;
};

struct Warp {
  Exchange exchanges[2];
  size_t done = 0;  // exchanges that all lanes have come to
};

struct Block;

struct Thread {
  Block* block;
  unsigned index;
  std::unique_ptr<Fiber> fiber;
  size_t exchanged = 0, synchronized = 0, met = 0;
  std::deque<Copy> copies;
  size_t groups = 0;  // of copies, that are closed
  std::deque<std::pair<EmulatedProduct, size_t>> products;
  size_t product_groups = 0;
};

struct Block {
  unsigned rank = 0;
  EmulatedDim3 index;
  EmulatedPlace* place = nullptr;
  char *image = nullptr, *shared = nullptr;
  void (*call)(void**) = nullptr;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  /// By warpgroup and group of products: threads that have asked for it, and for which it has run.
  std::vector<std::vector<std::array<unsigned, 2>>> products;
  size_t arrived = 0, synchronized = 0;
};

struct Cluster {
  std::vector<Block> blocks;
  std::map<unsigned, Barrier> barriers;
  size_t arrived = 0, met = 0, threads = 0;
  std::deque<Copy> engine;
};

Cluster* cluster = nullptr;
Thread* self = nullptr;
size_t progress = 0;
std::mt19937 random_numbers;
enum class Background { at_once, late, either } background = Background::at_once;

[[noreturn]] void stop(const std::string& what) {
  const EmulatedDim3& b = self->block->index;
  throw Fault{Fault::launch_failed, what + " (block " + std::to_string(b.x) + ", " + std::to_string(b.y) +
                                        ", " + std::to_string(b.z) + ", thread " +
                                        std::to_string(self->index) + ")"};
}
// An exception does not pass from one stack to another: it is kept until the turn is back.
std::exception_ptr failure;

template <class Condition>
void wait_until(Condition&& condition) {
  while (!condition()) Fiber::yield();
}

bool late() {
  return background == Background::late || (background == Background::either && random_numbers() % 2);
}

unsigned address_of(const void* pointer) {
  const Block& block = *self->block;
  const char* at = static_cast<const char*>(pointer);
  if (block.shared && at >= block.shared && at < block.shared + shared_bytes_of_chip)
    return first_address + static_cast<unsigned>(at - block.shared);
  if (at < block.image || at - block.image >= (1 << 22)) stop("an address of shared memory that is none");
  return static_address + static_cast<unsigned>(at - block.image);
}

Block& block_of(unsigned address) {
  const unsigned rank = address >> block_shift;
  if (rank == 0) return *self->block;
  if (rank > cluster->blocks.size()) stop("an address in a block that is not of the cluster");
  return cluster->blocks[rank - 1];
}

void* pointer_to(unsigned address) {
  Block& block = block_of(address);
  const unsigned at = address & ((1u << block_shift) - 1);
  if (at >= static_address) return block.image + (at - static_address);
  if (at < first_address || at >= first_address + shared_bytes_of_chip || !block.shared)
    stop("an address outside of shared memory");
  return block.shared + (at - first_address);
}

unsigned block_address(unsigned address, unsigned block) {
  return (address & ((1u << block_shift) - 1)) | (block + 1) << block_shift;
}

/// The same with its block's number in it.
unsigned whole_address(unsigned address) {
  return address >> block_shift ? address : block_address(address, self->block->rank);
}

Barrier& barrier_at(unsigned address) {
  const auto found = cluster->barriers.find(whole_address(address));
  if (found == cluster->barriers.end()) stop("a barrier that was not initialised");
  return found->second;
}

void settle(Barrier& barrier) {
  ++progress;
  if (barrier.pending > 0 || barrier.bytes != 0) return;
  barrier.pending = barrier.count;
  ++barrier.phase;
}

void finish(Copy& copy) {
  std::memcpy(copy.to, copy.bytes.data(), copy.bytes.size());
  if (copy.barrier) {
    Barrier& barrier = cluster->barriers.at(copy.barrier);
    barrier.bytes -= static_cast<long long>(copy.bytes.size());
    settle(barrier);
  }
  ++progress;
}

void sync_threads() {
  Block& block = *self->block;
  const size_t now = self->synchronized++;
  ++progress;
  if (++block.arrived == block.threads.size()) {
    block.arrived = 0;
    ++block.synchronized;
  }
  wait_until([&] { return block.synchronized > now; });
}

void meet_cluster() {
  const size_t now = self->met++;
  ++progress;
  if (++cluster->arrived == cluster->threads) {
    cluster->arrived = 0;
    ++cluster->met;
  }
  wait_until([&] { return cluster->met > now; });
}

const char* exchange(const void* mine, unsigned bytes) {
  Warp& warp = self->block->warps[self->index / 32];
  const size_t now = self->exchanged++;
  Exchange& place = warp.exchanges[now % 2];
  if (bytes > 32) stop("an exchange of more than 32 bytes");
  std::memcpy(place.slots + self->index % 32 * bytes, mine, bytes);
  ++progress;
  const size_t lanes = std::min<size_t>(32, self->block->threads.size() - self->index / 32 * 32);
  if (++place.arrived == lanes) {
    place.arrived = 0;
    ++warp.done;
  }
  wait_until([&] { return warp.done > now; });
  return place.slots;
}

void barrier_init(unsigned address, int count) {
  cluster->barriers[whole_address(address)] = {count, count, 0, 0};
  ++progress;
}

void barrier_arrive(unsigned address, int expected_bytes) {
  Barrier& barrier = barrier_at(address);
  barrier.bytes += expected_bytes;
  if (--barrier.pending < 0) stop("a barrier on which more arrive than it counts");
  settle(barrier);
}

void barrier_wait(unsigned address, int parity) {
  Barrier& barrier = barrier_at(address);
  wait_until([&] { return (barrier.phase & 1) != parity; });
}

void copy(unsigned to, const void* from, int bytes, bool valid) {
  const size_t count = static_cast<size_t>(bytes);
  if (to % count || (valid && reinterpret_cast<size_t>(from) % count))
    stop("a copy of 16, 8 or 4 bytes from or to a place of no multiple of that");
  Copy copy{pointer_to(to), std::vector<char>(count, 0), 0, self->groups};
  if (valid) std::memcpy(copy.bytes.data(), from, count);
  if (late())
    self->copies.push_back(std::move(copy));
  else
    finish(copy);
}

void commit_copies() { ++self->groups; }

void wait_copies(int left) {
  while (!self->copies.empty() && self->copies.front().group + static_cast<size_t>(left) < self->groups) {
    finish(self->copies.front());
    self->copies.pop_front();
  }
}

void enqueue(unsigned to, std::vector<char> bytes, unsigned barrier, unsigned blocks) {
  for (unsigned rank = 0; rank < 16; ++rank) {
    if (blocks ? !(blocks >> rank & 1) : rank != self->block->rank) continue;
    if (rank >= cluster->blocks.size()) stop("a copy to a block that is not of the cluster");
    const unsigned there = block_address(barrier, rank);
    if (!cluster->barriers.contains(there))
      stop("a copy that arrives on a barrier which was not initialised");
    Copy copy{pointer_to(block_address(to, rank)), bytes, there};
    if (late())
      cluster->engine.push_back(std::move(copy));
    else
      finish(copy);
  }
  ++progress;
}

void copy_bulk(unsigned to, const void* from, int bytes, unsigned barrier, unsigned blocks) {
  if (bytes <= 0 || bytes % 16 || to % 16 || reinterpret_cast<size_t>(from) % 16)
    stop("a bulk copy of bytes, from or to a place of no multiple of 16");
  const char* first = static_cast<const char*>(from);
  enqueue(to, {first, first + bytes}, barrier, blocks);
}

void copy_tensor(unsigned to, const void* map, const int* place, int axes, unsigned barrier,
                 unsigned blocks) {
  const TensorMap& tensor = *static_cast<const TensorMap*>(map);
  if (tensor.magic != TensorMap::expected_magic || tensor.axes != static_cast<unsigned>(axes))
    stop("a copy by a map that is none, or of other axes");
  if (to % 128) stop("a copy of a tensor to a place of no multiple of 128");
  // Chunks are permuted by the address, so rows are put where they belong one by one.
  const std::vector<char> box = tensor.read(place);
  std::vector<char> permuted(box.size());
  for (size_t at = 0; at < box.size(); at += 16)
    std::memcpy(&permuted[at ^ (((to + at) >> 7 & 7) << 4)], &box[at], std::min<size_t>(16, box.size() - at));
  enqueue(to, std::move(permuted), barrier, blocks);
}

void send(unsigned to, const void* bytes, int count, unsigned barrier) {
  const char* first = static_cast<const char*>(bytes);
  if (!(to >> block_shift) || to >> block_shift != barrier >> block_shift)
    stop("what is sent arrives on a barrier of another block");
  if (!cluster->barriers.contains(barrier))
    stop("what is sent arrives on a barrier that was not initialised");
  Copy copy{pointer_to(to), {first, first + count}, barrier};
  if (late())
    cluster->engine.push_back(std::move(copy));
  else
    finish(copy);
}

void begin_product(const EmulatedProduct& product) {
  if (self->index / 128 * 128 + 128 > self->block->threads.size()) stop("a product of less than a warpgroup");
  self->products.push_back({product, self->product_groups});
}
void commit_products() {
  auto& groups = self->block->products[self->index / 128];
  if (groups.size() <= self->product_groups) groups.push_back({});
  ++groups[self->product_groups++][0];
  ++progress;
}
/// Products are the warpgroup's: none runs before all its threads have asked for it, and it ends for all at
/// once. They run as late as they may, so what they read must lie there until they are waited for.
void wait_products(int left) {
  const auto& groups = self->block->products[self->index / 128];
  while (!self->products.empty() &&
         self->products.front().second + static_cast<size_t>(left) < self->product_groups) {
    const auto [product, group] = self->products.front();
    wait_until([&] { return groups[group][0] == 128; });
    self->products.pop_front();
    product.run(product);
    if (!self->products.empty() && self->products.front().second == group) continue;
    ++self->block->products[self->index / 128][group][1];
    ++progress;
    wait_until([&] { return groups[group][1] == 128; });
  }
}

void fail(const char* what) { stop(what); }

constexpr EmulatedMachine functions = {address_of,      pointer_to,    block_address, sync_threads,
                                       meet_cluster,    exchange,      barrier_init,  barrier_arrive,
                                       barrier_wait,    copy,          commit_copies, wait_copies,
                                       copy_bulk,       copy_tensor,   send,          begin_product,
                                       commit_products, wait_products, fail};

sigjmp_buf back_to_launch;
volatile sig_atomic_t launching = 0, signal_number = 0;
struct sigaction handlers_before[3];
constexpr int signals[] = {SIGSEGV, SIGBUS, SIGILL};

void on_signal(int number, siginfo_t*, void*) {
  if (!launching) {
    std::signal(number, SIG_DFL);
    std::raise(number);
    return;
  }
  signal_number = number;
  siglongjmp(back_to_launch, 1);
}

void run_cluster(const Launch& launch, const std::vector<EmulatedDim3>& indices, char* stacks) {
  Cluster now;
  cluster = &now;
  const unsigned threads = launch.threads[0] * launch.threads[1] * launch.threads[2];
  now.blocks.resize(indices.size());
  now.threads = indices.size() * threads;
  std::vector<char> margin(1024,
                           static_cast<char>(0xa5));  // behind the shared memory that the launch asked for
  for (size_t rank = 0; rank < indices.size(); ++rank) {
    Block& block = now.blocks[rank];
    const Code& code = launch.function->code(rank);
    block.rank = static_cast<unsigned>(rank);
    block.index = indices[rank];
    block.place = code.place;
    block.image = code.image;
    block.shared = code.shared;
    block.call = code.call;
    *code.place = {{},
                   block.index,
                   {launch.threads[0], launch.threads[1], launch.threads[2]},
                   {launch.grid[0], launch.grid[1], launch.grid[2]}};
    if (block.shared) {
      std::memset(block.shared, 0xff, launch.shared_bytes);  // NaN
      if (launch.shared_bytes + margin.size() <= shared_bytes_of_chip)
        std::memcpy(block.shared + launch.shared_bytes, margin.data(), margin.size());
    }
    block.threads.resize(threads);
    block.warps.resize((threads + 31) / 32);
    block.products.resize((threads + 127) / 128);
    for (unsigned i = 0; i < threads; ++i) {
      Thread& thread = block.threads[i];
      thread.block = &block;
      thread.index = i;
      thread.fiber =
          std::make_unique<Fiber>(stacks + (rank * threads + i) * Fiber::stack_bytes, [&block, &launch] {
            try {
              block.call(launch.parameters.data());
            } catch (...) {
              failure = std::current_exception();
            }
            ++progress;
          });
    }
  }
  std::vector<Thread*> all;
  for (Block& block : now.blocks)
    for (Thread& thread : block.threads) all.push_back(&thread);
  size_t running = all.size(), idle = 0;
  while (running > 0) {
    const size_t before = progress, start = random_numbers() % all.size(),
                 delayed = random_numbers() % (all.size() / 32 + 1);
    for (size_t i = 0; i < all.size(); ++i) {
      Thread& thread = *all[(start + i) % all.size()];
      if (thread.fiber->ended() || (idle == 0 && (start + i) % all.size() / 32 == delayed)) continue;
      self = &thread;
      const unsigned x = launch.threads[0], y = launch.threads[1];
      thread.block->place->thread = {thread.index % x, thread.index / x % y, thread.index / x / y};
      thread.fiber->resume();
      if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
      if (thread.fiber->ended()) {
        --running;
        if (!thread.products.empty()) stop("a thread ends while its products run");
      }
    }
    const bool moved = progress != before;
    if (!now.engine.empty() && (!moved || random_numbers() % 4 == 0)) {
      const size_t which = random_numbers() % std::min<size_t>(now.engine.size(), 4);
      finish(now.engine[which]);
      now.engine.erase(now.engine.begin() + static_cast<std::ptrdiff_t>(which));
    }
    idle = moved || progress != before ? 0 : idle + 1;
    if (idle > 2) {
      size_t at_barrier = 0;
      for (Block& block : now.blocks) at_barrier += block.arrived;
      throw Fault{Fault::timeout, "nothing moves any more: " + std::to_string(running) + " threads of " +
                                      std::to_string(all.size()) + " wait, " + std::to_string(at_barrier) +
                                      " of them at a barrier of their block (cluster of block " +
                                      std::to_string(indices[0].x) + ", " + std::to_string(indices[0].y) +
                                      ", " + std::to_string(indices[0].z) + ")"};
    }
  }
  if (!now.engine.empty())
    throw Fault{Fault::launch_failed, "blocks end while copies to them are on their way"};
  for (Block& block : now.blocks)
    if (block.shared && launch.shared_bytes + margin.size() <= shared_bytes_of_chip &&
        std::memcmp(block.shared + launch.shared_bytes, margin.data(), margin.size()) != 0)
      throw Fault{Fault::illegal_address, "a write behind the launch's shared memory"};
}

}  // namespace

const EmulatedMachine& machine() { return functions; }

void run(const Launch& launch) {
  static unsigned launches = 0;
  random_numbers.seed(launches);
  background = static_cast<Background>(launches++ % 3);
  unsigned count = 1;
  for (int d = 0; d < 3; ++d) {
    if (launch.grid[d] % launch.cluster[d]) throw Fault{Fault::invalid, "a grid of no whole clusters"};
    count *= launch.cluster[d];
  }
  char* const stacks = stacks_for(size_t{count} * launch.threads[0] * launch.threads[1] * launch.threads[2]);
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  for (int i = 0; i < 3; ++i) sigaction(signals[i], &action, &handlers_before[i]);
  const auto restore = [] {
    launching = 0;
    for (int i = 0; i < 3; ++i) sigaction(signals[i], &handlers_before[i], nullptr);
  };
  launching = 1;
  if (sigsetjmp(back_to_launch, 1)) {
    restore();
    const EmulatedDim3& b = self->block->index;
    throw Fault{signal_number == SIGILL ? Fault::misaligned : Fault::illegal_address,
                std::string(signal_number == SIGILL ? "an access at a misaligned place or outside of an array"
                                                    : "an access outside of memory") +
                    " (block " + std::to_string(b.x) + ", " + std::to_string(b.y) + ", " +
                    std::to_string(b.z) + ", thread " + std::to_string(self->index) + ")"};
  }
  try {
    for (unsigned z = 0; z < launch.grid[2]; z += launch.cluster[2])
      for (unsigned y = 0; y < launch.grid[1]; y += launch.cluster[1])
        for (unsigned x = 0; x < launch.grid[0]; x += launch.cluster[0]) {
          std::vector<EmulatedDim3> indices;
          for (unsigned k = 0; k < launch.cluster[2]; ++k)
            for (unsigned j = 0; j < launch.cluster[1]; ++j)
              for (unsigned i = 0; i < launch.cluster[0]; ++i) indices.push_back({x + i, y + j, z + k});
          run_cluster(launch, indices, stacks);
        }
  } catch (...) {
    restore();
    throw;
  }
  restore();
}

}  // namespace burnish::emulated
