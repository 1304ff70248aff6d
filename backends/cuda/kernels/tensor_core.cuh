// Copies to shared memory and products on the tensor cores, by their PTX names.
namespace burnish {

/// 16 bytes from global to shared memory in the background; zeros where `valid` is false (nothing is read then).
BURNISH_DEVICE void copy_16(uint32_t to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
/// 8 or 4 of them.
template <int BYTES> BURNISH_DEVICE void copy_few(uint32_t to, const void* from, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(BYTES), "r"(valid ? BYTES : 0) : "memory");
}
BURNISH_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int LEFT> BURNISH_DEVICE void wait_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory"); }

/// Four 8x8 matrices of 16-bit elements (or 8x4 of 32-bit ones); lane i gives the address of row i % 8 of matrix i / 8.
BURNISH_DEVICE void load_matrices(uint32_t (&into)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(into[0]), "=r"(into[1]), "=r"(into[2]), "=r"(into[3]) : "r"(address) : "memory");
}
BURNISH_DEVICE void load_matrices_transposed(uint32_t (&into)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(into[0]), "=r"(into[1]), "=r"(into[2]), "=r"(into[3]) : "r"(address) : "memory");
}

/// d += a * b over 32 bytes of the inner dimension: 16x8 results in a warp, a row-major, b column-major.
template <class T> struct Multiply;
template <> struct Multiply<f16> {
  static BURNISH_DEVICE void run(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
};
template <> struct Multiply<bf16> {
  static BURNISH_DEVICE void run(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
};
BURNISH_DEVICE uint32_t to_tf32(float x) { uint32_t y; asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x)); return y; }
BURNISH_DEVICE void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <> struct Multiply<float> {
  static BURNISH_DEVICE void run(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    const float x[4] = {__uint_as_float(a[0]), __uint_as_float(a[1]), __uint_as_float(a[2]), __uint_as_float(a[3])};
    const float y[2] = {__uint_as_float(b0), __uint_as_float(b1)};
    uint32_t xs[4], ys[2];
#pragma unroll
    for (int i = 0; i < 4; ++i) xs[i] = to_tf32(x[i]);
#pragma unroll
    for (int i = 0; i < 2; ++i) ys[i] = to_tf32(y[i]);
#ifndef BURNISH_TF32  // the product of f32 in three of tf32: x y = (xs + xr)(ys + yr), without xr yr
    uint32_t xr[4], yr[2];
#pragma unroll
    for (int i = 0; i < 4; ++i) xr[i] = to_tf32(x[i] - __uint_as_float(xs[i]));
#pragma unroll
    for (int i = 0; i < 2; ++i) yr[i] = to_tf32(y[i] - __uint_as_float(ys[i]));
    multiply_tf32(d, xr, ys[0], ys[1]);
    multiply_tf32(d, xs, yr[0], yr[1]);
#endif
    multiply_tf32(d, xs, ys[0], ys[1]);
  }
};

#if __CUDA_ARCH__ >= 900
// --- barriers on which copies of the copy engine arrive ---
BURNISH_DEVICE void barrier_init(uint32_t barrier, int count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory"); }
BURNISH_DEVICE void barrier_init_done() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
BURNISH_DEVICE void barrier_expect(uint32_t barrier, int bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory"); }
BURNISH_DEVICE void barrier_wait(uint32_t barrier, int parity) {
  asm volatile("{\n .reg .pred done;\nWAIT:\n mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n @done bra DONE;\n bra WAIT;\nDONE:\n}" ::"r"(barrier), "r"(parity) : "memory");
}
/// `bytes` (a multiple of 16) from global to shared memory by the copy engine.
BURNISH_DEVICE void copy_bulk(uint32_t to, const void* from, int bytes, uint32_t barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to), "l"(from), "r"(bytes), "r"(barrier) : "memory");
}
/// A part of a matrix (the box and the permutation that `map` was made with), from column x and row y on; zeros outside.
BURNISH_DEVICE void copy_tensor(uint32_t to, const void* map, int x, int y, uint32_t barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(to), "l"(map), "r"(barrier), "r"(x), "r"(y) : "memory");
}
/// The same into every block of the cluster whose bit is set in `blocks`, at the same place, arriving on its own barrier there.
BURNISH_DEVICE void copy_bulk_to_all(uint32_t to, const void* from, int bytes, uint32_t barrier, uint16_t blocks) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1], %2, [%3], %4;" ::"r"(to), "l"(from), "r"(bytes), "r"(barrier), "h"(blocks) : "memory");
}
BURNISH_DEVICE void copy_tensor_to_all(uint32_t to, const void* map, int x, int y, uint32_t barrier, uint16_t blocks) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(to), "l"(map), "r"(barrier), "r"(x), "r"(y), "h"(blocks) : "memory");
}
/// A box of an image with channels innermost: from channel c, column w, line h of image n on; zeros outside.
BURNISH_DEVICE void copy_box(uint32_t to, const void* map, int c, int w, int h, int n, uint32_t barrier) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(to), "l"(map), "r"(barrier), "r"(c), "r"(w), "r"(h), "r"(n) : "memory");
}
BURNISH_DEVICE void copy_box_to_all(uint32_t to, const void* map, int c, int w, int h, int n, uint32_t barrier, uint16_t blocks) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(to), "l"(map), "r"(barrier), "r"(c), "r"(w), "r"(h), "r"(n), "h"(blocks) : "memory");
}
/// The map itself is on its way.
BURNISH_DEVICE void fetch_map(const void* map) { asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory"); }
/// The same three into L2 alone.
BURNISH_DEVICE void fetch_bulk(const void* from, int bytes) { asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(__cvta_generic_to_global(from)), "r"(bytes) : "memory"); }
BURNISH_DEVICE void fetch_tensor(const void* map, int x, int y) {
  asm volatile("cp.async.bulk.prefetch.tensor.2d.L2.global [%0, {%1, %2}];" ::"l"(map), "r"(x), "r"(y) : "memory");
}
BURNISH_DEVICE void fetch_box(const void* map, int c, int w, int h, int n) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global [%0, {%1, %2, %3, %4}];" ::"l"(map), "r"(c), "r"(w), "r"(h), "r"(n) : "memory");
}
BURNISH_DEVICE void barrier_arrive(uint32_t barrier) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory"); }
/// Orders nothing between the blocks: a release at their scope would wait for all memory, half a microsecond.
BURNISH_DEVICE void barrier_arrive_in_block(uint32_t barrier, int block) {
  asm volatile("{\n .reg .b32 there;\n mapa.shared::cluster.u32 there, %0, %1;\n mbarrier.arrive.shared::cluster.b64 _, [there];\n}" ::"r"(barrier), "r"(block) : "memory");
}

// --- clusters ---
/// All threads of the cluster have come here. Orders barrier_init_done() and nothing else: cheap, unlike a barrier with
/// release, which waits for all memory.
BURNISH_DEVICE void cluster_meet() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
BURNISH_DEVICE uint32_t address_in_block(uint32_t address, int block) {
  uint32_t there;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(block));
  return there;
}
/// 16 (eight, or four) bytes into a block's shared memory, which arrive on a barrier there; both are addresses of address_in_block().
BURNISH_DEVICE void send(uint32_t to, const float4& four, uint32_t barrier) {
  asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(to), "r"(__float_as_uint(four.x)), "r"(__float_as_uint(four.y)), "r"(__float_as_uint(four.z)), "r"(__float_as_uint(four.w)), "r"(barrier) : "memory");
}
BURNISH_DEVICE void send(uint32_t to, float x, float y, uint32_t barrier) {
  asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%0], {%1, %2}, [%3];" ::"r"(to), "r"(__float_as_uint(x)), "r"(__float_as_uint(y)), "r"(barrier) : "memory");
}
BURNISH_DEVICE void send(uint32_t to, float x, uint32_t barrier) {
  asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];" ::"r"(to), "r"(__float_as_uint(x)), "r"(barrier) : "memory");
}
#endif

#ifdef BURNISH_WGMMA
// --- products of a warpgroup, which run on while its threads do other things (sm_90a) ---
BURNISH_DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
BURNISH_DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int LEFT> BURNISH_DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory"); }
/// A warpgroup's share of the registers, down or up to so many for each thread; up waits until others gave theirs back.
template <int COUNT> BURNISH_DEVICE void give_registers_back() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT)); }
template <int COUNT> BURNISH_DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT)); }
/// After products_wait<0>(): the compiler, which knows nothing of what runs on, may not copy results to other registers before.
template <int N> BURNISH_DEVICE void products_done(float (&results)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) asm volatile("" : "+f"(results[i])::"memory");
}
/// Before products_begin(): an operand in registers is written by now.
template <int N> BURNISH_DEVICE void products_ready(uint32_t (&operand)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) asm volatile("" : "+r"(operand[i])::"memory");
}
/// What a thread wrote to shared memory (copy_16() too, once waited for) is for products to read after the next barrier.
BURNISH_DEVICE void copies_to_products() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
#endif

}  // namespace burnish
