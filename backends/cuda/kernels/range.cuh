// start + i * delta.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  const int first[1] = {0};
  out0(p, s, o, Out0(in0(p, s, first) + Out0(o[0]) * in2(p, s, first)));
}
