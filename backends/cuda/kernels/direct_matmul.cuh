// The matrix product by its definition, with batches that are repeated in any way, vectors, and any type.
using Sum = Out0;
constexpr bool ROW = IN0_RANK == 1, COLUMN = IN1_RANK == 1;
constexpr int BATCHES = OUT0_RANK - !ROW - !COLUMN;

BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int a[IN0_RANK], b[IN1_RANK];
#pragma unroll
  for (int d = 0; d < IN0_RANK - 2; ++d) a[d] = o[d + BATCHES - (IN0_RANK - 2)] % in0_dim(s, d);
#pragma unroll
  for (int d = 0; d < IN1_RANK - 2; ++d) b[d] = o[d + BATCHES - (IN1_RANK - 2)] % in1_dim(s, d);
  constexpr int A_INNER = TRANSPOSE_A ? IN0_RANK - 2 : IN0_RANK - 1, B_INNER = COLUMN ? 0 : TRANSPOSE_B ? IN1_RANK - 1 : IN1_RANK - 2;
  const int row[1] = {ROW ? 0 : o[BATCHES]}, column[1] = {COLUMN ? 0 : o[OUT0_RANK - 1]};
  if (!ROW) a[TRANSPOSE_A ? IN0_RANK - 1 : IN0_RANK - 2] = row[0];
  if (!COLUMN) b[TRANSPOSE_B ? IN1_RANK - 2 : IN1_RANK - 1] = column[0];
  const Sum a_zero = zero_of_x(p, s, row), b_zero = zero_of_w(p, s, column);
  Sum total = 0;
  const int inner = in0_dim(s, A_INNER);
  for (int k = 0; k < inner; ++k) {
    a[A_INNER] = k;
    b[B_INNER] = k;
    total = wrap_add(total, wrap_mul(Sum(Sum(in0(p, s, a)) - a_zero), Sum(Sum(in1(p, s, b)) - b_zero)));
  }
  out0(p, s, o, total);
}
