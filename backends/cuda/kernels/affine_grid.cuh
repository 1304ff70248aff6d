// The grid that samples an affine transform: theta times the centres (ALIGN: the corners) of the pixels, in -1 to 1.
constexpr int SPATIAL = OUT0_RANK - 2;
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int entry[3] = {o[0], o[SPATIAL + 1], SPATIAL};
  Out0 sum = in0(p, s, entry);
#pragma unroll
  for (int d = 0; d < SPATIAL; ++d) {
    const Out0 place = Out0(o[1 + d]), extent = Out0(out0_dim(s, 1 + d));
    entry[2] = SPATIAL - 1 - d;
    const Out0 at = ALIGN ? (extent > 1 ? Out0(2) * place / (extent - 1) - 1 : Out0(-1)) : (Out0(2) * place + 1) / extent - 1;
    sum += in0(p, s, entry) * at;
  }
  out0(p, s, o, sum);
}
