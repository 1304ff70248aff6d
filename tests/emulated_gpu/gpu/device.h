// CUDA's own names on the host: this stands before the text of every kernel. compiler.cpp puts calls of what
// is defined here in the place of PTX.
#pragma once
#include <math.h>

#include "machine.h"

#define int64_t emulated_int64_t  // the text's own is long long
#define uint64_t emulated_uint64_t
#define __device__
#define __forceinline__ inline
#define __global__
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(BYTES) alignas(BYTES)
#define __shared__ static  // the code is loaded once for each block of a cluster
#define alignas(BYTES) __attribute__((aligned(BYTES)))

#define EMULATED_EXPORT extern "C" __attribute__((visibility("default")))
static const EmulatedMachine* emulated_machine = nullptr;
static EmulatedPlace emulated_place = {};
EMULATED_EXPORT EmulatedPlace* emulated_attach(const EmulatedMachine* machine) {
  emulated_machine = machine;
  return &emulated_place;
}
#define threadIdx emulated_place.thread
#define blockIdx emulated_place.block
#define blockDim emulated_place.block_size
#define gridDim emulated_place.grid

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

template <class To, class From>
inline To emulated_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
inline float __int_as_float(int x) { return emulated_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emulated_bits<float>(x); }
inline unsigned __float_as_uint(float x) { return emulated_bits<unsigned>(x); }
inline double __longlong_as_double(long long x) { return emulated_bits<double>(x); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __expf(float x) { return expf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float max(float a, float b) { return fmaxf(a, b); }
inline float min(float a, float b) { return fminf(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
template <class A, class B>
inline auto max(A a, B b) -> decltype(a + b) {
  return a > b ? a : b;
}
template <class A, class B>
inline auto min(A a, B b) -> decltype(a + b) {
  return a < b ? a : b;
}

inline void __syncthreads() { emulated_machine->sync_threads(); }
inline void __syncwarp() { emulated_machine->exchange("", 1); }
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  if (mask != 0xffffffffu) emulated_machine->fail("a shuffle of part of a warp");
  const T* all = reinterpret_cast<const T*>(emulated_machine->exchange(&value, sizeof value));
  return all[(threadIdx.x & 31) ^ lanes];
}
template <class T>
inline T atomicAdd(T* to, T value) {  // threads take turns
  const T before = *to;
  *to = before + value;
  return before;
}
inline unsigned long long __cvta_generic_to_shared(const void* pointer) {
  return emulated_machine->address(pointer);
}
inline unsigned long long __cvta_generic_to_global(const void* pointer) {
  return reinterpret_cast<unsigned long long>(pointer);
}

// --- numbers ---
inline float emulated_half_to_float(unsigned short bits) {
  return static_cast<float>(emulated_bits<_Float16>(bits));
}
inline unsigned short emulated_float_to_half(float x) {
  return emulated_bits<unsigned short>(static_cast<_Float16>(x));
}
inline float emulated_bfloat_to_float(unsigned short bits) { return __uint_as_float(unsigned(bits) << 16); }
inline unsigned short emulated_float_to_bfloat(float x) {
  const unsigned bits = __float_as_uint(x);
  if (x != x) return 0x7fff;
  return static_cast<unsigned short>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float emulated_max_nan(float a, float b) { return a != a ? a : b != b ? b : a > b ? a : b; }
inline float emulated_min_nan(float a, float b) { return a != a ? a : b != b ? b : a < b ? a : b; }
inline unsigned emulated_to_tf32(float x) {
  return (__float_as_uint(x) + 0x1000) & 0xffffe000u;
}  // ties away from zero
/// exp2 that takes results too small for a normal number for zeros.
inline float emulated_exp2(float x) { return x < -126 ? 0.0f : exp2f(x); }

enum EmulatedType { EMULATED_F16, EMULATED_BF16 };
template <EmulatedType TYPE>
inline float emulated_element(unsigned short bits) {
  return TYPE == EMULATED_F16 ? emulated_half_to_float(bits) : emulated_bfloat_to_float(bits);
}

// --- what a warp does together (PTX ISA, "Matrix fragments") ---
template <bool TRANSPOSED>
inline void emulated_load_matrices(unsigned (&into)[4], unsigned address) {
  const unsigned* rows =
      reinterpret_cast<const unsigned*>(emulated_machine->exchange(&address, sizeof address));
  const int lane = threadIdx.x & 31;
  for (int matrix = 0; matrix < 4; ++matrix) {
    unsigned short pair[2];
    for (int e = 0; e < 2; ++e) {
      const int row = TRANSPOSED ? lane % 4 * 2 + e : lane / 4,
                column = TRANSPOSED ? lane / 4 : lane % 4 * 2 + e;
      const unsigned at = rows[matrix * 8 + row];
      if (at % 16) emulated_machine->fail("a row of a matrix that begins at no multiple of 16 bytes");
      pair[e] = static_cast<const unsigned short*>(emulated_machine->pointer(at))[column];
    }
    into[matrix] = pair[0] | unsigned(pair[1]) << 16;
  }
}
struct EmulatedFragments {
  unsigned a[4], b[2];
};
/// d += a b: 16 rows, 8 columns, INNER elements (16 of 16 bits, or 8 of TF32).
template <int INNER, class Element>
inline void emulated_multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                              const Element& element) {
  const EmulatedFragments own = {{a[0], a[1], a[2], a[3]}, {b0, b1}};
  const EmulatedFragments* all =
      reinterpret_cast<const EmulatedFragments*>(emulated_machine->exchange(&own, sizeof own));
  constexpr int HALF = INNER / 2, EACH = HALF / 4;  // elements of a register
  const int lane = threadIdx.x & 31;
  for (int i = 0; i < 4; ++i) {
    const int column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < INNER; ++k) {
      const int inner_lane = k % HALF / EACH;
      d[i] += element(all[lane / 4 * 4 + inner_lane].a[i / 2 + k / HALF * 2], k % EACH) *
              element(all[column * 4 + inner_lane].b[k / HALF], k % EACH);
    }
  }
}
template <EmulatedType TYPE>
inline void emulated_multiply_16(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  emulated_multiply<16>(d, a, b0, b1, [](unsigned word, int which) {
    return emulated_element<TYPE>(static_cast<unsigned short>(word >> 16 * which));
  });
}
inline void emulated_multiply_tf32(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  emulated_multiply<8>(d, a, b0, b1, [](unsigned word, int) { return __uint_as_float(word & 0xffffe000u); });
}

// --- what a warpgroup does together (PTX ISA, "Asynchronous warpgroup level matrix instructions") ---
/// An operand in rows of 128 bytes, whose chunks are permuted.
template <EmulatedType TYPE>
struct EmulatedOperand {
  unsigned start, part, group;
  const char* memory;

  explicit EmulatedOperand(unsigned long long descriptor)
      : start(unsigned(descriptor & 0x3fff) << 4),
        part(unsigned(descriptor >> 16 & 0x3fff) << 4),
        group(unsigned(descriptor >> 32 & 0x3fff) << 4),
        memory(static_cast<const char*>(emulated_machine->pointer(start)) - start) {
    if (descriptor >> 62 != 1) emulated_machine->fail("a product's operand is not permuted by 128 bytes");
  }
  /// In elements of 16 bits.
  float at(int row, int column) const {
    unsigned place = start + unsigned(column / 64) * part + unsigned(row / 8) * group +
                     unsigned(row % 8) * 128 + unsigned(column % 64) * 2;
    place ^= (place >> 7 & 7) << 4;
    return emulated_element<TYPE>(*reinterpret_cast<const unsigned short*>(memory + place));
  }
};
template <int COLUMNS, EmulatedType TYPE, bool RIGHT_ROWS>
inline void emulated_run_product(const EmulatedProduct& product) {
  const int lane = threadIdx.x & 31, first = threadIdx.x / 32 % 4 * 16 + lane / 4;
  float left[2][16];
  if (product.left_registers) {
    const unsigned* all =
        reinterpret_cast<const unsigned*>(emulated_machine->exchange(product.left_registers, 16));
    for (int half = 0; half < 2; ++half)
      for (int k = 0; k < 16; ++k)
        left[half][k] = emulated_element<TYPE>(static_cast<unsigned short>(
            all[(lane / 4 * 4 + k % 8 / 2) * 4 + half + k / 8 * 2] >> 16 * (k % 2)));
  } else {
    const EmulatedOperand<TYPE> operand(product.left);
    for (int half = 0; half < 2; ++half)
      for (int k = 0; k < 16; ++k) left[half][k] = operand.at(first + half * 8, k);
  }
  const EmulatedOperand<TYPE> operand(product.right);
  for (int j = 0; j < COLUMNS / 8; ++j)
    for (int e = 0; e < 2; ++e) {
      const int column = j * 8 + lane % 4 * 2 + e;
      float right[16];
      for (int k = 0; k < 16; ++k) right[k] = RIGHT_ROWS ? operand.at(k, column) : operand.at(column, k);
      for (int half = 0; half < 2; ++half) {
        float& sum = product.sums[j * 4 + half * 2 + e];
        float total = product.add ? sum : 0;
        for (int k = 0; k < 16; ++k) total += left[half][k] * right[k];
        sum = total;
      }
    }
}
template <EmulatedType TYPE, bool RIGHT_ROWS, int HALF_COLUMNS>
inline void emulated_product(float (&d)[HALF_COLUMNS], unsigned long long left, unsigned long long right,
                             bool add) {
  emulated_machine->begin_product(
      {&emulated_run_product<HALF_COLUMNS * 2, TYPE, RIGHT_ROWS>, d, left, right, nullptr, add});
}
template <EmulatedType TYPE, bool RIGHT_ROWS, int HALF_COLUMNS>
inline void emulated_product(float (&d)[HALF_COLUMNS], const unsigned (&left)[4], unsigned long long right,
                             bool add) {
  emulated_machine->begin_product(
      {&emulated_run_product<HALF_COLUMNS * 2, TYPE, RIGHT_ROWS>, d, 0, right, left, add});
}

inline void emulated_copy_tensor(unsigned to, const void* map, const int (&place)[2], unsigned barrier,
                                 unsigned blocks = 0) {
  emulated_machine->copy_tensor(to, map, place, 2, barrier, blocks);
}
inline void emulated_copy_box(unsigned to, const void* map, const int (&place)[4], unsigned barrier,
                              unsigned blocks = 0) {
  emulated_machine->copy_tensor(to, map, place, 4, barrier, blocks);
}

// --- how the machine calls a kernel ---
template <class... Parameters>
struct EmulatedSignature {
  static constexpr unsigned sizes[] = {sizeof(Parameters)..., 0};
  template <int... I>
  struct Indices {};
  template <int N, int... I>
  struct Count : Count<N - 1, N - 1, I...> {};
  template <int... I>
  struct Count<0, I...> {
    using type = Indices<I...>;
  };
  template <int... I>
  static void call(void (*kernel)(Parameters...), void** parameters, Indices<I...>) {
    kernel(*static_cast<const Parameters*>(parameters[I])...);
  }
  static void call(void (*kernel)(Parameters...), void** parameters) {
    call(kernel, parameters, typename Count<sizeof...(Parameters)>::type{});
  }
};
template <class... Parameters>
EmulatedSignature<Parameters...> emulated_signature(void (*)(Parameters...)) {
  return {};
}
