// What the text of a kernel asks of the machine that runs it on the host. It goes into that text too, so it
// includes nothing.
#pragma once

struct EmulatedDim3 {
  unsigned x, y, z;
};

/// A product of a warpgroup that runs on until it is waited for.
struct EmulatedProduct {
  void (*run)(const EmulatedProduct&);  ///< by each thread, those of a warp together
  float* sums;
  unsigned long long left, right;  ///< descriptors of operands in shared memory
  const unsigned* left_registers;  ///< instead of `left`, or null
  bool add;
};

/// Addresses are those of shared memory, of this block or (block_address()) of another one of the cluster.
/// Whatever is waited for lets other threads run meanwhile.
struct EmulatedMachine {
  unsigned (*address)(const void* pointer);
  void* (*pointer)(unsigned address);
  unsigned (*block_address)(unsigned address, unsigned block);

  void (*sync_threads)();
  void (*meet_cluster)();
  /// What all lanes of the warp have put here, `bytes` each, lane by lane; good until the call after the next
  /// one.
  const char* (*exchange)(const void* mine, unsigned bytes);

  void (*barrier_init)(unsigned barrier, int count);
  void (*barrier_arrive)(unsigned barrier, int expected_bytes);
  void (*barrier_wait)(unsigned barrier, int parity);

  /// So many bytes, or zeros, of this thread's open group of copies.
  void (*copy)(unsigned to, const void* from, int bytes, bool valid);
  void (*commit_copies)();
  void (*wait_copies)(int left);

  /// Copies of the copy engine, which arrive on a barrier of the same block; into all of `blocks`, or 0: this
  /// one.
  void (*copy_bulk)(unsigned to, const void* from, int bytes, unsigned barrier, unsigned blocks);
  void (*copy_tensor)(unsigned to, const void* map, const int* place, int axes, unsigned barrier,
                      unsigned blocks);
  void (*send)(unsigned to, const void* bytes, int count, unsigned barrier);

  void (*begin_product)(const EmulatedProduct& product);
  void (*commit_products)();
  void (*wait_products)(int left);

  void (*fail)(const char* what);
};

/// What the code of a kernel shows: threadIdx, blockIdx, blockDim and gridDim, which the machine sets before
/// a thread goes on.
struct EmulatedPlace {
  EmulatedDim3 thread, block, block_size, grid;
};
